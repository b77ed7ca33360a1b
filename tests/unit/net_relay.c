/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A relay hands frames on between its ends, counts them, outlives a network end and a worker, waits
 * for nobody, and believes no ask that none is.
 */
#include "worker/net/ports.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/log.h"
#include "lib/packet.h"
#include "lib/take.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/test.h"

enum { TURNS = 20 };

static struct loop loop;
static struct ports ports;
static int control = -1; /* the worker's end */
static const struct net_counters *counters;

static void
turn(void)
{
	for (int i = 0; i < TURNS; i++)
		CHECK(loop_once(&loop, 0) == 0);
}

static void
be_due(struct timer *timer)
{
	CHECK(timer_is_set(timer));
	timer_set(&loop, timer, 0, timer->fn);
	turn();
}

static uint32_t last_serial;

static bool
next_report(struct net_report *ret)
{
	AUTO(packet_fini) struct packet packet;

	turn();
	return packet_recv(control, &packet) == 0 &&
	       net_report_read(packet.data, packet.size, packet.n_fds, 0, ret);
}

/* What a worker asks first. */
static bool
greet(struct net_report *ret)
{
	struct net_ask body = {.type = NET_COUNTERS, .serial = ++last_serial};
	AUTO(packet_fini) struct packet packet;

	CHECK(packet_send(control, &body, sizeof body, NULL, 0) == 0);
	turn();
	net_counters_unmap(counters);
	counters = NULL;
	return packet_recv(control, &packet) == 0 &&
	       net_report_read(packet.data, packet.size, packet.n_fds, last_serial, ret) &&
	       ret->serial == last_serial && net_counters_map(packet.fds[0], &counters) == 0;
}

static void
nothing_is_said(void)
{
	AUTO(packet_fini) struct packet packet;

	turn();
	CHECK(packet_recv(control, &packet) == PACKET_E_AGAIN);
}

/* Descriptors are closed. Returns the answer's err. */
static int
ask(enum net_ask_type type, unsigned port, int fd, int second, struct net_report *ret)
{
	struct net_ask body = {.type = type, .serial = ++last_serial, .port = port};
	int fds[2] = {fd, second};

	CHECK(packet_send(control, &body, sizeof body, fds,
		      (fd >= 0 ? 1u : 0u) + (second >= 0 ? 1u : 0u)) == 0);
	fd_close(&fd);
	fd_close(&second);
	CHECK(next_report(ret) && ret->serial == last_serial);
	return ret->err;
}

static void
begin(void)
{
	struct net_report report;
	int pair[2];

	CHECK(loop_init(&loop) == 0 && packet_pair(pair) == 0);
	control = pair[0];
	CHECK(ports_start(&ports, &loop, pair[1]) == 0);
	CHECK(greet(&report));
	for (unsigned i = 0; i < NET_PORTS_MAX; i++)
		CHECK(report.sides[i] == 0);
}

static void
finish(void)
{
	ports_stop(&ports);
	fd_close(&control);
	net_counters_unmap(counters);
	counters = NULL;
	turn();
	loop_fini(&loop);
}

