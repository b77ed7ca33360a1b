/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * graphics.h: the socket on which a running VM's screen can be looked at, and who looks.
 *
 * Runs in the worker, as the user. The worker makes the socket, and QEMU listens on it: so viewers
 * come and go whether a worker runs or not. Only the user herself can connect: it has mode 0600.
 */
#ifndef WORKER_VM_GRAPHICS_H
#define WORKER_VM_GRAPHICS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "protocol/rpc/error.h"
#include "worker/store/happening.h"

struct vm;

#define VM_GRAPHICS_SHOW "display-update" /* the command of vm_graphics_show(); since QEMU 7.1 */

struct vm_graphics {
	int fd; /* owned; the socket, until QEMU has it; -1: none */
};

void vm_graphics_init(struct vm_graphics *graphics);
/**
 * Make the socket that the definition wants, if it does. At a path that it names: in the place of a
 * socket of the user's that nobody listens on. Returns RPC_DONE, or RPC_FAILED with the error.
 */
int vm_graphics_listen(struct vm *vm, struct rpc_error *error);
/**
 * Let QEMU listen on it, if there is one. Returns whether there is: then *ret_r is 0, and the answer
 * to VM_GRAPHICS_SHOW comes under that ticket, or a negative errno.
 */
bool vm_graphics_show(struct vm *vm, uint64_t ticket, int *ret_r);
/** Tell QEMU the password. Returns 0 or a negative errno. */
int vm_graphics_set_password(struct vm *vm);
/** What QEMU says of a viewer (its VNC_* events), to those that asked to be told. */
void vm_graphics_happened(struct vm *vm, enum happening_graphics phase, const json_t *data);
/** Let go of it; with `ended` the name at a path that the definition names goes as well. */
void vm_graphics_close(struct vm *vm, bool ended);

#endif
