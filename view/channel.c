/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * channel.c: the way of one connection to one owner's worker; see channel.h.
 *
 * A channel fails in its own turn of the loop only: who is calling it is told by an answer.
 */
#include "view/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/foreign.h"
#include "lib/log.h"
#include "lib/take.h"
#include "protocol/rpc/codec.h"
#include "protocol/rpc/keepalive.h"
#include "protocol/rpc/types.h"
#include "view/worker_error.h"

enum { READ_MAX = 64 * 1024, CONNECT_READ_ONLY = 1 };

static const size_t OUT_MAX = (size_t)CHANNEL_OUT_MAX + RPC_FRAME_MAX;

static void watch(struct channel *channel);
static void set_timer(struct channel *channel);
static void timer_due(struct timer *timer);

/* --- failure ------------------------------------------------------------------------------ */

static void
stop(struct channel_call *call)
{
	struct channel *channel = call->channel;

	if (!channel)
		return;
	TAILQ_REMOVE(&channel->calls, call, entry);
	channel->n_calls--;
	call->channel = NULL;
}

static void
answer(struct channel_call *call, const struct rpc_frame *reply, int *fds,
	const struct rpc_error *error)
{
	stop(call);
	call->answer(call, reply, fds, error);
}

static void
tell_failed(struct channel *channel)
{
	struct rpc_error error = channel->error;
	struct channel_call *call;

	while ((call = TAILQ_FIRST(&channel->calls)))
		answer(call, NULL, NULL, &error);
}

static void
close_wire(struct channel *channel)
{
	timer_stop(&channel->timer);
	io_stop(&channel->io);
	wire_fini(&channel->wire);
}

/* Nothing of it is used after this in the same turn. */
static void
fail(struct channel *channel)
{
	close_wire(channel);
	channel->state = CHANNEL_FAILED;
	channel->asked_ns = loop_now(channel->loop);
	log_warning("%s", channel->error.message);
	timer_set(channel->loop, &channel->timer, channel->asked_ns, timer_due);
}

static void
fail_silent(struct channel *channel)
{
	(void)rpc_error_set(&channel->error, VIR_ERR_OPERATION_TIMEOUT, VIR_FROM_QEMU,
		"Timed out during operation: the worker of %s does not answer", channel->label);
	fail(channel);
}

static void
fail_over(struct channel *channel)
{
	uint64_t now = loop_now(channel->loop);

	if (channel->error.code == VIR_ERR_OK) {
		(void)rpc_error_set(&channel->error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
			"operation failed: the worker of %s has closed the connection",
			channel->label);
		channel->mends =
			channel->lost_ns == 0 || now - channel->lost_ns >= LOOP_S(CHANNEL_REST_S);
		channel->lost_ns = now;
	}
	fail(channel);
}

/* May it be sent to the next worker? Descriptors that went with it are gone. */
static bool
outlives(const struct channel *channel, const struct channel_call *call)
{
	bool unread = !call->sent || call->end > channel->wire.sent;

	return call != &channel->open && !call->lost && !call->unsendable &&
	       (!call->sent || call->n_fds == 0) && (unread || call->only_looks);
}

/* The worker has ended: the next one is asked for what this one did not answer. */
static void
mend(struct channel *channel)
{
	struct rpc_error error = channel->error;
	struct channel_call *call, *next;

	channel->mends = false;
	channel->state = CHANNEL_CLOSED;
	channel->ops->settled(channel);
	for (call = TAILQ_FIRST(&channel->calls); call; call = next) {
		next = TAILQ_NEXT(call, entry);
		if (outlives(channel, call)) {
			call->sent = false;
			call->lost = true;
		} else {
			answer(call, NULL, NULL, &error);
		}
	}
	if (channel->n_calls > 0)
		channel_open(channel);
}

/* --- calls -------------------------------------------------------------------------------- */

static void
send_call(struct channel *channel, struct channel_call *call)
{
	struct rpc_header header = {.program = call->procedure->program,
		.version = RPC_VERSION,
		.procedure = call->procedure->number,
		.type = call->n_fds > 0 ? RPC_CALL_WITH_FDS : RPC_CALL,
		.serial = ++channel->last_serial};
	struct rpc_buffer *out = &channel->wire.out;
	size_t before = rpc_buffer_left(out);
	int r = rpc_encode_frame(&header, call->n_fds, call->procedure->args, call->args, out);

	for (unsigned i = 0; r == 0 && i < call->n_fds; i++)
		r = wire_put_fd(&channel->wire, take_fd(&call->fds[i]));
	if (r != 0) {
		wire_cut(&channel->wire, before);
		/* Whoever is calling waits first, and is told then. */
		call->due_ns = 0;
		call->unsendable = true;
	}
	call->serial = header.serial;
	call->end = channel->wire.sent + rpc_buffer_left(out);
	call->sent = true;
}