/* One end of a pair; the other is *ret. */
static int
pair_of(int *ret)
{
	int pair[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	*ret = pair[0];
	return pair[1];
}

static void
send_frame(int fd, const char *text)
{
	uint8_t data[256];
	size_t n = strlen(text);

	data[0] = data[1] = data[2] = 0;
	data[3] = (uint8_t)n;
	memcpy(data + 4, text, n);
	CHECK(send(fd, data, n + 4, MSG_NOSIGNAL) == (ssize_t)n + 4);
	turn();
}

static void
expect_frame(int fd, const char *text)
{
	char data[256];
	size_t n = strlen(text);

	turn();
	CHECK(recv(fd, data, sizeof data, 0) == (ssize_t)n + 4);
	CHECK(data[0] == 0 && data[3] == (char)n && memcmp(data + 4, text, n) == 0);
}

static void
expect_no_frame(int fd)
{
	char byte;

	turn();
	CHECK(recv(fd, &byte, 1, 0) < 0 && errno == EAGAIN);
}

static void
expect_end(int fd)
{
	char byte;

	turn();
	CHECK(recv(fd, &byte, 1, 0) == 0);
}

static struct net_port_counters
numbers(unsigned port)
{
	struct net_port_counters ret;

	net_counters_read(counters, port, &ret);
	return ret;
}

/* --- the tests ---------------------------------------------------------------------------- */

static void
relays(void)
{
	struct net_report report;
	int qemu[NET_PORTS_MAX], network[NET_PORTS_MAX];

	begin();
	for (unsigned i = 0; i < NET_PORTS_MAX; i++) {
		CHECK(ask(NET_ADD, i, pair_of(&qemu[i]), pair_of(&network[i]), &report) == 0);
		CHECK(report.sides[i] == (NET_SIDE_QEMU | NET_SIDE_NETWORK));
	}
	for (unsigned i = 0; i < NET_PORTS_MAX; i++) {
		send_frame(qemu[i], "from the guest");
		send_frame(network[i], "to the guest, longer");
	}
	for (unsigned i = 0; i < NET_PORTS_MAX; i++) {
		struct net_port_counters n = numbers(i);

		expect_frame(network[i], "from the guest");
		expect_frame(qemu[i], "to the guest, longer");
		expect_no_frame(network[i]);
		CHECK(n.tx.packets == 1 && n.tx.bytes == 14 && n.rx.packets == 1 &&
			n.rx.bytes == 20);
		CHECK(n.tx.drops == 0 && n.rx.drops == 0 && n.tx.errors == 0 && n.rx.errors == 0);
	}
	CHECK(ask(NET_REMOVE, 3, -1, -1, &report) == 0 && report.sides[3] == 0);
	expect_end(qemu[3]);
	expect_end(network[3]);
	CHECK(ask(NET_REMOVE, 3, -1, -1, &report) == 0);
	for (unsigned i = 0; i < NET_PORTS_MAX; i++) {
		fd_close(&qemu[i]);
		fd_close(&network[i]);
	}
	finish();
}

static void
outlives_network(void)
{
	struct net_report report;
	int qemu, network, next;

	begin();
	CHECK(ask(NET_ADD, 0, pair_of(&qemu), -1, &report) == 0);
	CHECK(report.sides[0] == NET_SIDE_QEMU);
	/* Nobody is there: it does not wait for somebody. */
	for (unsigned i = 0; i < 100; i++)
		send_frame(qemu, "lost");
	CHECK(numbers(0).tx.drops == 100 && numbers(0).tx.packets == 0);
	CHECK(ask(NET_JOIN, 0, pair_of(&network), -1, &report) == 0);
	CHECK(report.sides[0] == (NET_SIDE_QEMU | NET_SIDE_NETWORK));
	send_frame(qemu, "one");
	expect_frame(network, "one");
	/* It ends amid a frame; what came whole before that still arrives. */
	send_frame(network, "whole");
	CHECK(send(network, "\0\0\1", 3, 0) == 3);
	fd_close(&network);
	CHECK(next_report(&report) && report.serial == 0);
	CHECK(report.sides[0] == NET_SIDE_QEMU);
	expect_frame(qemu, "whole");
	CHECK(numbers(0).rx.errors == 1);
	send_frame(qemu, "lost");
	CHECK(ask(NET_JOIN, 0, pair_of(&network), -1, &report) == 0);
	send_frame(network, "again");
	expect_frame(qemu, "again");
	/* And another in its place, while it is there. */
	CHECK(ask(NET_JOIN, 0, pair_of(&next), -1, &report) == 0);
	expect_end(network);
	send_frame(qemu, "two");
	expect_frame(next, "two");
	nothing_is_said();
	/* QEMU ends: the port is free. */
	fd_close(&qemu);
	CHECK(next_report(&report) && report.sides[0] == 0);
	expect_end(next);
	CHECK(ask(NET_JOIN, 0, pair_of(&network), -1, &report) == -ENOENT);
	CHECK(numbers(0).tx.drops == 101);
	fd_close(&network);
	fd_close(&next);
	finish();
}

/* Frames that fill whatever is between the two, until nothing more is taken. Returns how many. */
static unsigned
fill(int fd)
{
	static uint8_t frame[60004] = {0, 0, 60000 >> 8, 60000 & 0xff};
	unsigned n = 0;
	size_t at = 0;

	for (unsigned tries = 0; tries < 100;) {
		ssize_t sent = send(fd, frame + at, sizeof frame - at, MSG_NOSIGNAL);

		turn();
		if (sent < 0) {
			tries++;
			continue;
		}
		at = (at + (size_t)sent) % sizeof frame;
		n += at == 0;
	}
	return n;
}

static void
waits_for_nobody(void)
{
	struct net_report report;
	int qemu, network;
	uint64_t drops;
	unsigned n;
	char byte;

	begin();
	CHECK(ask(NET_ADD, 0, pair_of(&qemu), pair_of(&network), &report) == 0);
	/* The network does not read: the guest is held back ... */
	n = fill(qemu);
	CHECK(n >= 3 && numbers(0).tx.drops == 0);
	/* ... while the other direction goes on ... */
	send_frame(network, "meanwhile");
	expect_frame(qemu, "meanwhile");
	/* ... and after a while no more: what comes is dropped. */
	be_due(&ports.table[0].ends[PORT_NETWORK].patience);
	drops = numbers(0).tx.drops;
	CHECK(drops > 0);
	CHECK(recv(qemu, &byte, 1, 0) < 0 && errno == EAGAIN);
	CHECK(port_sides(&ports.table[0]) == (NET_SIDE_QEMU | NET_SIDE_NETWORK));
	fd_close(&qemu);
	fd_close(&network);
	finish();
}

/* Read a stream of frames to its end for now; each must be one that fill() or send_frame() makes. */
static unsigned
drain(int fd)
{
	static uint8_t data[4 << 20];
	size_t size = 0, at = 0;
	unsigned frames = 0;
	ssize_t n;

	for (unsigned idle = 0; idle < 5;) {
		n = recv(fd, data + size, sizeof data - size, 0);
		turn();
		idle = n > 0 ? 0 : idle + 1;
		size += n > 0 ? (size_t)n : 0;
	}
	for (; at + 4 <= size; frames++) {
		size_t len = (size_t)data[at + 2] << 8 | data[at + 3];

		CHECK(data[at] == 0 && data[at + 1] == 0 && (len == 60000 || len < 100));
		at += 4 + len;
	}
	CHECK(at == size);
	return frames;
}

static void
reads_again(void)
{
	static uint8_t zeroes[60004];
	struct net_report report;
	int qemu, network;
	uint64_t before;
	size_t rest = 0;
	unsigned n = 0;
	ssize_t r;

	begin();
	CHECK(ask(NET_ADD, 0, pair_of(&qemu), pair_of(&network), &report) == 0);
	n = fill(qemu);
	be_due(&ports.table[0].ends[PORT_NETWORK].patience);
	before = numbers(0).tx.drops;
	CHECK(before > 0);
	/* The guest may send on, and what it sends is dropped whole. */
	while ((r = send(qemu, zeroes, 1, MSG_NOSIGNAL)) == 1 && numbers(0).tx.drops == before &&
		rest++ < 2 * sizeof zeroes)
		turn();
	CHECK(numbers(0).tx.drops == before + 1);
	/* The network reads again: whole frames, and then all that comes. */
	n = drain(network);
	CHECK(n == numbers(0).tx.packets);
	CHECK(!ports.table[0].ends[PORT_NETWORK].dropping);
	fd_close(&qemu);
	fd_close(&network);
	finish();
}

static void
bad_frames(void)
{
	struct net_report report;
	int qemu, network;

	begin();
	CHECK(ask(NET_ADD, 0, pair_of(&qemu), pair_of(&network), &report) == 0);
	CHECK(ask(NET_ADD, 1, pair_of(&(int){-1}), -1, &report) == 0);
	/* The network's fault costs the network's end, ... */
	send_frame(network, "good");
	CHECK(send(network, "\0\0\0\0more", 8, 0) == 8);
	CHECK(next_report(&report) && report.sides[0] == NET_SIDE_QEMU);
	expect_frame(qemu, "good");
	expect_end(network);
	CHECK(numbers(0).rx.errors == 1);
	/* ... QEMU's the port, and no other. */
	CHECK(send(qemu, "\377\0\0\0", 4, 0) == 4);
	CHECK(next_report(&report) && report.sides[0] == 0 && report.sides[1] != 0);
	fd_close(&qemu);
	fd_close(&network);
	finish();
}

static int
listener(struct sockaddr_un *ret)
{
	socklen_t size = sizeof(sa_family_t);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	/* An address of the kernel's choice, which leaves nothing behind. */
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	CHECK(bind(fd, (struct sockaddr *)ret, size) == 0 && listen(fd, 4) == 0);
	size = sizeof *ret;
	CHECK(getsockname(fd, (struct sockaddr *)ret, &size) == 0);
	return fd;
}

static int
connect_to(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	/* Five hexadecimal digits behind a NUL: unix(7), autobind. */
	CHECK(connect(fd, (const struct sockaddr *)address, sizeof(sa_family_t) + 6) == 0);
	return fd;
}

static void
outlives_worker(void)
{
	struct net_report report;
	struct sockaddr_un address;
	int qemu, network, next;

	begin();
	CHECK(ask(NET_LISTEN, 0, listener(&address), -1, &report) == 0);
	CHECK(ask(NET_ADD, 2, pair_of(&qemu), pair_of(&network), &report) == 0);
	send_frame(qemu, "first");
	/* The next waits until the one before has gone. */
	next = connect_to(&address);
	fd_close(&network);
	CHECK(next_report(&report) && report.sides[2] == NET_SIDE_QEMU);
	fd_close(&control);
	turn();
	control = next;
	CHECK(greet(&report) && report.sides[2] == NET_SIDE_QEMU);
	CHECK(numbers(2).tx.packets == 1);
	CHECK(ask(NET_JOIN, 2, pair_of(&network), -1, &report) == 0);
	send_frame(qemu, "second");
	expect_frame(network, "second");
	/* And a third, while there was none for some time. */
	fd_close(&control);
	turn();
	CHECK(!timer_is_set(&ports.alone));
	control = connect_to(&address);
	CHECK(greet(&report) && report.sides[2] == (NET_SIDE_QEMU | NET_SIDE_NETWORK));
	/* With neither a port nor a worker it ends. */
	CHECK(ask(NET_REMOVE, 2, -1, -1, &report) == 0);
	CHECK(!timer_is_set(&ports.alone));
	fd_close(&control);
	turn();
	be_due(&ports.alone);
	CHECK(loop.quit);
	fd_close(&qemu);
	fd_close(&network);
	finish();
}

static void
bad_asks(void)
{
	static const struct net_ask asks[] = {
		{.type = 0, .serial = 1},
		{.type = NET_COUNTERS + 1, .serial = 1},
		{.type = NET_COUNTERS, .serial = 1, .port = 1},
		{.type = NET_REMOVE, .serial = 0},
		{.type = NET_REMOVE, .serial = 1, .port = NET_PORTS_MAX},
		{.type = NET_REMOVE, .serial = 1, .zero = 1},
		{.type = NET_ADD, .serial = 1},
		{.type = NET_JOIN, .serial = 1},
		{.type = NET_LISTEN, .serial = 1},
	};
	struct sockaddr_un address;
	struct net_report report;
	int qemu;

	begin();
	CHECK(ask(NET_LISTEN, 0, listener(&address), -1, &report) == 0);
	CHECK(ask(NET_ADD, 0, pair_of(&qemu), -1, &report) == 0);
	for (unsigned i = 0; i <= sizeof asks / sizeof *asks; i++) {
		AUTO(packet_fini) struct packet packet;
		bool whole = i < sizeof asks / sizeof *asks;

		CHECK(packet_send(control, whole ? (const void *)&asks[i] : "x",
			      whole ? sizeof asks[i] : 1, NULL, 0) == 0);
		turn();
		CHECK(packet_recv(control, &packet) == PACKET_E_GONE);
		fd_close(&control);
		/* It costs the connection, and no port. */
		control = connect_to(&address);
		CHECK(greet(&report) && report.sides[0] == NET_SIDE_QEMU);
	}
	/* More descriptors than it takes. */
	CHECK(packet_send(control, &(struct net_ask){.type = NET_REMOVE, .serial = 1},
		      sizeof(struct net_ask), &qemu, 1) == 0);
	turn();
	fd_close(&control);
	control = connect_to(&address);
	CHECK(greet(&report) && report.sides[0] == NET_SIDE_QEMU);
	fd_close(&qemu);
	finish();
}

static void
bad_descriptors(void)
{
	struct net_report report;
	struct sockaddr_un address;
	int qemu, other;
	unsigned files = n_descriptors();

	begin();
	CHECK(ask(NET_ADD, 0, open("/dev/null", O_RDWR | O_CLOEXEC), -1, &report) == -EBADF);
	CHECK(ask(NET_ADD, 0, listener(&address), -1, &report) == -EBADF);
	CHECK(ask(NET_ADD, 0, pair_of(&qemu), open("/dev/null", O_RDWR | O_CLOEXEC), &report) ==
		-EBADF);
	expect_end(qemu);
	fd_close(&qemu);
	CHECK(ask(NET_LISTEN, 0, pair_of(&other), -1, &report) == -EBADF);
	fd_close(&other);
	CHECK(ask(NET_ADD, 0, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), -1, &report) ==
		-EBADF);
	CHECK(ask(NET_ADD, 0, pair_of(&qemu), -1, &report) == 0);
	CHECK(ask(NET_ADD, 0, pair_of(&other), -1, &report) == -EEXIST);
	expect_end(other);
	fd_close(&other);
	CHECK(ask(NET_JOIN, 0, open("/dev/null", O_RDWR | O_CLOEXEC), -1, &report) == -EBADF);
	CHECK(ask(NET_JOIN, 1, pair_of(&other), -1, &report) == -ENOENT);
	fd_close(&other);
	CHECK(report.sides[0] == NET_SIDE_QEMU && report.sides[1] == 0);
	fd_close(&qemu);
	finish();
	CHECK(n_descriptors() == files);
}

