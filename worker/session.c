/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session.c: `qemud-worker --session`; see session.h.
 */
#include "worker/session.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"

static const char usage[] =
	"usage: qemud-worker --session [--log LEVEL]\n"
	"       qemud-worker --version | --help\n"
	"  --session    serve your own virtual machines, where there is no broker\n"
	"  --log LEVEL  error, warning, info or debug\n"
	"All other options are those of qemud-launch, which starts it for qemud(8).\n";

/* What people ask of every program. */
static _Noreturn void
tell(const char *text)
{
	if (fputs(text, stdout) < 0 || fflush(stdout) != 0)
		die("standard output: %s", strerror(errno));
	exit(EXIT_SUCCESS);
}

void
session_become(int argc, char **argv)
{
	static char program[] = "qemud-session";
	char path[PATH_MAX] = "";
	char *name;

	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		tell(usage);
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		tell("qemud-worker " QEMUD_VERSION "\n");
	if (argc < 2 || strcmp(argv[1], "--session") != 0)
		return;
	/* What is not written stays NUL. */
	if (readlink("/proc/self/exe", path, sizeof(path) - sizeof(program)) < 0)
		die("/proc/self/exe: %s", strerror(errno));
	name = strrchr(path, '/');
	(void)snprintf(name ? name + 1 : path, sizeof(program), "%s", program);
	argv[1] = program;
	(void)execv(path, argv + 1);
	die("%s: %s", path, strerror(errno));
}
