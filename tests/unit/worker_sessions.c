/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recorded sessions of real clients, read-write and read-only: cut off after any byte, and with any
 * bit changed, each is answered formally or ended; others are served meanwhile, and nothing is left
 * of it, neither memory nor a descriptor.
 * test: timeout=600 heavy
 *
 * tests/golden/sessions: tests/lib/recorder.py says what is in a file. TEST_LONG: every byte and every
 * bit: some 90,000 sessions, several calls each.
 */
#include "tests/unit/test.h"

#include <glob.h>
#include <malloc.h>

#include "tests/unit/hex.h"
#include "tests/unit/machine.h"

enum {
	CONNECTIONS_MAX = 4,
	SESSION_MAX = 65536, /* bytes */
	SLACK = 512 * 1024,  /* bytes of memory that caches may take */
	CHECK_EVERY = 128    /* replays */
};

/* How a session is sent. */
enum way {
	BY_PACKET, /* the next packet when the last has been answered */
	AT_ONCE,   /* and nothing is read */
	HALF,      /* as by packet; then it says that it sends no more, and reads on */
	N_WAYS
};

/* What one client sent over its connections. */
struct session {
	char name[64];
	bool view; /* over the read-only socket */
	unsigned n;
	struct {
		uint8_t *bytes;
		size_t size;
	} connections[CONNECTIONS_MAX];
};

static struct session sessions[16];
static unsigned n_sessions;
static bool is_long;
static int other;
static unsigned n_replays, n_packets;
/* After the first replays. */
static size_t memory;
static unsigned n_fds;

/* --- the recordings ------------------------------------------------------------------------- */

static void
load(const char *path)
{
	struct session *session = &sessions[n_sessions++];
	file_auto FILE *file = fopen(path, "re");
	char line[512];

	ASSERT(file && n_sessions < sizeof(sessions) / sizeof(sessions[0]));
	(void)snprintf(session->name, sizeof(session->name), "%s", strrchr(path, '/') + 1);
	/* A read-only client says so, and is on the other socket. */
	session->view = strstr(session->name, "writes") == NULL &&
			strstr(session->name, "bindings") == NULL;
	while (fgets(line, sizeof(line), file)) {
		if (strcmp(line, "connection\n") == 0) {
			ASSERT(session->n < CONNECTIONS_MAX);
			session->connections[session->n].bytes = malloc(SESSION_MAX);
			ASSERT(session->connections[session->n++].bytes);
		} else if (line[0] == '\t') {
			hex_read(line, session->connections[session->n - 1].bytes,
				&session->connections[session->n - 1].size, SESSION_MAX);
		}
	}
}

static void
load_all(void)
{
	glob_t found;

	ASSERT(glob("tests/golden/sessions/*.frames", 0, NULL, &found) == 0);
	for (size_t i = 0; i < found.gl_pathc; i++)
		load(found.gl_pathv[i]);
	globfree(&found);
}

/* --- one replay ----------------------------------------------------------------------------- */

static void
check_other(void)
{
	struct rpc_connect_get_type_ret type = {0};

	CHECK(call(other, RPC_PROC_CONNECT_GET_TYPE, NULL, &type) == 0);
}

/* Take whole packets off what was received; each is one that a server may send. */
static void
check_packets(struct rpc_buffer *got)
{
	size_t length;
	struct rpc_frame frame;

	while (rpc_buffer_left(got) > 0 &&
		rpc_frame_length(rpc_buffer_front(got), rpc_buffer_left(got), &length) == 0) {
		if (length > rpc_buffer_left(got))
			return;
		CHECK(rpc_frame_read(rpc_buffer_front(got), length, &frame) == 0);
		CHECK(frame.header.type == RPC_REPLY || frame.header.type == RPC_MESSAGE ||
			frame.header.type == RPC_STREAM || rpc_keepalive_is(&frame.header));
		CHECK(frame.header.status <= RPC_CONTINUE);
		n_packets++;
		rpc_buffer_drop(got, length);
	}
}

/* Read what there is. Returns false when the worker has closed. */
static bool
read_some(int sock, struct rpc_buffer *got)
{
	static uint8_t data[65536];

	for (;;) {
		ssize_t n = recv(sock, data, sizeof(data), MSG_DONTWAIT);

		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		ASSERT(rpc_buffer_append(got, data, (size_t)n) == 0);
		check_packets(got);
	}
}