/* Do the descriptors that go with a call find a place behind those that are on their way? */
static bool
fds_fit(const struct channel *channel, const struct channel_call *call)
{
	return call->n_fds <= DEPARTING_MAX - channel->wire.departing.n;
}

static void
send_calls(struct channel *channel)
{
	struct channel_call *call, *next;

	for (call = TAILQ_FIRST(&channel->calls); call; call = next) {
		next = TAILQ_NEXT(call, entry);
		if (!call->sent && channel_has_room(channel) && fds_fit(channel, call))
			send_call(channel, call);
	}
}

static void
put(struct channel *channel, struct channel_call *call)
{
	uint64_t now = loop_now(channel->loop);

	/* The first to be waited for: silence counts from here. */
	if (channel->n_calls == 0)
		channel->heard_ns = now;
	call->channel = channel;
	call->sent = call->lost = call->unsendable = false;
	call->due_ns = now + LOOP_S(call->seconds ? call->seconds : CHANNEL_CALL_S);
	TAILQ_INSERT_TAIL(&channel->calls, call, entry);
	channel->n_calls++;
}

int
channel_call(struct channel *channel, struct channel_call *call, struct rpc_error *error)
{
	if (channel->n_calls >= CHANNEL_CALLS_MAX)
		return rpc_error_set(error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
			"operation failed: %u calls of this connection wait for the worker of %s, "
			"which is as many as may: try again when some have been answered",
			channel->n_calls, channel->label);
	if (call->n_fds > DEPARTING_MAX)
		return rpc_error_set(error, VIR_ERR_RPC, VIR_FROM_RPC,
			"Unable to encode %u descriptors: at most %d go with a call through a view",
			call->n_fds, DEPARTING_MAX);
	channel_open(channel);
	if (channel->state == CHANNEL_FAILED && !channel->mends) {
		*error = channel->error;
		return RPC_FAILED;
	}
	put(channel, call);
	if (channel->state == CHANNEL_READY)
		channel_flush(channel);
	set_timer(channel);
	return RPC_LATER;
}

/* Asked anew after each answer: with that of what opens it, it may have failed. */
static bool
is_connected(const struct channel *channel)
{
	return channel->state == CHANNEL_OPENING || channel->state == CHANNEL_READY;
}

/* --- what the worker says ----------------------------------------------------------------- */

static bool
wire_may_serve(struct wire *wire)
{
	struct channel *channel = container_of(wire, struct channel, wire);

	return channel->state != CHANNEL_FAILED && channel->ops->may_take(channel);
}

static bool
serve_reply(struct channel *channel, const struct rpc_frame *frame, int *fds)
{
	struct channel_call *call;

	TAILQ_FOREACH (call, &channel->calls, entry)
		if (call->sent && call->serial == frame->header.serial)
			break;
	/* Its time was over, perhaps. */
	if (!call)
		return true;
	if (call->procedure->program != frame->header.program ||
		call->procedure->number != frame->header.procedure)
		return false;
	answer(call, frame, fds, NULL);
	return channel->error.code == VIR_ERR_OK;
}

static bool
wire_serve(struct wire *wire, const struct rpc_frame *frame, int *fds)
{
	struct channel *channel = container_of(wire, struct channel, wire);

	if (rpc_keepalive_is(&frame->header))
		return true;
	switch (frame->header.type) {
	case RPC_REPLY:
	case RPC_REPLY_WITH_FDS:
		return serve_reply(channel, frame, fds);
	case RPC_MESSAGE:
	case RPC_STREAM:
	case RPC_STREAM_HOLE:
		return channel->ops->message(channel, frame);
	default:
		return false;
	}
}

static const struct wire_ops wire_ops = {
	.may_serve = wire_may_serve, .serve = wire_serve, .with_fds = RPC_REPLY_WITH_FDS};

/* Receive once, and serve. Returns false when the channel is over. */
static bool
receive(struct channel *channel)
{
	static uint8_t data[READ_MAX];
	bool heard;
	bool ok;

	/* What a worker sends along may take its time to be closed. */
	foreign_begin();
	ok = wire_receive(&channel->wire, data, sizeof(data), &heard);
	foreign_end();

	if (heard) {
		channel->heard_ns = loop_now(channel->loop);
		channel->pinged = false;
	}
	return ok;
}

/* Whether what was read could be served; it may have failed the channel, too. */
static bool
served(struct channel *channel, bool ok)
{
	if (!ok && channel->io.loop)
		fail_over(channel);
	return ok && channel->io.loop;
}

