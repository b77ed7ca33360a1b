/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chardev.h: the files and sockets that are the host's ends of a VM's character devices.
 *
 * Runs in the worker, as the user. They are made where she says, in her name, with mode 0600.
 */
#ifndef WORKER_VM_CHARDEV_H
#define WORKER_VM_CHARDEV_H

#include <stdint.h>

#include "protocol/rpc/error.h"
#include "worker/domain/def.h"
#include "worker/qemu/command.h"
#include "worker/vm/rundir.h"

/*
 * What a guest says to a file: as much, and as much again in FILE.1, as libvirt keeps in its four
 * of 2 MiB (virtlogd).
 */
enum { VM_CHARDEV_FILE_MAX = 4 * 1024 * 1024 };

/** The kind of the socket of a pty in the run-time folder, by its place (domain_chardev_at()). */
void vm_chardev_kind(unsigned index, char out[static RUNDIR_KIND_MAX + 1]);

/** Bind a listening socket in the run-time folder. Returns RPC_DONE, or RPC_FAILED with the error. */
int vm_chardev_listen(
	const uint8_t uuid[static 16], const char *kind, struct rpc_error *error, int *ret_fd);

/**
 * Open the host's end of the device at the place fd->index: a listening or a connected socket, or a file for
 * appending. Returns RPC_DONE, or RPC_FAILED with the error.
 */
int vm_chardev_open(const struct domain_def *live, const struct qemu_command_fd *fd,
	struct rpc_error *error, int *ret_fd);
/** The same for its log. */
int vm_chardev_open_log(const struct domain_def *live, const struct qemu_command_fd *fd,
	struct rpc_error *error, int *ret_fd);

/** Connect, as a program of the user's does, to the socket on which QEMU listens. */
int vm_chardev_connect(const struct domain_chardev *chardev, struct rpc_error *error, int *ret_fd);

/** Bring its files back below their bound. */
void vm_chardev_trim(const struct domain_def *live);
/** It has ended: the sockets that were made for it go. */
void vm_chardev_remove(const struct domain_def *live);

#endif
