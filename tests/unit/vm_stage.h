/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vm_stage.h: one VM, its broker, its box and its QEMU (fake_qemu.h), all played by the test, and
 * two clients: one asks, one is told what happens.
 */
#ifndef TESTS_UNIT_VM_STAGE_H
#define TESTS_UNIT_VM_STAGE_H

#include <fcntl.h>
#include <sys/stat.h>

#include "tests/unit/descriptors.h"
#include "tests/unit/fake_qemu.h"
#include "tests/unit/worker_domains.h"
#include "tests/unit/worker_events.h"
#include "worker/vm/status.h"
#include "worker/vm/vms.h"

/* As in worker.h. */
__attribute__((used)) static void (*const served_power[])(void) = {
	(void (*)(void))rpc_domain_create,
};

enum { VM = 1, ID = 7, LEASES = 4 }; /* of the VM, of its lease */

static struct {
	int client, watcher;
	struct rpc_domain dom;
	unsigned n_descriptors;
	/* What the broker was asked. */
	uint32_t lease_serial, next_serial; /* 0: nothing that waits for an answer */
	uint32_t next_after;
	uint32_t change_serial; /* of the last LEASE_CHANGE; 0: none that waits */
	struct ipc_lease lease;
	unsigned n_stops;
	uint32_t stopped; /* the id of the last LEASE_STOP */
	char told[512];
} stage;

/* --- the broker --------------------------------------------------------------------------- */

static inline void
broker_told(const struct ipc_header *header, const void *body)
{
	if (header->type == IPC_LEASE) {
		stage.lease_serial = header->serial;
		memcpy(&stage.lease, body, sizeof(stage.lease));
	} else if (header->type == IPC_LEASE_CHANGE) {
		stage.change_serial = header->serial;
	} else if (header->type == IPC_LEASE_NEXT) {
		stage.next_serial = header->serial;
		stage.next_after = ((const struct ipc_lease_next *)body)->after;
	} else if (header->type == IPC_LEASE_STOP) {
		stage.n_stops++;
		stage.stopped = ((const struct ipc_lease_stop *)body)->id;
	}
}

/* Does not turn the loop: several messages may come at once. */
static inline void
broker_sends(enum ipc_type type, uint32_t serial, int err, const void *body, size_t size, int fd)
{
	struct {
		struct ipc_header header;
		uint8_t body[256];
	} message = {.header = {.version = IPC_VERSION,
			     .type = (uint16_t)type,
			     .size = (uint16_t)size,
			     .n_fds = fd >= 0,
			     .serial = serial,
			     .err = err}};

	if (body)
		memcpy(message.body, body, size);
	CHECK(packet_send(rig.broker_fd, &message, sizeof(message.header) + size, &fd, fd >= 0) ==
		0);
}

static inline void
broker_grants(uint32_t id)
{
	struct ipc_leased leased = {.id = id, .pid = (uint32_t)getpid()};
	int pair[2];

	ASSERT(stage.lease_serial != 0 && packet_pair(pair) == 0);
	qemu.seed = pair[0];
	broker_sends(IPC_LEASED, stage.lease_serial, 0, &leased, sizeof(leased), pair[1]);
	fd_close(&pair[1]);
	stage.lease_serial = 0;
	rig_turn(0);
}

static inline void
broker_changes_lease(int err)
{
	broker_sends(IPC_LEASE_CHANGED, stage.change_serial, err, NULL, 0, -1);
	stage.change_serial = 0;
}

static inline void
broker_refuses(int err)
{
	ASSERT(stage.lease_serial != 0);
	broker_sends(IPC_LEASED, stage.lease_serial, err, NULL, sizeof(struct ipc_leased), -1);
	stage.lease_serial = 0;
	rig_turn(0);
}

static inline void
broker_refuses_because(const char *why)
{
	struct ipc_lease_refused body = {.why = ""};

	(void)snprintf(body.why, sizeof(body.why), "%s", why);
	broker_sends(IPC_LEASE_REFUSED, 0, 0, &body, sizeof(body), -1);
	broker_refuses(-EDQUOT);
}

static inline void
broker_says_gone_how(uint32_t id, enum ipc_gone how)
{
	struct ipc_lease_gone gone = {.id = id, .how = how, .limit_kib = 345678};

	broker_sends(IPC_LEASE_GONE, 0, 0, &gone, sizeof(gone), -1);
}