static void
channel_ready(struct io *io, uint32_t events)
{
	struct channel *channel = container_of(io, struct channel, io);

	channel->busy++;
	if (served(channel, !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || receive(channel)))
		channel_flush(channel);
	channel->busy--;
}

void
channel_resume(struct channel *channel)
{
	if (!is_connected(channel))
		return;
	channel->busy++;
	if (served(channel, wire_serve_waiting(&channel->wire)))
		watch(channel);
	channel->busy--;
}

/* --- what is sent ------------------------------------------------------------------------- */

bool
channel_has_room(const struct channel *channel)
{
	return channel->state == CHANNEL_READY &&
	       rpc_buffer_left(&channel->wire.out) < CHANNEL_OUT_MAX;
}

static void
watch(struct channel *channel)
{
	bool in = channel->ops->may_take(channel);
	bool out = rpc_buffer_left(&channel->wire.out) > 0;

	io_set(&channel->io, (in ? EPOLLIN : 0u) | (out ? EPOLLOUT : 0u));
	set_timer(channel);
}

void
channel_flush(struct channel *channel)
{
	bool had = rpc_buffer_left(&channel->wire.out) > 0;

	if (channel->state == CHANNEL_READY)
		send_calls(channel);
	/* That it is over is found by reading, in a turn where nothing of it is in use. */
	if (!wire_flush(&channel->wire))
		(void)shutdown(channel->wire.fd, SHUT_RDWR);
	if (had && rpc_buffer_left(&channel->wire.out) == 0)
		channel->ops->writable(channel);
	if (channel->io.loop)
		watch(channel);
}

/* --- time --------------------------------------------------------------------------------- */

/* What is due by then and could be sent, or could not. */
static void
answer_due(struct channel *channel, uint64_t now, bool unsendable, const struct rpc_error *error)
{
	struct channel_call *call = TAILQ_FIRST(&channel->calls), *next;

	for (; call; call = next) {
		next = TAILQ_NEXT(call, entry);
		if (now >= call->due_ns && call->unsendable == unsendable)
			answer(call, NULL, NULL, error);
	}
}

/* For these no worker is waited for. */
static void
refuse_unsendable(struct channel *channel, uint64_t now)
{
	struct rpc_error error;

	(void)rpc_error_set(&error, VIR_ERR_RPC, VIR_FROM_RPC, "Unable to encode message payload");
	answer_due(channel, now, true, &error);
}

/* What was waited for too long. */
static void
time_out_calls(struct channel *channel, uint64_t now)
{
	struct rpc_error error;

	(void)rpc_error_set(&error, VIR_ERR_OPERATION_TIMEOUT, VIR_FROM_QEMU,
		"Timed out during operation: the worker of %s has not answered in time",
		channel->label);
	answer_due(channel, now, false, &error);
}

static void
ping(struct channel *channel)
{
	uint8_t *frame = rpc_buffer_grow(&channel->wire.out, RPC_FRAME_MIN);

	channel->pinged = true;
	if (frame)
		rpc_keepalive_frame(RPC_KEEPALIVE_PING, frame);
	channel_flush(channel);
}

static void
serve_time(struct channel *channel)
{
	uint64_t now = loop_now(channel->loop);

	if (channel->state == CHANNEL_FAILED && channel->mends) {
		mend(channel);
		return;
	}
	if (channel->state == CHANNEL_FAILED) {
		tell_failed(channel);
		channel->ops->settled(channel);
		return;
	}
	refuse_unsendable(channel, now);
	/* Who is not read cannot be heard. */
	if (is_connected(channel) && !(channel->io.events & EPOLLIN))
		channel->heard_ns = now;
	if (channel->state == CHANNEL_ASKED && now - channel->asked_ns >= LOOP_S(CHANNEL_OPEN_S)) {
		fail_silent(channel);
		return;
	}
	if (is_connected(channel) && channel->n_calls > 0 &&
		now - channel->heard_ns >= LOOP_S(CHANNEL_SILENCE_S)) {
		fail_silent(channel);
		return;
	}
	time_out_calls(channel, now);
	if (is_connected(channel) && channel->n_calls > 0 && !channel->pinged &&
		now - channel->heard_ns >= LOOP_S(CHANNEL_PING_S)) {
		ping(channel);
		return;
	}
	set_timer(channel);
}

static void
timer_due(struct timer *timer)
{
	struct channel *channel = container_of(timer, struct channel, timer);

	channel->busy++;
	serve_time(channel);
	channel->busy--;
}

static void
earlier(uint64_t *due, uint64_t other)
{
	if (other < *due)
		*due = other;
}

