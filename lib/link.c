/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * link.c: one end of a link between two of our programs: whole, checked messages and nothing else.
 *
 * Runs in every program, root's included. The same check judges what is sent and what is received,
 * so that neither end can rely on a message that the table does not have.
 */
#include "lib/link.h"

#include <string.h>
#include <sys/socket.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/packet.h"
#include "lib/take.h"

_Static_assert((int)IPC_MESSAGE_MAX <= (int)PACKET_SIZE_MAX, "a message is a packet");
_Static_assert((int)IPC_FDS_MAX <= (int)PACKET_FDS_MAX, "a message is a packet");

static struct ipc_context
context(struct link *link, bool own)
{
	enum ipc_side other = link->self == IPC_SIDE_BROKER ? IPC_SIDE_PEER : IPC_SIDE_BROKER;

	return (struct ipc_context){.link = link->kind,
		.sender = own ? link->self : other,
		.state = link->state,
		.seen = &link->seen};
}

static void
end(struct link *link, enum ipc_fault fault, uint16_t type)
{
	link_stop(link);
	link->ops->end(link, fault, type);
}

static struct link_ask *
find_ask(struct link *link, uint32_t serial)
{
	for (unsigned i = 0; i < LINK_ASKS_MAX; i++)
		if (link->asks[i].serial == serial)
			return &link->asks[i];
	return NULL;
}

/* The type that a packet claims; 0 when it is too short for one. */
static uint16_t
claimed_type(const struct packet *packet)
{
	struct ipc_header header;

	if (packet->size < sizeof header)
		return 0;
	memcpy(&header, packet->data, sizeof header);
	return header.type;
}

/* With how many descriptors it came; one that was cut has come with some, as it says or not. */
static unsigned
n_fds_of(const struct packet *packet)
{
	struct ipc_header header = {.n_fds = 0};

	if (!packet->cut)
		return packet->n_fds;
	if (packet->size >= sizeof header)
		memcpy(&header, packet->data, sizeof header);
	return header.n_fds > 0 ? header.n_fds : 1;
}

/* Its descriptors are lost, which is not the peer's fault: an answer is an error, all else is without. */
static void
cut(struct packet *packet, struct ipc_message *message)
{
	message->n_fds = 0;
	message->err = LINK_CUT;
	if (ipc_is_answer((uint16_t)message->type))
		memset(packet->data + sizeof(struct ipc_header), 0,
			packet->size - sizeof(struct ipc_header));
}

static void
receive_message(struct link *link, struct packet *packet)
{
	struct ipc_context ctx = context(link, false);
	struct ipc_message message;
	uint64_t cookie = 0;
	enum ipc_fault fault =
		ipc_check(&ctx, packet->data, packet->size, n_fds_of(packet), &message);

	if (fault == IPC_OK && ipc_is_answer((uint16_t)message.type)) {
		struct link_ask *ask = find_ask(link, message.serial);

		if (ask && (enum ipc_type)(ask->type + 1) == message.type) {
			cookie = ask->cookie;
			*ask = (struct link_ask){.serial = 0};
			link->n_asks--;
		} else {
			fault = IPC_FAULT_SERIAL;
		}
	}
	if (fault != IPC_OK) {
		end(link, fault, claimed_type(packet));
		return;
	}
	link->state = ipc_state_after(link->state, &message);
	if (packet->cut)
		cut(packet, &message);
	link->ops->message(link, &message, packet->fds, cookie);
}

/* Receive one packet. Returns whether there may be another. */
static bool
receive(struct link *link)
{
	AUTO(packet_fini) struct packet packet;
	int r = packet_recv(link->fd, &packet);

	link->n_unread = r < 0 ? link->n_unread + 1 : 0;
	if (r == 0 || packet.cut)
		receive_message(link, &packet);
	else if (r == PACKET_E_BAD)
		end(link, IPC_FAULT_PACKET, 0);
	else if (r == PACKET_E_GONE || link->n_unread >= LINK_FAILURES_MAX)
		end(link, IPC_OK, 0);
	return (r == 0 || packet.cut) && link->fd >= 0;
}

static void
link_ready(struct io *io, uint32_t events)
{
	struct link *link = container_of(io, struct link, io);
	bool room = events & EPOLLOUT;

	for (unsigned i = 0; i < LINK_BATCH && receive(link); i++) {}
	if (link->fd < 0)
		return;
	if (room)
		io_set(&link->io, EPOLLIN);
	if (link->asks_full && link->n_asks < LINK_ASKS_MAX) {
		link->asks_full = false;
		room = true;
	}
	if (room && link->ops->writable)
		link->ops->writable(link);
}

