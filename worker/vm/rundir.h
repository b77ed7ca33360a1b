/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rundir.h: the folder /run/qemud/users/UID: sockets and notes of the VMs that run.
 *
 * Runs in the worker, as the user. The folder is the user's working folder: the worker enters it
 * at its start, so that the names of sockets are short whatever the path is (unix(7): 108 bytes).
 * Everything of a VM is named UUID.KIND, and what belongs to none that runs is swept away.
 */
#ifndef WORKER_VM_RUNDIR_H
#define WORKER_VM_RUNDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RUNDIR_KIND_MAX = 16, RUNDIR_FILE_MAX = 1024 * 1024 + 4096 };

/**
 * Make path the working folder; before the system call filter is loaded. Returns 0, or a negative
 * errno; -EPERM with *ret_why for people when it is not the user's own with mode 0700 (else
 * *ret_why is NULL). The words follow the path: "must have mode 0700...".
 */
int rundir_enter(const char *path, const char **ret_why);

/**
 * Bind a listening socket UUID.kind of that type (SOCK_STREAM, SOCK_SEQPACKET), in the place of whatever has that name. The caller owns
 * it. Returns 0 or a negative errno.
 */
int rundir_listen(const uint8_t uuid[static 16], const char *kind, int type, int *ret_fd);
/**
 * Connect to that socket, without waiting; the descriptor is non-blocking and the caller's. Returns
 * 0, -ECONNREFUSED or -ENOENT when nobody listens, -EAGAIN when its queue is full, or another
 * negative errno.
 */
int rundir_connect(const uint8_t uuid[static 16], const char *kind, int type, int *ret_fd);

/**
 * Write the file UUID.kind, by rename. Returns 0, or a negative errno: then there is none, because
 * the one before has become untrue.
 */
int rundir_write(const uint8_t uuid[static 16], const char *kind, const char *text, size_t size);
/**
 * Read it, at most RUNDIR_FILE_MAX bytes, with a NUL behind; freed by the caller. Returns 0 or a
 * negative errno (-EFBIG, -ENOENT, -EPERM for what is no regular file of the user's...).
 */
int rundir_read(const uint8_t uuid[static 16], const char *kind, char **ret_text, size_t *ret_size);

/**
 * Leave a mark of that name, which is no UUID's: it holds until the host ends, also where the folder
 * outlives that. Returns 0, -EEXIST when it is there, or another negative errno.
 */
int rundir_mark(const char *name);
/** Remove all that is named UUID.* . */
void rundir_remove(const uint8_t uuid[static 16]);
/** Remove all that belongs to a VM of which is_running says false. Returns 0 or a negative errno. */
int rundir_sweep(bool (*is_running)(void *arg, const uint8_t uuid[static 16]), void *arg);

#endif
