/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * passt_ready.h: waits until a passt serves its interface, or has ended.
 *
 * Runs in the worker, as the user. passt tells nobody when it is ready, and binds the ports that it
 * forwards before it reads a frame: so it is asked something that it answers (ARP, RFC 826), by
 * nobody's address, on its end of the pair, before anybody else has that. What it says is not trusted,
 * and read away.
 */
#ifndef WORKER_VM_PASST_READY_H
#define WORKER_VM_PASST_READY_H

#include <stddef.h>
#include <stdint.h>

#include "lib/loop.h"

/* It answers within milliseconds; one that has no IPv4 never does, and is taken for ready then. */
enum { PASST_READY_MS = 2000 };

struct passt_ready;
/** Called once, from the loop. err: 0, -EPIPE: it has ended, or -EBADMSG: it speaks no frames. */
typedef void passt_ready_fn(struct passt_ready *ready, int err);

struct passt_ready {
	struct io io;
	struct timer late;
	int fd; /* borrowed, while it is asked */
	passt_ready_fn *done;
	uint8_t length[4]; /* of the frame that is being read */
	size_t n_length;   /* bytes of that */
	uint32_t left;     /* bytes of its content */
	unsigned n_frames; /* that were read */
};

/**
 * Ask it at the other end of fd, a stream socket, which nobody else uses meanwhile. ready is zeroed, or
 * was over. Returns 0 or a negative errno; then done is not called.
 */
int passt_ready_ask(struct passt_ready *ready, struct loop *loop, int fd, passt_ready_fn *done);
/** Wait no more; nothing happens when nobody does. */
void passt_ready_stop(struct passt_ready *ready);

#endif