int
link_start(struct link *link, struct loop *loop, int fd, enum ipc_link kind, enum ipc_side self,
	const struct link_ops *ops)
{
	int r;

	*link = (struct link){.fd = fd,
		.kind = kind,
		.self = self,
		.state = kind == IPC_LINK_CHILD ? IPC_STATE_NEW : IPC_STATE_SERVING,
		.ops = ops};
	r = io_start(loop, &link->io, fd, EPOLLIN, IO_FIRST, link_ready);
	if (r < 0)
		fd_close(&link->fd);
	return r;
}

void
link_stop(struct link *link)
{
	io_stop(&link->io);
	fd_close(&link->fd);
}

/* Send a message that our own table allows. */
static int
send_message(struct link *link, struct ipc_header header, const void *body, const int *fds)
{
	_Alignas(8) uint8_t data[IPC_MESSAGE_MAX];
	const struct ipc_rule *rule = ipc_rule_find(header.type);
	struct ipc_context ctx = context(link, true);
	uint64_t seen = link->seen;
	struct ipc_message message;
	enum ipc_fault fault;
	size_t size;
	int r;

	ASSERT(rule);
	header.version = IPC_VERSION;
	header.size = rule->size;
	header.n_fds = header.err ? 0 : rule->n_fds;
	size = sizeof header + rule->size;
	memset(data, 0, size);
	memcpy(data, &header, sizeof header);
	if (rule->size > 0 && !header.err)
		memcpy(data + sizeof header, body, rule->size);
	/* What is not sent, because the queue is full, has not been there. */
	ctx.seen = &seen;
	fault = ipc_check(&ctx, data, size, header.n_fds, &message);
	if (fault != IPC_OK)
		die("%s cannot be sent: %s (a bug of qemud: please report it)", rule->name,
			ipc_fault_text(fault));
	r = packet_send(link->fd, data, size, fds, header.n_fds);
	link->n_unsent = r < 0 ? link->n_unsent + 1 : 0;
	/* Who asks does so again; but answers and notices would be missing from then on. */
	if (r < 0 && ipc_wants_answer(header.type) && link->n_unsent < LINK_FAILURES_MAX)
		r = PACKET_E_AGAIN;
	switch (r) {
	case 0:
		link->seen = seen;
		link->state = ipc_state_after(link->state, &message);
		return 0;
	case PACKET_E_AGAIN:
		io_set(&link->io, EPOLLIN | EPOLLOUT);
		return LINK_E_FULL;
	default:
		/* What the peer has sent is still received; then comes the end. */
		(void)shutdown(link->fd, SHUT_RDWR);
		return LINK_E_GONE;
	}
}

static uint32_t
unused_serial(struct link *link)
{
	do {
		link->next_serial++;
	} while (link->next_serial == 0 || find_ask(link, link->next_serial));
	return link->next_serial;
}

int
link_ask(struct link *link, enum ipc_type type, const void *body, const int *fds, uint64_t cookie)
{
	struct link_ask *ask;
	uint32_t serial;
	int r;

	ASSERT(ipc_wants_answer((uint16_t)type));
	if (link->fd < 0)
		return LINK_E_GONE;
	ask = find_ask(link, 0);
	if (!ask) {
		link->asks_full = true;
		return LINK_E_FULL;
	}
	serial = unused_serial(link);
	r = send_message(
		link, (struct ipc_header){.type = (uint16_t)type, .serial = serial}, body, fds);
	if (r == 0) {
		*ask = (struct link_ask){serial, (uint16_t)type, cookie};
		link->n_asks++;
	}
	return r;
}

int
link_answer(struct link *link, enum ipc_type type, uint32_t serial, int err, const void *body,
	const int *fds)
{
	ASSERT(ipc_is_answer((uint16_t)type));
	if (link->fd < 0)
		return LINK_E_GONE;
	return send_message(link,
		(struct ipc_header){.type = (uint16_t)type, .serial = serial, .err = err}, body,
		fds);
}

int
link_notify(struct link *link, enum ipc_type type, const void *body)
{
	return link_notify_fds(link, type, body, NULL);
}

int
link_notify_fds(struct link *link, enum ipc_type type, const void *body, const int *fds)
{
	ASSERT(!ipc_is_answer((uint16_t)type) && !ipc_wants_answer((uint16_t)type));
	if (link->fd < 0)
		return LINK_E_GONE;
	return send_message(link, (struct ipc_header){.type = (uint16_t)type}, body, fds);
}

unsigned
link_n_open(const struct link *link, enum ipc_type type)
{
	unsigned n = 0;

	for (unsigned i = 0; i < LINK_ASKS_MAX; i++)
		n += link->asks[i].serial != 0 && link->asks[i].type == type;
	return n;
}
