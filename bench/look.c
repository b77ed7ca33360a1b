/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * look.c: a client that watches what others do: finds domains, measures them, hears of them, connects
 * meanwhile.
 *
 * A benchmark program, never installed; what it knows of the protocol is dial.h.
 *
 * look find SOCKET SECONDS name|uuid
 *     all domains are listed, and then each is looked up in turn, again and again; where the list is
 *     empty (on the floor), one that is not there
 * look stats SOCKET SECONDS FLAGS DOMAINS
 *     statistics of all domains that pass the flags: state, cpu, balloon, vcpu, interface, block; it is
 *     an error when they are not so many
 * look parts SOCKET SECONDS FLAGS DOMAINS UID...
 *     as root: the same, asked as each of these users, all at once, about what each has
 * look events SOCKET SECONDS CONNECTIONS UID DEFINER-UID
 *     as root: the definer defines a domain anew, again and again, and each time so many connections of
 *     the other user's that want to know are told; the next one comes when the last of them has been.
 *     It begins when it has said "ready" and is sent a line
 * look wait SOCKET
 *     connect, AUTH_LIST, CONNECT_OPEN, a call, CONNECT_CLOSE; then a rest of REST_MS, and again, until
 *     stdin ends
 *
 * All but the last have 1 connection with 1 in flight, and print "OPERATIONS SECONDS CPU-NANOSECONDS"
 * when done, where the CPU is their own; the last prints the nanoseconds of each round, and of its first answer, a
 * line each.
 */
#include <grp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/dial.h"

enum {
	LOOKUP_BY_NAME = 23,
	LOOKUP_BY_UUID = 24,
	EVENT_REGISTER = 316,
	GET_ALL_DOMAIN_STATS = 344,
	EVENT_LIFECYCLE = 0,
	UUID = 16,
	CALL_MAX = 512,
	REST_MS = 5,
	SETTLE_MS = 500
};

/* --- finding ------------------------------------------------------------------------------ */

struct lookups {
	uint8_t (*calls)[CALL_MAX];
	size_t *sizes;
	uint32_t n;
};

static void
put_lookup(struct lookups *lookups, bool by_name, const uint8_t *name, uint32_t n_name,
	const uint8_t uuid[static UUID])
{
	uint8_t *call = lookups->calls[lookups->n];
	size_t size = by_name ? text_size(n_name) : UUID;

	if (size > CALL_MAX - HEADER)
		fail("a name too long");
	if (by_name) {
		store32(call + HEADER, n_name);
		memcpy(call + HEADER + 4, name, n_name);
	} else {
		memcpy(call + HEADER, uuid, UUID);
	}
	lookups->sizes[lookups->n++] =
		put_header(call, by_name ? LOOKUP_BY_NAME : LOOKUP_BY_UUID, 0, size);
}

/* A call for each domain of the list. */
static void
read_list(const uint8_t *reply, size_t size, bool by_name, struct lookups *ret)
{
	static const uint8_t nobody[UUID] = "bench0000";
	uint32_t n = size >= 4 ? load32(reply) : 0;

	*ret = (struct lookups){
		.calls = calloc(n + 1, CALL_MAX), .sizes = calloc(n + 1, sizeof(*ret->sizes))};
	if (!ret->calls || !ret->sizes)
		fail("memory");
	for (size_t at = 4; ret->n < n;) {
		uint32_t n_name = size - at < 4 ? UINT32_MAX : load32(reply + at);

		if (n_name > size - at - 4 || text_size(n_name) + UUID + 4 > size - at)
			fail("reply of a strange size");
		put_lookup(ret, by_name, reply + at + 4, n_name, reply + at + text_size(n_name));
		at += text_size(n_name) + UUID + 4;
	}
	/* The floor's answer is as many bytes whatever it is called for, and none of a list. */
	if (n == 0)
		put_lookup(ret, by_name, nobody, 9, nobody);
}

static void
find(double seconds, bool by_name)
{
	uint8_t call[HEADER + 8];
	struct conn c = {.fd = -1};
	struct lookups lookups;
	const uint8_t *reply;
	uint64_t n_done = 0;
	double start;
	size_t size;

	dial_and_open(&c);
	store32(call + HEADER, 1);
	store32(call + HEADER + 4, 0);
	size = exchange(&c, call, put_header(call, LIST_ALL_DOMAINS, 0, 8), &reply);
	read_list(reply, size, by_name, &lookups);
	start = now();
	do {
		uint32_t i = (uint32_t)(n_done % lookups.n);

		(void)exchange(&c, lookups.calls[i], lookups.sizes[i], &reply);
		n_done++;
	} while (now() - start < seconds);
	tell(n_done, now() - start);
	free(lookups.calls);
	free(lookups.sizes);
}

/* --- measuring ---------------------------------------------------------------------------- */

static size_t
put_stats(uint8_t call[static HEADER + 12], uint32_t flags)
{
	enum { GROUPS = 0x3f };

	store32(call + HEADER, 0);
	store32(call + HEADER + 4, GROUPS);
	store32(call + HEADER + 8, flags);
	return put_header(call, GET_ALL_DOMAIN_STATS, 0, 12);
}

