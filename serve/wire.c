/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire.c: a stream socket and the packets on it; see wire.h.
 */
#include "serve/wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/fd.h"
#include "lib/pass.h"
#include "serve/descriptors.h"

/* --- input -------------------------------------------------------------------------------- */

/* The descriptors of a packet that ends before the byte `at` of the stream. */
static bool
take_descriptors(struct wire *wire, uint64_t at, unsigned n, int *fds)
{
	descriptors_drop(&wire->descriptors, at);
	for (unsigned i = 0; i < n; i++) {
		fds[i] = descriptors_take(&wire->descriptors, at + i);
		if (fds[i] < 0)
			return false;
	}
	return true;
}

/*
 * Serve one packet of that length, and its descriptors if all of size bytes suffice for them.
 * *ret_used is what it took, 0 when more has to arrive. Returns false when the wire is over.
 */
static bool
serve_packet(struct wire *wire, const uint8_t *data, size_t length, size_t size, size_t *ret_used)
{
	struct rpc_frame frame;
	int fds[RPC_FDS_MAX];
	bool ok;

	rpc_header_read(data + RPC_LENGTH_SIZE, &frame.header);
	/* Nobody asked for it: it is dropped, and has no descriptors. */
	if ((frame.header.type == RPC_REPLY_WITH_FDS || frame.header.type == RPC_CALL_WITH_FDS) &&
		frame.header.type != wire->ops->with_fds) {
		*ret_used = length;
		return true;
	}
	if (rpc_frame_read(data, length, &frame) != 0)
		return false;
	if (frame.n_fds > size - length)
		return true;
	for (unsigned i = 0; i < frame.n_fds; i++)
		fds[i] = -1;
	ok = take_descriptors(wire, wire->served + length, frame.n_fds, fds) &&
	     wire->ops->serve(wire, &frame, fds);
	for (unsigned i = 0; i < frame.n_fds; i++)
		fd_close(&fds[i]);
	*ret_used = length + frame.n_fds;
	return ok;
}

/* Serve whole packets as long as they may be. Returns false when it is over. */
static bool
serve(struct wire *wire, const uint8_t *data, size_t size, size_t *ret_used)
{
	size_t used = 0, length, n = 1;

	wire->expected = 0;
	while (n > 0 && wire->ops->may_serve(wire)) {
		int r = rpc_frame_length(data + used, size - used, &length);

		if (r == RPC_FRAME_E_MORE)
			break;
		if (r != 0)
			return false;
		n = 0;
		if (length <= size - used &&
			!serve_packet(wire, data + used, length, size - used, &n))
			return false;
		if (n == 0)
			wire->expected = length;
		used += n;
		wire->served += n;
	}
	*ret_used = used;
	return true;
}

bool
wire_serve_waiting(struct wire *wire)
{
	size_t used;

	if (rpc_buffer_left(&wire->in) == 0 || !wire->ops->may_serve(wire))
		return true;
	if (!serve(wire, rpc_buffer_front(&wire->in), rpc_buffer_left(&wire->in), &used))
		return false;
	rpc_buffer_drop(&wire->in, used);
	if (rpc_buffer_left(&wire->in) == 0)
		rpc_buffer_fini(&wire->in);
	return true;
}

/* Serve what has just been received; what stays is kept. Returns false when it is over. */
static bool
serve_received(struct wire *wire, const uint8_t *data, size_t size)
{
	bool waiting = rpc_buffer_left(&wire->in) > 0;
	size_t used = 0;

	if (!waiting && !serve(wire, data, size, &used))
		return false;
	if (used < size && rpc_buffer_append(&wire->in, data + used, size - used) != 0)
		return false;
	return !waiting || wire_serve_waiting(wire);
}

bool
wire_receive(struct wire *wire, uint8_t *data, size_t size, bool *ret_heard)
{
	uint64_t first = wire->served + rpc_buffer_left(&wire->in);
	int fd;
	ssize_t n = descriptors_recv(wire->fd, data, size, &fd);

	*ret_heard = n > 0;
	if (n == -EAGAIN || n == -EINTR)
		return true;
	if (n <= 0)
		return false;
	if (fd >= 0 && descriptors_put(&wire->descriptors, first, first + (uint64_t)n - 1, fd) != 0)
		return false;
	return serve_received(wire, data, (size_t)n);
}

/* --- output ------------------------------------------------------------------------------- */

bool
wire_flush(struct wire *wire)
{
	size_t left, size;
	ssize_t n;
	int fd;

	while ((left = rpc_buffer_left(&wire->out)) > 0) {
		const uint8_t *data = rpc_buffer_front(&wire->out);

		size = departing_next(&wire->departing, wire->sent, left, &fd);
		n = fd >= 0 ? pass_fd(wire->fd, data, size, fd)
			    : send(wire->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
		/* Too many on their way, of this user's: they are read, or she is not served. */
		if (n < 0 && fd >= 0)
			return n == -EAGAIN;
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		if (fd >= 0)
			departing_gone(&wire->departing);
		wire->sent += (size_t)n;
		rpc_buffer_drop(&wire->out, (size_t)n);
		if ((size_t)n < size)
			return true;
	}
	rpc_buffer_fini(&wire->out);
	return true;
}

int
wire_put_fd(struct wire *wire, int fd)
{
	if (rpc_buffer_append(&wire->out, "", 1) != 0) {
		fd_close(&fd);
		return -ENOBUFS;
	}
	return departing_put(&wire->departing, wire->sent + rpc_buffer_left(&wire->out) - 1, fd);
}

void
wire_cut(struct wire *wire, size_t n)
{
	rpc_buffer_cut(&wire->out, n);
	departing_cut(&wire->departing, wire->sent + n);
}

/* --- begin and end ------------------------------------------------------------------------ */

void
wire_init(struct wire *wire, const struct wire_ops *ops, int fd, size_t packet_max, size_t read_max,
	size_t out_max)
{
	*wire = (struct wire){.ops = ops, .fd = fd};
	/* One unfinished packet, beside what came with one receive. */
	rpc_buffer_init(&wire->in, packet_max + RPC_FDS_MAX + read_max);
	rpc_buffer_init(&wire->out, out_max);
}

void
wire_fini(struct wire *wire)
{
	fd_close(&wire->fd);
	descriptors_drop(&wire->descriptors, UINT64_MAX);
	departing_fini(&wire->departing);
	rpc_buffer_fini(&wire->in);
	rpc_buffer_fini(&wire->out);
}
