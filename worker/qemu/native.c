/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * native.c: the command line that a definition is run with, for people to read; see native.h.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/qemu/native.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/take.h"
#include "worker/box/prefix.h"
#include "worker/qemu/command.h"

/* Between quotes where a shell would take it for something else. */
static void
put_word(FILE *out, const char *word)
{
	if (*word && !strpbrk(word, "\r\t\n !\"#$&'()*;<>?[\\]^`{|}~")) {
		(void)fputs(word, out);
		return;
	}
	(void)fputc('\'', out);
	for (; *word; word++)
		if (*word == '\'')
			(void)fputs("'\\''", out);
		else
			(void)fputc(*word, out);
	(void)fputc('\'', out);
}

/* The file behind a descriptor, as a redirection of its number. */
static void
put_file(FILE *out, const struct domain_def *live, const struct qemu_command_fd *fd)
{
	const struct domain_disk *disk =
		fd->file == QEMU_FILE_DISK ? &live->disks[fd->index] : NULL;
	bool writes = disk && fd->layer == 0 && !disk->readonly;
	const char *path = NULL;

	if (disk)
		path = fd->layer > 0 ? disk->backing[fd->layer - 1].path : disk->source.path;
	else if (fd->file == QEMU_FILE_KERNEL)
		path = live->os.kernel;
	else if (fd->file == QEMU_FILE_INITRD)
		path = live->os.initrd;
	if (!path)
		return;
	(void)fprintf(out, " %d%s", fd->number, writes ? "<>" : "<");
	put_word(out, path);
}

static void
put_line(FILE *out, const struct domain_def *live, const struct qemu_command *command)
{
	for (unsigned i = 0; prefix_environment[i]; i++)
		(void)fprintf(out, "%s ", prefix_environment[i]);
	put_word(out, prefix_qemu_path);
	for (unsigned i = 1; prefix_qemu[i]; i++) {
		(void)fputc(' ', out);
		put_word(out, prefix_qemu[i]);
	}
	for (unsigned i = 0; i < command->n_args; i++) {
		(void)fputc(' ', out);
		put_word(out, command->args[i]);
	}
	for (unsigned i = 0; i < command->n_fds; i++)
		put_file(out, live, &command->fds[i]);
}

int
qemu_native(const struct domain_def *live, char **ret_text)
{
	struct qemu_command command = {.n_args = 0};
	free_auto char *text = NULL;
	size_t size;
	FILE *out;
	int r = qemu_command_make(live, &command);

	if (r < 0)
		return r;
	out = open_memstream(&text, &size);
	if (out)
		put_line(out, live, &command);
	qemu_command_fini(&command);
	/* What a write to memory lacks is told at the end. */
	if (!out || fclose(out) != 0)
		return -ENOMEM;
	*ret_text = take_ptr(text);
	return 0;
}
