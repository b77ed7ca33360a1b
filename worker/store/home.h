/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * home.h: the folder ~/.qemud, opened once and trusted only after its mode and owner were checked.
 *
 * Runs in the worker, as the user. Everything that a user keeps is below this folder:
 *
 *   lock          held while a worker serves this home: one worker per home, on any host
 *   domains/      NAME.xml, the definitions
 *   autostart/    NAME.xml, symbolic links to the definitions that start with the host
 *   log/          what running VMs say
 *   cache/        what can be found out again: it may be removed at any time
 *
 * The folder and those below it must be hers, with mode 0700 and not symbolic links; they are made
 * when absent. Whatever is wrong is said in words that tell how to mend it; nothing is mended
 * behind her back, because a folder that others could write has been theirs to fill.
 */
#ifndef WORKER_STORE_HOME_H
#define WORKER_STORE_HOME_H

#include <stdbool.h>

enum home_folder { HOME_DOMAINS, HOME_AUTOSTART, HOME_LOG, HOME_CACHE, HOME_N_FOLDERS };

enum { HOME_WHY_MAX = 400 };

struct home {
	char *path; /* the home directory; NULL while not open */
	int fd;     /* ~/.qemud; -1 while not open */
	int lock_fd;
	int lent_fd; /* borrowed: the lock as home_open_lent() was given it; or -1 */
	int folder_fd[HOME_N_FOLDERS];
};

enum home_error {
	HOME_E_REFUSED = 1, /* wrong owner, mode or kind, or not to be made: see why */
	HOME_E_LOCKED       /* another worker holds it: try again, it may be on its way out */
};

/** Make *home empty, so that home_close() is legal. */
void home_init(struct home *home);
/**
 * Open (and where absent make) the folder `.qemud` below path, the user's home directory, and
 * take its lock. Returns 0, or HOME_E_* with what to do about it in why; *home is empty then.
 */
int home_open(struct home *home, const char *path, char why[static HOME_WHY_MAX]);
/** The same with a descriptor of the lock (or -1), by which who started this worker holds it. */
int home_open_lent(struct home *home, const char *path, int lock_fd, char why[static HOME_WHY_MAX]);
/**
 * Somebody may have removed a folder, or put another in its place: open (and where absent make) it
 * anew, under the number that its descriptor has. *ret_changed tells whether there was any such.
 * Returns 0; or HOME_E_* with why: those that it could not be done for are what they were.
 */
int home_renew(struct home *home, bool *ret_changed, char why[static HOME_WHY_MAX]);
/** Close what is open and give the lock back. */
void home_close(struct home *home);

#endif
