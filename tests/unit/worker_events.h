/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker_events.h: clients of worker.h's rig that are told what happens to domains, and calls whose
 * answer is read later.
 */
#ifndef TESTS_UNIT_WORKER_EVENTS_H
#define TESTS_UNIT_WORKER_EVENTS_H

#include "tests/unit/worker.h"
#include "worker/rpc/event.h"

enum { LIFECYCLE = 0 };

/* Call without reading the reply; returns the call's header for read_reply(). */
static inline struct rpc_header
send_call(int sock, int32_t procedure, const void *args)
{
	struct rpc_header header = call_header(procedure, call_serial++);
	struct rpc_buffer buffer;

	rpc_buffer_init(&buffer, RPC_FRAME_MAX);
	append_call(&buffer, procedure, header.serial, args);
	CHECK(send_all(sock, rpc_buffer_front(&buffer), rpc_buffer_left(&buffer)));
	rpc_buffer_fini(&buffer);
	return header;
}

/* Returns the callback id. */
static inline int32_t
subscribe(int sock, int32_t event, struct rpc_domain *filter)
{
	struct rpc_connect_domain_event_callback_register_any_args args = {
		.eventID = event, .dom = filter};
	struct rpc_connect_domain_event_callback_register_any_ret ret = {.callbackID = -1};

	CHECK(call(sock, RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, &args, &ret) == 0);
	return ret.callbackID;
}

/* Nothing has been sent. */
static inline bool
is_silent(int sock)
{
	char byte;

	for (int i = 0; i < 3; i++)
		rig_turn(0);
	return recv(sock, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

/* The next packet, which must be an event. */
static inline struct rpc_domain_event_callback_lifecycle_msg
receive_event(int sock)
{
	const struct rpc_procedure *row =
		rpc_procedure_find(RPC_PROGRAM_REMOTE, RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE);
	struct rpc_domain_event_callback_lifecycle_msg msg = {.callbackID = -1};
	struct rpc_frame frame;

	ASSERT(receive_frame(sock, &frame));
	CHECK(frame.header.type == RPC_MESSAGE && frame.header.status == RPC_OK);
	CHECK(frame.header.procedure == RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE);
	ASSERT(rpc_decode(row->args, frame.payload, frame.size, &rig.arena, &msg) == 0);
	return msg;
}

#endif
