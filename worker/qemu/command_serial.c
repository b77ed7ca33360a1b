/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_serial.c: serial ports.
 *
 * Runs in the worker, as the user. Pure. Must never name a file of the user's.
 */
#include "worker/qemu/command_devices.h"

/* A listening socket: each worker can connect, and what the guest says meanwhile is lost. */
static void
add_serial(struct command_line *line, size_t i)
{
	const struct domain_serial *serial = &line->def->serials[i];
	const char *alias = serial->device.alias;
	int fd = command_line_add_fd(line, QEMU_FILE_SERIAL, i);

	command_line_add(line, "-chardev");
	command_line_add_f(line, "socket,id=char%s,fd=%d,server=on,wait=off", alias, fd);
	command_line_add_json(line, "-device",
		json_pack("{ss so ss si}", "driver", "isa-serial", "chardev",
			json_sprintf("char%s", alias), "id", alias, "index", serial->port));
}

void
command_add_serials(struct command_line *line)
{
	for (size_t i = 0; i < line->def->n_serials; i++)
		add_serial(line, i);
}
