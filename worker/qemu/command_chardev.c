/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_chardev.c: the host's end of a character device.
 *
 * Runs in the worker, as the user. Pure. Must never name a file of the user's.
 */
#include "worker/qemu/command_chardev.h"

#include <stdio.h>

enum { SET_MIN = 1000, WHERE_MAX = 64 }; /* sets of descriptors from there on are of files here */

/* A file that QEMU opens by the name of a set with one descriptor. Returns the set. */
static int
add_file(struct command_line *line, enum qemu_command_file file, size_t index)
{
	int fd = command_line_add_fd(line, file, index);

	command_line_add(line, "-add-fd");
	command_line_add_f(line, "set=%d,fd=%d", SET_MIN + fd, fd);
	return SET_MIN + fd;
}

/* Both kinds of socket: a listening one takes one client after another. */
static void
add_host_end(struct command_line *line, const struct domain_chardev *chardev, size_t index,
	char where[static WHERE_MAX])
{
	switch (chardev->type) {
	case DOMAIN_CHARDEV_PTY:
	case DOMAIN_CHARDEV_UNIX:
		(void)snprintf(where, WHERE_MAX, "fd=%d%s",
			command_line_add_fd(line, QEMU_FILE_CHARDEV, index),
			chardev->connect ? "" : ",server=on,wait=off");
		return;
	case DOMAIN_CHARDEV_FILE:
		(void)snprintf(where, WHERE_MAX, "path=/dev/fdset/%d,append=on",
			add_file(line, QEMU_FILE_CHARDEV, index));
		return;
	case DOMAIN_CHARDEV_NULL:
		return;
	}
}

void
command_chardev_add(struct command_line *line, const struct domain_chardev *chardev)
{
	static const char *const backends[] = {
		[DOMAIN_CHARDEV_PTY] = "socket",
		[DOMAIN_CHARDEV_FILE] = "file",
		[DOMAIN_CHARDEV_UNIX] = "socket",
		[DOMAIN_CHARDEV_NULL] = "null",
	};
	size_t index = domain_chardev_index(line->def, chardev);
	char where[WHERE_MAX] = "", log[WHERE_MAX] = "";

	add_host_end(line, chardev, index, where);
	if (chardev->log)
		(void)snprintf(log, sizeof(log), ",logfile=/dev/fdset/%d,logappend=on",
			add_file(line, QEMU_FILE_CHARDEV_LOG, index));
	command_line_add(line, "-chardev");
	command_line_add_f(line, "%s,id=char%s%s%s%s", backends[chardev->type],
		chardev->device.alias, *where ? "," : "", where, log);
}

json_t *
command_chardev_id(const struct domain_chardev *chardev)
{
	return json_sprintf("char%s", chardev->device.alias);
}
