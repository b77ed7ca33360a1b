/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream.h: the streams that a client has open: their packets in and out, and what waits.
 *
 * Runs in worker and view. protocol/rpc/stream.h says which packet may come and which may go; here is
 * how much. What a stream's other end says waits in the stream until the connection has nothing
 * else to send, and then goes in packets, of every stream in turn: so a flood on one of them holds
 * up neither replies nor the others for long. A client that does not read loses the stream when
 * too much waits in it, and nothing else. What the other end cannot take of a client's packet is
 * kept, and the client is not read until it is taken.
 *
 * Packets for a stream that there is not are dropped: it may have failed while they were on their
 * way.
 */
#ifndef SERVE_STREAM_H
#define SERVE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "protocol/rpc/buffer.h"
#include "protocol/rpc/error.h"
#include "protocol/rpc/frame.h"
#include "protocol/rpc/stream.h"

struct client;
struct client_stream;
struct rpc_call;

enum {
	CLIENT_STREAMS_MAX = 16,                /* of one connection */
	CLIENT_STREAM_OUTPUT_MAX = 1024 * 1024, /* bytes that wait in one, beside a packet */
	CLIENT_STREAM_PACKET_MAX = 64 * 1024    /* bytes of data in a packet */
};

/* The other end. */
struct client_stream_ops {
	/*
	 * What the client says, at least one byte. Returns how many bytes were taken; the rest is given
	 * after client_stream_writable(). After the end or the failure of the stream: all, and dropped.
	 */
	size_t (*input)(struct client_stream *stream, const uint8_t *data, size_t size);
	/* The client is done with it, knows that it failed, or has gone: let go of it, and free it. */
	void (*close)(struct client_stream *stream);
	/*
	 * All that was said has gone to the client: say more, or end; or NULL: whenever there is
	 * something, client_stream_output() says it.
	 */
	void (*more)(struct client_stream *stream);
};

/** Embedded in what ops->close() frees; zeroed before client_stream_open(). */
struct client_stream {
	TAILQ_ENTRY(client_stream) entry;
	const struct client_stream_ops *ops;
	struct client *client;
	struct rpc_stream rpc;
	struct rpc_buffer out;  /* data that is in no packet yet */
	struct rpc_buffer rest; /* of the client's packet, which was not taken whole */
	size_t weight;          /* bytes that its other end keeps for it */
	unsigned verbs;         /* that the connection needs for it */
	bool ends;              /* end of data follows */
	bool finished;          /* the client said so, and did not abort it */
	bool forgotten;         /* it has ended, and made room: no packet is for it any more */
	struct rpc_error error; /* if set: that follows, and closes it */
};

TAILQ_HEAD(client_stream_queue, client_stream);

/** Of a connection. */
struct client_streams {
	struct client_stream_queue all; /* in the order in which they were opened */
	unsigned n;                     /* of them, without those that are forgotten */
	struct client_stream *stuck;    /* has a rest; NULL: none */
	bool forgot;                    /* some that had ended, of which its client may speak yet */
};

/* --- for whoever is the other end of one --- */

/**
 * The stream that this call opens; its reply goes before anything else. Returns RPC_DONE, or
 * RPC_FAILED with the call's error (also when its client lost what the call needs while it waited):
 * then the stream is still the caller's.
 */
int client_stream_open(
	struct client_stream *stream, struct rpc_call *call, const struct client_stream_ops *ops);
/** Take it off the connection without a word, and close it. */
void client_stream_close(struct client_stream *stream);
/** Send this. Returns false when the client does not read: then the stream has failed. */
bool client_stream_output(struct client_stream *stream, const uint8_t *data, size_t size);
/** All has been said; nothing is sent after that but what the client asks for. */
void client_stream_end(struct client_stream *stream);
/** It has failed, after what waits to be sent; why is for people. */
void client_stream_fail(struct client_stream *stream, const char *why);
/** The same with an error that somebody else has made; copied. */
void client_stream_fail_as(struct client_stream *stream, const struct rpc_error *error);
/** After input() took less than all: there is room again. */
void client_stream_writable(struct client_stream *stream);

/* --- for the connection --- */

void client_streams_init(struct client_streams *streams);
/** Close all: the connection ends. */
void client_streams_fini(struct client_streams *streams);
/** Serve a packet of type RPC_STREAM or RPC_STREAM_HOLE. Returns false when it ends the connection. */
bool client_streams_serve(struct client *client, const struct rpc_frame *frame);
/** Nothing waits in the client's output: put a packet of every stream there that has something. */
void client_streams_send(struct client *client);
/** Bytes that wait in all of them, with what their other ends keep for them. */
size_t client_streams_weight(const struct client_streams *streams);
/**
 * The client may have less than before: streams that it may not have any more fail at once, with the
 * reason and without what waits in them.
 */
void client_streams_forbid(struct client *client);
/** The process is about to leave: all streams fail. Returns whether there was one. */
bool client_streams_leave(struct client_streams *streams);

#endif
