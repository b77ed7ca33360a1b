/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * link_end.h: a link whose callbacks are recorded, with another such link or a raw socket at its
 * other end.
 */
#ifndef TESTS_UNIT_LINK_END_H
#define TESTS_UNIT_LINK_END_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/fd.h"
#include "lib/link.h"
#include "lib/packet.h"
#include "lib/take.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/hostile.h"
#include "tests/unit/messages.h"
#include "tests/unit/test.h"

enum { KEPT_MAX = 400 };

/* One end, with what its callbacks were told. */
struct peer {
	struct link link;
	unsigned n_messages, n_ends, n_writable;
	struct ipc_message last;
	union {
		struct ipc_conn_pass pass;
		struct ipc_conn_taken taken;
		struct ipc_idle_answer idle;
		uint8_t bytes[IPC_MESSAGE_MAX];
	} body;
	uint64_t cookie;
	uint32_t serials[KEPT_MAX];
	int kept_fd;
	bool keep, stop, open_in_end;
	enum ipc_fault fault;
	uint16_t fault_type;
};

static struct loop loop;
static struct peer broker, child;
static int raw_fd = -1;
static unsigned n_before;

static void
on_message(struct link *link, const struct ipc_message *message, int *fds, uint64_t cookie)
{
	struct peer *peer = container_of(link, struct peer, link);

	if (peer->n_messages < KEPT_MAX)
		peer->serials[peer->n_messages] = message->serial;
	peer->n_messages++;
	peer->last = *message;
	peer->cookie = cookie;
	if (message->body)
		memcpy(&peer->body, message->body, ipc_rule_find((uint16_t)message->type)->size);
	for (unsigned i = 0; i < message->n_fds; i++)
		CHECK(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
	if (peer->keep && message->n_fds > 0)
		peer->kept_fd = take_fd(&fds[0]);
	if (peer->stop)
		link_stop(link);
}

static void
on_end(struct link *link, enum ipc_fault fault, uint16_t type)
{
	struct peer *peer = container_of(link, struct peer, link);

	CHECK(link->fd == -1);
	peer->n_ends++;
	peer->fault = fault;
	peer->fault_type = type;
	peer->open_in_end = link_n_open(link, IPC_CONN_PASS) > 0;
}

static void
on_writable(struct link *link)
{
	container_of(link, struct peer, link)->n_writable++;
}

static const struct link_ops ops = {.message = on_message, .end = on_end, .writable = on_writable};

static inline void
set_up(void)
{
	broker = (struct peer){.kept_fd = -1, .link.fd = -1};
	child = (struct peer){.kept_fd = -1, .link.fd = -1};
	n_before = n_descriptors();
	CHECK(loop_init(&loop) == 0);
}

static inline void
tear_down(void)
{
	link_stop(&broker.link);
	link_stop(&child.link);
	link_stop(&child.link);
	fd_close(&broker.kept_fd);
	fd_close(&child.kept_fd);
	fd_close(&raw_fd);
	loop_fini(&loop);
	CHECK(n_descriptors() == n_before);
}

static inline void
start_pair(enum ipc_link kind)
{
	int fds[2] = {-1, -1};

	set_up();
	CHECK(packet_pair(fds) == 0);
	CHECK(link_start(&broker.link, &loop, fds[0], kind, IPC_SIDE_BROKER, &ops) == 0);
	CHECK(link_start(&child.link, &loop, fds[1], kind, IPC_SIDE_PEER, &ops) == 0);
}

/* A link with a raw socket at its other end, in a state. */
static inline void
start_raw(enum ipc_link kind, enum ipc_side self, enum ipc_state state)
{
	int fds[2] = {-1, -1};

	set_up();
	CHECK(packet_pair(fds) == 0);
	CHECK(link_start(&broker.link, &loop, fds[0], kind, self, &ops) == 0);
	broker.link.state = state;
	raw_fd = fds[1];
}

static inline void
run(void)
{
	for (unsigned i = 0; i < 4; i++)
		CHECK(loop_once(&loop, 0) == 0);
}

static inline int
null_fd(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static inline const struct expected *
find(enum ipc_type type)
{
	for (unsigned i = 0; i < N_MESSAGES; i++)
		if (messages[i].type == type)
			return &messages[i];
	abort();
}

static inline void
send_good(enum ipc_type type, uint32_t serial)
{
	struct raw raw = good_raw(find(type));

	raw.header.serial = serial;
	hostile_send(raw_fd, &raw, raw.size, raw.header.n_fds);
}

#endif
