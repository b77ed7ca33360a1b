/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * notes.c: which VMs run; see notes.h.
 *
 * Runs in qemud-session, as the user.
 */
#include "session/notes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "lib/boot.h"
#include "lib/fd.h"
#include "lib/replace.h"
#include "lib/take.h"
#include "lib/uuid.h"

enum { TEXT_MAX = 256, STAT_MAX = 4096, NAME_SIZE = UUID_TEXT_SIZE + sizeof(".lease") - 1 };

static const char suffix[] = ".lease";

struct name {
	char text[NAME_SIZE];
};

static struct name
name_of(const uint8_t uuid[static UUID_SIZE])
{
	char text[UUID_TEXT_SIZE];
	struct name name;

	(void)snprintf(name.text, sizeof(name.text), "%s%s", uuid_format(uuid, text), suffix);
	return name;
}

/* What a note says of its process. Returns 0 or a negative errno; -ESRCH: there is none. */
static int
describe(const struct note *note, char ret[static TEXT_MAX])
{
	char path[32], began[24] = "", boot[BOOT_ID_SIZE];
	free_auto char *stat = NULL;
	fd_auto int stat_fd = -1;
	const char *rest;
	size_t size;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)note->pid);
	stat_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (stat_fd < 0)
		return -ESRCH;
	r = fd_read_all(stat_fd, STAT_MAX, &stat, &size);
	if (r == 0)
		r = boot_id(boot);
	if (r < 0)
		return r;
	/* The 22nd field is when it began; the second ends in the last parenthesis (proc(5)). */
	rest = strrchr(stat, ')');
	for (int field = 2; rest && field < 22; field++)
		rest = strchr(rest + 1, ' ');
	if (!rest || sscanf(rest, " %23[0-9]", began) != 1)
		return -EBADMSG;
	(void)snprintf(ret, TEXT_MAX, "id %" PRIu32 " pid %d began %s boot %s\n", note->id,
		(int)note->pid, began, boot);
	return 0;
}

int
note_write(int dir_fd, const struct note *note)
{
	struct name name = name_of(note->uuid);
	char text[TEXT_MAX];
	int r = describe(note, text);

	return r < 0 ? r : replace_file(dir_fd, name.text, text, strlen(text), 0600);
}

void
note_remove(int dir_fd, const uint8_t uuid[static UUID_SIZE])
{
	struct name name = name_of(uuid);

	(void)unlinkat(dir_fd, name.text, 0);
}

static bool
read_uuid(const char *text, uint8_t uuid[static UUID_SIZE])
{
	const char *p = text;

	for (size_t i = 0; i < UUID_SIZE; i++) {
		char digits[3] = {0};

		p += *p == '-';
		memcpy(digits, p, strnlen(p, 2));
		if (strspn(digits, "0123456789abcdef") != 2)
			return false;
		uuid[i] = (uint8_t)strtoul(digits, NULL, 16);
		p += 2;
	}
	/* Nothing is a note that we would not have named so. */
	return strcmp(name_of(uuid).text, text) == 0;
}

/* A word, and a number from 1 to INT32_MAX behind it; text goes on behind both. */
static bool
read_number(const char **text, const char *word, uint32_t *ret)
{
	const char *digits = *text + strlen(word);
	unsigned long number;
	char *end;

	if (strncmp(*text, word, strlen(word)) != 0 || *digits < '0' || *digits > '9')
		return false;
	number = strtoul(digits, &end, 10);
	if (number < 1 || number > INT32_MAX)
		return false;
	*ret = (uint32_t)number;
	*text = end;
	return true;
}

/* Returns the pidfd of the process that the note is of, or -1 when that has ended. */
static int
find_process(const char *text, struct note *note)
{
	char now[TEXT_MAX];
	fd_auto int pidfd = -1;
	const char *at = text;
	uint32_t pid;

	if (!read_number(&at, "id ", &note->id) || !read_number(&at, " pid ", &pid))
		return -1;
	note->pid = (pid_t)pid;
	/* First hold it, then see whether it is the one: a number may be given again in between. */
	pidfd = pidfd_open(note->pid, 0);
	if (pidfd < 0 || describe(note, now) < 0 || strcmp(now, text) != 0)
		return -1;
	return take_fd(&pidfd);
}

static void
read_one(int dir_fd, const char *name, notes_fn *fn, void *arg)
{
	fd_auto int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	free_auto char *text = NULL;
	struct note note;
	size_t size;
	int pidfd = -1;

	if (!read_uuid(name, note.uuid))
		return;
	if (fd >= 0 && fd_read_all(fd, TEXT_MAX, &text, &size) == 0)
		pidfd = find_process(text, &note);
	if (pidfd >= 0)
		fn(arg, &note, pidfd);
	else
		note_remove(dir_fd, note.uuid);
}

static void
take_cleanup_dir(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

int
notes_read(int dir_fd, notes_fn *fn, void *arg)
{
	fd_auto int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(take_cleanup_dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir)
		return -errno;
	(void)take_fd(&fd);
	while (errno = 0, (entry = readdir(dir)) != NULL) {
		size_t length = strlen(entry->d_name);

		if (length == NAME_SIZE - 1 &&
			strcmp(entry->d_name + length - strlen(suffix), suffix) == 0)
			read_one(dir_fd, entry->d_name, fn, arg);
	}
	return -errno;
}
