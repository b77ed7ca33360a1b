/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c: qemud-box, the inner half of the box; becomes QEMU or one of its tools, or ends.
 *
 * Runs as the user, in the namespaces that the starter made, without arguments: the worker says
 * over descriptor 3 what it is to become. Must never read a byte of a client or of a guest.
 */
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/start.h"
#include "worker/box/box.h"

int
main(void)
{
	static struct box box;

	start_program("qemud-box");
	box_run(&box);
	/* Without exit handlers: they may be out of reach of a program's filter. */
	_exit(EXIT_FAILURE);
}
