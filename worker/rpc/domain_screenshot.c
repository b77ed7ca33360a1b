/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_screenshot.c: the procedure that sends a picture of a domain's screen as a stream.
 *
 * Runs in the worker. The picture is whole before the reply goes; it is sent piece by piece, as fast
 * as the client reads. Errors are libvirt 9.0.0's (qemu_driver.c, qemuDomainScreenshot).
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/take.h"
#include "protocol/rpc/handlers.h"
#include "serve/client.h"
#include "serve/stream.h"
#include "worker/rpc/domain_find.h"
#include "worker/vm/screen.h"

#define PICTURE_TYPE "image/png"

enum { PIECE = 32 * 1024 };

struct picture_stream {
	struct client_stream stream;
	struct vm_picture picture;
	uint64_t at;
};

/* A call that waits for its picture; in the call's own memory. */
struct shot {
	struct rpc_call *call;
	struct vm_picture picture;
};

/* --- the stream --------------------------------------------------------------------------- */

static struct picture_stream *
picture_of(struct client_stream *stream)
{
	return container_of(stream, struct picture_stream, stream);
}

static void
stream_more(struct client_stream *stream)
{
	struct picture_stream *self = picture_of(stream);
	uint64_t left = self->picture.size - self->at;
	uint8_t data[PIECE];
	ssize_t n;

	if (left == 0) {
		client_stream_end(stream);
		return;
	}
	do
		n = pread(self->picture.fd, data, left < PIECE ? (size_t)left : PIECE,
			(off_t)self->at);
	while (n < 0 && errno == EINTR);
	if (n <= 0) {
		client_stream_fail(stream, "the picture cannot be read");
		return;
	}
	self->at += (uint64_t)n;
	(void)client_stream_output(stream, data, (size_t)n);
}

/* The client has nothing to say. */
static size_t
stream_input(struct client_stream *stream, const uint8_t *data, size_t size)
{
	(void)stream;
	(void)data;
	return size;
}

static void
stream_close(struct client_stream *stream)
{
	struct picture_stream *self = picture_of(stream);

	fd_close(&self->picture.fd);
	free(self);
}

static const struct client_stream_ops stream_ops = {
	.input = stream_input, .close = stream_close, .more = stream_more};

/* --- the call ----------------------------------------------------------------------------- */

static int
open_stream(struct shot *shot)
{
	struct picture_stream *self = calloc(1, sizeof(*self));

	if (!self)
		return call_out_of_memory(shot->call);
	self->picture = shot->picture;
	self->stream.weight = shot->picture.size;
	if (client_stream_open(&self->stream, shot->call, &stream_ops) == RPC_DONE) {
		shot->picture.fd = -1;
		return RPC_DONE;
	}
	free(self);
	return RPC_FAILED;
}

static int
reply(struct shot *shot)
{
	struct rpc_domain_screenshot_ret *ret = shot->call->ret;

	ret->mime = rpc_arena_strdup(&shot->call->arena, PICTURE_TYPE);
	return ret->mime ? open_stream(shot) : call_out_of_memory(shot->call);
}

static void
taken(void *arg, enum rpc_handled handled, const struct rpc_error *error)
{
	struct shot *shot = arg;
	struct rpc_call *call = shot->call;
	int r = (int)handled;

	if (handled == RPC_FAILED)
		call->error = *error;
	else if (call->client)
		r = reply(shot);
	fd_close(&shot->picture.fd);
	call_answer(call, (enum rpc_handled)r);
}

int
rpc_domain_screenshot(struct rpc_call *call, const struct rpc_domain_screenshot_args *args,
	struct rpc_domain_screenshot_ret *ret)
{
	const struct domain *domain;
	struct shot *shot;

	(void)ret;
	if (call_check_flags(call, args->flags, 0) != RPC_DONE)
		return RPC_FAILED;
	domain = call_find_domain(call, &args->dom);
	if (!domain)
		return RPC_FAILED;
	shot = rpc_arena_array(&call->arena, 1, sizeof(*shot));
	if (!shot)
		return call_out_of_memory(call);
	shot->call = call;
	return vm_screenshot(domain->vm, args->screen, &shot->picture, &call->error, taken, shot);
}
