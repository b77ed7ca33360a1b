/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session.c: `qemud-worker --session`; see session.h.
 */
#include "worker/session.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"

void
session_become(int argc, char **argv)
{
	static const char program[] = "qemud-session";
	char path[PATH_MAX];
	char *name;
	ssize_t n;

	if (argc < 2 || strcmp(argv[1], "--session") != 0)
		return;
	n = readlink("/proc/self/exe", path, sizeof(path) - sizeof(program));
	if (n < 0)
		die("/proc/self/exe: %s", strerror(errno));
	path[n] = '\0';
	name = strrchr(path, '/');
	if (!name)
		die("it is not known where this program is");
	memcpy(name + 1, program, sizeof(program));
	(void)execv(path, argv + 1);
	die("%s: %s", path, strerror(errno));
}