static inline void
broker_says_gone(uint32_t id)
{
	broker_says_gone_how(id, IPC_GONE_ENDED);
}

/* Nothing runs any more: what had to be told is told. */
static inline void
broker_ends(uint32_t id)
{
	qemu_ends();
	broker_says_gone(id);
	for (int i = 0; i < 4; i++)
		rig_turn(0);
}

/* --- clients ------------------------------------------------------------------------------ */

/* Calls about the VM that have the same arguments: the domain, or flags behind it. */
static inline struct rpc_header
ask(int sock, int32_t procedure, uint32_t flags)
{
	struct rpc_domain_destroy_flags_args args = {.dom = stage.dom, .flags = flags};

	return send_call(sock, procedure, &args);
}

static inline struct rpc_header
ask_start(uint32_t flags)
{
	return ask(stage.client, RPC_PROC_DOMAIN_CREATE_WITH_FLAGS, flags);
}

static inline void
check_failed(const struct rpc_header *header, int sock, int code, const char *words)
{
	CHECK(read_reply(sock, header, NULL) == code);
	if (!call_error.message || !strstr(call_error.message, words))
		CHECK_STR(call_error.message, words);
}

static inline void
check_started(const struct rpc_header *header)
{
	struct rpc_domain_create_with_flags_ret ret = {.dom = {.id = -1}};

	CHECK(read_reply(stage.client, header, &ret) == 0);
	CHECK(ret.dom.id == ID);
	CHECK_STR(ret.dom.name, "vm");
}

/* Ask by another connection, and have the answer at once: 0, or the error's code. */
static inline int
ask_now(int32_t procedure, uint32_t flags)
{
	int sock = rig_open(VERBS_ALL);
	struct rpc_header header = ask(sock, procedure, flags);
	int r = read_reply(sock, &header, NULL);

	fd_close(&sock);
	return r;
}

/* What the watcher has been told since it was asked last: "started 0, suspended 0". */
static inline const char *
told(void)
{
	static const char *const words[] = {"defined", "undefined", "started", "suspended",
		"resumed", "stopped", "shutdown", "pmsuspended", "crashed"};
	size_t n = 0;

	stage.told[0] = '\0';
	while (!is_silent(stage.watcher)) {
		struct rpc_domain_event_callback_lifecycle_msg msg = receive_event(stage.watcher);

		ASSERT(msg.event >= 0 && msg.event < 9);
		CHECK_STR(msg.dom.name, "vm");
		/* What has stopped has no id any more. */
		CHECK(msg.event < EVENT_STARTED ||
			msg.dom.id == (msg.event == EVENT_STOPPED ? -1 : ID));
		n += (size_t)snprintf(stage.told + n, sizeof(stage.told) - n, "%s%s %d",
			n > 0 ? ", " : "", words[msg.event], msg.detail);
	}
	return stage.told;
}

static inline struct vm *
the_vm(void)
{
	return farm_domain(VM)->vm;
}

static inline void
check_state(enum domain_state state, int32_t reason)
{
	const struct domain *domain = farm_domain(VM);

	CHECK(domain && domain->state == state && domain->reason == reason);
	if (domain && (domain->state != state || domain->reason != reason))
		printf("# state %d, reason %d\n", (int)domain->state, domain->reason);
}

/* --- what is there ------------------------------------------------------------------------ */

/* How many files there are in the run-time folder. */
static inline unsigned
n_files(void)
{
	DIR *dir = opendir(".");
	unsigned n = 0;

	ASSERT(dir);
	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n - 2;
}

/* It is shut off, and nothing of it is left here. */
static inline void
check_nothing_left(int32_t reason)
{
	const struct domain *domain = farm_domain(VM);

	qemu_ends();
	for (int i = 0; i < 3; i++)
		rig_turn(0);
	check_state(DOMAIN_STATE_SHUTOFF, reason);
	CHECK(domain && domain->id == -1 && !domain->live && !domain->vm);
	CHECK(rig.estate.vms.n == 0 && rig.estate.jobs.n == 0 && n_files() == 0);
	CHECK(n_descriptors() == stage.n_descriptors);
}

static inline void
pass_time(struct timer *timer)
{
	CHECK(timer_is_set(timer));
	timer_set(&rig.loop, timer, 0, timer->fn);
	rig_turn(0);
}

/* The step that the VM's op waits in has no more time. */
static inline void
no_more_time(void)
{
	pass_time(&TAILQ_FIRST(&the_vm()->ops)->job.deadline);
}

