/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * screen.h: what is done with the screen and the keyboard of a VM that runs.
 *
 * Runs in the worker, as the user. Each is an op that gives QEMU some commands (worker/vm/ask.h).
 */
#ifndef WORKER_VM_SCREEN_H
#define WORKER_VM_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/store/domains.h"
#include "worker/vm/op.h"

enum {
	VM_KEYS_MAX = 16,
	VM_PICTURE_MAX = 64 * 1024 * 1024, /* bytes */
};

/*
 * Each returns RPC_LATER, and done is called from the loop, or RPC_FAILED with the error, and done
 * is not called. Errors and their texts are libvirt's.
 */

/**
 * Hand a connected socket (taken over, also on failure) to QEMU's VNC server, whose side of it is
 * QEMU's then. skip_auth: without the password.
 */
int vm_open_graphics(struct vm *vm, int fd, bool skip_auth, struct rpc_error *error,
	vm_done_fn *done, void *arg);

/** A picture in PNG. */
struct vm_picture {
	int fd;        /* a memfd; the caller's; -1: none */
	uint64_t size; /* bytes, at most VM_PICTURE_MAX */
};
/** Take a picture of that screen of those of all graphics cards; *picture is filled in with done. */
int vm_screenshot(struct vm *vm, uint32_t screen, struct vm_picture *picture,
	struct rpc_error *error, vm_done_fn *done, void *arg);

/** Press keys, all at once, and let them go after that time (0: QEMU's own). Numbers are QEMU's. */
int vm_send_key(struct vm *vm, const uint16_t *keys, unsigned n, uint32_t hold_ms,
	struct rpc_error *error, vm_done_fn *done, void *arg);

/** Interrupt the guest (an NMI). */
int vm_inject_nmi(struct vm *vm, struct rpc_error *error, vm_done_fn *done, void *arg);

#endif
