/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker_console.h: the rig of worker.h with VMs that run and have consoles, and a client's packets
 * of streams.
 */
#ifndef TESTS_UNIT_WORKER_CONSOLE_H
#define TESTS_UNIT_WORKER_CONSOLE_H

#include "tests/unit/domain_env.h"
#include "tests/unit/worker.h"
#include "worker/vm/vm.h"

/* As in worker.h. */
__attribute__((used)) static void (*const served_consoles[])(void) = {
	(void (*)(void))rpc_domain_open_channel,
	(void (*)(void))rpc_domain_open_console,
};

enum {
	VMS = 6, /* each with all the serial ports that there may be */
	FORCE = 1,
	SAFE = 2
};

static struct vm vms[VMS];
static int guest; /* QEMU's end of the first console of the first VM; the others have none */

/* --- VMs that run ------------------------------------------------------------------------- */

static inline struct domain_def *
make_live(unsigned number)
{
	struct domain_def *live = NULL;
	struct rpc_error why;
	char xml[2048];
	int n;

	n = snprintf(xml, sizeof(xml),
		"<domain type='qemu' id='%u'><name>vm%u</name>"
		"<uuid>00000000-0000-4000-8000-%012u</uuid><memory unit='MiB'>64</memory>"
		"<vcpu>1</vcpu><os><type>hvm</type></os><devices>",
		number + 1, number, number);
	for (unsigned i = 0; i < DOMAIN_ISA_SERIALS_MAX; i++)
		n += snprintf(xml + n, sizeof(xml) - (size_t)n,
			"<serial type='pty'><target type='isa-serial' port='%u'/>"
			"<alias name='serial%u'/></serial>",
			i, i);
	n += snprintf(xml + n, sizeof(xml) - (size_t)n, "</devices></domain>");
	if (domain_def_parse(xml, (size_t)n, DOMAIN_DEF_LIVE, &domain_tcg, &why, &live) != 0)
		printf("# %s\n", why.message);
	ASSERT(live);
	return live;
}

static inline void
connect_guest(void)
{
	int fds[2];

	ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	guest = fds[0];
	ASSERT(console_connect(&vms[0].consoles[0], fds[1]) == 0);
}

static inline void
start(void)
{
	rig_start();
	for (unsigned i = 0; i < VMS; i++) {
		struct domain *domain = domains_add_transient(&rig.estate.domains, make_live(i));

		ASSERT(domain && domain->live->n_serials == DOMAIN_ISA_SERIALS_MAX);
		domain->id = (int32_t)i + 1;
		domain->state = DOMAIN_STATE_RUNNING;
		domain->vm = &vms[i];
		for (unsigned j = 0; j < DOMAIN_ISA_SERIALS_MAX; j++)
			console_init(&vms[i].consoles[j], &rig.loop, NULL);
	}
	connect_guest();
}

static inline void
end_vm(unsigned i)
{
	for (unsigned j = 0; j < DOMAIN_ISA_SERIALS_MAX; j++)
		console_close(&vms[i].consoles[j]);
}

static inline void
stop(void)
{
	struct domain *domain;

	for (unsigned i = 0; i < VMS; i++)
		end_vm(i);
	TAILQ_FOREACH (domain, &rig.estate.domains.all, entry)
		domain->vm = NULL;
	fd_close(&guest);
	rig_stop();
}

static inline void
guest_says(const char *text)
{
	ASSERT(write(guest, text, strlen(text)) == (ssize_t)strlen(text));
	rig_turn(0);
}

/* Wait until the guest has been told exactly this. */
static inline void
check_guest_hears(const char *want)
{
	char text[256] = "";
	size_t n = 0;

	for (unsigned i = 0; n < strlen(want) && i < 100; i++) {
		ssize_t got = read(guest, text + n, sizeof(text) - 1 - n);

		n += got > 0 ? (size_t)got : 0;
		rig_turn(got > 0 ? 0 : 10);
	}
	CHECK_STR(text, want);
	CHECK(read(guest, text, 1) < 0 && errno == EAGAIN);
}

/* --- a client's packets ------------------------------------------------------------------- */

