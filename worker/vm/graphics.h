/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * graphics.h: the socket on which a running VM's screen can be looked at.
 *
 * Runs in the worker, as the user. The worker listens, and hands who connects to QEMU
 * (vm_open_graphics()); so the next worker listens again, and QEMU never has anything to listen on.
 * Only the user herself can connect: the socket has mode 0600.
 */
#ifndef WORKER_VM_GRAPHICS_H
#define WORKER_VM_GRAPHICS_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/loop.h"
#include "protocol/rpc/error.h"

struct vm;

enum { VM_GRAPHICS_WAITING_MAX = 8 /* connections that QEMU has not got yet */ };

struct vm_graphics {
	int fd; /* owned; -1: none */
	struct io io;
	struct timer again; /* when the worker is out of descriptors */
	unsigned n_waiting;
	/* Of a socket at a path that the definition names: to know it again; ino 0: none. */
	dev_t dev;
	ino_t ino;
};

void vm_graphics_init(struct vm_graphics *graphics);
/**
 * Listen where the definition says, if it does: nobody is served before vm_graphics_serve(). At a
 * path that it names: in the place of a socket of the user's that nobody listens on. Returns
 * RPC_DONE, or RPC_FAILED with the error.
 */
int vm_graphics_listen(struct vm *vm, struct rpc_error *error);
/** Hand whoever connects to QEMU, from now on. */
void vm_graphics_serve(struct vm *vm);
/** Tell QEMU the password. Returns 0 or a negative errno. */
int vm_graphics_set_password(struct vm *vm);
/** Listen no more; with `ended` the name at a path that the definition names goes as well. */
void vm_graphics_close(struct vm *vm, bool ended);

#endif
