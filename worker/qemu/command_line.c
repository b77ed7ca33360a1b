/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_line.c: arguments and descriptors, one after another.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/qemu/command_line.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/take.h"
#include "worker/qemu/json_text.h"

/* Takes the text over; NULL: memory ran out. */
static void
append(struct command_line *line, char *argument)
{
	struct qemu_command *command = line->command;

	ASSERT(command->n_args < PLAN_ARGS_MAX);
	if (argument)
		command->args[command->n_args++] = argument;
	else
		line->failed = true;
}

void
command_line_add(struct command_line *line, const char *argument)
{
	append(line, strdup(argument));
}

void
command_line_add_f(struct command_line *line, const char *fmt, ...)
{
	char *argument = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&argument, fmt, ap);
	va_end(ap);
	append(line, n < 0 ? NULL : argument);
}

void
command_line_append(struct command_line *line, const char *fmt, ...)
{
	struct qemu_command *command = line->command;
	free_auto char *more = NULL;
	char **last, *longer;
	va_list ap;
	int n;

	/* What is not there for want of memory is not added to. */
	if (line->failed)
		return;
	ASSERT(command->n_args > 0);
	last = &command->args[command->n_args - 1];
	va_start(ap, fmt);
	n = vasprintf(&more, fmt, ap);
	va_end(ap);
	if (n < 0)
		more = NULL;
	longer = more ? realloc(*last, strlen(*last) + strlen(more) + 1) : NULL;
	if (!longer) {
		line->failed = true;
		return;
	}
	memcpy(longer + strlen(longer), more, strlen(more) + 1);
	*last = longer;
}

void
command_line_add_json(struct command_line *line, const char *option, json_t *value)
{
	command_line_add(line, option);
	append(line, json_text(value));
	json_decref(value);
}

char *
command_line_escape(struct command_line *line, const char *text, char special, char escape)
{
	char *escaped = malloc(2 * strlen(text) + 1), *end = escaped;

	if (!escaped) {
		line->failed = true;
		return NULL;
	}
	for (; *text; text++) {
		if (*text == special)
			*end++ = escape;
		*end++ = *text;
	}
	*end = '\0';
	return escaped;
}

static int
add_fd(struct command_line *line, enum qemu_command_file file, size_t index, size_t layer)
{
	struct qemu_command *command = line->command;
	int number = PLAN_FD_MIN + (int)command->n_fds;

	ASSERT(command->n_fds < PLAN_FDS_MAX);
	command->fds[command->n_fds++] =
		(struct qemu_command_fd){file, (unsigned)index, (unsigned)layer, number};
	return number;
}

int
command_line_add_fd(struct command_line *line, enum qemu_command_file file, size_t index)
{
	return add_fd(line, file, index, 0);
}

int
command_line_add_disk_fd(struct command_line *line, size_t disk, size_t layer)
{
	return add_fd(line, QEMU_FILE_DISK, disk, layer);
}
