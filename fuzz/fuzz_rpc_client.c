/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whatever bytes a client sends, and however they are cut, a worker's connection answers the same:
 * whole packets, each the reply to a call, a pong, or about a stream that was opened, and leaves
 * nothing behind. Only what becomes of several streams at once depends on how the packets come.
 *
 * Input: one byte for the verbs, one for the size of the pieces, then what the client sends. There
 * is one VM, with a guest that listens and says nothing.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/packet.h"
#include "lib/take.h"
#include "lib/uplink.h"
#include "protocol/rpc/buffer.h"
#include "protocol/rpc/frame.h"
#include "protocol/rpc/handlers.h"
#include "protocol/rpc/keepalive.h"
#include "protocol/rpc/types.h"
#include "protocol/verb.h"
#include "worker/estate.h"
#include "worker/rpc/serving.h"
#include "worker/vm/vm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A handler is found by its name and needs nobody to refer to it: here are those that are served.
 */
__attribute__((used)) static void (*const served[])(void) = {
	(void (*)(void))rpc_auth_list,
	(void (*)(void))rpc_connect_open,
	(void (*)(void))rpc_connect_domain_xml_to_native,
	(void (*)(void))rpc_connect_list_all_domains,
	(void (*)(void))rpc_domain_lookup_by_name,
	(void (*)(void))rpc_connect_domain_event_callback_register_any,
	(void (*)(void))rpc_domain_get_control_info,
	(void (*)(void))rpc_domain_get_metadata,
	(void (*)(void))rpc_domain_open_channel,
	(void (*)(void))rpc_domain_open_console,
};

enum { ANSWERS_MAX = 64 << 20, TURNS = 100000 };

static struct loop loop;
static struct uplink uplink;
static struct server server;
static struct estate estate; /* open, without a folder */
static struct vm vm;
static int guest; /* QEMU's end of its first serial port; the second one has none */
static unsigned n_forgotten;

static void
require(int holds)
{
	if (!holds)
		abort();
}

static void
occupied(struct server *self, bool is)
{
	require(is == (self->n_clients > 0));
}

static int
pass(struct uplink *self, const struct ipc_conn_pass *body, int fd)
{
	(void)self;
	return client_start(&server, body, fd);
}

static void
forget(struct uplink *self, struct uplink_conn *conn)
{
	(void)self;
	n_forgotten++;
	client_free(container_of(conn, struct client, conn));
}

static void
stop(struct uplink *self, enum ipc_fault fault, uint16_t type)
{
	(void)self;
	(void)type;
	require(fault == IPC_OK);
}

static const struct uplink_ops ops = {.pass = pass, .forget = forget, .stop = stop};

/* --- the VM ------------------------------------------------------------------------------- */

static void
start_vm(void)
{
	static const struct domain_machine machine = {"pc-i440fx-7.2", "pc", "qemu64", 255};
	static const struct domain_env env = {.emulator = "/usr/bin/qemu-system-x86_64",
		.run = "/run/qemud/users/1000",
		.machine = "pc",
		.machines = &machine,
		.n_machines = 1};
	static const char xml[] =
		"<domain type='qemu' id='1'><name>vm</name>"
		"<uuid>00000000-0000-4000-8000-000000000000</uuid><memory>65536</memory>"
		"<os><type>hvm</type></os><devices>"
		"<serial type='pty'><target port='0'/><alias name='serial0'/></serial>"
		"<serial type='pty'><target port='1'/><alias name='serial1'/></serial>"
		"</devices></domain>";
	struct domain_def *live;
	struct domain *domain;
	struct rpc_error error;
	int fds[2];

	require(domain_def_parse(xml, sizeof xml - 1, DOMAIN_DEF_LIVE, &env, &error, &live) == 0);
	domain = domains_add_transient(&estate.domains, live);
	require(domain != NULL);
	domain->id = 1;
	domain->state = DOMAIN_STATE_RUNNING;
	domain->vm = &vm;
	for (unsigned i = 0; i < 2; i++)
		console_init(&vm.consoles[i], &loop, NULL);
	require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	require(console_connect(&vm.consoles[0], fds[1]) == 0);
	guest = fds[0];
}

static void
stop_vm(void)
{
	for (unsigned i = 0; i < 2; i++) {
		require(!vm.consoles[i].client);
		console_close(&vm.consoles[i]);
	}
	domains_find_id(&estate.domains, 1)->vm = NULL;
	(void)close(guest);
}

static void
listen_as_guest(void)
{
	static char data[65536];

	while (read(guest, data, sizeof data) > 0)
		continue;
}

/* --- the client --------------------------------------------------------------------------- */

