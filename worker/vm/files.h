/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files.h: what is opened for a VM, and handed to its QEMU as descriptors.
 *
 * Runs in the worker, as the user: she can open what she may, and QEMU opens nothing. Disks are
 * opened afresh for each start (a copy of an open one would share its lock) and closed here as soon
 * as they are handed over. Kernels are copied into sealed memfds, piece by piece, so that a large
 * one holds nobody up.
 */
#ifndef WORKER_VM_FILES_H
#define WORKER_VM_FILES_H

#include <stdbool.h>

#include "protocol/rpc/error.h"
#include "worker/box/plan.h"
#include "worker/domain/def.h"
#include "worker/qemu/command.h"

enum {
	VM_FILES_PIECE = 2 * 1024 * 1024,     /* bytes copied in one call */
	VM_FILES_COPY_MAX = 256 * 1024 * 1024 /* bytes of a kernel or initrd */
};

struct vm_files {
	unsigned n;
	int fds[PLAN_FDS_MAX]; /* owned; in the order of the command's, -1 where not there yet */
	unsigned copying;      /* index of the one that is being copied; n: none */
	int source_fd;         /* owned; of the copy */
	uint64_t copied;
};

void vm_files_init(struct vm_files *files);
/**
 * Open what the command names, and bind its listeners (rundir.h). Disks: regular files and block
 * devices, without waiting, not through /proc or what else is no file; read-write unless read-only.
 * Returns RPC_DONE, or RPC_FAILED with the error; what was opened stays for vm_files_close().
 */
int vm_files_open(struct vm_files *files, const struct domain_def *live,
	const struct qemu_command *command, struct rpc_error *error);
/** Copy a piece. RPC_LATER: call again, in another turn of the loop; RPC_DONE: all are there. */
int vm_files_copy(struct vm_files *files, const struct domain_def *live,
	const struct qemu_command *command, struct rpc_error *error);
/** Close all that was not taken (set to -1), and release. */
void vm_files_close(struct vm_files *files);

#endif
