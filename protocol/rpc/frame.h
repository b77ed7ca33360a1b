/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * frame.h: the packet of libvirt's remote protocol: a length word, a header of six words, a
 * payload.
 *
 * Pure; runs in worker and view on bytes that a client chose, never in a program of root's. A
 * packet is found with rpc_frame_length() as bytes arrive, so a reader can let its buffer grow
 * with the data instead of with what a peer announces. Facts: libvirt 9.0.0, virnetprotocol.x and
 * virnetmessage.c.
 */
#ifndef PROTOCOL_RPC_FRAME_H
#define PROTOCOL_RPC_FRAME_H

#include <stddef.h>
#include <stdint.h>

struct rpc_buffer;

enum {
	RPC_PROGRAM_REMOTE = 0x20008086,
	RPC_PROGRAM_QEMU = 0x20008087,
	RPC_PROGRAM_KEEPALIVE = 0x6b656570,
	RPC_VERSION = 1 /* of every program */
};

/* Bytes. The length word counts itself, header and payload; the limits are libvirt's. */
enum {
	RPC_LENGTH_SIZE = 4,
	RPC_HEADER_SIZE = 24,
	RPC_FRAME_MIN = RPC_LENGTH_SIZE + RPC_HEADER_SIZE,
	RPC_FRAME_MAX = 33554436,
	RPC_PAYLOAD_MAX = RPC_FRAME_MAX - RPC_FRAME_MIN
};

enum { RPC_FDS_MAX = 32 /* descriptors with one packet */ };

enum rpc_type {
	RPC_CALL = 0,
	RPC_REPLY = 1,
	RPC_MESSAGE = 2, /* event, keepalive */
	RPC_STREAM = 3,
	RPC_CALL_WITH_FDS = 4,
	RPC_REPLY_WITH_FDS = 5,
	RPC_STREAM_HOLE = 6
};

enum rpc_status { RPC_OK = 0, RPC_ERROR = 1, RPC_CONTINUE = 2 };

enum rpc_frame_error {
	RPC_FRAME_E_MORE = 1, /* not enough bytes yet to know the length */
	RPC_FRAME_E_BAD       /* no packet; nothing on this connection can be trusted: close it */
};

/** The header as the peer sent it: type and status may be any number. */
struct rpc_header {
	uint32_t program;
	uint32_t version;
	int32_t procedure;
	uint32_t type;   /* enum rpc_type */
	uint32_t serial; /* chosen by who calls, echoed in the reply */
	uint32_t status; /* enum rpc_status */
};

/** One complete packet; payload is borrowed from the bytes that were read. */
struct rpc_frame {
	struct rpc_header header;
	uint32_t n_fds; /* announced by types 4 and 5; their bytes follow the packet */
	const uint8_t *payload;
	size_t size; /* bytes of payload, without the count of descriptors */
};

/**
 * How long the packet is that starts at data, of which size bytes have arrived. Returns 0 and the
 * length (RPC_FRAME_MIN to RPC_FRAME_MAX, the length word included), which may exceed size, or
 * RPC_FRAME_E_MORE below four bytes, or RPC_FRAME_E_BAD.
 */
int rpc_frame_length(const uint8_t *data, size_t size, size_t *ret_length);
/**
 * Read a complete packet of that length. Returns 0, or RPC_FRAME_E_BAD when a packet with
 * descriptors lacks their count or announces more than RPC_FDS_MAX.
 */
int rpc_frame_read(const uint8_t *data, size_t length, struct rpc_frame *ret);

/** The 24 bytes after the length word. */
void rpc_header_read(const uint8_t data[RPC_HEADER_SIZE], struct rpc_header *ret);
void rpc_header_write(const struct rpc_header *header, uint8_t ret_data[RPC_HEADER_SIZE]);

/** What a reply to this packet starts with: everything echoed, type RPC_REPLY, and this status. */
struct rpc_header rpc_header_reply(const struct rpc_header *call, enum rpc_status status);

/**
 * Append length word and header to the buffer; the payload is appended next, then
 * rpc_frame_end() sets the length. With type 4 or 5, n_fds is written after the header (otherwise
 * it is 0). *ret_start is what rpc_frame_end() wants. Returns 0 or a negative errno.
 */
int rpc_frame_begin(struct rpc_buffer *buffer, const struct rpc_header *header, uint32_t n_fds,
	size_t *ret_start);
/**
 * Finish the packet that starts there. Returns 0, or RPC_FRAME_E_BAD when it grew beyond
 * RPC_FRAME_MAX: then it has been taken off the buffer again.
 */
int rpc_frame_end(struct rpc_buffer *buffer, size_t start);

#endif
