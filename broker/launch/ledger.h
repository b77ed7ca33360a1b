/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ledger.h: the tree of control groups in which every user's processes are counted.
 *
 * Runs in qemud-launch, as root. DIR/u<uid>/<leaf> in cgroup v2; every folder and file in it stays
 * root's, and no descriptor of one ever leaves the starter: whoever holds a cgroup.procs that root
 * opened can move any process of the host. Controllers are switched on where the host has them;
 * where it has none the tree counts but does not limit.
 *
 * Leaves: worker, view, and tool-<n> for each box of a tool; n counts the boxes of this starter, so
 * that one which outlives a starter may share its leaf with a later one.
 */
#ifndef BROKER_LAUNCH_LEDGER_H
#define BROKER_LAUNCH_LEDGER_H

#include <stdint.h>

enum { LEDGER_LEAF_MAX = 16 };

struct ledger {
	int dir_fd; /* -1: there is no ledger */
};

enum ledger_error {
	LEDGER_E_PLACE = 1 /* not a cgroup v2 folder that only root can write */
};

/**
 * Use the folder dir (NULL: no ledger). Returns 0, LEDGER_E_PLACE with *ret_why for people, or a
 * negative errno. *ret_limits says afterwards in words what does not limit here; NULL: all do.
 */
int ledger_open(struct ledger *ret, const char *dir, const char **ret_why, const char **ret_limits);

/**
 * Make the leaf of that user and open it for CLONE_INTO_CGROUP; -1 where there is no ledger. The
 * descriptor is the caller's. Returns 0 or a negative errno.
 */
int ledger_enter(const struct ledger *ledger, uint32_t uid, const char *leaf, int *ret_fd);

/** Remove the leaf and the user's folder as far as nobody is in them. */
void ledger_leave(const struct ledger *ledger, uint32_t uid, const char *leaf);

#endif
