/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_net.c: bytes as what a guest or the network sends to the relay, and as the words of its
 * control.
 *
 * The first bytes say how the stream is cut, taken, dropped and begun anew. Oracle: what goes out is
 * whole frames of permitted lengths, in order, with as many as are counted; nothing is held beyond
 * the flow's size.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "worker/net/control.h"
#include "worker/net/flow.h"
#include "worker/net/loopback.h"

enum { STEPS = 16, PIECE = 97 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What goes out, frame by frame. */
struct sink {
	uint8_t header[FLOW_HEADER_SIZE];
	size_t n_header, left;
	uint64_t frames, bytes;
};

static void
swallow(struct sink *sink, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (sink->left > 0) {
			sink->left--;
			continue;
		}
		sink->header[sink->n_header++] = data[i];
		if (sink->n_header < FLOW_HEADER_SIZE)
			continue;
		sink->n_header = 0;
		sink->left = (size_t)sink->header[0] << 24 | (size_t)sink->header[1] << 16 |
			     (size_t)sink->header[2] << 8 | sink->header[3];
		ASSERT(sink->left >= 1 && sink->left <= FLOW_FRAME_MAX);
		sink->frames++;
		sink->bytes += sink->left;
	}
}

static void
take(struct flow *flow, struct sink *sink, size_t most)
{
	const uint8_t *out;
	size_t n = flow_pending(flow, &out);

	if (n > most)
		n = most;
	swallow(sink, out, n);
	flow_take(flow, n);
}

/* One step, as the byte says. */
static void
do_step(struct flow *flow, struct sink *sink, uint8_t step)
{
	take(flow, sink, (size_t)(step >> 3) * PIECE);
	if ((step & 7) == 1)
		flow_drop(flow);
	if ((step & 7) == 2)
		flow_new_sender(flow);
	if ((step & 7) == 3) {
		/* The next receiver begins with a frame. */
		flow_new_receiver(flow);
		sink->left = sink->n_header = 0;
	}
}

static void
check_flow(const uint8_t *data, size_t size)
{
	static uint8_t memory[FLOW_SIZE];
	struct net_flow_counters counters = {0};
	struct sink sink = {.left = 0};
	struct flow flow;
	uint64_t n_before = 0;
	int r = 0;

	if (size < STEPS)
		return;
	flow_init(&flow, memory, &counters);
	if (data[0] & 0x80)
		flow.refuses = loopback_is_in;
	for (size_t at = STEPS, i = 0; at < size && r == 0; i++) {
		uint8_t step = data[i % STEPS], *place;
		size_t n = flow_room(&flow, &place);

		ASSERT(place >= memory && place + n == memory + FLOW_SIZE);
		if (n > (size_t)step + 1)
			n = (size_t)step + 1;
		if (n > size - at)
			n = size - at;
		memcpy(place, data + at, n);
		at += n;
		r = flow_put(&flow, n);
		ASSERT(r == 0 || r == FLOW_E_BAD);
		do_step(&flow, &sink, step);
		ASSERT(counters.packets + counters.drops >= n_before);
		n_before = counters.packets + counters.drops;
	}
	take(&flow, &sink, FLOW_SIZE);
	ASSERT(sink.n_header == 0 && sink.left == 0);
	ASSERT(sink.frames <= counters.packets && sink.bytes <= counters.bytes);
	ASSERT((r != 0) <= (counters.errors > 0));
}

static void
check_words(const uint8_t *data, size_t size)
{
	struct net_report report;
	struct net_ask ask;

	for (unsigned n_fds = 0; n_fds <= NET_ASK_FDS_MAX + 1; n_fds++) {
		if (net_ask_read(data, size, n_fds, &ask)) {
			ASSERT(ask.port < NET_PORTS_MAX && ask.serial != 0 && n_fds <= 2);
			ASSERT(ask.type >= NET_LISTEN && ask.type <= NET_COUNTERS);
		}
		if (!net_report_read(data, size, n_fds, 1, &report))
			continue;
		ASSERT(n_fds == (report.serial == 1 && report.err == 0 ? 1 : 0));
		for (unsigned i = 0; i < NET_PORTS_MAX; i++)
			ASSERT(report.sides[i] <= 3 && report.sides[i] != NET_SIDE_NETWORK);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of exactly this size, so that a read behind it is found. */
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		return 0;
	if (size > 0)
		memcpy(copy, data, size);
	check_flow(copy, size);
	check_words(copy, size);
	free(copy);
	return 0;
}
