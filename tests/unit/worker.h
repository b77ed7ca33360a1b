/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker.h: a worker's connections without a worker: one loop serves both ends of every socket.
 */
#ifndef TESTS_UNIT_WORKER_H
#define TESTS_UNIT_WORKER_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/packet.h"
#include "lib/take.h"
#include "lib/uplink.h"
#include "protocol/rpc/arena.h"
#include "protocol/rpc/buffer.h"
#include "protocol/rpc/frame.h"
#include "protocol/rpc/handlers.h"
#include "protocol/rpc/procedure.h"
#include "protocol/verb.h"
#include "worker/estate.h"
#include "worker/rpc/serving.h"

/* A handler is found by its name and needs nobody to refer to it: here are those that are served.
 */
__attribute__((used)) static void (*const served[])(void) = {
	(void (*)(void))rpc_auth_list,
	(void (*)(void))rpc_connect_open,
	(void (*)(void))rpc_connect_list_all_domains,
	(void (*)(void))rpc_domain_lookup_by_name,
	(void (*)(void))rpc_connect_domain_event_callback_register_any,
};

enum { TURNS = 5000 /* of the loop, 10 ms each at most, before a test gives up waiting */ };

static struct rig {
	struct loop loop;
	struct uplink uplink;
	struct server server;
	struct estate estate; /* open, without a folder or a VM */
	int broker_fd;
	uint64_t last_conn;
	unsigned n_forgotten;
	uint32_t tool_serial;   /* of the ask for a box that the worker made last; 0: none */
	struct rpc_arena arena; /* of what was decoded */
	/* What the worker tells the broker; NULL: read away, and there is no lease. */
	void (*told)(const struct ipc_header *header, const void *body);
} rig;

static void
rig_occupied(struct server *server, bool occupied)
{
	(void)server;
	(void)occupied;
}

static int
rig_pass(struct uplink *uplink, const struct ipc_conn_pass *pass, int fd)
{
	(void)uplink;
	return client_start(&rig.server, pass, fd);
}

static void
rig_forget(struct uplink *uplink, struct uplink_conn *conn)
{
	(void)uplink;
	rig.n_forgotten++;
	client_free(container_of(conn, struct client, conn));
}

static void
rig_stopped(struct uplink *uplink, enum ipc_fault fault, uint16_t type)
{
	(void)uplink;
	(void)type;
	CHECK(fault == IPC_OK);
}

static void
rig_tool(struct uplink *uplink, uint64_t cookie, int err, int fd)
{
	(void)uplink;
	(void)cookie;
	estate_tool_ready(&rig.estate, err, fd);
}

static void
rig_lease_changed(struct uplink *uplink, uint64_t cookie, int err)
{
	(void)uplink;
	vms_lease_changed(&rig.estate.vms, cookie, err);
}

static void
rig_lease_found(
	struct uplink *uplink, uint64_t cookie, int err, const struct ipc_lease_found *found)
{
	(void)uplink;
	estate_lease_found(&rig.estate, cookie, err, found);
}

static void
rig_leased(struct uplink *uplink, uint64_t cookie, int err, const struct ipc_leased *leased, int fd)
{
	(void)uplink;
	vms_leased(&rig.estate.vms, cookie, err, leased, fd);
}

static void
rig_net(struct uplink *uplink, uint64_t cookie, int err, int fd)
{
	(void)uplink;
	vms_net_ready(&rig.estate.vms, cookie, err, fd);
}

static void
rig_lease_gone(struct uplink *uplink, const struct ipc_lease_gone *gone)
{
	(void)uplink;
	vms_lease_gone(&rig.estate.vms, gone);
}

static int
rig_ticket(struct uplink *uplink, const struct ipc_ticket_change *change)
{
	(void)uplink;
	return server_change(&rig.server, change);
}

static void
rig_inventory_place(struct uplink *uplink, int fd)
{
	(void)uplink;
	listing_place(&rig.estate.listing, fd);
}

static void
rig_inventory_kept(struct uplink *uplink, int err)
{
	(void)uplink;
	listing_kept(&rig.estate.listing, err);
}

static const struct uplink_ops rig_ops = {.pass = rig_pass,
	.forget = rig_forget,
	.stop = rig_stopped,
	.tool = rig_tool,
	.leased = rig_leased,
	.lease_changed = rig_lease_changed,
	.lease_found = rig_lease_found,
	.net = rig_net,
	.lease_gone = rig_lease_gone,
	.ticket = rig_ticket,
	.inventory_place = rig_inventory_place,
	.inventory_kept = rig_inventory_kept};

static inline void
rig_start(void)
{
	int fds[2];

	rig = (struct rig){.broker_fd = -1};
	rpc_arena_init(&rig.arena, (size_t)256 << 20);
	ASSERT(loop_init(&rig.loop) == 0 && packet_pair(fds) == 0);
	rig.broker_fd = fds[0];
	serving_init(&rig.server, &rig.loop, &rig.uplink, rig_occupied, &rig.estate);
	estate_init(&rig.estate, &rig.loop, &rig.uplink, &rig.server);
	rig.estate.state = ESTATE_OPEN;
	ASSERT(uplink_start(&rig.uplink, &rig.loop, fds[1], &rig_ops) == 0);
}

