/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames go through a flow whole and in order, however they are cut; no length that no frame has
 * gets in, and what is dropped is counted.
 */
#include "worker/net/flow.h"

#include "tests/unit/test.h"

static uint8_t memory[FLOW_SIZE];
static struct net_flow_counters counters;
static struct flow flow;

static void
begin(void)
{
	counters = (struct net_flow_counters){0};
	flow_init(&flow, memory, &counters);
}

/* A frame of that size, with its length, all of one byte. */
static size_t
make_frame(uint8_t *at, uint32_t size, uint8_t fill)
{
	at[0] = (uint8_t)(size >> 24);
	at[1] = (uint8_t)(size >> 16);
	at[2] = (uint8_t)(size >> 8);
	at[3] = (uint8_t)size;
	memset(at + 4, fill, size);
	return size + 4;
}

/* Put bytes, a piece at a time, as far as there is room. Returns how many went in. */
static size_t
put(const uint8_t *data, size_t size, size_t piece)
{
	size_t done = 0;

	while (done < size) {
		uint8_t *place;
		size_t n = flow_room(&flow, &place);

		if (n > piece)
			n = piece;
		if (n > size - done)
			n = size - done;
		if (n == 0)
			break;
		memcpy(place, data + done, n);
		CHECK(flow_put(&flow, n) == 0);
		done += n;
	}
	return done;
}

static size_t
take(uint8_t *to, size_t piece)
{
	const uint8_t *data;
	size_t n = flow_pending(&flow, &data);

	if (n > piece)
		n = piece;
	memcpy(to, data, n);
	flow_take(&flow, n);
	return n;
}

static void
goes_through(void)
{
	static const uint32_t sizes[] = {1, 60, 1514, 65535, FLOW_FRAME_MAX, 14, 9000};
	static const size_t pieces[] = {1, 3, 4, 1000, 65536, FLOW_SIZE};
	static uint8_t in[FLOW_SIZE], out[FLOW_SIZE];
	size_t size = 0, frames = 0;

	for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size += make_frame(in + size, sizes[i], (uint8_t)(i + 1));
		frames += sizes[i];
	}
	for (unsigned i = 0; i < sizeof pieces / sizeof *pieces; i++)
		for (unsigned j = 0; j < sizeof pieces / sizeof *pieces; j++) {
			size_t n_in = 0, n_out = 0;

			begin();
			/* Three rounds of the same, so that what is there has to move. */
			for (unsigned round = 0; round < 3; round++) {
				n_in = n_out = 0;
				while (n_out < size) {
					size_t n;

					n_in += put(in + n_in, size - n_in, pieces[i]);
					n = take(out + n_out, pieces[j]);
					n_out += n;
					CHECK(n > 0);
					if (n == 0)
						return;
				}
				CHECK(n_in == size && memcmp(in, out, size) == 0);
			}
			CHECK(counters.packets == 3 * (sizeof sizes / sizeof *sizes));
			CHECK(counters.bytes == 3 * frames);
			CHECK(counters.errors == 0 && counters.drops == 0);
		}
}

static void
only_whole(void)
{
	static uint8_t frame[2000];
	uint8_t out[2000];
	size_t size = make_frame(frame, 1514, 7);

	begin();
	CHECK(put(frame, size - 1, size) == size - 1);
	CHECK(take(out, sizeof out) == 0);
	CHECK(put(frame + size - 1, 1, 1) == 1);
	CHECK(take(out, sizeof out) == size);
	/* The sender ends amid one: what was whole goes on, the rest never does. */
	CHECK(put(frame, size, size) == size && put(frame, 100, 100) == 100);
	flow_new_sender(&flow);
	CHECK(counters.errors == 1);
	CHECK(put(frame, size, size) == size);
	CHECK(take(out, size) == size && memcmp(out, frame, size) == 0);
	CHECK(take(out, sizeof out) == size && memcmp(out, frame, size) == 0);
	CHECK(take(out, sizeof out) == 0);
	flow_new_sender(&flow);
	CHECK(counters.errors == 1 && counters.packets == 3 && counters.drops == 0);
}