static void
set_timer(struct channel *channel)
{
	uint64_t due = UINT64_MAX;
	const struct channel_call *call;

	if (channel->state == CHANNEL_ASKED)
		earlier(&due, channel->asked_ns + LOOP_S(CHANNEL_OPEN_S));
	else if (channel->n_calls > 0)
		earlier(&due, channel->heard_ns +
				      LOOP_S(channel->pinged ? CHANNEL_SILENCE_S : CHANNEL_PING_S));
	TAILQ_FOREACH (call, &channel->calls, entry)
		earlier(&due, call->due_ns);
	/* Then it tells so. */
	if (channel->state == CHANNEL_FAILED)
		return;
	if (due == UINT64_MAX)
		timer_stop(&channel->timer);
	else
		timer_set(channel->loop, &channel->timer, due, timer_due);
}

/* --- opening ------------------------------------------------------------------------------ */

static const struct rpc_connect_open_args open_args[] = {{.name = (char *)"qemu:///system"},
	{.name = (char *)"qemu:///system", .flags = CONNECT_READ_ONLY}};

static void
open_answered(struct channel_call *call, const struct rpc_frame *reply, int *fds,
	const struct rpc_error *error)
{
	struct channel *channel = container_of(call, struct channel, open);

	(void)fds;
	if (!reply) {
		/* It has failed already, unless this took too long. */
		if (channel->state == CHANNEL_OPENING)
			fail_silent(channel);
		return;
	}
	(void)error;
	if (reply->header.status != RPC_OK) {
		struct rpc_error why;

		/* The channel ends with it, when this packet has been served. */
		worker_error(reply, &why);
		(void)rpc_error_set(&channel->error, (enum vir_error_code)why.code,
			(enum vir_error_domain)why.domain, "%s (the worker of %s)", why.message,
			channel->label);
		return;
	}
	channel->state = CHANNEL_READY;
	channel->ops->settled(channel);
}

void
channel_opened(struct channel *channel, int err, int fd)
{
	const struct rpc_procedure *row =
		rpc_procedure_find(RPC_PROGRAM_REMOTE, RPC_PROC_CONNECT_OPEN);

	if (channel->state != CHANNEL_ASKED) {
		fd_close(&fd);
		return;
	}
	if (err == 0)
		err = io_start(channel->loop, &channel->io, fd, EPOLLIN, 0, channel_ready);
	if (err < 0) {
		fd_close(&fd);
		(void)rpc_error_set(&channel->error,
			err == -EACCES ? VIR_ERR_OPERATION_DENIED : VIR_ERR_OPERATION_FAILED,
			VIR_FROM_QEMU, "%s: the worker of %s cannot be reached: %s",
			err == -EACCES ? "operation forbidden" : "operation failed", channel->label,
			strerror(-err));
		fail(channel);
		return;
	}
	foreign_allow(fd);
	wire_init(&channel->wire, &wire_ops, fd, CHANNEL_PACKET_MAX, READ_MAX, OUT_MAX);
	channel->state = CHANNEL_OPENING;
	channel->heard_ns = loop_now(channel->loop);
	channel->pinged = false;
	channel->open = (struct channel_call){.procedure = row,
		.args = &open_args[channel->read_only],
		.seconds = CHANNEL_OPEN_S,
		.answer = open_answered};
	put(channel, &channel->open);
	send_call(channel, &channel->open);
	channel_flush(channel);
}

void
channel_open(struct channel *channel)
{
	uint64_t now = loop_now(channel->loop);

	if (channel->state == CHANNEL_FAILED && !timer_is_set(&channel->timer) &&
		now - channel->asked_ns >= LOOP_S(CHANNEL_REST_S))
		channel->state = CHANNEL_CLOSED;
	if (channel->state != CHANNEL_CLOSED)
		return;
	channel->asked_ns = now;
	channel->last_serial = 0;
	channel->error = (struct rpc_error){.code = VIR_ERR_OK};
	channel->state = CHANNEL_ASKED;
	channel->ops->ask(channel);
	set_timer(channel);
}

/* --- begin and end ------------------------------------------------------------------------ */

void
channel_init(struct channel *channel, struct loop *loop, const struct channel_ops *ops,
	const struct owner *owner, bool read_only)
{
	*channel = (struct channel){.ops = ops,
		.loop = loop,
		.uid = owner->uid,
		.read_only = read_only,
		.wire = {.fd = -1}};
	memcpy(channel->label, owner->label, sizeof(channel->label));
	TAILQ_INIT(&channel->calls);
}

void
channel_fini(struct channel *channel)
{
	close_wire(channel);
	channel->state = CHANNEL_FAILED;
	(void)rpc_error_set(&channel->error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
		"operation failed: the connection has ended");
	tell_failed(channel);
}
