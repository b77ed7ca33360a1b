/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command.h: the command line of QEMU, a pure function of the definition.
 *
 * Runs in the worker, as the user. No I/O. No argument names a path of a user's: what QEMU works
 * with comes as descriptors, whose numbers are decided here. What the box itself puts first
 * (worker/box/program.c: -nodefaults, -no-user-config, -sandbox) is not repeated.
 */
#ifndef WORKER_QEMU_COMMAND_H
#define WORKER_QEMU_COMMAND_H

#include "worker/box/plan.h"
#include "worker/domain/def.h"

/* What a descriptor of the command is. */
enum qemu_command_file {
	QEMU_FILE_MONITOR = 1, /* listening socket "qmp" */
	QEMU_FILE_CHARDEV,     /* host's end of character device N */
	QEMU_FILE_CHARDEV_LOG, /* its log */
	QEMU_FILE_DISK,        /* image of disk N of the definition; read-only if it is */
	QEMU_FILE_INTERFACE,   /* connected socket: end of interface N */
	QEMU_FILE_KERNEL,      /* sealed memfd, read as /proc/self/fd/NUMBER */
	QEMU_FILE_INITRD
};

struct qemu_command_fd {
	enum qemu_command_file file;
	unsigned index; /* N: of character devices (chardev.h), disks... */
	unsigned layer; /* of a disk's images: 0 its source, else those below it, all read-only */
	int number;     /* in QEMU, PLAN_FD_MIN or more */
};

struct qemu_command {
	unsigned n_args;
	char *args[PLAN_ARGS_MAX]; /* owned */
	unsigned n_fds;
	struct qemu_command_fd fds[PLAN_FDS_MAX];
};

/**
 * Make the command for a definition with all aliases (domain_alias_assign()). QEMU waits (-S) until
 * it is told to go on. *ret is zeroed or fini'd before. Returns 0 or -ENOMEM.
 */
int qemu_command_make(const struct domain_def *live, struct qemu_command *ret);
void qemu_command_fini(struct qemu_command *command);

#endif
