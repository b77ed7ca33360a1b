/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * link.c: both ends of a link advance together, and each learns of the other's end after all that
 * it said.
 */
#include "lib/link.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/log.h"
#include "tests/unit/link_end.h"
#include "tests/unit/no_room.h"

static void
say_hello(void)
{
	CHECK(link_notify(&child.link, IPC_HELLO, &good_hello) == 0);
	CHECK(child.link.state == IPC_STATE_SERVING);
	run();
	CHECK(broker.link.state == IPC_STATE_SERVING && broker.last.type == IPC_HELLO);
}

static void
lives(void)
{
	struct ipc_idle_answer granted = {.granted = 1};
	struct stat sent = {.st_ino = 0}, got = {.st_ino = 0};
	int null = null_fd();

	start_pair(IPC_LINK_CHILD);
	CHECK(broker.link.state == IPC_STATE_NEW && child.link.state == IPC_STATE_NEW);
	say_hello();

	child.keep = true;
	CHECK(link_ask(&broker.link, IPC_CONN_PASS, &good_conn_pass, &null, 4711) == 0);
	CHECK(link_n_open(&broker.link, IPC_CONN_PASS) == 1);
	run();
	CHECK(child.last.type == IPC_CONN_PASS && child.last.n_fds == 1 && child.last.serial != 0);
	CHECK(memcmp(&child.body.pass, &good_conn_pass, sizeof good_conn_pass) == 0);
	CHECK(fstat(null, &sent) == 0 && fstat(child.kept_fd, &got) == 0);
	CHECK(sent.st_ino == got.st_ino && sent.st_rdev == got.st_rdev);
	CHECK(link_answer(&child.link, IPC_CONN_TAKEN, child.last.serial, 0, &good_conn_taken,
		      NULL) == 0);
	run();
	CHECK(broker.last.type == IPC_CONN_TAKEN && broker.cookie == 4711 && broker.last.err == 0);
	CHECK(broker.body.taken.conn_id == 1 && link_n_open(&broker.link, IPC_CONN_PASS) == 0);

	CHECK(link_notify(&child.link, IPC_CONN_GONE, &good_conn_gone) == 0);
	run();
	CHECK(broker.last.type == IPC_CONN_GONE && broker.last.serial == 0);

	CHECK(link_ask(&child.link, IPC_IDLE_ASK, NULL, NULL, 1) == 0);
	run();
	CHECK(link_answer(&broker.link, IPC_IDLE_ANSWER, broker.last.serial, 0, &good_idle_answer,
		      NULL) == 0);
	run();
	CHECK(broker.link.state == IPC_STATE_SERVING && child.link.state == IPC_STATE_SERVING);
	CHECK(link_ask(&child.link, IPC_IDLE_ASK, NULL, NULL, 2) == 0);
	run();
	CHECK(link_answer(&broker.link, IPC_IDLE_ANSWER, broker.last.serial, 0, &granted, NULL) ==
		0);
	CHECK(broker.link.state == IPC_STATE_LEAVING && child.link.state == IPC_STATE_SERVING);
	run();
	CHECK(child.link.state == IPC_STATE_LEAVING && child.cookie == 2);
	CHECK(child.body.idle.granted == 1);

	link_stop(&child.link);
	run();
	CHECK(broker.n_ends == 1 && broker.fault == IPC_OK && broker.fault_type == 0);
	CHECK(child.n_ends == 0);
	CHECK(link_notify(&broker.link, IPC_STOP, NULL) == LINK_E_GONE);
	CHECK(link_ask(&broker.link, IPC_CONN_PASS, &good_conn_pass, &null, 0) == LINK_E_GONE);
	CHECK(link_answer(&broker.link, IPC_IDLE_ANSWER, 1, 0, &granted, NULL) == LINK_E_GONE);
	run();
	CHECK(broker.n_ends == 1);
	tear_down();
	(void)close(null);
}

