/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * packet.c: a packet is handed over whole or refused with all its descriptors closed.
 */
#include "lib/packet.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fd.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/hostile.h"
#include "tests/unit/test.h"

static int ours = -1, theirs = -1;
static unsigned n_before;
static struct packet packet;

static void
set_up(void)
{
	int fds[2] = {-1, -1};

	n_before = n_descriptors();
	CHECK(packet_pair(fds) == 0);
	ours = fds[0];
	theirs = fds[1];
}

static void
tear_down(void)
{
	fd_close(&ours);
	fd_close(&theirs);
	CHECK(n_descriptors() == n_before);
}

static void
travels(void)
{
	static uint8_t data[PACKET_SIZE_MAX];

	set_up();
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 11);
	for (unsigned n_fds = 0; n_fds <= PACKET_FDS_MAX; n_fds++) {
		int fds[PACKET_FDS_MAX];
		size_t size = n_fds == 0 ? 1 : sizeof data - n_fds + 1;

		for (unsigned i = 0; i < n_fds; i++)
			fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		CHECK(packet_send(theirs, data, size, fds, n_fds) == 0);
		for (unsigned i = 0; i < n_fds; i++)
			fd_close(&fds[i]);
		CHECK(packet_recv(ours, &packet) == 0);
		CHECK(packet.size == size && memcmp(packet.data, data, size) == 0);
		CHECK(packet.n_fds == n_fds);
		for (unsigned i = 0; i < PACKET_FDS_MAX; i++)
			CHECK((packet.fds[i] >= 0) == (i < n_fds));
		for (unsigned i = 0; i < n_fds; i++)
			CHECK(fcntl(packet.fds[i], F_GETFD) & FD_CLOEXEC);
		packet_fini(&packet);
		packet_fini(&packet);
	}
	CHECK(fcntl(ours, F_GETFD) & FD_CLOEXEC);
	CHECK(fcntl(ours, F_GETFL) & O_NONBLOCK);
	tear_down();
}

static void
keeps_the_taken(void)
{
	int taken, null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	set_up();
	CHECK(packet_send(theirs, "x", 1, (int[]){null, null}, 2) == 0);
	CHECK(packet_recv(ours, &packet) == 0);
	taken = packet.fds[0];
	packet.fds[0] = -1;
	packet_fini(&packet);
	CHECK(fcntl(taken, F_GETFD) >= 0);
	(void)close(taken);
	tear_down();
	(void)close(null);
}

static void
never_waits(void)
{
	unsigned n = 0;
	int r;

	set_up();
	CHECK(packet_recv(ours, &packet) == PACKET_E_AGAIN);
	while ((r = packet_send(ours, "full", 4, NULL, 0)) == 0)
		n++;
	CHECK(r == PACKET_E_AGAIN && n > 0);
	for (; n > 0; n--)
		CHECK(packet_recv(theirs, &packet) == 0);
	CHECK(packet_send(ours, "room", 4, NULL, 0) == 0);
	tear_down();
}

static void
tells_of_the_end(void)
{
	set_up();
	hostile_send(theirs, "last", 4, 1);
	fd_close(&theirs);
	CHECK(packet_recv(ours, &packet) == 0 && packet.n_fds == 1);
	packet_fini(&packet);
	CHECK(packet_recv(ours, &packet) == PACKET_E_GONE);
	CHECK(packet_recv(ours, &packet) == PACKET_E_GONE);
	CHECK(packet_send(ours, "x", 1, NULL, 0) == PACKET_E_GONE);
	tear_down();
	CHECK(packet_recv(-1, &packet) == -EBADF);
	CHECK(packet_send(-1, "x", 1, NULL, 0) == -EBADF);
}

