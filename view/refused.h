/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * refused.h: connections that nobody serves, and what they are told.
 *
 * Runs in qemud-view --refuse, on bytes of everybody whom policy or a limit refuses. A client's
 * first call, whatever it is, is answered with the formal error and the broker's reason, and so is
 * every call after it, for REFUSED_S seconds at most. Of what a client sends, the 28 bytes at the
 * front of each packet are read and the rest is skipped: nothing is decoded, and nothing that a
 * client says changes its answer. Who came by qemudctl's socket is answered at once, in its language,
 * and nothing is read. There are REFUSED_MAX at once; one more ends the oldest.
 */
#ifndef VIEW_REFUSED_H
#define VIEW_REFUSED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/loop.h"
#include "lib/uplink.h"
#include "protocol/rpc/buffer.h"
#include "protocol/rpc/error.h"
#include "protocol/rpc/frame.h"

enum { REFUSED_MAX = 512, REFUSED_S = 10 };

struct refuser;

struct refused {
	struct refuser *refuser;
	TAILQ_ENTRY(refused) entry;
	struct uplink_conn conn;
	struct io io;
	int fd;
	struct timer deadline;
	struct rpc_error error;
	uint8_t front[RPC_FRAME_MIN]; /* of the packet that arrives */
	size_t n_front;
	size_t skip;  /* bytes of its payload that are still to come */
	bool closing; /* end when all is sent */
	struct rpc_buffer out;
};

TAILQ_HEAD(refused_list, refused);

struct refuser {
	struct loop *loop;
	struct uplink *uplink;
	void (*emptied)(struct refuser *refuser); /* the last connection has ended */
	struct refused_list list;                 /* oldest first */
	unsigned n;
};

void refuser_init(struct refuser *refuser, struct loop *loop, struct uplink *uplink,
	void (*emptied)(struct refuser *refuser));
/** End all connections. They must still be forgotten (lib/uplink.h). */
void refuser_fini(struct refuser *refuser);

/**
 * Refuse a connection that the broker passed. fd is owned from here on, also on failure. Returns 0
 * or a negative errno: -EINVAL when the broker refuses nothing.
 */
int refused_start(struct refuser *refuser, const struct ipc_conn_pass *pass, int fd);
/** Release an ended connection. */
void refused_free(struct refused *refused);

#endif
