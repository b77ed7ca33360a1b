/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * view_crowd.h: more workers than view.h plays by itself, of one machine each, which tells its statistics;
 * they count who wants to hear of events. OWNERS_N and WORKERS_N are the file's own.
 */
#ifndef TESTS_UNIT_VIEW_CROWD_H
#define TESTS_UNIT_VIEW_CROWD_H

#include "tests/unit/view.h"

static unsigned n_registered;

static inline bool
play_crowd(struct played *worker, const struct rpc_frame *frame, const void *args)
{
	struct rpc_domain_stats_record record = {
		.dom = {.name = (char *)(uintptr_t) "box", .id = 8}};
	struct rpc_connect_get_all_domain_stats_ret stats = {.n_retStats = 1, .retStats = &record};
	struct rpc_connect_domain_event_callback_register_any_ret registered = {.callbackID = 7};

	(void)args;
	memcpy(record.dom.uuid, uuid_a, UUID_SIZE);
	switch (frame->header.procedure) {
	case RPC_PROC_CONNECT_GET_ALL_DOMAIN_STATS:
		play_reply(worker, frame, &stats);
		return true;
	case RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY:
		n_registered++;
		play_reply(worker, frame, &registered);
		return true;
	default:
		return false;
	}
}

#endif