static void
asks_the_starter(void)
{
	int nulls[2] = {null_fd(), null_fd()};

	start_pair(IPC_LINK_STARTER);
	CHECK(broker.link.state == IPC_STATE_SERVING && child.link.state == IPC_STATE_SERVING);
	CHECK(link_ask(&broker.link, IPC_RESOLVE, &good_resolve, NULL, 1) == 0);
	CHECK(link_ask(&broker.link, IPC_WORKER, &good_worker, nulls, 2) == 0);
	CHECK(link_ask(&broker.link, IPC_RESOLVE, &good_resolve, NULL, 3) == 0);
	CHECK(link_n_open(&broker.link, IPC_RESOLVE) == 2);
	CHECK(link_n_open(&broker.link, IPC_WORKER) == 1);
	run();
	CHECK(child.n_messages == 3 && child.serials[0] != child.serials[2]);
	/* Answers come in any order, with what they need or with an error and nothing else. */
	CHECK(link_answer(&child.link, IPC_RESOLVED, child.serials[2], -ENOENT, NULL, NULL) == 0);
	run();
	CHECK(broker.last.type == IPC_RESOLVED && broker.last.err == -ENOENT && broker.cookie == 3);
	CHECK(broker.last.n_fds == 0 && link_n_open(&broker.link, IPC_RESOLVE) == 1);
	CHECK(link_answer(&child.link, IPC_WORKER_STARTED, child.serials[1], 0, &good_started,
		      nulls) == 0);
	run();
	CHECK(broker.last.type == IPC_WORKER_STARTED && broker.cookie == 2);
	CHECK(broker.last.n_fds == 2);
	CHECK(link_answer(&child.link, IPC_RESOLVED, child.serials[0], 0, NULL, nulls) == 0);
	run();
	CHECK(broker.cookie == 1 && broker.last.err == 0 && broker.last.n_fds == 1);
	CHECK(broker.n_ends == 0 && child.n_ends == 0);
	tear_down();
	(void)close(nulls[0]);
	(void)close(nulls[1]);
}

static void
races(void)
{
	int null = null_fd();

	/* A STOP crosses the HELLO. */
	start_pair(IPC_LINK_CHILD);
	CHECK(link_notify(&broker.link, IPC_STOP, NULL) == 0);
	CHECK(link_notify(&child.link, IPC_HELLO, &good_hello) == 0);
	run();
	CHECK(broker.link.state == IPC_STATE_LEAVING && child.link.state == IPC_STATE_LEAVING);
	CHECK(broker.n_ends == 0 && child.n_ends == 0 && broker.n_messages == 1);
	tear_down();

	/* A STOP behind a CONN_PASS crosses all that a child may send. */
	start_pair(IPC_LINK_CHILD);
	say_hello();
	CHECK(link_ask(&broker.link, IPC_CONN_PASS, &good_conn_pass, &null, 1) == 0);
	CHECK(link_ask(&child.link, IPC_IDLE_ASK, NULL, NULL, 1) == 0);
	CHECK(link_notify(&broker.link, IPC_STOP, NULL) == 0);
	run();
	CHECK(child.n_messages == 2 && child.link.state == IPC_STATE_LEAVING);
	CHECK(link_answer(&child.link, IPC_CONN_TAKEN, child.serials[0], 0, &good_conn_taken,
		      NULL) == 0);
	CHECK(link_notify(&child.link, IPC_CONN_GONE, &good_conn_gone) == 0);
	run();
	CHECK(broker.n_messages == 4 && broker.n_ends == 0);
	CHECK(link_answer(&broker.link, IPC_IDLE_ANSWER, broker.serials[1], 0, &good_idle_answer,
		      NULL) == 0);
	run();
	CHECK(child.last.type == IPC_IDLE_ANSWER && child.n_ends == 0);
	tear_down();

	/* A child that is granted its end is told to stop, too. */
	start_pair(IPC_LINK_CHILD);
	say_hello();
	CHECK(link_ask(&child.link, IPC_IDLE_ASK, NULL, NULL, 1) == 0);
	run();
	CHECK(link_answer(&broker.link, IPC_IDLE_ANSWER, broker.last.serial, 0,
		      &(struct ipc_idle_answer){.granted = 1}, NULL) == 0);
	CHECK(link_notify(&broker.link, IPC_STOP, NULL) == 0);
	run();
	CHECK(child.n_messages == 2 && child.n_ends == 0 && broker.n_ends == 0);
	tear_down();
	(void)close(null);
}

