/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * screen.c: connections of a client to screens; see screen.h.
 *
 * While a call is on its way, its descriptors are the call's, which closes what is left: the end for QEMU
 * first, then the client's, then the view's.
 */
#include "view/screen.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lib/fd.h"
#include "lib/foreign.h"
#include "lib/loop.h"
#include "lib/take.h"
#include "protocol/rpc/buffer.h"
#include "protocol/rpc/procedure.h"
#include "protocol/verb.h"
#include "view/viewer.h"

enum { OF_QEMU, OF_CLIENT, OF_VIEW, N_FDS };

/* Somebody who says something, and is to be told what the other says. */
struct side {
	struct io io; /* stopped: the peer has gone, what it said may wait */
	struct screen *screen;
	int fd; /* owned */
	bool ended;
	struct rpc_buffer out;
};

struct screen {
	LIST_ENTRY(screen) entry; /* of the viewer's */
	struct viewer *viewer;
	uint32_t uid; /* of the owner */
	struct side client, qemu;
};

/* --- its end ------------------------------------------------------------------------------ */

static void
side_fini(struct side *side)
{
	io_stop(&side->io);
	foreign_close(&side->fd);
	rpc_buffer_fini(&side->out);
}

static void
end(struct screen *screen)
{
	LIST_REMOVE(screen, entry);
	screen->viewer->n_screens--;
	side_fini(&screen->client);
	side_fini(&screen->qemu);
	free(screen);
}

/* --- what is said ------------------------------------------------------------------------- */

/* Returns false when the peer takes no more. */
static bool
flush(struct side *side)
{
	ssize_t n = send(side->fd, rpc_buffer_front(&side->out), rpc_buffer_left(&side->out),
		MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	rpc_buffer_drop(&side->out, (size_t)n);
	if (rpc_buffer_left(&side->out) == 0)
		rpc_buffer_fini(&side->out);
	return true;
}

/* Receive once, for the other side, for whom nothing waits. Returns false when that one is to be told no more. */
static bool
pump(struct side *from, struct side *to)
{
	static uint8_t data[SCREEN_WAITING_MAX];
	ssize_t n;

	/* Without room for control data: descriptors that come along are closed by the kernel. */
	foreign_begin();
	n = recv(from->fd, data, sizeof data, MSG_DONTWAIT);
	foreign_end();
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		from->ended = true;
	return n <= 0 || (rpc_buffer_append(&to->out, data, (size_t)n) == 0 && flush(to));
}

/* What a peer said that has gone: nothing tells any more that it can be read. False as above. */
static bool
drain(struct side *from, struct side *to)
{
	while (!from->ended && !from->io.loop && rpc_buffer_left(&to->out) == 0)
		if (!pump(from, to))
			return false;
	return true;
}

/* Watch a side for what can be done. Returns false when it has ended, and all that it said is said. */
static bool
watch(struct side *side, struct side *other)
{
	bool may_take = rpc_buffer_left(&other->out) == 0;
	bool has = rpc_buffer_left(&side->out) > 0;

	if (side->ended)
		io_stop(&side->io);
	else if (side->io.loop)
		io_set(&side->io, (may_take ? EPOLLIN : 0u) | (has ? EPOLLOUT : 0u));
	return !side->ended || !may_take;
}

static bool
serve(struct side *side, struct side *other, uint32_t events)
{
	if (rpc_buffer_left(&side->out) > 0 && !flush(side))
		return false;
	if (rpc_buffer_left(&other->out) == 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
		if (!pump(side, other))
			return false;
	} else if (events & (EPOLLHUP | EPOLLERR)) {
		io_stop(&side->io);
	}
	return drain(side, other) && drain(other, side) && watch(side, other) && watch(other, side);
}

static void
side_ready(struct io *io, uint32_t events)
{
	struct side *side = container_of(io, struct side, io);
	struct screen *screen = side->screen;
	struct side *other = side == &screen->client ? &screen->qemu : &screen->client;

	if (!serve(side, other, events))
		end(screen);
}

/* --- how it begins ------------------------------------------------------------------------ */

/* Does the client say where it is to be shown? */
static bool
takes_one(const struct rpc_procedure *procedure)
{
	return procedure->program == RPC_PROGRAM_REMOTE &&
	       procedure->number == RPC_PROC_DOMAIN_OPEN_GRAPHICS;
}

bool
screen_is_opened_by(const struct rpc_procedure *procedure)
{
	return takes_one(procedure) ||
	       (procedure->program == RPC_PROGRAM_REMOTE &&
		       procedure->number == RPC_PROC_DOMAIN_OPEN_GRAPHICS_FD);
}

static int
make_pair(struct rpc_call *call, int *ret_fds)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret_fds) == 0)
		return RPC_DONE;
	return rpc_error_set_errno(
		&call->error, errno, VIR_FROM_QEMU, "unable to create socket pair");
}