/* Read what there is. Returns false when the worker has closed. */
static bool
read_answers(int sock, struct rpc_buffer *answers)
{
	static uint8_t data[65536];

	for (;;) {
		ssize_t n = recv(sock, data, sizeof data, MSG_DONTWAIT);

		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		require(rpc_buffer_append(answers, data, (size_t)n) == 0);
	}
}

/* A connection that is sent these bytes, at most `piece` at once; its answers. */
static void
converse(uint32_t verbs, const uint8_t *data, size_t size, size_t piece, struct rpc_buffer *answers)
{
	struct ipc_conn_pass body = {.conn_id = 1, .uid = 1000, .verbs = verbs};
	int fds[2];
	size_t at = 0;
	bool open = true;

	require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	require(client_start(&server, &body, fds[1]) == 0);
	for (unsigned i = 0; open && i < TURNS; i++) {
		if (at < size) {
			ssize_t n = send(fds[0], data + at, size - at < piece ? size - at : piece,
				MSG_NOSIGNAL);

			require(n > 0 || errno == EAGAIN || errno == EPIPE);
			at += n > 0 ? (size_t)n : 0;
			/* Not before all is read: what is unread is lost with its reader. */
			if (at == size)
				require(shutdown(fds[0], SHUT_WR) == 0);
		} else if (size == 0) {
			(void)shutdown(fds[0], SHUT_WR);
		}
		require(loop_once(&loop, 0) == 0);
		listen_as_guest();
		open = read_answers(fds[0], answers);
	}
	require(!open);
	(void)close(fds[0]);
}

/* Returns how many streams were opened. */
static unsigned
check_answers(const struct rpc_buffer *answers)
{
	unsigned n_opened = 0, n_over = 0;
	size_t size = rpc_buffer_left(answers), length;
	const uint8_t *data = size > 0 ? rpc_buffer_front(answers) : NULL;

	for (; size > 0; size -= length, data += length) {
		struct rpc_frame frame;

		require(rpc_frame_length(data, size, &length) == 0 && length <= size);
		require(rpc_frame_read(data, length, &frame) == 0);
		if (frame.header.type == RPC_REPLY)
			require(frame.header.status == RPC_OK || frame.header.status == RPC_ERROR);
		else if (frame.header.type == RPC_STREAM)
			require(frame.header.procedure == RPC_PROC_DOMAIN_OPEN_CONSOLE &&
				frame.header.status != RPC_CONTINUE && ++n_over <= n_opened);
		else
			require(rpc_keepalive_is(&frame.header) &&
				frame.header.procedure == RPC_KEEPALIVE_PONG);
		if (frame.header.type == RPC_REPLY && frame.header.status == RPC_OK &&
			frame.header.program == RPC_PROGRAM_REMOTE &&
			frame.header.procedure == RPC_PROC_DOMAIN_OPEN_CONSOLE)
			n_opened++;
	}
	return n_opened;
}

static void
check_same(const struct rpc_buffer *a, const struct rpc_buffer *b)
{
	size_t size = rpc_buffer_left(a);

	require(size == rpc_buffer_left(b));
	require(size == 0 || memcmp(rpc_buffer_front(a), rpc_buffer_front(b), size) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t verbs[] = {
		VERBS_VIEW, VERBS_ALL, VERB_VIEW | VERB_POWER, VERB_VIEW | VERB_CONSOLE};
	struct rpc_buffer whole, pieces;
	unsigned n_opened;
	int fds[2];

	if (size < 2)
		return 0;
	n_forgotten = 0;
	require(loop_init(&loop) == 0 && packet_pair(fds) == 0);
	serving_init(&server, &loop, &uplink, occupied, &estate);
	estate_init(&estate, &loop, &uplink, &server);
	estate.state = ESTATE_OPEN;
	start_vm();
	require(uplink_start(&uplink, &loop, fds[1], &ops) == 0);
	rpc_buffer_init(&whole, ANSWERS_MAX);
	rpc_buffer_init(&pieces, ANSWERS_MAX);
	converse(verbs[data[0] % 4], data + 2, size - 2, size, &whole);
	converse(verbs[data[0] % 4], data + 2, size - 2, 1 + data[1] % 61, &pieces);
	n_opened = check_answers(&whole);
	(void)check_answers(&pieces);
	if (n_opened < 2)
		check_same(&whole, &pieces);
	rpc_buffer_fini(&whole);
	rpc_buffer_fini(&pieces);
	server_fini(&server);
	stop_vm();
	estate_fini(&estate);
	uplink_fini(&uplink);
	require(n_forgotten == 2 && server.inflow.granted == 0);
	loop_fini(&loop);
	(void)close(fds[0]);
	return 0;
}