/* The broker's answer to the ask for leases: there is none. */
static inline void
rig_no_lease(uint32_t serial)
{
	struct {
		struct ipc_header header;
		struct ipc_lease_found body;
	} none = {.header = {.version = IPC_VERSION,
			  .type = IPC_LEASE_FOUND,
			  .size = sizeof none.body,
			  .serial = serial,
			  .err = -ENOENT}};

	ASSERT(packet_send(rig.broker_fd, &none, sizeof none, NULL, 0) == 0);
}

/* One turn of the loop; what the worker tells the broker is read. */
static inline void
rig_turn(int timeout_ms)
{
	struct ipc_header header;
	struct packet packet;

	ASSERT(loop_once(&rig.loop, timeout_ms) == 0);
	while (packet_recv(rig.broker_fd, &packet) == 0) {
		memcpy(&header, packet.data, sizeof(header));
		if (header.type == IPC_TOOL)
			rig.tool_serial = header.serial;
		if (rig.told)
			rig.told(&header, packet.data + sizeof(header));
		else if (header.type == IPC_LEASE_NEXT)
			rig_no_lease(header.serial);
		packet_fini(&packet);
	}
}

/* The broker answers the ask for a box: fd, or -1 and a negative errno. */
static inline void
rig_answer_tool(int err, int fd)
{
	struct ipc_header header = {.version = IPC_VERSION,
		.type = IPC_TOOL_READY,
		.n_fds = fd >= 0,
		.serial = rig.tool_serial,
		.err = err};

	rig.tool_serial = 0;
	ASSERT(packet_send(rig.broker_fd, &header, sizeof(header), &fd, fd >= 0) == 0);
	rig_turn(100);
}

static inline void
rig_stop(void)
{
	rig.told = NULL;
	estate_fini(&rig.estate);
	server_fini(&rig.server);
	for (unsigned i = 0; rig.n_forgotten < rig.last_conn && i < 100; i++)
		rig_turn(10);
	CHECK(rig.server.n_clients == 0);
	CHECK(rig.n_forgotten == rig.last_conn);
	CHECK(rig.server.inflow.granted == 0);
	uplink_fini(&rig.uplink);
	loop_fini(&rig.loop);
	fd_close(&rig.broker_fd);
	rpc_arena_fini(&rig.arena);
}

/* A connection with these verbs, of somebody else's where owner is not "": else as below. */
static inline int
rig_connect_to(const char *owner, uint32_t verbs)
{
	struct ipc_conn_pass pass = {.conn_id = ++rig.last_conn,
		.uid = 1000,
		.gid = 1000,
		.pid = 1,
		.verbs = verbs,
		.socket = verbs == VERBS_VIEW ? IPC_SOCKET_RO : IPC_SOCKET_RW,
		.origin = *owner ? IPC_ORIGIN_VIEW : IPC_ORIGIN_UNIX,
		.label = "alice"};
	int fds[2];

	(void)snprintf(pass.owner, sizeof(pass.owner), "%s", owner);
	ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	ASSERT(client_start(&rig.server, &pass, fds[1]) == 0);
	return fds[0];
}

/* A connection with these verbs: the client's end, which does not block. */
static inline int
rig_connect(uint32_t verbs)
{
	return rig_connect_to("", verbs);
}

/* The worker's object of the connection that was made last. */
static inline struct client *
rig_client(void)
{
	return LIST_FIRST(&rig.server.clients);
}

