/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session.c: `qemud-worker --session`; see session.h.
 */
#include "worker/session.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"

void
session_become(int argc, char **argv)
{
	static const char program[] = "qemud-session";
	char path[PATH_MAX] = "";
	char *name;

	if (argc < 2 || strcmp(argv[1], "--session") != 0)
		return;
	/* What is not written stays NUL. */
	if (readlink("/proc/self/exe", path, sizeof(path) - sizeof(program)) < 0)
		die("/proc/self/exe: %s", strerror(errno));
	name = strrchr(path, '/');
	(void)snprintf(name ? name + 1 : path, sizeof(program), "%s", program);
	(void)execv(path, argv + 1);
	die("%s: %s", path, strerror(errno));
}