static void
refuses_lengths(void)
{
	static const uint32_t bad[] = {
		0, FLOW_FRAME_MAX + 1, 0x80000000u, UINT32_MAX, 0x00010000u << 8};
	static uint8_t frame[100];
	uint8_t out[200], *place;

	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		size_t size = make_frame(frame, 60, 1);

		begin();
		CHECK(put(frame, size, size) == size);
		CHECK(flow_room(&flow, &place) >= 4);
		place[0] = (uint8_t)(bad[i] >> 24);
		place[1] = (uint8_t)(bad[i] >> 16);
		place[2] = (uint8_t)(bad[i] >> 8);
		place[3] = (uint8_t)bad[i];
		CHECK(flow_put(&flow, 4) == FLOW_E_BAD);
		CHECK(counters.errors == 1);
		/* What came before is good. */
		CHECK(take(out, sizeof out) == size && memcmp(out, frame, size) == 0);
		CHECK(take(out, sizeof out) == 0);
	}
}

static void
drops(void)
{
	static uint8_t frame[2000];
	uint8_t out[8000];
	size_t size = make_frame(frame, 1000, 9);

	begin();
	for (unsigned i = 0; i < 5; i++)
		CHECK(put(frame, size, size) == size);
	CHECK(put(frame, 10, 10) == 10);
	/* The first has begun to go out: it goes on, the others do not, the sixth is still coming. */
	CHECK(take(out, 100) == 100);
	flow_drop(&flow);
	CHECK(counters.drops == 4);
	CHECK(take(out + 100, sizeof out - 100) == size - 100 && memcmp(out, frame, size) == 0);
	CHECK(put(frame + 10, size - 10, size) == size - 10);
	CHECK(take(out, sizeof out) == size && memcmp(out, frame, size) == 0);
	/* For a new receiver nothing goes on that he has not seen the begin of. */
	CHECK(put(frame, size, size) == size && put(frame, size, size) == size);
	CHECK(take(out, 3) == 3);
	flow_new_receiver(&flow);
	CHECK(take(out, sizeof out) == 0 && counters.drops == 5);
	CHECK(put(frame, size, size) == size);
	CHECK(take(out, sizeof out) == size && memcmp(out, frame, size) == 0);
	CHECK(counters.packets == 4 && counters.errors == 0);
}

static void
is_bounded(void)
{
	static uint8_t frame[FLOW_FRAME_MAX + 4], out[FLOW_SIZE];
	size_t size = make_frame(frame, FLOW_FRAME_MAX, 5), in = 0, n;

	begin();
	while ((n = put(frame, size, size)) == size)
		in += n;
	in += n;
	CHECK(in == FLOW_SIZE);
	CHECK(take(out, sizeof out) == (in / size) * size);
	/* There is room again for the rest of the one that was cut. */
	CHECK(put(frame + n, size - n, size) == size - n);
	CHECK(take(out, sizeof out) == size && memcmp(out, frame, size) == 0);
}

static bool
refuses_odd(const uint8_t *frame, size_t size)
{
	return size > 0 && frame[0] % 2 != 0;
}

static void
refuses(void)
{
	static const size_t pieces[] = {1, 5, 100, FLOW_SIZE};
	static uint8_t in[2000], out[2000];

	for (unsigned i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		size_t size = 0, got = 0;

		begin();
		flow.refuses = refuses_odd;
		for (uint8_t fill = 1; fill <= 9; fill++)
			size += make_frame(in + size, 20U * fill, fill);
		CHECK(put(in, size, pieces[i]) == size);
		for (size_t n; (n = take(out + got, 7)) > 0;)
			got += n;
		CHECK(got == 4 * 4 + 20 * (2 + 4 + 6 + 8) && counters.drops == 5);
		CHECK(counters.packets == 4 && counters.bytes == 20 * (2 + 4 + 6 + 8));
		for (size_t at = 0, fill = 2; at < got; at += 4 + 20 * fill, fill += 2)
			CHECK(out[at + 3] == 20 * fill && out[at + 4] == fill &&
				out[at + 3 + 20 * fill] == fill);
	}
	/* One after another in one buffer, and a bad length behind one that is refused. */
	begin();
	flow.refuses = refuses_odd;
	in[make_frame(in, 20, 1)] = 0xff;
	memcpy(memory, in, 28);
	CHECK(flow_put(&flow, 28) == FLOW_E_BAD && flow_pending(&flow, &(const uint8_t *){0}) == 0);
}

int
main(void)
{
	TEST("frames go through whole and in order, however they are cut", goes_through);
	TEST("nothing goes out of a frame that is not complete", only_whole);
	TEST("a length that no frame has ends it, and costs nothing that came before",
		refuses_lengths);
	TEST("what is dropped is counted, and whole", drops);
	TEST("it never holds more than its size", is_bounded);
	TEST("frames that it refuses are dropped, and the others go on in order", refuses);
	return TEST_END();
}
