/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flow.h: one direction of a port: Ethernet frames on their way, each behind its length.
 *
 * Pure, no I/O; in qemud-net. Reads a guest's bytes. On the sockets of -netdev stream and of passt,
 * a frame is 4 bytes of length, big-endian, and as many bytes of frame (QEMU's net/stream.c,
 * passt's tap.c). Frames are handed on whole, so that an end amid one does no harm to what follows:
 * only what has begun to go out must go on.
 */
#ifndef WORKER_NET_FLOW_H
#define WORKER_NET_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/net/counters.h"

enum {
	FLOW_HEADER_SIZE = 4,
	FLOW_FRAME_MAX = 4096 + 65536, /* QEMU's NET_BUFSIZE; it ends a peer that sends more */
	FLOW_SIZE = 256 * 1024         /* three of the largest, at least */
};

struct flow {
	uint8_t *data;     /* FLOW_SIZE bytes, the caller's */
	size_t begin, end; /* what is in there */
	size_t whole;      /* from here to end a frame is not complete */
	size_t head_left;  /* of the frame at begin, some of which has gone out; 0: none has */
	struct net_flow_counters *counters;
	bool (*refuses)(const uint8_t *frame, size_t size); /* and drops; NULL: none */
};

enum flow_error { FLOW_E_BAD = 1 /* a length that no frame has */ };

/** Empty, and refuses nothing; data and counters stay the caller's. */
void flow_init(struct flow *flow, uint8_t *data, struct net_flow_counters *counters);

/** Where the next bytes of the sender go: *ret has room for as many as this returns; 0: full. */
size_t flow_room(struct flow *flow, uint8_t **ret);
/** So many have been put there. Returns 0, or FLOW_E_BAD: take no more, there is no way on. */
int flow_put(struct flow *flow, size_t size);

/** What can go out: *ret has as many bytes as this returns; 0: nothing. */
size_t flow_pending(const struct flow *flow, const uint8_t **ret);
/** So many of them have gone out. */
void flow_take(struct flow *flow, size_t size);

/** Drop all whole frames but one that has begun to go out. */
void flow_drop(struct flow *flow);
/** The receiver is another one: what has begun to go out is dropped too. */
void flow_new_receiver(struct flow *flow);
/** The sender is another one: a frame that is not complete never will be. */
void flow_new_sender(struct flow *flow);

#endif