/* Fill the queue towards the raw end with asks or notices, until one is refused. */
static unsigned
fill(void)
{
	unsigned n = 0;
	int r;

	while ((r = link_answer(&broker.link, IPC_IDLE_ANSWER, 1, 0, &good_idle_answer, NULL)) == 0)
		n++;
	CHECK(r == LINK_E_FULL && n > 0);
	return n;
}

static void
is_full(void)
{
	struct packet packet;
	unsigned n;

	start_raw(IPC_LINK_CHILD, IPC_SIDE_BROKER, IPC_STATE_SERVING);
	n = fill();
	run();
	CHECK(broker.n_writable == 0);
	/* It still hears, and what was refused has not been there. */
	send_good(IPC_CONN_GONE, 0);
	CHECK(link_notify(&broker.link, IPC_STOP, NULL) == LINK_E_FULL);
	CHECK(broker.link.state == IPC_STATE_SERVING);
	run();
	CHECK(broker.n_messages == 1);
	for (; n > 0; n--)
		CHECK(packet_recv(raw_fd, &packet) == 0);
	CHECK(packet_recv(raw_fd, &packet) == PACKET_E_AGAIN);
	run();
	CHECK(broker.n_writable == 1);
	CHECK(link_notify(&broker.link, IPC_STOP, NULL) == 0);
	CHECK(broker.link.state == IPC_STATE_LEAVING);
	CHECK(packet_recv(raw_fd, &packet) == 0 && packet.size == sizeof(struct ipc_header));
	CHECK(broker.n_ends == 0);
	tear_down();

	/* Room, and a violation, in the same wake-up: the end, and nothing behind it. */
	start_raw(IPC_LINK_CHILD, IPC_SIDE_BROKER, IPC_STATE_SERVING);
	for (n = fill(); n > 0; n--)
		CHECK(packet_recv(raw_fd, &packet) == 0);
	send_good(IPC_HELLO, 0);
	run();
	CHECK(broker.n_ends == 1 && broker.n_writable == 0);
	tear_down();
}

static void
limits_asks(void)
{
	struct packet packet;

	start_raw(IPC_LINK_STARTER, IPC_SIDE_BROKER, IPC_STATE_SERVING);
	for (unsigned i = 0; i < LINK_ASKS_MAX; i++) {
		CHECK(link_ask(&broker.link, IPC_RESOLVE, &good_resolve, NULL, i) == 0);
		CHECK(packet_recv(raw_fd, &packet) == 0);
	}
	CHECK(link_ask(&broker.link, IPC_RESOLVE, &good_resolve, NULL, 99) == LINK_E_FULL);
	CHECK(link_ask(&broker.link, IPC_VIEW, &good_view, NULL, 99) == LINK_E_FULL);
	CHECK(packet_recv(raw_fd, &packet) == PACKET_E_AGAIN);
	run();
	CHECK(broker.n_writable == 0);
	send_good(IPC_RESOLVED, broker.link.asks[20].serial);
	run();
	CHECK(broker.cookie == 20 && broker.n_writable == 1);
	CHECK(link_n_open(&broker.link, IPC_RESOLVE) == LINK_ASKS_MAX - 1);
	CHECK(link_ask(&broker.link, IPC_VIEW, &good_view, NULL, 99) == 0);
	tear_down();
}

static void
wraps_serials(void)
{
	uint32_t open_serial;

	start_raw(IPC_LINK_STARTER, IPC_SIDE_BROKER, IPC_STATE_SERVING);
	CHECK(link_ask(&broker.link, IPC_RESOLVE, &good_resolve, NULL, 1) == 0);
	open_serial = broker.link.next_serial;
	CHECK(open_serial == 1);
	broker.link.next_serial = UINT32_MAX - 1;
	CHECK(link_ask(&broker.link, IPC_RESOLVE, &good_resolve, NULL, 2) == 0);
	CHECK(link_ask(&broker.link, IPC_RESOLVE, &good_resolve, NULL, 3) == 0);
	CHECK(broker.link.asks[1].serial == UINT32_MAX);
	CHECK(broker.link.asks[2].serial == 2); /* neither 0, nor the 1 that is open */
	send_good(IPC_RESOLVED, 1);
	run();
	CHECK(broker.cookie == 1 && broker.n_ends == 0);
	tear_down();
}

