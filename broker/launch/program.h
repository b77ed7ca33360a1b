/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * program.h: the programs that the starter may start, opened once.
 *
 * Runs in qemud-launch, as root. The files are opened when the starter starts and executed by
 * descriptor, so that an upgrade below a running broker never mixes two builds, and so that the
 * folders above them need not be open to the user who runs them. Nothing else is ever executed.
 */
#ifndef BROKER_LAUNCH_PROGRAM_H
#define BROKER_LAUNCH_PROGRAM_H

enum program {
	PROGRAM_WORKER,
	PROGRAM_VIEW,
	PROGRAM_RESOLVE,
	PROGRAM_BOX,
	PROGRAM_NET,
	PROGRAM_AUDIT,
	PROGRAM_N
};

struct program_set {
	int fds[PROGRAM_N]; /* O_PATH, close-on-exec */
};

enum program_error {
	PROGRAM_E_UNSAFE = 1 /* not a regular file of root's that nobody else can write */
};

/** "qemud-worker" for PROGRAM_WORKER. */
const char *program_name(enum program program);

/**
 * Open and check all of them below libexec. Returns 0, PROGRAM_E_UNSAFE, or a negative errno; on
 * failure *ret_what is the name of the file (or of the folder itself) and *ret_why says what is
 * wrong with it (NULL: the errno says it), and what was opened stays in ret.
 */
int program_open(
	struct program_set *ret, const char *libexec, const char **ret_what, const char **ret_why);

#endif