/* Send all bytes, serving whatever has to be served for that. False when the worker has closed. */
static inline bool
send_all(int sock, const void *data, size_t size)
{
	const uint8_t *at = data;

	for (unsigned i = 0; size > 0 && i < TURNS; i++) {
		ssize_t n = send(sock, at, size, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return false;
		if (n > 0) {
			at += n;
			size -= (size_t)n;
		}
		rig_turn(n < 0 ? 10 : 0);
	}
	ASSERT(size == 0);
	return true;
}

/* Receive exactly size bytes. False when the worker has closed. */
static inline bool
receive_all(int sock, void *data, size_t size)
{
	uint8_t *at = data;

	for (unsigned i = 0; size > 0 && i < TURNS; i++) {
		ssize_t n = recv(sock, at, size, 0);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			return false;
		if (n > 0) {
			at += n;
			size -= (size_t)n;
		} else {
			rig_turn(10);
		}
	}
	ASSERT(size == 0);
	return true;
}

/* Has the worker closed, or does it within a second? Replies that are there are read away. */
static inline bool
is_closed(int sock)
{
	uint8_t data[4096];

	for (unsigned i = 0; i < 100; i++) {
		ssize_t n = recv(sock, data, sizeof data, 0);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			return true;
		rig_turn(10);
	}
	return false;
}

/* Wait until so many connections are left. */
static inline void
rig_wait(unsigned n_clients)
{
	for (unsigned i = 0; rig.server.n_clients > n_clients && i < TURNS; i++)
		rig_turn(10);
	CHECK(rig.server.n_clients == n_clients);
}

/* A packet that was received; its payload is in the rig's arena. */
static inline bool
receive_frame(int sock, struct rpc_frame *ret)
{
	uint8_t word[RPC_LENGTH_SIZE], *data;
	size_t length;

	if (!receive_all(sock, word, sizeof word))
		return false;
	ASSERT(rpc_frame_length(word, sizeof word, &length) == 0);
	data = rpc_arena_bytes(&rig.arena, length);
	ASSERT(data);
	memcpy(data, word, sizeof word);
	if (!receive_all(sock, data + sizeof word, length - sizeof word))
		return false;
	ASSERT(rpc_frame_read(data, length, ret) == 0);
	return true;
}

static inline struct rpc_header
call_header(int32_t procedure, uint32_t serial)
{
	return (struct rpc_header){.program = RPC_PROGRAM_REMOTE,
		.version = RPC_VERSION,
		.procedure = procedure,
		.type = RPC_CALL,
		.serial = serial};
}

/* A packet with this header and these bytes as its payload. */
static inline size_t
raw_frame(uint8_t *to, const struct rpc_header *header, const void *payload, size_t size)
{
	uint32_t length = (uint32_t)(RPC_FRAME_MIN + size);

	to[0] = (uint8_t)(length >> 24);
	to[1] = (uint8_t)(length >> 16);
	to[2] = (uint8_t)(length >> 8);
	to[3] = (uint8_t)length;
	rpc_header_write(header, to + RPC_LENGTH_SIZE);
	if (size > 0)
		memcpy(to + RPC_FRAME_MIN, payload, size);
	return length;
}

static inline bool
send_raw(int sock, const struct rpc_header *header, const void *payload, size_t size)
{
	uint8_t data[4096];

	ASSERT(size + RPC_FRAME_MIN <= sizeof data);
	return send_all(sock, data, raw_frame(data, header, payload, size));
}

/* Append a call of the table with its arguments' struct. */
static inline void
append_call(struct rpc_buffer *buffer, int32_t procedure, uint32_t serial, const void *args)
{
	const struct rpc_procedure *row = rpc_procedure_find(RPC_PROGRAM_REMOTE, procedure);
	struct rpc_header header = call_header(procedure, serial);

	ASSERT(row && rpc_encode_frame(&header, 0, row->args, args, buffer) == 0);
}

static struct rpc_remote_error call_error; /* of the reply that was read last */
static uint32_t call_serial;

/*
 * Read the reply to a call: 0 and *ret (by the procedure's struct), or the error's code and the
 * error in call_error, or -1 when the worker has closed.
 */
static inline int
read_reply(int sock, const struct rpc_header *call, void *ret)
{
	const struct rpc_procedure *row = rpc_procedure_find(call->program, call->procedure);
	struct rpc_frame frame;

	call_error = (struct rpc_remote_error){.code = 0};
	if (!receive_frame(sock, &frame))
		return -1;
	CHECK(frame.header.type == RPC_REPLY && frame.header.serial == call->serial);
	CHECK(frame.header.program == call->program && frame.header.version == call->version);
	CHECK(frame.header.procedure == call->procedure);
	if (frame.header.status == RPC_OK) {
		ASSERT(row);
		CHECK(rpc_decode(row->ret, frame.payload, frame.size, &rig.arena, ret) == 0);
		return 0;
	}
	CHECK(frame.header.status == RPC_ERROR);
	CHECK(rpc_decode(&rpc_shapes[RPC_SHAPE_REMOTE_ERROR], frame.payload, frame.size, &rig.arena,
		      &call_error) == 0);
	CHECK(call_error.level == 2 && call_error.code != 0 && call_error.message);
	return call_error.code;
}

/* Make a call of the remote program and read the reply. */
static inline int
call(int sock, int32_t procedure, const void *args, void *ret)
{
	struct rpc_header header = call_header(procedure, call_serial++);
	struct rpc_buffer buffer;
	int r = -1;

	rpc_buffer_init(&buffer, RPC_FRAME_MAX);
	append_call(&buffer, procedure, header.serial, args);
	if (send_all(sock, rpc_buffer_front(&buffer), rpc_buffer_left(&buffer)))
		r = read_reply(sock, &header, ret);
	rpc_buffer_fini(&buffer);
	return r;
}

/* The same on which qemu:///system was opened. */
static inline int
rig_open_to(const char *owner, uint32_t verbs)
{
	struct rpc_connect_open_args args = {
		.name = rpc_arena_strdup(&rig.arena, "qemu:///system")};
	int sock = rig_connect_to(owner, verbs);

	CHECK(call(sock, RPC_PROC_CONNECT_OPEN, &args, NULL) == 0);
	return sock;
}

/* A connection on which qemu:///system was opened. */
static inline int
rig_open(uint32_t verbs)
{
	return rig_open_to("", verbs);
}

/* Code and domain as clients are told of them: "39/7". */
static inline const char *
call_error_kind(void)
{
	static char kind[32];

	(void)snprintf(kind, sizeof kind, "%d/%d", call_error.code, call_error.domain);
	return kind;
}

#endif