static void
hears_the_dead(void)
{
	int null = null_fd(), closed = INT_MAX;

	/* The peer leaves our packet unread, three messages, and is gone. */
	start_raw(IPC_LINK_CHILD, IPC_SIDE_BROKER, IPC_STATE_NEW);
	send_good(IPC_HELLO, 0);
	run();
	CHECK(link_ask(&broker.link, IPC_CONN_PASS, &good_conn_pass, &null, 9) == 0);
	send_good(IPC_CONN_TAKEN, broker.link.next_serial);
	send_good(IPC_CONN_GONE, 0);
	fd_close(&raw_fd);
	run();
	CHECK(broker.n_messages == 3 && broker.n_ends == 1 && broker.fault == IPC_OK);
	CHECK(broker.cookie == 0 && !broker.open_in_end);
	tear_down();

	/* The same, when the first to notice is a message of ours. */
	start_raw(IPC_LINK_CHILD, IPC_SIDE_BROKER, IPC_STATE_SERVING);
	CHECK(link_ask(&broker.link, IPC_CONN_PASS, &good_conn_pass, &null, 9) == 0);
	send_good(IPC_CONN_TAKEN, broker.link.next_serial);
	fd_close(&raw_fd);
	for (unsigned i = 0; i < 3; i++)
		CHECK(link_ask(&broker.link, IPC_CONN_PASS, &good_conn_pass, &null, 10) ==
			LINK_E_GONE);
	CHECK(broker.n_ends == 0);
	run();
	CHECK(broker.n_messages == 1 && broker.cookie == 9 && broker.n_ends == 1);
	CHECK(link_n_open(&broker.link, IPC_CONN_PASS) == 0);
	tear_down();

	/* The kernel refuses to send: what asks may try again, a thousand times. */
	start_raw(IPC_LINK_CHILD, IPC_SIDE_BROKER, IPC_STATE_SERVING);
	CHECK(link_ask(&broker.link, IPC_CONN_PASS, &good_conn_pass, &closed, 9) == LINK_E_FULL);
	CHECK(link_n_open(&broker.link, IPC_CONN_PASS) == 0);
	run();
	CHECK(broker.n_writable == 1 && broker.n_ends == 0);
	CHECK(link_ask(&broker.link, IPC_CONN_PASS, &good_conn_pass, &null, 9) == 0);
	for (unsigned i = 1; i < LINK_FAILURES_MAX; i++)
		CHECK(link_ask(&broker.link, IPC_CONN_PASS, &good_conn_pass, &closed, 9) ==
			LINK_E_FULL);
	CHECK(link_ask(&broker.link, IPC_CONN_PASS, &good_conn_pass, &closed, 9) == LINK_E_GONE);
	run();
	CHECK(broker.n_ends == 1 && broker.fault == IPC_OK);
	tear_down();

	/* An answer that is not sent would be missing. */
	start_raw(IPC_LINK_CHILD, IPC_SIDE_BROKER, IPC_STATE_SERVING);
	CHECK(link_answer(&broker.link, IPC_TOOL_READY, 1, 0, NULL, &closed) == LINK_E_GONE);
	run();
	CHECK(broker.n_ends == 1 && broker.fault == IPC_OK);
	tear_down();

	/* A peer that lives, and has only shut its ear. */
	start_raw(IPC_LINK_CHILD, IPC_SIDE_BROKER, IPC_STATE_SERVING);
	send_good(IPC_CONN_GONE, 0);
	CHECK(shutdown(raw_fd, SHUT_RD) == 0);
	CHECK(link_notify(&broker.link, IPC_STOP, NULL) == LINK_E_GONE);
	run();
	CHECK(broker.n_messages == 1 && broker.n_ends == 1 && broker.fault == IPC_OK);
	tear_down();
	(void)close(null);
}

