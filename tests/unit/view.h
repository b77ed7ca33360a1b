/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * view.h: a view of the host without a broker and without workers: one loop serves the view, and
 * after each of its turns the broker and the workers that are played here.
 */
#ifndef TESTS_UNIT_VIEW_H
#define TESTS_UNIT_VIEW_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/memfd.h"
#include "lib/packet.h"
#include "lib/take.h"
#include "protocol/rpc/arena.h"
#include "protocol/rpc/buffer.h"
#include "protocol/rpc/error.h"
#include "protocol/rpc/frame.h"
#include "protocol/rpc/keepalive.h"
#include "protocol/rpc/procedure.h"
#include "protocol/rpc/types.h"
#include "protocol/verb.h"
#include "view/viewer.h"

/* A test that has more of them says so before. */
#ifndef OWNERS_N
#define OWNERS_N 8
#endif
#ifndef WORKERS_N
#define WORKERS_N 64
#endif

enum { OWNERS = OWNERS_N, WORKERS = WORKERS_N, TURNS = 2000 /* 10 ms each at most */ };

enum worker_mode {
	WORKER_ANSWERS = 0,
	WORKER_SLEEPS,       /* reads nothing */
	WORKER_KEEPS_SILENT, /* answers pings and CONNECT_OPEN */
	WORKER_REFUSES,      /* every call, with an error */
	WORKER_CLOSES        /* when something is asked of it after CONNECT_OPEN */
};

/* An owner as the broker knows her. */
#define UUID_A "11111111-2222-4333-8444-555555555555"
#define UUID_B "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
#define UUID_C "99999999-2222-4333-8444-555555555555"
__attribute__((unused)) static const uint8_t uuid_a[UUID_SIZE] = {0x11, 0x11, 0x11, 0x11, 0x22,
	0x22, 0x43, 0x33, 0x84, 0x44, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55};
__attribute__((unused)) static const uint8_t uuid_b[UUID_SIZE] = {0xaa, 0xaa, 0xaa, 0xaa, 0xbb,
	0xbb, 0x4c, 0xcc, 0x8d, 0xdd, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee};
__attribute__((unused)) static const uint8_t uuid_d[UUID_SIZE] = {0xdd, 0xdd, 0xdd, 0xdd, 0x22,
	0x22, 0x43, 0x33, 0x84, 0x44, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55};

struct told {
	uint64_t generation; /* 0: there is none */
	struct ipc_inventory_found found;
	char text[1024]; /* of the inventory */
	/* Ids that are there, and do not run, or are being ended, or stand still. */
	uint32_t ended, ending, frozen;
	uint32_t untold; /* the id of one that runs, with uuid_d, and is not there */
	enum worker_mode mode;
};

/* The other end of a channel. */
struct played {
	int fd; /* -1: none */
	uint32_t uid;
	uint64_t conn_id;
	struct rpc_buffer in, out;
	bool opened;
};

static struct rig {
	struct loop loop;
	struct uplink uplink;
	struct view_host host;
	int broker_fd;
	uint64_t generation, last_conn;
	unsigned n_forgotten, n_channels, n_calls;
	int channel_err; /* the answer to CHANNEL; 0: a socket */
	/* Whether it is answered with a socket, or -EAGAIN, of so many that are asked now. NULL: it is. */
	bool (*give)(unsigned n_asked_now);
	bool broker_sleeps;
	struct told told[OWNERS];
	struct played played[WORKERS];
	struct rpc_arena arena;
	/* What the last call to a worker was. */
	const struct rpc_procedure *called;
	uint32_t called_uid, called_flags;
	struct rpc_domain called_dom;
	char called_name[256];
	uint8_t opened_flags;
	uint32_t stopped_id; /* the broker was asked to end that one */
	bool lingers;        /* and something of it is there until vm_gone() */
	/* Plays the worker; returns false: as usual. */
	bool (*answer)(struct played *worker, const struct rpc_frame *call, const void *args);
} rig;