/* A client sends this, and goes. Other connections are those that were there before. */
static void
replay(const struct session *session, const uint8_t *bytes, size_t size, enum way way)
{
	struct rpc_buffer got;
	int sock;
	bool open = true, asked = false;
	size_t at = 0;

	machine_is_there();
	rpc_buffer_init(&got, (size_t)2 * RPC_FRAME_MAX);
	sock = rig_connect(session->view ? VERBS_VIEW : VERBS_ALL);
	while (open && at < size) {
		size_t piece = size - at, length;
		ssize_t n;

		if (way != AT_ONCE && rpc_frame_length(bytes + at, size - at, &length) == 0 &&
			length < piece)
			piece = length;
		n = send(sock, bytes + at, piece, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			break;
		at += n > 0 ? (size_t)n : 0;
		for (int i = 0; i < (way == AT_ONCE ? 1 : 4); i++)
			machine_turn(0);
		open = way == AT_ONCE || read_some(sock, &got);
		/* In the middle of it, another client. */
		if (!asked && at >= size / 2) {
			check_other();
			asked = true;
		}
	}
	if (way == HALF) {
		(void)shutdown(sock, SHUT_WR);
		for (int i = 0; open && i < 4; i++) {
			machine_turn(0);
			open = read_some(sock, &got);
		}
	}
	rpc_buffer_fini(&got);
	fd_close(&sock);
	machine_settles(2);
	n_replays++;
	rpc_arena_reset(&rig.arena);
}

/* --- nothing is left ------------------------------------------------------------------------ */

/* Whatever was defined and started. */
static void
forget_all(void)
{
	for (unsigned i = 0; i < DOMAINS_BUCKETS; i++)
		while (!LIST_EMPTY(&rig.estate.domains.by_uuid[i]))
			machine_forgets(LIST_FIRST(&rig.estate.domains.by_uuid[i]));
}

static void
check_flat(void)
{
	check_other();
	forget_all();
	machine_settles(2);
	CHECK(rig.server.inflow.granted == 0 && rig.server.outflow.held == 0);
	CHECK(rig.server.n_later == 0 && rig.server.later_bytes == 0);
	CHECK(rig.estate.vms.n == 0 && n_files() == 0);
	if (memory == 0) {
		memory = mallinfo2().uordblks;
		n_fds = n_descriptors();
	}
	CHECK(n_descriptors() == n_fds);
	CHECK(mallinfo2().uordblks <= memory + SLACK);
	if (mallinfo2().uordblks > memory + SLACK)
		printf("# %zu bytes, then %zu\n", memory, mallinfo2().uordblks);
}

static void
begin(void)
{
	machine_begin(false);
	other = rig_open(VERBS_VIEW);
	memory = 0;
	n_replays = n_packets = 0;
	/* What is made once, is. */
	for (unsigned i = 0; i < n_sessions; i++)
		replay(&sessions[i], sessions[i].connections[0].bytes,
			sessions[i].connections[0].size, BY_PACKET);
	check_flat();
}

static void
end(void)
{
	check_flat();
	printf("# %u replays, %u packets\n", n_replays, n_packets);
	fd_close(&other);
	machine_end();
}

/* --- the tests ------------------------------------------------------------------------------ */

static void
for_each_connection(void (*fn)(const struct session *session, const uint8_t *bytes, size_t size))
{
	for (unsigned i = 0; i < n_sessions; i++)
		for (unsigned k = 0; k < sessions[i].n; k++)
			fn(&sessions[i], sessions[i].connections[k].bytes,
				sessions[i].connections[k].size);
}

static unsigned n_answers;

static void
whole(const struct session *session, const uint8_t *bytes, size_t size)
{
	unsigned calls = 0, before = n_packets;
	size_t length;

	for (size_t at = 0; at < size; at += length, calls++)
		ASSERT(rpc_frame_length(bytes + at, size - at, &length) == 0);
	replay(session, bytes, size, BY_PACKET);
	/* Who closes does not wait for the answer. */
	CHECK(n_packets - before + 2 >= calls);
	printf("# %s: %zu bytes, %u packets, %u answers\n", session->name, size, calls,
		n_packets - before);
	n_answers += n_packets - before;
}

static void
test_whole(void)
{
	begin();
	for_each_connection(whole);
	CHECK(n_answers > 50);
	end();
}

/* In another way each time. */
static void
replay_next(const struct session *session, const uint8_t *bytes, size_t size)
{
	replay(session, bytes, size, (enum way)(n_replays % N_WAYS));
	if (n_replays % CHECK_EVERY == 0)
		check_flat();
}

static void
prefixes(const struct session *session, const uint8_t *bytes, size_t size)
{
	/* A prime, so that all places in a packet are met. */
	size_t step = is_long ? 1 : 3;

	for (size_t cut = 0; cut < size; cut += step) {
		for (unsigned i = 0; i < (is_long ? N_WAYS : 1); i++)
			replay_next(session, bytes, cut);
		/* The machine that it makes ends with the connection. */
		if (strstr(session->name, "bindings"))
			CHECK(rig.estate.vms.n == 0);
	}
}

static void
test_prefixes(void)
{
	begin();
	for_each_connection(prefixes);
	end();
}

/* xorshift32 (Marsaglia, 2003): the same changes every time. */
static uint32_t
next_random(void)
{
	static uint32_t state = 2463534242;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

static void
changes(const struct session *session, const uint8_t *bytes, size_t size)
{
	size_t n = is_long ? 8 * size : 300;
	uint8_t *changed = malloc(size);

	ASSERT(changed);
	for (size_t i = 0; i < n; i++) {
		size_t bit = is_long ? i : next_random() % (8 * size);

		memcpy(changed, bytes, size);
		changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		replay_next(session, changed, size);
	}
	free(changed);
}

static void
test_changes(void)
{
	begin();
	for_each_connection(changes);
	end();
}

int
main(void)
{
	is_long = getenv("TEST_LONG") != NULL;
	load_all();
	ASSERT(n_sessions >= 4);
	TEST("recorded sessions are answered", test_whole);
	TEST("a client may go after any byte", test_prefixes);
	TEST("a client may have any bit wrong", test_changes);
	for (unsigned i = 0; i < n_sessions; i++)
		for (unsigned k = 0; k < sessions[i].n; k++)
			free(sessions[i].connections[k].bytes);
	return TEST_END();
}