static void
count_turn(struct io *io, uint32_t events)
{
	(void)io;
	(void)events;
	broker.cookie++;
}

static void
takes_turns(void)
{
	struct io other_io = {.loop = NULL};
	unsigned n = 3 * LINK_BATCH + 1;
	int fds[2];

	start_raw(IPC_LINK_CHILD, IPC_SIDE_BROKER, IPC_STATE_SERVING);
	for (unsigned i = 0; i < n; i++)
		send_good(IPC_CONN_GONE, 0);
	CHECK(packet_pair(fds) == 0);
	(void)close(fds[1]);
	CHECK(io_start(&loop, &other_io, fds[0], EPOLLIN, 0, count_turn) == 0);
	for (unsigned turn = 1; turn <= 3; turn++) {
		CHECK(loop_once(&loop, 0) == 0);
		CHECK(broker.n_messages == turn * LINK_BATCH);
	}
	CHECK(broker.cookie > 0);
	run();
	CHECK(broker.n_messages == n && broker.n_ends == 0);
	io_stop(&other_io);
	(void)close(fds[0]);
	tear_down();
}

static void
stops_inside(void)
{
	start_raw(IPC_LINK_CHILD, IPC_SIDE_BROKER, IPC_STATE_SERVING);
	broker.stop = true;
	send_good(IPC_CONN_GONE, 0);
	send_good(IPC_CONN_GONE, 0);
	run();
	CHECK(broker.n_messages == 1 && broker.n_ends == 0 && broker.n_writable == 0);
	tear_down();
}

/* What our own programs must not send; each ends the process that tries. */
static void
sends_early(void)
{
	int null = null_fd();

	(void)link_ask(&broker.link, IPC_CONN_PASS, &good_conn_pass, &null, 0);
}

static void
sends_stop_twice(void)
{
	(void)link_notify(&broker.link, IPC_STOP, NULL);
	(void)link_notify(&broker.link, IPC_STOP, NULL);
}

static void
sends_for_the_other(void)
{
	(void)link_notify(&broker.link, IPC_HELLO, &good_hello);
}

static void
sends_a_bad_field(void)
{
	struct ipc_conn_pass pass = good_conn_pass;
	int null = null_fd();

	broker.link.state = IPC_STATE_SERVING;
	pass.verbs = 16;
	(void)link_ask(&broker.link, IPC_CONN_PASS, &pass, &null, 0);
}

static void
notifies_an_ask(void)
{
	broker.link.state = IPC_STATE_SERVING;
	(void)link_notify(&broker.link, IPC_CONN_PASS, &good_conn_pass);
}

static void
sends_a_positive_error(void)
{
	broker.link.state = IPC_STATE_SERVING;
	(void)link_answer(&broker.link, IPC_IDLE_ANSWER, 1, 5, NULL, NULL);
}

static void
keeps_its_own_rules(void)
{
	static void (*const bad[])(void) = {sends_early, sends_stop_twice, sends_for_the_other,
		sends_a_bad_field, notifies_an_ask, sends_a_positive_error};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		int status = 0;
		pid_t pid;

		start_raw(IPC_LINK_CHILD, IPC_SIDE_BROKER, IPC_STATE_NEW);
		(void)fflush(stdout);
		pid = fork();
		if (pid == 0) {
			log_open("test", 0);
			bad[i]();
			_exit(0);
		}
		CHECK(waitpid(pid, &status, 0) == pid);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
		tear_down();
	}
}

static void
refuses_no_socket(void)
{
	int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	set_up();
	CHECK(link_start(&broker.link, &loop, file, IPC_LINK_CHILD, IPC_SIDE_BROKER, &ops) ==
		-EPERM);
	CHECK(broker.link.fd == -1 && fcntl(file, F_GETFD) < 0);
	n_before--; /* the file, which set_up() counted */
	tear_down();
}

