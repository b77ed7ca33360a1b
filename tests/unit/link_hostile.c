/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * link_hostile.c: a peer that breaks any rule loses its link by that rule's name, and nothing
 * leaks.
 */
#include "lib/link.h"

#include <unistd.h>

#include "tests/unit/link_end.h"

/* The link must have ended by this fault, once, and nothing may have been handed over. */
static void
check_violation(enum ipc_fault fault, unsigned type)
{
	hostile_send(raw_fd, "more", 4, 0);
	run();
	CHECK(broker.n_ends == 1 && broker.n_messages == 0);
	if (broker.fault != fault || broker.fault_type != type)
		printf("# fault %d by %u, want %d by %u\n", broker.fault, broker.fault_type, fault,
			type);
	CHECK(broker.fault == fault && broker.fault_type == type);
	CHECK(broker.link.fd == -1);
	tear_down();
}

static enum ipc_side
other(unsigned side)
{
	return side == IPC_SIDE_BROKER ? IPC_SIDE_PEER : IPC_SIDE_BROKER;
}

static void
start_against(const struct expected *e, enum ipc_state state)
{
	start_raw((enum ipc_link)e->link, other(e->sender), state);
}

static void
refuses_hostile_messages(void)
{
	for (unsigned i = 0; i < N_MESSAGES; i++) {
		const struct expected *e = &messages[i];
		enum ipc_state good = e->states & S ? IPC_STATE_SERVING : IPC_STATE_NEW;
		struct raw raw;

		for (unsigned state = N; state <= L; state *= 2) {
			if (e->states & state)
				continue;
			start_against(e, (enum ipc_state)state);
			send_good(e->type, e->kind == NOTICE ? 0 : 1);
			check_violation(IPC_FAULT_STATE, e->type);
		}
		for (unsigned n_fds = 0; n_fds <= PACKET_FDS_MAX; n_fds++) {
			if (n_fds == e->n_fds)
				continue;
			raw = good_raw(e);
			start_against(e, good);
			hostile_send(raw_fd, &raw, raw.size, n_fds);
			check_violation(IPC_FAULT_FDS, e->type);
		}
		raw = good_raw(e);
		start_against(e, good);
		hostile_send(raw_fd, &raw, raw.size + 1, e->n_fds);
		check_violation(IPC_FAULT_SIZE, e->type);
		start_raw(e->link == CHILD ? IPC_LINK_STARTER : IPC_LINK_CHILD, other(e->sender),
			good);
		hostile_send(raw_fd, &raw, raw.size, e->n_fds);
		check_violation(IPC_FAULT_TYPE, e->type);
		start_raw((enum ipc_link)e->link, (enum ipc_side)e->sender, good);
		hostile_send(raw_fd, &raw, raw.size, e->n_fds);
		check_violation(IPC_FAULT_SENDER, e->type);
		raw.header.version++;
		start_against(e, good);
		hostile_send(raw_fd, &raw, raw.size, e->n_fds);
		check_violation(IPC_FAULT_VERSION, e->type);
	}
	start_raw(IPC_LINK_CHILD, IPC_SIDE_BROKER, IPC_STATE_NEW);
	hostile_send(raw_fd, "short", 5, 3);
	check_violation(IPC_FAULT_SHORT, 0);
}

/* What breaks the rules in a packet of that size, whose header says what is right or that size. */
static enum ipc_fault
fault_of(size_t size)
{
	if (size > PACKET_SIZE_MAX)
		return IPC_FAULT_PACKET;
	return size < sizeof(struct ipc_header) ? IPC_FAULT_SHORT : IPC_FAULT_SIZE;
}

static void
refuses_each_size(void)
{
	for (unsigned i = 0; i < N_MESSAGES; i++) {
		const struct expected *e = &messages[i];
		enum ipc_state good = e->states & S ? IPC_STATE_SERVING : IPC_STATE_NEW;

		for (size_t size = 1; size <= PACKET_SIZE_MAX + 1; size++) {
			struct {
				struct raw raw;
				uint8_t more[PACKET_SIZE_MAX];
			} packet = {.raw = good_raw(e)};
			bool cut = size <= sizeof packet.raw.header;

			if (size == packet.raw.size)
				continue;
			if (size % 2 == 0 && !cut)
				packet.raw.header.size =
					(uint16_t)(size - sizeof packet.raw.header);
			start_against(e, good);
			hostile_send(raw_fd, &packet, size, e->n_fds);
			check_violation(
				fault_of(size), fault_of(size) == IPC_FAULT_SIZE ? e->type : 0);
		}
	}
}