/* --- what the workers say ----------------------------------------------------------------- */

static inline void
play_send(struct played *worker, const void *data, size_t size)
{
	ssize_t n = 0;

	if (rpc_buffer_left(&worker->out) == 0)
		n = send(worker->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
	ASSERT(n >= 0 || errno == EPIPE || errno == EAGAIN);
	if (n < 0 && errno == EPIPE)
		return;
	/* The rest when there is room. */
	n = n < 0 ? 0 : n;
	ASSERT((size_t)n == size ||
		rpc_buffer_append(&worker->out, (const char *)data + n, size - (size_t)n) == 0);
}

static inline void
play_frame(struct played *worker, struct rpc_header header, const struct rpc_shape *shape,
	const void *value)
{
	struct rpc_buffer out;

	rpc_buffer_init(&out, RPC_FRAME_MAX);
	ASSERT(rpc_encode_frame(&header, 0, shape, value, &out) == 0);
	play_send(worker, rpc_buffer_front(&out), rpc_buffer_left(&out));
	rpc_buffer_fini(&out);
}

static inline void
play_reply(struct played *worker, const struct rpc_frame *call, const void *ret)
{
	const struct rpc_procedure *row =
		rpc_procedure_find(call->header.program, call->header.procedure);

	play_frame(worker, rpc_header_reply(&call->header, RPC_OK), row->ret, ret);
}

static inline void
play_error(struct played *worker, const struct rpc_frame *call, enum vir_error_code code,
	enum vir_error_domain domain, const char *text)
{
	struct rpc_remote_error error = {.code = (int32_t)code,
		.domain = (int32_t)domain,
		.message = (char *)(uintptr_t)text,
		.level = VIR_ERR_ERROR,
		.int1 = -1,
		.int2 = -1};

	play_frame(worker, rpc_header_reply(&call->header, RPC_ERROR),
		&rpc_shapes[RPC_SHAPE_REMOTE_ERROR], &error);
}

static inline bool
can_be(const struct rpc_shape *shape, const void *value)
{
	struct rpc_buffer out;
	bool can;

	rpc_buffer_init(&out, RPC_FRAME_MAX);
	can = rpc_encode(shape, value, &out) == 0;
	rpc_buffer_fini(&out);
	return can;
}

static inline enum worker_mode
mode_of(uint32_t uid)
{
	for (unsigned i = 0; i < OWNERS; i++)
		if (rig.told[i].found.uid == uid)
			return rig.told[i].mode;
	return WORKER_ANSWERS;
}

/* What there is, as the owner's inventory has it. */
static inline void
play_list(struct played *worker, const struct rpc_frame *call)
{
	struct rpc_connect_list_all_domains_ret ret = {.n_domains = 0};
	struct inventory_reader reader;
	struct inventory_vm vm;

	ret.domains = rpc_arena_array(&rig.arena, 64, sizeof(*ret.domains));
	for (unsigned i = 0; i < OWNERS; i++) {
		if (rig.told[i].found.uid != worker->uid)
			continue;
		inventory_read(&reader, rig.told[i].text, strlen(rig.told[i].text));
		while (inventory_next(&reader, &vm) == INVENTORY_VM) {
			struct rpc_domain *dom = &ret.domains[ret.n_domains++];

			dom->name = rpc_arena_strdup(&rig.arena, vm.name);
			dom->id = vm.id > 0 ? (int32_t)vm.id : -1;
			memcpy(dom->uuid, vm.uuid, UUID_SIZE);
		}
	}
	ret.ret = ret.n_domains;
	play_reply(worker, call, &ret);
}

static inline void
play_call(struct played *worker, const struct rpc_frame *call)
{
	const struct rpc_procedure *row =
		rpc_procedure_find(call->header.program, call->header.procedure);
	enum worker_mode mode = mode_of(worker->uid);
	void *args = NULL, *ret = NULL;

	ASSERT(row && !row->is_event);
	if (row->args) {
		args = rpc_arena_array(&rig.arena, 1, row->args->size);
		ASSERT(rpc_decode(row->args, call->payload, call->size, &rig.arena, args) == 0);
	}
	if (!worker->opened) {
		ASSERT(row->number == RPC_PROC_CONNECT_OPEN);
		rig.opened_flags = (uint8_t)((const struct rpc_connect_open_args *)args)->flags;
		worker->opened = true;
		play_reply(worker, call, NULL);
		return;
	}
	if (row->number == RPC_PROC_CONNECT_LIST_ALL_DOMAINS && mode == WORKER_ANSWERS) {
		play_list(worker, call);
		return;
	}
	rig.n_calls++;
	rig.called = row;
	rig.called_uid = worker->uid;
	/* Where the arguments begin with a domain. */
	if (row->args && row->args->n_fields > 0 && row->args->fields[0].kind == RPC_KIND_STRUCT &&
		row->args->fields[0].shape == RPC_SHAPE_DOMAIN) {
		memcpy(&rig.called_dom, args, sizeof(rig.called_dom));
		(void)snprintf(rig.called_name, sizeof(rig.called_name), "%s", rig.called_dom.name);
	}
	if (rig.answer && rig.answer(worker, call, args))
		return;
	if (mode == WORKER_KEEPS_SILENT)
		return;
	if (mode == WORKER_CLOSES) {
		fd_close(&worker->fd);
		return;
	}
	if (mode == WORKER_REFUSES) {
		play_error(worker, call, VIR_ERR_OPERATION_INVALID, VIR_FROM_QEMU, "not now");
		return;
	}
	if (row->ret) {
		ret = rpc_arena_array(&rig.arena, 1, row->ret->size);
		/* A domain that comes back is the one that was named. */
		if (row->ret->fields[0].kind == RPC_KIND_STRUCT &&
			row->ret->fields[0].shape == RPC_SHAPE_DOMAIN)
			*(struct rpc_domain *)ret = rig.called_dom;
		for (unsigned i = 0; i < row->ret->n_fields; i++)
			if (row->ret->fields[i].kind == RPC_KIND_STRING) {
				char *text = rpc_arena_strdup(&rig.arena, "a string");

				memcpy((char *)ret + row->ret->fields[i].offset, &text,
					sizeof(text));
			}
	}
	/* Of some results the usual one is not that simple. */
	if (can_be(row->ret, ret))
		play_reply(worker, call, ret);
	else
		play_error(worker, call, VIR_ERR_NO_SUPPORT, VIR_FROM_QEMU, "not here");
}

static inline void
play_packets(struct played *worker)
{
	struct rpc_frame frame;
	size_t length;

	while (worker->fd >= 0 && rpc_buffer_left(&worker->in) > 0 &&
		rpc_frame_length(rpc_buffer_front(&worker->in), rpc_buffer_left(&worker->in),
			&length) == 0 &&
		length <= rpc_buffer_left(&worker->in)) {
		ASSERT(rpc_frame_read(rpc_buffer_front(&worker->in), length, &frame) == 0);
		if (rpc_keepalive_is(&frame.header)) {
			uint8_t pong[RPC_FRAME_MIN];

			rpc_keepalive_frame(RPC_KEEPALIVE_PONG, pong);
			play_send(worker, pong, sizeof(pong));
		} else if (frame.header.type == RPC_CALL ||
			   frame.header.type == RPC_CALL_WITH_FDS) {
			play_call(worker, &frame);
		} else if (rig.answer) {
			(void)rig.answer(worker, &frame, NULL);
		}
		rpc_buffer_drop(&worker->in, length);
	}
}

static inline void
play_worker(struct played *worker)
{
	uint8_t data[65536];
	ssize_t n;

	if (worker->fd < 0 || mode_of(worker->uid) == WORKER_SLEEPS)
		return;
	if (rpc_buffer_left(&worker->out) > 0) {
		n = send(worker->fd, rpc_buffer_front(&worker->out), rpc_buffer_left(&worker->out),
			MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			rpc_buffer_drop(&worker->out, (size_t)n);
	}
	n = recv(worker->fd, data, sizeof(data), MSG_DONTWAIT);
	if (n == 0) {
		fd_close(&worker->fd);
		rpc_buffer_fini(&worker->in);
		rpc_buffer_fini(&worker->out);
	}
	if (n <= 0)
		return;
	ASSERT(rpc_buffer_append(&worker->in, data, (size_t)n) == 0);
	play_packets(worker);
}

/* --- what the broker says ----------------------------------------------------------------- */

static inline void
broker_send(enum ipc_type type, uint32_t serial, int err, const void *body, size_t size, int fd)
{
	struct {
		struct ipc_header header;
		uint8_t body[IPC_MESSAGE_MAX];
	} packet = {.header = {.version = IPC_VERSION,
			    .type = (uint16_t)type,
			    .size = (uint16_t)size,
			    .n_fds = fd >= 0,
			    .serial = serial,
			    .err = err}};

	if (err == 0 && body)
		memcpy(packet.body, body, size);
	ASSERT(packet_send(rig.broker_fd, &packet, sizeof(packet.header) + size, &fd, fd >= 0) ==
		0);
}

static inline void
add_running(struct told *next, int fd, const struct ipc_running *running)
{
	ASSERT(fd_write_all(fd, running, sizeof(*running)) == 0);
	next->found.n_running++;
}

/* The inventory, and what runs by the broker's count. */
static inline int
broker_inventory(struct told *next)
{
	struct inventory_reader reader;
	struct inventory_vm vm;
	int fd = memfd_begin("inventory");

	ASSERT(fd >= 0 && fd_write_all(fd, next->text, strlen(next->text)) == 0);
	next->found.n_running = 0;
	inventory_read(&reader, next->text, strlen(next->text));
	while (inventory_next(&reader, &vm) == INVENTORY_VM) {
		struct ipc_running running = {.id = vm.id,
			.frozen = vm.id == next->frozen,
			.ending = vm.id == next->ending};

		memcpy(running.uuid, vm.uuid, UUID_SIZE);
		if (vm.id != 0 && vm.id != next->ended)
			add_running(next, fd, &running);
	}
	if (next->untold != 0) {
		struct ipc_running running = {.id = next->untold};

		memcpy(running.uuid, uuid_d, UUID_SIZE);
		add_running(next, fd, &running);
	}
	ASSERT(memfd_seal(fd) == 0);
	return fd;
}

static inline void
broker_found(uint32_t serial, uint64_t after)
{
	struct told *next = NULL;
	int fd;

	for (unsigned i = 0; i < OWNERS; i++)
		if (rig.told[i].generation > after &&
			(!next || rig.told[i].generation < next->generation))
			next = &rig.told[i];
	if (!next) {
		broker_send(IPC_INVENTORY_FOUND, serial, -ENOENT, NULL, sizeof(next->found), -1);
		return;
	}
	next->found.generation = next->generation;
	fd = broker_inventory(next);
	broker_send(IPC_INVENTORY_FOUND, serial, 0, &next->found, sizeof(next->found), fd);
	fd_close(&fd);
}

static inline void
broker_channel(uint32_t serial, const struct ipc_channel *asked)
{
	struct played *worker = rig.played;
	int fds[2];

	if (rig.give && !rig.give(rig.host.asks.n_sent)) {
		broker_send(IPC_CHANNEL_OPEN, serial, -EAGAIN, NULL, 0, -1);
		return;
	}
	if (rig.channel_err != 0) {
		broker_send(IPC_CHANNEL_OPEN, serial, rig.channel_err, NULL, 0, -1);
		return;
	}
	while (worker->fd >= 0)
		worker++;
	ASSERT(worker < rig.played + WORKERS);
	ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	rpc_buffer_fini(&worker->in);
	rpc_buffer_fini(&worker->out);
	*worker = (struct played){.fd = fds[1], .uid = asked->uid, .conn_id = asked->conn_id};
	rpc_buffer_init(&worker->in, RPC_FRAME_MAX);
	rpc_buffer_init(&worker->out, RPC_FRAME_MAX);
	rig.n_channels++;
	broker_send(IPC_CHANNEL_OPEN, serial, 0, NULL, 0, fds[0]);
	fd_close(&fds[0]);
}

/* Nothing of that one is left. */
static inline void
vm_gone(uint32_t uid, uint32_t id)
{
	for (unsigned i = 0; i < OWNERS; i++) {
		if (rig.told[i].found.uid != uid)
			continue;
		rig.told[i].generation = ++rig.generation;
		rig.told[i].ended = id;
		rig.told[i].ending = 0;
		if (rig.told[i].untold == id)
			rig.told[i].untold = 0;
	}
	broker_send(IPC_INVENTORY_CHANGED, 0, 0, NULL, 0, -1);
}

/* It ends what runs. */
static inline void
broker_stop(uint32_t serial, const struct ipc_vm_stop *asked)
{
	rig.stopped_id = asked->id;
	for (unsigned i = 0; rig.lingers && i < OWNERS; i++) {
		if (rig.told[i].found.uid != asked->uid)
			continue;
		rig.told[i].generation = ++rig.generation;
		rig.told[i].ending = asked->id;
	}
	broker_send(IPC_VM_STOPPED, serial, 0, NULL, 0, -1);
	if (rig.lingers)
		broker_send(IPC_INVENTORY_CHANGED, 0, 0, NULL, 0, -1);
	else
		vm_gone(asked->uid, asked->id);
}

static inline void
play_broker(void)
{
	struct packet packet;

	while (!rig.broker_sleeps && packet_recv(rig.broker_fd, &packet) == 0) {
		struct ipc_header header;
		const uint8_t *body = packet.data + sizeof(header);

		memcpy(&header, packet.data, sizeof(header));
		if (header.type == IPC_INVENTORY_NEXT)
			broker_found(header.serial,
				((const struct ipc_inventory_next *)(const void *)body)->after);
		else if (header.type == IPC_CHANNEL)
			broker_channel(
				header.serial, (const struct ipc_channel *)(const void *)body);
		else if (header.type == IPC_VM_STOP)
			broker_stop(header.serial, (const struct ipc_vm_stop *)(const void *)body);
		packet_fini(&packet);
	}
}

/* --- the rig ------------------------------------------------------------------------------ */

static inline void
rig_turn(int ms)
{
	(void)loop_once(&rig.loop, ms);
	play_broker();
	for (unsigned i = 0; i < WORKERS; i++)
		play_worker(&rig.played[i]);
	rpc_arena_reset(&rig.arena);
}

static inline int
rig_pass(struct uplink *uplink, const struct ipc_conn_pass *pass, int fd)
{
	(void)uplink;
	return client_start(&rig.host.server, pass, fd);
}

static inline void
rig_forget(struct uplink *uplink, struct uplink_conn *conn)
{
	(void)uplink;
	rig.n_forgotten++;
	client_free(container_of(conn, struct client, conn));
}

static inline void
rig_stop_told(struct uplink *uplink, enum ipc_fault fault, uint16_t type)
{
	(void)uplink;
	(void)type;
	ASSERT(fault == IPC_OK);
}

static inline void
rig_changed(struct uplink *uplink)
{
	(void)uplink;
	owners_refresh(&rig.host.owners);
}

static inline void
rig_found(struct uplink *uplink, int err, const struct ipc_inventory_found *found, int fd)
{
	(void)uplink;
	owners_found(&rig.host.owners, err, found, fd);
}

static inline void
rig_channel(struct uplink *uplink, uint64_t cookie, int err, int fd)
{
	(void)uplink;
	view_host_channel(&rig.host, cookie, err, fd);
}

static inline void
rig_vm_done(struct uplink *uplink, uint64_t cookie, int err)
{
	(void)uplink;
	force_done(&rig.host.forces, cookie, err);
}

static const struct uplink_ops rig_ops = {.pass = rig_pass,
	.forget = rig_forget,
	.stop = rig_stop_told,
	.inventory_changed = rig_changed,
	.inventory_found = rig_found,
	.channel = rig_channel,
	.vm_done = rig_vm_done};

static inline void
rig_occupied(struct server *server, bool occupied)
{
	(void)server;
	(void)occupied;
}

/* An owner comes, or is told of anew. */
static inline struct told *
tell(unsigned i, uint32_t uid, const char *name, uint32_t verbs, const char *text)
{
	struct told *told = &rig.told[i];

	told->generation = ++rig.generation;
	told->found.uid = uid;
	told->found.verbs = verbs;
	(void)snprintf(told->found.name, sizeof(told->found.name), "%s", name);
	(void)snprintf(told->text, sizeof(told->text), "%s", text);
	return told;
}

/*
 * alice looks: at her own machines, at bob's, all of whose verbs she has, and at those of the
 * system account, which she only sees. bob has one with alice's UUID and name.
 */
static inline void
tell_usual(void)
{
	tell(0, 1000, "alice", VERBS_ALL,
		"0\t5\t1\tp\t" UUID_A "\tbox\n7\t1\t1\tpa\t" UUID_B "\tweb\n+0\n")
		->found.own = 1;
	tell(1, 1001, "bob", VERBS_ALL,
		"8\t3\t1\t-\t" UUID_A "\tbox\n0\t5\t2\tp\t" UUID_C "\tdb\n+0\n");
	tell(2, 990, "qemud-vm", VERBS_VIEW, "0\t5\t0\tp\t" UUID_A "\tbox\n+0\n")->found.system = 1;
}

static inline void
rig_start(void)
{
	int fds[2];

	rig = (struct rig){.broker_fd = -1};
	for (unsigned i = 0; i < WORKERS; i++)
		rig.played[i].fd = -1;
	rpc_arena_init(&rig.arena, (size_t)256 << 20);
	ASSERT(loop_init(&rig.loop) == 0 && packet_pair(fds) == 0);
	rig.broker_fd = fds[0];
	view_host_init(&rig.host, &rig.loop, &rig.uplink, rig_occupied);
	ASSERT(uplink_start(&rig.uplink, &rig.loop, fds[1], &rig_ops) == 0);
	tell_usual();
	owners_refresh(&rig.host.owners);
}

static inline void
rig_stop(void)
{
	view_host_fini(&rig.host);
	uplink_fini(&rig.uplink);
	loop_fini(&rig.loop);
	for (unsigned i = 0; i < WORKERS; i++) {
		fd_close(&rig.played[i].fd);
		rpc_buffer_fini(&rig.played[i].in);
		rpc_buffer_fini(&rig.played[i].out);
	}
	fd_close(&rig.broker_fd);
	rpc_arena_fini(&rig.arena);
}

/* A connection of alice's: the client's end, which does not block. */
static inline int
rig_connect(bool read_only)
{
	struct ipc_conn_pass pass = {.conn_id = ++rig.last_conn,
		.uid = 1000,
		.gid = 1000,
		.pid = 1,
		.verbs = read_only ? VERBS_VIEW : VERBS_ALL,
		.socket = read_only ? IPC_SOCKET_RO : IPC_SOCKET_RW,
		.origin = IPC_ORIGIN_UNIX,
		.label = "alice"};
	int fds[2];

	ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	ASSERT(client_start(&rig.host.server, &pass, fds[1]) == 0);
	return fds[0];
}

/* --- what the client says ----------------------------------------------------------------- */

static struct reply {
	struct rpc_header header;
	uint8_t payload[2 * 1024 * 1024];
	size_t size;
	struct rpc_arena arena;
	char message[RPC_ERROR_MESSAGE_SIZE];
} reply;

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

/* The next packet; false: the view has closed. */
static inline bool
receive_packet(int sock)
{
	uint8_t front[RPC_FRAME_MIN];
	size_t length;

	if (!receive_all(sock, front, sizeof(front)))
		return false;
	ASSERT(rpc_frame_length(front, sizeof(front), &length) == 0);
	ASSERT(length - sizeof(front) <= sizeof(reply.payload));
	reply.size = length - sizeof(front);
	rpc_header_read(front + RPC_LENGTH_SIZE, &reply.header);
	return receive_all(sock, reply.payload, reply.size);
}

static inline void
send_call(int sock, int32_t procedure, const void *args, uint32_t serial)
{
	const struct rpc_procedure *row = rpc_procedure_find(RPC_PROGRAM_REMOTE, procedure);
	struct rpc_header header = {.program = RPC_PROGRAM_REMOTE,
		.version = RPC_VERSION,
		.procedure = procedure,
		.type = RPC_CALL,
		.serial = serial};
	struct rpc_buffer out;

	rpc_buffer_init(&out, RPC_FRAME_MAX);
	ASSERT(rpc_encode_frame(&header, 0, row->args, args, &out) == 0);
	ASSERT(send(sock, rpc_buffer_front(&out), rpc_buffer_left(&out), MSG_NOSIGNAL) ==
		(ssize_t)rpc_buffer_left(&out));
	rpc_buffer_fini(&out);
}

/* The code of the error in the reply, whose message is reply.message; 0 and *ret. */
static inline int
read_reply(int32_t procedure, void *ret)
{
	const struct rpc_procedure *row = rpc_procedure_find(RPC_PROGRAM_REMOTE, procedure);
	struct rpc_remote_error error;

	if (!reply.arena.limit)
		rpc_arena_init(&reply.arena, (size_t)64 << 20);
	rpc_arena_reset(&reply.arena);
	ASSERT(reply.header.type == RPC_REPLY && reply.header.procedure == procedure);
	if (reply.header.status == RPC_OK) {
		ASSERT(!row->ret ||
			rpc_decode(row->ret, reply.payload, reply.size, &reply.arena, ret) == 0);
		return 0;
	}
	ASSERT(rpc_decode(&rpc_shapes[RPC_SHAPE_REMOTE_ERROR], reply.payload, reply.size,
		       &reply.arena, &error) == 0);
	(void)snprintf(reply.message, sizeof(reply.message), "%s", error.message);
	return error.code;
}

static inline int
call(int sock, int32_t procedure, const void *args, void *ret)
{
	static uint32_t serial = 100;

	send_call(sock, procedure, args, ++serial);
	do {
		if (!receive_packet(sock))
			return -1;
	} while (reply.header.type != RPC_REPLY);
	ASSERT(reply.header.serial == serial);
	return read_reply(procedure, ret);
}

static inline int
open_as(int sock, const char *name, uint32_t flags)
{
	struct rpc_connect_open_args args = {.name = (char *)(uintptr_t)name, .flags = flags};

	return call(sock, RPC_PROC_CONNECT_OPEN, &args, NULL);
}

static inline int
rig_open(void)
{
	int sock = rig_connect(false);

	ASSERT(open_as(sock, "qemu:///system", 0) == 0);
	return sock;
}

/* Find one by its name: its handle, whose name lives until the next call. */
static inline int
look_up(int sock, const char *name, struct rpc_domain *ret)
{
	struct rpc_domain_lookup_by_name_args args = {.name = (char *)(uintptr_t)name};
	struct rpc_domain_lookup_by_name_ret found;
	int r = call(sock, RPC_PROC_DOMAIN_LOOKUP_BY_NAME, &args, &found);

	if (r == 0)
		*ret = found.dom;
	return r;
}

#endif