/* What this process has no room for is not its peer's fault, who sent what it should. */
static void
loses_descriptors(void)
{
	struct raw raw = good_raw(find(IPC_WORKER_STARTED));
	int null = null_fd();

	for (unsigned room = 0; room < 3; room++) {
		start_raw(IPC_LINK_STARTER, IPC_SIDE_BROKER, IPC_STATE_SERVING);
		CHECK(link_ask(&broker.link, IPC_WORKER, &good_worker, &null, 11) == 0);
		raw.header.serial = broker.link.next_serial;
		hostile_send(raw_fd, &raw, raw.size, 2);
		hostile_send(raw_fd, &raw, sizeof raw.header - 1, 0);
		no_room_begin(room);
		CHECK(loop_once(&loop, 0) == 0);
		no_room_end();
		CHECK(broker.n_messages == 1 && broker.last.type == IPC_WORKER_STARTED);
		CHECK(broker.cookie == 11 && link_n_open(&broker.link, IPC_WORKER) == 0);
		CHECK(broker.last.err == (room < 2 ? LINK_CUT : 0));
		CHECK(broker.last.n_fds == (room < 2 ? 0 : 2));
		CHECK((*(const uint32_t *)(const void *)&broker.body == 0) == (room < 2));
		/* What follows is heard as ever. */
		CHECK(broker.n_ends == 1 && broker.fault == IPC_FAULT_SHORT);
		tear_down();
	}
	/* An ask comes without. */
	start_raw(IPC_LINK_CHILD, IPC_SIDE_PEER, IPC_STATE_SERVING);
	send_good(IPC_CONN_PASS, 7);
	no_room_begin(0);
	run();
	no_room_end();
	CHECK(broker.n_ends == 0 && broker.n_messages == 1 && broker.last.n_fds == 0);
	CHECK(broker.last.type == IPC_CONN_PASS && broker.last.err == LINK_CUT);
	CHECK(memcmp(&broker.body.pass, &good_conn_pass, sizeof good_conn_pass) == 0);
	tear_down();
	(void)close(null);
}

/* Whoever sends some where there are to be none pays for it, whether there was room or not. */
static void
refuses_more_than_there_is_room_for(void)
{
	static const unsigned counts[] = {1, 2, PACKET_FDS_MAX, HOSTILE_FDS_MAX};

	for (unsigned i = 0; i < N_MESSAGES; i++) {
		const struct expected *e = &messages[i];

		for (unsigned k = 0; k < 4 * sizeof counts / sizeof *counts; k++) {
			struct raw raw = good_raw(e);
			unsigned n_fds = counts[k / 4];

			if (n_fds == e->n_fds || e->n_fds > 0)
				continue;
			start_raw((enum ipc_link)e->link,
				e->sender == PEER ? IPC_SIDE_BROKER : IPC_SIDE_PEER,
				e->states & S ? IPC_STATE_SERVING : IPC_STATE_NEW);
			raw.header.n_fds = (uint16_t)(k % 2 ? n_fds : 0);
			hostile_send(raw_fd, &raw, raw.size, n_fds);
			no_room_begin(k % 4 / 2);
			run();
			no_room_end();
			CHECK(broker.n_ends == 1 && broker.n_messages == 0);
			CHECK(broker.fault == IPC_FAULT_FDS || broker.fault == IPC_FAULT_PACKET);
			tear_down();
		}
	}
}

int
main(void)
{
	TEST("a child's link lives from HELLO to its end", lives);
	TEST("the starter's link answers in any order, with descriptors or errors",
		asks_the_starter);
	TEST("no race with STOP or a granted end is a violation", races);
	TEST("a full queue is told, and when there is room again", is_full);
	TEST("a full table of asks is told, and when there is room again", limits_asks);
	TEST("serials wrap around zero and open asks", wraps_serials);
	TEST("all that a dead peer has sent is heard before its end", hears_the_dead);
	TEST("a peer that floods leaves others their turn", takes_turns);
	TEST("a link that is stopped by its own callback is silent", stops_inside);
	TEST("what the table forbids to send ends our own process", keeps_its_own_rules);
	TEST("descriptors that there is no room for are lost, and the link goes on",
		loses_descriptors);
	TEST("but where there are to be none they end it", refuses_more_than_there_is_room_for);
	TEST("what is no socket is refused and closed", refuses_no_socket);
	return TEST_END();
}