int
screen_prepare(struct rpc_call *call, unsigned *ret_n_fds)
{
	int pair[2];

	*ret_n_fds = call->n_fds;
	/* If there is none, the worker says so. */
	if (!takes_one(call->procedure) || call->n_fds == 0)
		return RPC_DONE;
	if (!fd_is_stream(call->fds[0]))
		return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_QEMU,
			"invalid argument: the descriptor for the screen is no connected stream "
			"socket");
	if (make_pair(call, pair) != RPC_DONE)
		return RPC_FAILED;
	for (unsigned i = 1; i < call->n_fds; i++)
		foreign_close(&call->fds[i]);
	call->fds[OF_CLIENT] = call->fds[0];
	call->fds[OF_QEMU] = pair[0];
	call->fds[OF_VIEW] = pair[1];
	call->n_fds = N_FDS;
	*ret_n_fds = 1;
	return RPC_DONE;
}

static int
start(struct side *side, struct screen *screen, int *fd)
{
	struct loop *loop = screen->viewer->host->loop;

	side->screen = screen;
	side->fd = take_fd(fd);
	rpc_buffer_init(&side->out, SCREEN_WAITING_MAX);
	return io_start(loop, &side->io, side->fd, EPOLLIN, 0, side_ready);
}

/* May the connection look at screens of that owner's machines? */
static bool
may_look(const struct viewer *viewer, uint32_t uid)
{
	const struct owner *owner = owners_find(&viewer->host->owners, uid);

	return owner && viewer_shows(viewer, owner) && (viewer_verbs(viewer, owner) & VERB_CONSOLE);
}

static int
begin(struct viewer *viewer, uint32_t uid, int *client_fd, int *qemu_fd)
{
	struct screen *screen = calloc(1, sizeof *screen);
	int r;

	if (!screen)
		return -ENOMEM;
	screen->viewer = viewer;
	screen->uid = uid;
	screen->qemu.fd = -1;
	LIST_INSERT_HEAD(&viewer->screens, screen, entry);
	viewer->n_screens++;
	r = start(&screen->client, screen, client_fd);
	if (r == 0)
		r = start(&screen->qemu, screen, qemu_fd);
	if (r < 0)
		end(screen);
	return r;
}

int
screen_open(struct rpc_call *call, uint32_t owner_uid)
{
	struct viewer *viewer = call->client ? viewer_of(call->client) : NULL;
	fd_auto int client_fd = -1;
	fd_auto int qemu_fd = -1;
	int pair[2], r;

	if (takes_one(call->procedure) && call->n_fds == N_FDS) {
		client_fd = take_fd(&call->fds[OF_CLIENT]);
		qemu_fd = take_fd(&call->fds[OF_VIEW]);
	} else if (call->reply_fd >= 0) {
		qemu_fd = take_fd(&call->reply_fd);
		if (make_pair(call, pair) != RPC_DONE)
			return RPC_FAILED;
		client_fd = pair[0];
		call->reply_fd = pair[1];
	}
	if (!viewer || !may_look(viewer, owner_uid))
		return rpc_error_set(&call->error, VIR_ERR_OPERATION_DENIED, VIR_FROM_DOMAIN,
			"operation forbidden: what was asked for is shown no more");
	if (qemu_fd < 0 || !fd_is_stream(qemu_fd))
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU,
			"internal error: what the worker answered is no screen");
	if (viewer->n_screens >= SCREENS_MAX)
		return rpc_error_set(&call->error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
			"operation failed: this connection has %d screens open, which is as many "
			"as "
			"may be: close some",
			SCREENS_MAX);
	r = begin(viewer, owner_uid, &client_fd, &qemu_fd);
	if (r < 0)
		return rpc_error_set_errno(
			&call->error, -r, VIR_FROM_QEMU, "the screen cannot be served");
	return RPC_DONE;
}

/* --- what may be seen --------------------------------------------------------------------- */

void
screens_check(struct viewer *viewer)
{
	struct screen *screen = LIST_FIRST(&viewer->screens), *next;

	for (; screen; screen = next) {
		next = LIST_NEXT(screen, entry);
		if (!may_look(viewer, screen->uid))
			end(screen);
	}
}

void
screens_end(struct viewer *viewer)
{
	while (!LIST_EMPTY(&viewer->screens))
		end(LIST_FIRST(&viewer->screens));
}