/* --- begin and end ------------------------------------------------------------------------ */

/* Defined with these elements, with nothing begun. */
static inline void
stage_open(const char *more)
{
	stage = (typeof(stage)){.client = -1};
	farm_start();
	rig.told = broker_told;
	ASSERT(chdir(farm_root) == 0 && mkdir("run", 0700) == 0 && chdir("run") == 0);
	stage.client = rig_open(VERBS_ALL);
	stage.watcher = rig_open(VERBS_VIEW);
	CHECK(farm_define(stage.client, "vm", VM, more, &stage.dom) == 0);
	(void)subscribe(stage.watcher, LIFECYCLE, NULL);
	stage.n_descriptors = n_descriptors();
}

/* The worker leaves, whatever it is at; nothing of it is left. */
static inline void
stage_close(void)
{
	vms_fini(&rig.estate.vms);
	for (int i = 0; i < 4; i++)
		rig_turn(0);
	CHECK(rig.estate.vms.n == 0 && rig.estate.jobs.n == 0);
	fd_close(&stage.client);
	fd_close(&stage.watcher);
	rig_wait(0);
	CHECK(heap_first(&rig.loop.timers) == NULL);
	qemu_ends();
	ASSERT(chdir("/") == 0);
	farm_stop();
}

/* With a kernel that takes several turns of the loop to copy, and has been asked to start. */
static inline struct rpc_header
stage_copy(void)
{
	char more[256];
	struct rpc_header start;

	stage_open("");
	ASSERT(system("truncate -s 64M ../kernel") == 0);
	(void)snprintf(more, sizeof(more),
		"<domain type='qemu'><name>vm</name><uuid>00000000-0000-4000-8000-000000000001"
		"</uuid><memory "
		"unit='MiB'>64</memory><os><type>hvm</type><kernel>%s/kernel</kernel>"
		"</os></domain>",
		farm_root);
	CHECK(call(stage.client, RPC_PROC_DOMAIN_DEFINE_XML,
		      &(struct rpc_domain_define_xml_args){.xml = more},
		      &(struct rpc_domain_define_xml_ret){.dom = {.id = 0}}) == 0);
	(void)told();
	start = ask_start(0);
	for (int i = 0; i < 3; i++)
		rig_turn(0);
	CHECK(the_vm() && stage.lease_serial == 0);
	return start;
}

/* --- a start, as far as wanted ------------------------------------------------------------ */

enum at {
	AT_BEGIN,    /* asked for in this turn of the loop */
	AT_LEASE,    /* the broker has not answered */
	AT_SEED,     /* the box has not answered */
	AT_EXEC,     /* it has said ok, and not become QEMU */
	AT_GREETING, /* QEMU has not greeted */
	AT_CAPABILITIES,
	AT_UUID,
	AT_STATUS, /* nor answered this question */
	AT_CONT,
	AT_RUN, /* the start is over */
	N_AT
};

static inline void
go_to(enum at at)
{
	static char uuid[] = "{\"UUID\":\"00000000-0000-4000-8000-000000000001\"}";

	for (int i = 0; at >= AT_LEASE && stage.lease_serial == 0 && i < 100; i++)
		rig_turn(0);
	if (at >= AT_SEED) {
		broker_grants(ID);
		box_takes();
	}
	if (at == AT_EXEC)
		box_says("ok landlock 7");
	if (at > AT_EXEC)
		box_becomes_qemu();
	if (at >= AT_CAPABILITIES) {
		qemu_greets();
		qemu_hears("qmp_capabilities");
	}
	if (at >= AT_UUID) {
		qemu_answers("{}");
		qemu_hears("query-uuid");
	}
	if (at >= AT_STATUS) {
		qemu_answers(uuid);
		qemu_hears("query-status");
	}
	if (at >= AT_CONT) {
		qemu_answers("{\"status\":\"prelaunch\",\"running\":false}");
		qemu_hears("balloon");
		qemu_answers("{}");
		qemu_hears("cont");
	}
	if (at >= AT_RUN) {
		qemu_tells("RESUME", NULL);
		qemu_answers("{}");
	}
}

/* Running, with all that was told of the start told. */
static inline void
stage_run(const char *more)
{
	struct rpc_header start;

	stage_open(more);
	start = ask_start(0);
	go_to(AT_RUN);
	check_started(&start);
	CHECK_STR(told(), "resumed 0, started 0");
}

#endif