static inline struct rpc_header
stream_header(uint32_t serial, uint32_t status)
{
	struct rpc_header header = call_header(RPC_PROC_DOMAIN_OPEN_CONSOLE, serial);

	header.type = RPC_STREAM;
	header.status = status;
	return header;
}

static inline void
append_open(
	struct rpc_buffer *buffer, uint32_t serial, unsigned vm, const char *alias, uint32_t flags)
{
	struct rpc_domain_open_console_args args = {
		.dom = {.name = rpc_arena_strdup(&rig.arena, "vm")}, .flags = flags};

	args.dom.uuid[6] = 0x40;
	args.dom.uuid[8] = 0x80;
	args.dom.uuid[15] = (uint8_t)vm;
	args.dev_name = alias ? rpc_arena_strdup(&rig.arena, alias) : NULL;
	append_call(buffer, RPC_PROC_DOMAIN_OPEN_CONSOLE, serial, &args);
}

static inline void
append_stream(struct rpc_buffer *buffer, uint32_t serial, uint32_t status, const char *data)
{
	struct rpc_header header = stream_header(serial, status);
	uint8_t packet[256];

	ASSERT(rpc_buffer_append(buffer, packet,
		       raw_frame(packet, &header, data, data ? strlen(data) : 0)) == 0);
}

/* Open it and read the reply: as call(). */
static inline int
open_console(int sock, uint32_t serial, unsigned vm, const char *alias, uint32_t flags)
{
	struct rpc_header header = call_header(RPC_PROC_DOMAIN_OPEN_CONSOLE, serial);
	struct rpc_buffer buffer;
	int r = -1;

	rpc_buffer_init(&buffer, 4096);
	append_open(&buffer, serial, vm, alias, flags);
	if (send_all(sock, rpc_buffer_front(&buffer), rpc_buffer_left(&buffer)))
		r = read_reply(sock, &header, NULL);
	rpc_buffer_fini(&buffer);
	return r;
}

static inline bool
send_stream(int sock, uint32_t serial, uint32_t status, const char *data)
{
	struct rpc_header header = stream_header(serial, status);

	return send_raw(sock, &header, data, data ? strlen(data) : 0);
}

/* The next packet has to be of that stream, with that status; its payload. */
static inline struct rpc_frame
receive_stream(int sock, uint32_t serial, uint32_t status)
{
	struct rpc_frame frame = {.size = 0};

	CHECK(receive_frame(sock, &frame));
	CHECK(frame.header.program == RPC_PROGRAM_REMOTE && frame.header.version == RPC_VERSION);
	CHECK(frame.header.procedure == RPC_PROC_DOMAIN_OPEN_CONSOLE);
	CHECK(frame.header.type == RPC_STREAM && frame.header.serial == serial);
	CHECK(frame.header.status == status);
	return frame;
}

static inline void
check_data(int sock, uint32_t serial, const char *want)
{
	struct rpc_frame frame = receive_stream(sock, serial, RPC_CONTINUE);

	CHECK(frame.size == strlen(want) && memcmp(frame.payload, want, frame.size) == 0);
}

static inline void
check_empty(int sock, uint32_t serial, uint32_t status)
{
	CHECK(receive_stream(sock, serial, status).size == 0);
}

/* A stream's error, decoded, that has this in its words. */
static inline void
check_error(const struct rpc_frame *frame, const char *words)
{
	struct rpc_remote_error error = {.code = 0};

	CHECK(rpc_decode(&rpc_shapes[RPC_SHAPE_REMOTE_ERROR], frame->payload, frame->size,
		      &rig.arena, &error) == 0);
	CHECK(error.code == VIR_ERR_RPC && error.domain == VIR_FROM_STREAMS && error.level == 2);
	CHECK(error.message && strstr(error.message, words));
}

static inline void
check_failed(int sock, uint32_t serial, const char *words)
{
	struct rpc_frame frame = receive_stream(sock, serial, RPC_ERROR);

	check_error(&frame, words);
}

/* The connection still works, and nothing else is waiting to be read. */
static inline void
check_alive(int sock)
{
	struct rpc_connect_get_type_ret type = {0};

	CHECK(call(sock, RPC_PROC_CONNECT_GET_TYPE, NULL, &type) == 0);
}

static inline int
connect_client(void)
{
	call_serial = 1000;
	return rig_open(VERBS_ALL);
}

#endif