static void
reads_what_a_dead_peer_said(void)
{
	/* The peer ends with unread packets: the kernel says ECONNRESET before it gives its own. */
	set_up();
	CHECK(packet_send(ours, "unread", 6, NULL, 0) == 0);
	hostile_send(theirs, "one", 3, 0);
	hostile_send(theirs, "two", 3, 1);
	fd_close(&theirs);
	CHECK(packet_recv(ours, &packet) == 0 && memcmp(packet.data, "one", 3) == 0);
	CHECK(packet_recv(ours, &packet) == 0 && memcmp(packet.data, "two", 3) == 0);
	packet_fini(&packet);
	CHECK(packet_recv(ours, &packet) == PACKET_E_GONE);
	tear_down();
}

static void
refuses_too_many_fds(void)
{
	static const unsigned counts[] = {PACKET_FDS_MAX + 1, 8, 64, HOSTILE_FDS_MAX};

	set_up();
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		unsigned n = n_descriptors();

		hostile_send(theirs, "x", 1, counts[i]);
		CHECK(packet_recv(ours, &packet) == PACKET_E_BAD);
		CHECK(packet.n_fds == 0 && n_descriptors() == n);
	}
	hostile_send(theirs, "good", 4, PACKET_FDS_MAX);
	CHECK(packet_recv(ours, &packet) == 0 && packet.n_fds == PACKET_FDS_MAX);
	packet_fini(&packet);
	tear_down();
}

static void
refuses_the_truncated(void)
{
	static const char data[4096];

	set_up();
	for (unsigned n_fds = 0; n_fds <= 5; n_fds++) {
		unsigned n = n_descriptors();

		hostile_send(theirs, data, PACKET_SIZE_MAX + 1, n_fds);
		CHECK(packet_recv(ours, &packet) == PACKET_E_BAD);
		hostile_send(theirs, data, sizeof data, n_fds);
		CHECK(packet_recv(ours, &packet) == PACKET_E_BAD);
		CHECK(n_descriptors() == n);
	}
	hostile_send(theirs, data, PACKET_SIZE_MAX, 0);
	CHECK(packet_recv(ours, &packet) == 0 && packet.size == PACKET_SIZE_MAX);
	tear_down();
}

static void
refuses_the_empty(void)
{
	unsigned n;

	set_up();
	n = n_descriptors();
	hostile_send(theirs, "", 0, 0); /* looks like the end, and is taken for it */
	CHECK(packet_recv(ours, &packet) == PACKET_E_GONE);
	hostile_send(theirs, "", 0, 1);
	CHECK(packet_recv(ours, &packet) == PACKET_E_BAD);
	hostile_send(theirs, "", 0, HOSTILE_FDS_MAX);
	CHECK(packet_recv(ours, &packet) == PACKET_E_BAD);
	CHECK(n_descriptors() == n);
	tear_down();
}

static void
refuses_other_control(void)
{
	unsigned n;
	int yes = 1;

	set_up();
	CHECK(setsockopt(ours, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) == 0);
	n = n_descriptors();
	hostile_send(theirs, "x", 1, 0);
	CHECK(packet_recv(ours, &packet) == PACKET_E_BAD);
	hostile_send(theirs, "x", 1, 2);
	CHECK(packet_recv(ours, &packet) == PACKET_E_BAD);
	hostile_send(theirs, "x", 1, HOSTILE_FDS_MAX);
	CHECK(packet_recv(ours, &packet) == PACKET_E_BAD);
	CHECK(n_descriptors() == n);
	tear_down();
}

int
main(void)
{
	TEST("a packet of every number of descriptors travels whole", travels);
	TEST("a taken descriptor stays open, the others are closed", keeps_the_taken);
	TEST("neither end waits", never_waits);
	TEST("the end is told after the last packet", tells_of_the_end);
	TEST("what a peer sent before it died with unread packets is received",
		reads_what_a_dead_peer_said);
	TEST("5 to 253 descriptors are refused and closed", refuses_too_many_fds);
	TEST("a truncated packet is refused and its descriptors closed", refuses_the_truncated);
	TEST("an empty packet is the end, or refused with its descriptors", refuses_the_empty);
	TEST("control data that is no descriptor is refused", refuses_other_control);
	return TEST_END();
}
