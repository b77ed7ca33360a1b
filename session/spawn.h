/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spawn.h: one new process of one's own, in as many namespaces as the host lets a user have.
 *
 * Runs in qemud-session, as the user. Nothing here needs a right that the user does not have: what
 * root's starter makes with its capabilities is made in a user namespace, in which the user is who
 * she is outside, and nobody else is anybody.
 */
#ifndef SESSION_SPAWN_H
#define SESSION_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

enum { SPAWN_LINK_FD = 3, SPAWN_LOCK_FD = 4 };

/* Which namespaces a process has of its own, where there are such. */
enum spawn_room {
	SPAWN_WITH_US,  /* none */
	SPAWN_APART,    /* all that session_try_namespaces() names */
	SPAWN_NETWORKED /* those, but the network is ours */
};

struct spawn {
	int program_fd; /* executed by descriptor, close-on-exec */
	char *const *argv, *const *envp;
	int null_fd; /* becomes 0 and 1; 2 is ours */
	int link_fd; /* becomes SPAWN_LINK_FD */
	int lock_fd; /* becomes SPAWN_LOCK_FD; -1: none */
	enum spawn_room room;
	bool ends_with_us;
};

/**
 * Can a user have namespaces here: of users, processes, networks, IPC and host names? Tried, not
 * guessed: sysctls, modules and LSMs have a say. Call it before any session_spawn(). Returns 0, or
 * the negative errno that stands in the way.
 */
int session_try_namespaces(void);
/** What it found. */
bool session_has_namespaces(void);
/**
 * Start it; all descriptors stay the caller's. What fails before the program runs ends the child
 * with status 127. Returns 0 with the pidfd (the caller's, close-on-exec), or a negative errno.
 */
int session_spawn(const struct spawn *spawn, int *ret_pidfd, pid_t *ret_pid);

#endif
