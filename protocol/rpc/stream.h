/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream.h: one stream of a connection, as the server sees it: which packet may come, which may go.
 *
 * Pure; runs in worker and view. A stream begins with the reply to the call that opened it; its
 * packets carry that call's program, procedure and serial. Its life:
 *
 *   OPEN      data (and holes) in and out, each way as the procedure says
 *   ENDED     we said end of data; the client may still send, finish or abort, or never does
 *   FINISHING the client said finish: flush, then confirm or fail
 *   ABORTING  the client said abort: discard, then confirm
 *   GONE      confirmed or failed: whatever still comes for it is dropped
 *
 * The server must never confirm what the client did not ask for: the C client disconnects then.
 * The connection's end ends every stream without a packet.
 */
#ifndef PROTOCOL_RPC_STREAM_H
#define PROTOCOL_RPC_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/rpc/frame.h"
#include "protocol/rpc/procedure.h"

struct rpc_buffer;
struct rpc_error;

enum { RPC_STREAM_DATA_MAX = 262120 /* bytes of one data packet, as libvirt sends them */ };

enum rpc_stream_state {
	RPC_STREAM_OPEN = 1,
	RPC_STREAM_ENDED,
	RPC_STREAM_FINISHING,
	RPC_STREAM_ABORTING,
	RPC_STREAM_GONE
};

struct rpc_stream {
	uint32_t program;
	int32_t procedure;
	uint32_t serial;
	enum rpc_direction direction;
	bool sparse; /* the opener's flags allow holes */
	enum rpc_stream_state state;
};

/** What a packet from the client means. */
enum rpc_stream_input {
	RPC_STREAM_IN_DROP = 1, /* ignore it */
	RPC_STREAM_IN_DATA,     /* write the frame's payload to the sink */
	RPC_STREAM_IN_HOLE,     /* skip *ret_hole bytes in the sink */
	RPC_STREAM_IN_FINISH,   /* flush, then rpc_stream_confirm() or rpc_stream_fail() */
	RPC_STREAM_IN_ABORT,    /* stop and discard, then rpc_stream_confirm() */
	RPC_STREAM_IN_REFUSE,   /* data on a stream that takes none: rpc_stream_fail() */
	RPC_STREAM_IN_CLOSE     /* a hole that is not allowed: close the connection */
};

/** The stream that this call opens; the reply goes first. */
void rpc_stream_init(struct rpc_stream *stream, const struct rpc_header *call,
	enum rpc_direction direction, bool sparse);
/** Is this packet (of type RPC_STREAM or RPC_STREAM_HOLE) for this stream? */
bool rpc_stream_is_for(const struct rpc_stream *stream, const struct rpc_header *header);
/** Judge a packet for this stream and move its state. *ret_hole is set with IN_HOLE. */
enum rpc_stream_input rpc_stream_receive(
	struct rpc_stream *stream, const struct rpc_frame *frame, uint64_t *ret_hole);

/** May data, holes and the end of data be sent now? */
bool rpc_stream_may_send(const struct rpc_stream *stream);
/** May a status be sent now, rpc_stream_confirm() or rpc_stream_fail() respectively? */
bool rpc_stream_may_confirm(const struct rpc_stream *stream);
bool rpc_stream_may_fail(const struct rpc_stream *stream);

/*
 * Each appends one packet and moves the state; it must be allowed (asserted). They return 0 or
 * RPC_CODEC_E_FULL (codec.h), which changes neither buffer nor state.
 */

/** 1 to RPC_STREAM_DATA_MAX bytes. Have at most one such packet waiting per stream. */
int rpc_stream_data(
	struct rpc_stream *stream, const void *data, size_t size, struct rpc_buffer *buffer);
/** A hole of length bytes (more than 0), only on a sparse stream. */
int rpc_stream_hole(struct rpc_stream *stream, int64_t length, struct rpc_buffer *buffer);
/** End of data. */
int rpc_stream_end(struct rpc_stream *stream, struct rpc_buffer *buffer);
/** Answer the client's finish or abort: it went well. */
int rpc_stream_confirm(struct rpc_stream *stream, struct rpc_buffer *buffer);
/** The stream has failed; no packet for it follows, either way. */
int rpc_stream_fail(
	struct rpc_stream *stream, const struct rpc_error *error, struct rpc_buffer *buffer);

#endif