static void
refuses_hostile_packets(void)
{
	static const char zeros[600];

	for (unsigned i = 0; i < N_MESSAGES; i++) {
		const struct expected *e = &messages[i];
		struct raw raw = good_raw(e);

		for (unsigned n_fds = PACKET_FDS_MAX + 1; n_fds <= HOSTILE_FDS_MAX; n_fds += 31) {
			start_against(e, e->states & S ? IPC_STATE_SERVING : IPC_STATE_NEW);
			hostile_send(raw_fd, &raw, raw.size, n_fds);
			check_violation(IPC_FAULT_PACKET, 0);
		}
	}
	for (unsigned n_fds = 0; n_fds <= 6; n_fds++) {
		start_raw(IPC_LINK_CHILD, IPC_SIDE_BROKER, IPC_STATE_NEW);
		hostile_send(raw_fd, zeros, sizeof zeros, n_fds);
		check_violation(IPC_FAULT_PACKET, 0);
	}
	start_raw(IPC_LINK_CHILD, IPC_SIDE_BROKER, IPC_STATE_NEW);
	hostile_send(raw_fd, "", 0, 2);
	check_violation(IPC_FAULT_PACKET, 0);
	start_raw(IPC_LINK_CHILD, IPC_SIDE_BROKER, IPC_STATE_NEW);
	hostile_send(raw_fd, "", 0, 0);
	check_violation(IPC_OK, 0); /* it cannot be told from the end */
}

static void
refuses_a_second_hello(void)
{
	start_raw(IPC_LINK_CHILD, IPC_SIDE_BROKER, IPC_STATE_NEW);
	send_good(IPC_HELLO, 0);
	run();
	CHECK(broker.n_messages == 1 && broker.link.state == IPC_STATE_SERVING);
	broker.n_messages = 0;
	send_good(IPC_HELLO, 0);
	check_violation(IPC_FAULT_STATE, IPC_HELLO);

	start_raw(IPC_LINK_CHILD, IPC_SIDE_BROKER, IPC_STATE_LEAVING);
	send_good(IPC_HELLO, 0);
	run();
	CHECK(broker.n_messages == 1 && broker.link.state == IPC_STATE_LEAVING);
	broker.n_messages = 0;
	send_good(IPC_HELLO, 0);
	check_violation(IPC_FAULT_AGAIN, IPC_HELLO);

	start_raw(IPC_LINK_CHILD, IPC_SIDE_PEER, IPC_STATE_SERVING);
	send_good(IPC_STOP, 0);
	run();
	broker.n_messages = 0;
	send_good(IPC_STOP, 0);
	check_violation(IPC_FAULT_AGAIN, IPC_STOP);
}

static void
refuses_unasked_answers(void)
{
	int null = null_fd();

	start_raw(IPC_LINK_CHILD, IPC_SIDE_BROKER, IPC_STATE_SERVING);
	send_good(IPC_CONN_TAKEN, 1);
	check_violation(IPC_FAULT_SERIAL, IPC_CONN_TAKEN);

	/* Another serial than the ask's. */
	start_raw(IPC_LINK_CHILD, IPC_SIDE_BROKER, IPC_STATE_SERVING);
	CHECK(link_ask(&broker.link, IPC_CONN_PASS, &good_conn_pass, &null, 1) == 0);
	send_good(IPC_CONN_TAKEN, broker.link.next_serial + 1);
	check_violation(IPC_FAULT_SERIAL, IPC_CONN_TAKEN);
	CHECK(broker.open_in_end);

	/* The serial of an ask of another type. */
	start_raw(IPC_LINK_STARTER, IPC_SIDE_BROKER, IPC_STATE_SERVING);
	CHECK(link_ask(&broker.link, IPC_RESOLVE, &good_resolve, NULL, 1) == 0);
	send_good(IPC_WORKER_STARTED, broker.link.next_serial);
	check_violation(IPC_FAULT_SERIAL, IPC_WORKER_STARTED);

	/* The same answer twice. */
	start_raw(IPC_LINK_CHILD, IPC_SIDE_BROKER, IPC_STATE_SERVING);
	CHECK(link_ask(&broker.link, IPC_CONN_PASS, &good_conn_pass, &null, 1) == 0);
	send_good(IPC_CONN_TAKEN, broker.link.next_serial);
	run();
	CHECK(broker.n_messages == 1 && broker.n_ends == 0);
	broker.n_messages = 0;
	send_good(IPC_CONN_TAKEN, broker.link.next_serial);
	check_violation(IPC_FAULT_SERIAL, IPC_CONN_TAKEN);
	(void)close(null);
}

int
main(void)
{
	TEST("each message in a wrong state, link, direction, size, count or version ends the link",
		refuses_hostile_messages);
	TEST("each message in each size but its own ends the link", refuses_each_size);
	TEST("any message with 5 to 253 descriptors, truncated and empty packets end the link and "
	     "leak nothing",
		refuses_hostile_packets);
	TEST("what is allowed once ends the link the second time", refuses_a_second_hello);
	TEST("an answer to no open ask, or to another, ends the link", refuses_unasked_answers);
	return TEST_END();
}
