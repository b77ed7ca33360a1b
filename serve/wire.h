/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire.h: a stream socket and the packets on it: bytes in, packets out of them, bytes out.
 *
 * Runs in worker and view, on bytes that the peer chose: a client's, or, in the view, a worker's.
 * Nothing here waits. What is not a whole packet yet, or waits for its turn, is kept; an idle wire
 * holds no buffer. Descriptors come and go with the packets that announce them.
 */
#ifndef SERVE_WIRE_H
#define SERVE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/rpc/buffer.h"
#include "protocol/rpc/frame.h"
#include "serve/departing.h"

struct descriptors;
struct wire;

struct wire_ops {
	/* May the next packet be served now? If not, it waits. */
	bool (*may_serve)(struct wire *wire);
	/*
	 * A whole packet; fds are its n_fds descriptors, those that are taken are set to -1. Returns
	 * false when nothing more on this wire can be trusted, or is of use.
	 */
	bool (*serve)(struct wire *wire, const struct rpc_frame *frame, int *fds);
	/* The one type of packet that brings descriptors this way; the other has none. */
	enum rpc_type with_fds;
};

struct wire {
	const struct wire_ops *ops;
	int fd; /* owned; -1: closed */
	struct rpc_buffer in, out;
	uint64_t sent;   /* bytes of the stream before `out` */
	uint64_t served; /* bytes of the stream before `in` */
	size_t expected; /* length of the unfinished packet at the front of `in`; 0: not known */
	struct departing departing;
	struct descriptors *descriptors;
};

/** fd is owned from here on; packets of up to packet_max bytes come, received read_max at a time. */
void wire_init(struct wire *wire, const struct wire_ops *ops, int fd, size_t packet_max,
	size_t read_max, size_t out_max);
/** Close it, and drop all that waits. */
void wire_fini(struct wire *wire);

/**
 * Receive once, up to size bytes into data, which is scratch memory, and serve what is whole.
 * *ret_heard says whether anything came. Returns false when the wire is over.
 */
bool wire_receive(struct wire *wire, uint8_t *data, size_t size, bool *ret_heard);
/** Serve what was received before. Returns false when the wire is over. */
bool wire_serve_waiting(struct wire *wire);
/** Send what is queued, as far as the socket takes it. Returns false when the peer has gone. */
bool wire_flush(struct wire *wire);
/** Append a byte to the output that takes fd (taken over) along. Returns 0 or -ENOBUFS. */
int wire_put_fd(struct wire *wire, int fd);
/** Drop what is queued behind the first n bytes, and the descriptors that go with it. */
void wire_cut(struct wire *wire, size_t n);

#endif