/* Ask on all connections, then read what each is answered; again and again. */
static void
stats(double seconds, uint32_t flags, uint32_t n_domains, struct conn *conns, long n_conns)
{
	uint8_t call[HEADER + 12];
	size_t size = put_stats(call, flags);
	const uint8_t *reply;
	uint64_t n_done = 0, n_told = 0;
	double start = now();

	do {
		for (long i = 0; i < n_conns; i++)
			send_all(&conns[i], call, size);
		for (long i = 0; i < n_conns; i++)
			n_told += take_reply(&conns[i], &reply) >= 4 ? load32(reply) : 0;
		n_done++;
	} while (now() - start < seconds);
	errno = 0;
	if (n_told != n_done * n_domains)
		fail("statistics of some domains are missing");
	tell(n_done, now() - start);
}

/* What is dialled from now on is that user's. */
static void
become(uid_t uid)
{
	if (seteuid(0) < 0 || setgroups(0, NULL) < 0 || setegid((gid_t)uid) < 0 || seteuid(uid) < 0)
		fail("seteuid");
}

static void
whole(double seconds, uint32_t flags, uint32_t n_domains)
{
	struct conn c = {.fd = -1};

	dial_and_open(&c);
	stats(seconds, flags, n_domains, &c, 1);
}

static void
parts(double seconds, uint32_t flags, uint32_t n_domains, char **uids, long n_uids)
{
	struct conn *conns = conns_new(n_uids);

	for (long i = 0; i < n_uids; i++) {
		become((uid_t)atol(uids[i]));
		dial_and_open(&conns[i]);
	}
	stats(seconds, flags, n_domains, conns, n_uids);
	free(conns);
}

/* --- hearing ------------------------------------------------------------------------------ */

/* Is there something to read, within so many milliseconds? */
static bool
may_read(const struct conn *c, int ms)
{
	struct pollfd pollfd = {.fd = c->fd, .events = POLLIN};

	return poll(&pollfd, 1, ms) > 0;
}

/*
 * A server may have to ask others before a connection hears of everything: until each has been told
 * of something, domains are defined; and then until what is on its way has come.
 */
static void
settle(struct conn *conns, long n_conns, struct conn *definer, const uint8_t *call, size_t size)
{
	const uint8_t *reply;
	long n_told = 0;

	for (int tries = 0; n_told < n_conns; tries++) {
		if (tries == 60)
			fail("events do not come");
		(void)exchange(definer, call, size, &reply);
		n_told = 0;
		for (long i = 0; i < n_conns; i++)
			n_told += may_read(&conns[i], SETTLE_MS / (int)n_conns + 1);
	}
	(void)usleep(SETTLE_MS * 1000);
	for (long i = 0; i < n_conns; i++)
		while (may_read(&conns[i], 0))
			(void)take_replies(&conns[i]);
}

static void
events(double seconds, long n_conns, uid_t uid, uid_t definer_uid)
{
	struct conn *conns = conns_new(n_conns), definer = {.fd = -1};
	uint8_t call[1024] = {0};
	size_t size = put_header(call, EVENT_REGISTER, 0, 8);
	uint64_t n_done = 0;
	const uint8_t *reply;
	double start;

	become(uid);
	store32(call + HEADER, EVENT_LIFECYCLE);
	store32(call + HEADER + 4, 0);
	for (long i = 0; i < n_conns; i++) {
		dial_and_open(&conns[i]);
		(void)exchange(&conns[i], call, size, &reply);
	}
	become(definer_uid);
	dial_and_open(&definer);
	size = put_define(call, 0);
	settle(conns, n_conns, &definer, call, size);
	(void)puts("ready");
	(void)fflush(stdout);
	(void)getchar();
	start = now();
	do {
		send_all(&definer, call, size);
		for (long i = 0; i < n_conns; i++)
			while (take_replies(&conns[i]) == 0)
				;
		(void)take_reply(&definer, &reply);
		n_done++;
	} while (now() - start < seconds);
	tell(n_done, now() - start);
	free(conns);
}

/* --- waiting ------------------------------------------------------------------------------ */

static void
wait_each(void)
{
	static const uint32_t steps[] = {OPEN, LIB_VERSION, CLOSE};
	const struct conn input = {.fd = STDIN_FILENO};

	do {
		struct conn c = {.fd = -1};
		double begin = now(), answered;

		dial(&c);
		send_call(&c, AUTH_LIST);
		while (take_replies(&c) == 0)
			;
		answered = now();
		for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
			send_call(&c, steps[i]);
			while (take_replies(&c) == 0)
				;
		}
		(void)close(c.fd);
		(void)printf("%.0f %.0f\n", (now() - begin) * 1e9, (answered - begin) * 1e9);
	} while (!may_read(&input, REST_MS));
}

int
main(int argc, char **argv)
{
	if (argc < 3 || strlen(argv[2]) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return 2;
	socket_path = argv[2];
	if (argc == 5 && strcmp(argv[1], "find") == 0)
		find(atof(argv[3]), strcmp(argv[4], "name") == 0);
	else if (argc == 6 && strcmp(argv[1], "stats") == 0)
		whole(atof(argv[3]), (uint32_t)atol(argv[4]), (uint32_t)atol(argv[5]));
	else if (argc > 6 && strcmp(argv[1], "parts") == 0)
		parts(atof(argv[3]), (uint32_t)atol(argv[4]), (uint32_t)atol(argv[5]), argv + 6,
			argc - 6);
	else if (argc == 7 && strcmp(argv[1], "events") == 0 && atol(argv[4]) > 0)
		events(atof(argv[3]), atol(argv[4]), (uid_t)atol(argv[5]), (uid_t)atol(argv[6]));
	else if (strcmp(argv[1], "wait") == 0)
		wait_each();
	else
		return 2;
	return 0;
}
