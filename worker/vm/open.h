/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * open.h: opens images of disks, and what else a definition names by its path.
 *
 * Runs in the worker, as the user.
 */
#ifndef WORKER_VM_OPEN_H
#define WORKER_VM_OPEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "protocol/rpc/error.h"
#include "worker/domain/def.h"

/** There is something else than what was asked for. */
#define VM_FILE_E_KIND 1

/**
 * Open without waiting, not through /proc or what else is no file.
 * flags: of open(2), an access mode at least; what O_CREAT makes has mode 0600. type: S_IFREG or S_IFBLK.
 * Returns 0 and an owned descriptor, VM_FILE_E_KIND, or a negative errno.
 */
int vm_file_open(const char *path, int flags, mode_t type, int *ret_fd, struct stat *ret_st);

/**
 * Open an image of a disk: layer 0 is its source, those after it are below.
 * Returns RPC_DONE and an owned descriptor, or RPC_FAILED with the error.
 */
int vm_open_layer(const struct domain_disk *disk, size_t layer, bool readonly,
	struct rpc_error *error, int *ret_fd);

#endif