static void
deaf_worker(void)
{
	struct net_report report;
	int qemu, network;
	unsigned n = 0;

	begin();
	CHECK(ask(NET_ADD, 0, pair_of(&qemu), -1, &report) == 0);
	/* It asks and does not listen: no more is heard than is answered. */
	while (packet_send(control, &(struct net_ask){.type = NET_REMOVE, .serial = 1, .port = 1},
		       sizeof(struct net_ask), NULL, 0) == 0 &&
		n < 100000) {
		n++;
		turn();
	}
	CHECK(n < 100000);
	send_frame(qemu, "meanwhile");
	CHECK(numbers(0).tx.drops == 1);
	/* It listens again: each has its answer. */
	for (unsigned i = 0; i < n; i++)
		CHECK(next_report(&report) && report.serial == 1);
	CHECK(ask(NET_JOIN, 0, pair_of(&network), -1, &report) == 0);
	fd_close(&qemu);
	fd_close(&network);
	finish();
}

static void
sealed_counters(void)
{
	AUTO(packet_fini) struct packet packet;
	const struct net_counters *map = NULL;
	fd_auto int open_fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int pair[2];

	CHECK(loop_init(&loop) == 0 && packet_pair(pair) == 0);
	CHECK(ports_start(&ports, &loop, pair[1]) == 0);
	CHECK(packet_send(pair[0], &(struct net_ask){.type = NET_COUNTERS, .serial = 1},
		      sizeof(struct net_ask), NULL, 0) == 0);
	turn();
	CHECK(packet_recv(pair[0], &packet) == 0 && packet.n_fds == 1);
	CHECK(ftruncate(packet.fds[0], 0) < 0 && errno == EPERM);
	CHECK(net_counters_map(packet.fds[0], &map) == 0);
	net_counters_unmap(map);
	/* What could shrink below its reader is refused. */
	CHECK(ftruncate(open_fd, sizeof(struct net_counters)) == 0);
	CHECK(net_counters_map(open_fd, &map) == NET_COUNTERS_E_BAD);
	CHECK(fcntl(open_fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
	CHECK(net_counters_map(open_fd, &map) == 0);
	net_counters_unmap(map);
	CHECK(net_counters_map(pair[0], &map) == NET_COUNTERS_E_BAD);
	control = pair[0];
	finish();
}

int
main(void)
{
	log_open("net_relay", LEVEL_ERROR);
	TEST("frames go both ways on every port, and are counted", relays);
	TEST("QEMU's end outlives the network's", outlives_network);
	TEST("who does not read holds back his sender for a while, and nobody else",
		waits_for_nobody);
	TEST("who reads again gets whole frames", reads_again);
	TEST("a length that no frame has ends its sender", bad_frames);
	TEST("the next worker finds it as it is; without port and worker it ends", outlives_worker);
	TEST("what is no ask ends the connection, and no port", bad_asks);
	TEST("what is not of its kind is refused, and nothing is kept", bad_descriptors);
	TEST("a worker that does not listen costs itself alone", deaf_worker);
	TEST("the counters cannot shrink below their reader", sealed_counters);
	return TEST_END();
}
