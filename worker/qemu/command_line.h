/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_line.h: a command line of QEMU while it is put together.
 *
 * Runs in the worker, as the user. Pure. A failed allocation is remembered and told once, by
 * `failed`: whoever adds to the line need not look.
 */
#ifndef WORKER_QEMU_COMMAND_LINE_H
#define WORKER_QEMU_COMMAND_LINE_H

#include <jansson.h>
#include <stdbool.h>

#include "worker/domain/def.h"
#include "worker/qemu/command.h"

struct command_line {
	const struct domain_def *def; /* what it is made of */
	struct qemu_command *command; /* where it is put */
	bool failed;
};

/** Add one argument. */
void command_line_add(struct command_line *line, const char *argument);
void command_line_add_f(struct command_line *line, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/** Add to the end of the last argument, of which there is one. */
void command_line_append(struct command_line *line, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/** Add an option and its value as JSON. value is taken over; NULL: memory ran out. */
void command_line_add_json(struct command_line *line, const char *option, json_t *value);

/** A copy of the text with `escape` before each `special`; to be freed. NULL: memory ran out. */
char *command_line_escape(struct command_line *line, const char *text, char special, char escape);

/** Number the next descriptor: its number in QEMU. */
int command_line_add_fd(struct command_line *line, enum qemu_command_file file, size_t index);
/** The same for an image of a disk. */
int command_line_add_disk_fd(struct command_line *line, size_t disk, size_t layer);

#endif
