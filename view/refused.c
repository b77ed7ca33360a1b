/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * refused.c: connections that nobody serves; see refused.h.
 *
 * What one may make this program hold is bounded: READ_MAX bytes are taken at a time, and no more
 * before the answers to them are sent.
 */
#include "view/refused.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lib/fd.h"
#include "lib/foreign.h"
#include "lib/take.h"
#include "protocol/ctl/talk.h"
#include "protocol/rpc/keepalive.h"

enum { READ_MAX = 512, OUTPUT_MAX = 64 * 1024 };

/*
 * What a refusal is in libvirt's terms. Who may not use this host is told so by the code for it.
 * A limit is code 9, a plain failure: other codes would say more than is meant. 1 and 38 from the
 * RPC layer are taken for a lost connection, 39 for an old server, 55 is about an object's state.
 */
static const struct answer {
	enum vir_error_code code;
	const char *prefix;
} answers[] = {
	[IPC_REFUSAL_NOBODY] = {VIR_ERR_AUTH_FAILED, "authentication failed"},
	[IPC_REFUSAL_POLICY] = {VIR_ERR_AUTH_FAILED, "authentication failed"},
	[IPC_REFUSAL_CONNECTIONS] = {VIR_ERR_OPERATION_FAILED, "operation failed"},
	[IPC_REFUSAL_RATE] = {VIR_ERR_OPERATION_FAILED, "operation failed"},
	[IPC_REFUSAL_HOST] = {VIR_ERR_OPERATION_FAILED, "operation failed"},
	[IPC_REFUSAL_WORKER] = {VIR_ERR_OPERATION_FAILED, "operation failed"},
};

static void
end(struct refused *refused)
{
	struct refuser *refuser = refused->refuser;

	timer_stop(&refused->deadline);
	io_stop(&refused->io);
	foreign_close(&refused->fd);
	rpc_buffer_fini(&refused->out);
	TAILQ_REMOVE(&refuser->list, refused, entry);
	uplink_gone(refuser->uplink, &refused->conn);
	if (--refuser->n == 0)
		refuser->emptied(refuser);
}

/* Answer the packet with this header. Returns false when there is no way to go on. */
static bool
answer(struct refused *refused, const struct rpc_header *header)
{
	uint8_t *pong;

	if (rpc_keepalive_is(header)) {
		if (header->procedure != RPC_KEEPALIVE_PING)
			return true;
		pong = rpc_buffer_grow(&refused->out, RPC_FRAME_MIN);
		if (pong)
			rpc_keepalive_frame(RPC_KEEPALIVE_PONG, pong);
		return pong != NULL;
	}
	if (header->type != RPC_CALL && header->type != RPC_CALL_WITH_FDS)
		return true;
	/* After its descriptors, whose number is not read, nothing more can be understood. */
	refused->closing = header->type == RPC_CALL_WITH_FDS;
	return rpc_error_reply(&refused->error, header, &refused->out) == 0;
}

/* Take bytes that were received. Returns false when the connection is over. */
static bool
take(struct refused *refused, const uint8_t *data, size_t size)
{
	struct rpc_header header;
	size_t length;

	for (size_t i = 0; i < size && !refused->closing; i++) {
		if (refused->skip > 0) {
			refused->skip--;
			continue;
		}
		refused->front[refused->n_front++] = data[i];
		if (refused->n_front < sizeof refused->front)
			continue;
		refused->n_front = 0;
		/* What was asked before is answered all the same. */
		refused->closing =
			rpc_frame_length(refused->front, sizeof refused->front, &length) != 0;
		if (refused->closing)
			break;
		refused->skip = length - RPC_FRAME_MIN;
		rpc_header_read(refused->front + RPC_LENGTH_SIZE, &header);
		if (!answer(refused, &header))
			return false;
	}
	return true;
}

static bool
receive(struct refused *refused)
{
	uint8_t data[READ_MAX];
	ssize_t n;

	/* Without room for control data: descriptors that come along are closed by the kernel. */
	foreign_begin();
	n = recv(refused->fd, data, sizeof data, MSG_DONTWAIT);
	foreign_end();

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	return n > 0 && take(refused, data, (size_t)n);
}

