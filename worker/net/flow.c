/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flow.c: one direction of a port; see flow.h.
 *
 * Pure, no I/O; in qemud-net. Must never believe a length before it was compared with its bounds.
 */
#include "worker/net/flow.h"

#include <string.h>

#include "lib/err.h"

/* With less room than this at the end, what is there moves to the front. */
enum { ROOM_MIN = 64 * 1024 };

void
flow_init(struct flow *flow, uint8_t *data, struct net_flow_counters *counters)
{
	*flow = (struct flow){.data = data, .counters = counters};
}

/* The worker reads them meanwhile: in one piece each. */
static void
count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static size_t
frame_size(const struct flow *flow, size_t at)
{
	const uint8_t *p = flow->data + at;

	return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

size_t
flow_room(struct flow *flow, uint8_t **ret)
{
	if (flow->begin == flow->end) {
		flow->begin = flow->end = flow->whole = 0;
	} else if (flow->begin > 0 && FLOW_SIZE - flow->end < ROOM_MIN) {
		memmove(flow->data, flow->data + flow->begin, flow->end - flow->begin);
		flow->end -= flow->begin;
		flow->whole -= flow->begin;
		flow->begin = 0;
	}
	*ret = flow->data + flow->end;
	return FLOW_SIZE - flow->end;
}

/* The frame at that place is whole: it comes behind the others, or is dropped. */
static void
keep(struct flow *flow, size_t at, size_t frame)
{
	const uint8_t *begin = flow->data + at;

	if (flow->refuses && flow->refuses(begin + FLOW_HEADER_SIZE, frame)) {
		count(&flow->counters->drops, 1);
		return;
	}
	if (at != flow->whole)
		memmove(flow->data + flow->whole, begin, FLOW_HEADER_SIZE + frame);
	flow->whole += FLOW_HEADER_SIZE + frame;
}

int
flow_put(struct flow *flow, size_t size)
{
	size_t at = flow->whole;

	ASSERT(size <= FLOW_SIZE - flow->end);
	flow->end += size;
	while (flow->end - at >= FLOW_HEADER_SIZE) {
		size_t frame = frame_size(flow, at);

		if (frame == 0 || frame > FLOW_FRAME_MAX) {
			count(&flow->counters->errors, 1);
			flow->end = flow->whole;
			return FLOW_E_BAD;
		}
		if (flow->end - at < FLOW_HEADER_SIZE + frame)
			break;
		keep(flow, at, frame);
		at += FLOW_HEADER_SIZE + frame;
	}
	if (at != flow->whole) {
		memmove(flow->data + flow->whole, flow->data + at, flow->end - at);
		flow->end -= at - flow->whole;
	}
	return 0;
}

size_t
flow_pending(const struct flow *flow, const uint8_t **ret)
{
	*ret = flow->data + flow->begin;
	return flow->whole - flow->begin;
}

void
flow_take(struct flow *flow, size_t size)
{
	uint64_t bytes = 0, packets = 0;

	ASSERT(size <= flow->whole - flow->begin);
	while (size > 0) {
		size_t n;

		if (flow->head_left == 0) {
			flow->head_left = FLOW_HEADER_SIZE + frame_size(flow, flow->begin);
			/* Counted when it begins to go out: its length is at hand now. */
			bytes += flow->head_left - FLOW_HEADER_SIZE;
			packets++;
		}
		n = size < flow->head_left ? size : flow->head_left;
		flow->begin += n;
		flow->head_left -= n;
		size -= n;
	}
	count(&flow->counters->bytes, bytes);
	count(&flow->counters->packets, packets);
}

void
flow_drop(struct flow *flow)
{
	size_t from = flow->begin + flow->head_left;
	uint64_t n = 0;

	for (size_t at = from; at < flow->whole; n++)
		at += FLOW_HEADER_SIZE + frame_size(flow, at);
	memmove(flow->data + from, flow->data + flow->whole, flow->end - flow->whole);
	flow->end -= flow->whole - from;
	flow->whole = from;
	count(&flow->counters->drops, n);
}

void
flow_new_receiver(struct flow *flow)
{
	flow->begin += flow->head_left;
	flow->head_left = 0;
	flow_drop(flow);
}

void
flow_new_sender(struct flow *flow)
{
	if (flow->end > flow->whole)
		count(&flow->counters->errors, 1);
	flow->end = flow->whole;
}
