/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ledger.h: the tree of control groups in which every user's processes are counted.
 *
 * Runs in qemud-launch, as root. DIR/u<uid>/<leaf> in cgroup v2; every folder and file in it stays
 * root's, and no descriptor of one ever leaves the starter: whoever holds a cgroup.procs that root
 * opened can move any process of the host. Controllers are switched on where the host has them;
 * where it has none the tree counts but does not limit.
 *
 * Leaves: worker, view, tool-<n> for each box of a tool (n counts the boxes of this starter, so that
 * one which outlives a starter may share its leaf with a later one), and vm-<id>-<uuid> for a VM,
 * which outlives broker and starter: its name is how the next ones know whose it is.
 */
#ifndef BROKER_LAUNCH_LEDGER_H
#define BROKER_LAUNCH_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/ipc/ipc.h"

enum {
	LEDGER_LEAF_MAX = 52, /* "vm-", an id, "-", a UUID, a NUL */
	/* Of a leaf, where pids.max works and root has set no other: more than any QEMU has threads
	 * for its processors and its images, and few enough for the host to have some left. */
	LEDGER_TASKS_MAX = 4096,
	LEDGER_PIDS_MAX = 4194304 /* PID_MAX_LIMIT of the kernel's, which pids.max takes */
};

struct ledger {
	int dir_fd; /* -1: there is no ledger */
};

enum ledger_error {
	LEDGER_E_PLACE = 1 /* not a cgroup v2 folder that root can write, and nobody else */
};

enum ledger_kind {
	LEDGER_FOREIGN, /* not the starter's */
	LEDGER_PROGRAM, /* worker, view, tool-<n> */
	LEDGER_VM
};

/**
 * Use the folder dir (NULL: no ledger). Returns 0, LEDGER_E_PLACE with *ret_why for people, or a
 * negative errno. *ret_limits says afterwards in words what does not limit here; NULL: all do.
 */
int ledger_open(struct ledger *ret, const char *dir, const char **ret_why, const char **ret_limits);

/**
 * Have the kernel hold all that runs for that user to its share, from now on; where a controller is
 * missing it is not said, nor held. Returns 0 or a negative errno.
 */
int ledger_share(const struct ledger *ledger, uint32_t uid, const struct ipc_share *share);

/**
 * Make the leaf of that user, of LEDGER_TASKS_MAX at most, and open it for CLONE_INTO_CGROUP; -1
 * where there is no ledger. The descriptor is the caller's. Returns 0 or a negative errno.
 */
int ledger_enter(const struct ledger *ledger, uint32_t uid, const char *leaf, int *ret_fd);

/**
 * Remove the leaf if nobody is in it, and the user's folder when that was the last. Returns 0 when
 * there is no such leaf any more, -EBUSY, or another negative errno.
 */
int ledger_leave(const struct ledger *ledger, uint32_t uid, const char *leaf);

/** Open an existing leaf; the descriptor is the caller's. Returns 0, -ENOENT or another errno. */
int ledger_find(const struct ledger *ledger, uint32_t uid, const char *leaf, int *ret_fd);

/**
 * The beginning of a small file of the kernel's, as text that fits into size bytes with its NUL.
 * Returns 0 or a negative errno ("" then).
 */
int ledger_read(int dir_fd, const char *name, char *ret, size_t size);

/** The name of a VM's leaf, below its user's folder. */
void ledger_vm_name(const struct ipc_leaf *vm, char ret[static LEDGER_LEAF_MAX]);
/**
 * Whose leaf is it by its name, to the letter? ret_vm says which VM's below that user's folder; it
 * is left alone otherwise.
 */
enum ledger_kind ledger_leaf_read(uint32_t uid, const char *name, struct ipc_leaf *ret_vm);
/** Read the name of a user's folder; uids that no process is started for have none. */
bool ledger_user_read(const char *name, uint32_t *ret_uid);

#endif