/* Send what there is, and read on when all is sent. Returns false when the connection is over. */
static bool
flush(struct refused *refused)
{
	size_t left = rpc_buffer_left(&refused->out);
	ssize_t n = 0;

	if (left > 0)
		n = send(refused->fd, rpc_buffer_front(&refused->out), left,
			MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return false;
	if (n > 0)
		rpc_buffer_drop(&refused->out, (size_t)n);
	left = rpc_buffer_left(&refused->out);
	io_set(&refused->io, left > 0 ? EPOLLOUT : EPOLLIN);
	return left > 0 || !refused->closing;
}

static void
refused_ready(struct io *io, uint32_t events)
{
	struct refused *refused = container_of(io, struct refused, io);
	bool ok = true;

	if (io->events & EPOLLIN)
		ok = receive(refused);
	else if (events & (EPOLLHUP | EPOLLERR))
		ok = false;
	if (!ok || !flush(refused))
		end(refused);
}

static void
deadline_due(struct timer *timer)
{
	end(container_of(timer, struct refused, deadline));
}

/* What qemudctl reads (protocol/ctl/talk.h): at once, as it says nothing that would change it. */
static int
answer_ctl(struct refused *refused, const struct ipc_conn_pass *pass)
{
	bool denied = pass->refusal == IPC_REFUSAL_NOBODY || pass->refusal == IPC_REFUSAL_POLICY;
	const struct talk_row rows[] = {
		{.kind = TALK_ERROR,
			.values = {[TALK_ERROR_CODE] =
					   talk_text(denied ? TALK_CODE_REFUSED : TALK_CODE_FAILED),
				[TALK_ERROR_TEXT] = talk_text(pass->reason)}},
		{.kind = TALK_END, .values = {[TALK_END_ROWS] = talk_number(1)}},
	};
	char line[TALK_ROW_MAX];
	int r = 0;

	for (unsigned i = 0; r == 0 && i < sizeof rows / sizeof *rows; i++)
		r = rpc_buffer_append(&refused->out, line, talk_row_write(&rows[i], line));
	refused->closing = true;
	io_set(&refused->io, EPOLLOUT);
	return r;
}

int
refused_start(struct refuser *refuser, const struct ipc_conn_pass *pass, int fd)
{
	struct refused *refused = NULL;
	int r = pass->refusal == IPC_REFUSAL_NONE ? -EINVAL : 0;

	if (r == 0) {
		refused = calloc(1, sizeof *refused);
		r = refused ? io_start(refuser->loop, &refused->io, fd, EPOLLIN, 0, refused_ready)
			    : -ENOMEM;
	}
	if (r < 0) {
		free(refused);
		foreign_close(&fd);
		return r;
	}
	refused->refuser = refuser;
	refused->conn.id = pass->conn_id;
	refused->fd = fd;
	rpc_buffer_init(&refused->out, OUTPUT_MAX);
	/* Without memory it is closed without a word, as anything is that cannot be answered. */
	if (pass->socket == IPC_SOCKET_CTL)
		(void)answer_ctl(refused, pass);
	(void)rpc_error_set(&refused->error, answers[pass->refusal].code, VIR_FROM_RPC, "%s: %s",
		answers[pass->refusal].prefix, pass->reason);
	timer_set(refuser->loop, &refused->deadline, loop_now(refuser->loop) + LOOP_S(REFUSED_S),
		deadline_due);
	if (refuser->n == REFUSED_MAX)
		end(TAILQ_FIRST(&refuser->list));
	TAILQ_INSERT_TAIL(&refuser->list, refused, entry);
	refuser->n++;
	return 0;
}

void
refused_free(struct refused *refused)
{
	free(refused);
}

void
refuser_init(struct refuser *refuser, struct loop *loop, struct uplink *uplink,
	void (*emptied)(struct refuser *refuser))
{
	*refuser = (struct refuser){.loop = loop, .uplink = uplink, .emptied = emptied};
	TAILQ_INIT(&refuser->list);
}

void
refuser_fini(struct refuser *refuser)
{
	while (!TAILQ_EMPTY(&refuser->list))
		end(TAILQ_FIRST(&refuser->list));
}
