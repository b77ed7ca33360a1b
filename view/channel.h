/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * channel.h: the way of one connection to one owner's worker: calls there, answers back.
 *
 * Runs in the view, which is the worker's client here. The worker may say anything, or nothing: an
 * answer nobody waits for is dropped; what cannot be an answer ends the channel; while something is
 * waited for, silence of CHANNEL_SILENCE_S ends it (a worker answers pings whatever else it does);
 * and every call has a deadline of its own. A channel that failed says so to each call at once for
 * CHANNEL_REST_S, so that one worker that hangs holds nobody up for long; then it is tried again.
 *
 * A worker that ended is no reason to wait: the next one is asked for at once, and calls that only look,
 * and those of which the one before cannot have read all, are sent again, once. If that one ends within
 * CHANNEL_REST_S, too, the channel has failed.
 *
 * Nothing is read from the worker while the client does not read.
 */
#ifndef VIEW_CHANNEL_H
#define VIEW_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/loop.h"
#include "protocol/rpc/error.h"
#include "protocol/rpc/procedure.h"
#include "serve/wire.h"
#include "view/owners.h"

enum {
	CHANNEL_OPEN_S = 30,   /* for the broker, the worker's start, and all that it opens */
	CHANNEL_SILENCE_S = 5, /* pings included */
	CHANNEL_PING_S = 2,
	CHANNEL_CALL_S = 60,
	CHANNEL_REST_S = 2,
	CHANNEL_PACKET_MAX = 8 * 1024 * 1024,
	CHANNEL_OUT_MAX = 2 * 1024 * 1024, /* beside the last call */
	CHANNEL_CALLS_MAX = 64
};

enum channel_state {
	CHANNEL_CLOSED = 0, /* nobody wanted it yet, or it rested */
	CHANNEL_ASKED,      /* the broker is asked, or will be */
	CHANNEL_OPENING,    /* the worker opens the connection */
	CHANNEL_READY,
	CHANNEL_FAILED /* error says why */
};

struct channel;
struct channel_call;

/**
 * The answer: a packet, of which fds are the descriptors (those that are taken are set to -1); or
 * NULL, and why there is none. The call is in no list any more.
 */
typedef void channel_answer_fn(struct channel_call *call, const struct rpc_frame *reply, int *fds,
	const struct rpc_error *error);

/** Embedded in what waits for the answer, and kept by it. */
struct channel_call {
	TAILQ_ENTRY(channel_call) entry;
	const struct rpc_procedure *procedure;
	const void *args; /* borrowed until it is answered */
	unsigned n_fds;
	int *fds;         /* owned by the caller; -1 when sent */
	unsigned seconds; /* it may take, from now on; 0: CHANNEL_CALL_S */
	bool only_looks;  /* it may be done twice */
	channel_answer_fn *answer;

	struct channel *channel; /* NULL: answered */
	uint32_t serial;
	uint64_t due_ns;
	uint64_t end;    /* in the stream of what is sent */
	bool sent, lost; /* with a worker that ended: once */
	bool unsendable; /* there was no room for it: that is its answer */
};

TAILQ_HEAD(channel_calls, channel_call);

struct channel_ops {
	/* Ask the broker for the socket; channel_opened() follows, not at once. */
	void (*ask)(struct channel *channel);
	/* Is there room for what the worker says? */
	bool (*may_take)(struct channel *channel);
	/* A message or a packet of a stream. Returns false when it is none that a worker sends. */
	bool (*message)(struct channel *channel, const struct rpc_frame *frame);
	/*
	 * It is open: calls go through from now on. Or it has failed, or is to be opened again: streams and
	 * all are over.
	 */
	void (*settled)(struct channel *channel);
	/* The worker has taken all that was sent. */
	void (*writable)(struct channel *channel);
};

struct channel {
	const struct channel_ops *ops;
	struct loop *loop;
	uint32_t uid;             /* the owner's */
	char label[IPC_NAME_MAX]; /* hers, for people */
	bool read_only;           /* is all that is wanted of the worker */
	enum channel_state state;
	struct rpc_error error;
	struct wire wire;
	struct io io;
	struct channel_calls calls; /* all that wait, oldest first */
	unsigned n_calls;
	uint32_t last_serial;
	struct channel_call open; /* CONNECT_OPEN */
	struct timer timer;
	uint64_t heard_ns, asked_ns;
	uint64_t lost_ns; /* when a worker ended last; 0: none has */
	bool mends;       /* it has failed, and is about to be opened again */
	bool pinged;
	unsigned busy; /* it is served just now, or read from: so often */
};

/** Does somebody wait for it, or is it being served? Then it must not go, but with its connection. */
static inline bool
channel_is_in_use(const struct channel *channel)
{
	return channel->n_calls > 0 || channel->busy > 0;
}

/** A way to that owner's worker, not yet opened. */
void channel_init(struct channel *channel, struct loop *loop, const struct channel_ops *ops,
	const struct owner *owner, bool read_only);
/** Close it; those who wait are told. */
void channel_fini(struct channel *channel);
/** Open it, if it is closed or has rested. */
void channel_open(struct channel *channel);
/** What the broker said: fd is owned from here on, or err a negative errno. */
void channel_opened(struct channel *channel, int err, int fd);

/**
 * Call the worker; the answer comes from the loop. Returns RPC_LATER, or RPC_FAILED with the error.
 */
int channel_call(struct channel *channel, struct channel_call *call, struct rpc_error *error);
/** Room to send a packet of a stream? Then append it to channel->wire.out, and channel_flush(). */
bool channel_has_room(const struct channel *channel);
void channel_flush(struct channel *channel);
/** There is room for what the worker says. */
void channel_resume(struct channel *channel);

#endif
