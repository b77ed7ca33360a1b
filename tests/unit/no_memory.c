/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whichever allocation of a VM's life fails, once: each call is answered, with what was asked for or
 * with an error and nothing done; the next one is served, and nothing is left behind.
 * test: timeout=600 heavy
 *
 * The life is DEFINE, CREATE, its console, statistics, pause, DESTROY, UNDEFINE, with two clients;
 * broker, boxes, QEMU, relay and passt are played as their parts come. The Makefile wraps the calls that allocate;
 * those of libxml2 and jansson come here too (the former's end at
 * the worker's reserve). What fails is what the worker asks for while its loop turns, not what the
 * test itself needs.
 */
#include "tests/unit/test.h"

#include <stdarg.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/unit/descriptors.h"
#include "tests/unit/fake_qemu.h"
#include "tests/unit/worker_domains.h"
#include "tests/unit/worker_events.h"
#include "worker/domain/xml_memory.h"
#include "worker/net/ports.h"
#include "worker/vm/vms.h"

/* As in worker.h. */
__attribute__((used)) static void (*const served_life[])(void) = {
	(void (*)(void))rpc_domain_create,
	(void (*)(void))rpc_domain_open_console,
	(void (*)(void))rpc_connect_get_all_domain_stats,
	(void (*)(void))rpc_domain_memory_stats,
	(void (*)(void))rpc_domain_undefine,
};

enum {
	VM = 1,
	INACTIVE = 2 /* of GET_XML_DESC: without its id */,
	PATIENCE = 300 /* turns of the loop */
};

/* --- the allocation that fails ------------------------------------------------------------ */

static struct {
	bool turning;    /* the worker is at work */
	unsigned long n; /* that it has asked for in this life */
	unsigned long k; /* the one that fails; 0: none */
} memory;

static bool
fails(void)
{
	if (!memory.turning || ++memory.n != memory.k)
		return false;
	errno = ENOMEM;
	return true;
}

/* The names are the linker's. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#define WRAP(type, name, params, ...)                                        \
	type __real_##name params;                                           \
	type __wrap_##name params                                            \
	{                                                                    \
		return fails() ? (type)FAILURE : __real_##name(__VA_ARGS__); \
	}
#define FAILURE NULL
WRAP(void *, malloc, (size_t size), size)
WRAP(void *, calloc, (size_t n, size_t size), n, size)
WRAP(void *, realloc, (void *p, size_t size), p, size)
WRAP(void *, reallocarray, (void *p, size_t n, size_t size), p, n, size)
WRAP(char *, strdup, (const char *text), text)
WRAP(char *, strndup, (const char *text, size_t n), text, n)
WRAP(FILE *, open_memstream, (char **text, size_t *size), text, size)
WRAP(DIR *, opendir, (const char *path), path)
WRAP(DIR *, fdopendir, (int fd), fd)
#undef FAILURE
#define FAILURE (-1)
WRAP(int, vasprintf, (char **ret, const char *fmt, va_list ap), ret, fmt, ap)
/* Those that _FORTIFY_SOURCE makes of them. */
WRAP(int, __vasprintf_chk, (char **ret, int flag, const char *fmt, va_list ap), ret, flag, fmt, ap)

int
__wrap_asprintf(char **ret, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = fails() ? -1 : __real_vasprintf(ret, fmt, ap);
	va_end(ap);
	return r;
}

int
__wrap___asprintf_chk(char **ret, int flag, const char *fmt, ...)
{
	va_list ap;
	int r;

	(void)flag;
	va_start(ap, fmt);
	r = fails() ? -1 : __real_vasprintf(ret, fmt, ap);
	va_end(ap);
	return r;
}

/* --- the others' parts, one message a turn -------------------------------------------------- */

static struct {
	uint32_t lease, last_id;
	int watcher;
	bool let_go;
	char *plan, *xml; /* of the first life: each other's are the same */
} play;

static struct {
	struct loop loop;
	struct ports relay;
	bool relay_runs;
	int seed;     /* the end of the box that becomes passt; -1: it has, or there is none */
	int passt[3]; /* what it was given, its end of the relay's pair last; -1 */
	unsigned n_passt;
} net = {.seed = -1};

static void
net_ends(void)
{
	if (net.relay_runs)
		ports_stop(&net.relay);
	net.relay_runs = false;
	fd_close(&net.seed);
	while (net.n_passt > 0)
		fd_close(&net.passt[--net.n_passt]);
}

/* Nothing of it was lost on the way. */
static void
check_same(char **first, const char *text)
{
	if (!*first)
		*first = strdup(text);
	CHECK_STR(text, *first);
}

static void
to_worker(enum ipc_type type, uint32_t serial, int err, const void *body, size_t size, int fd)
{
	struct {
		struct ipc_header header;
		uint8_t body[64];
	} message = {.header = {.version = IPC_VERSION,
			     .type = (uint16_t)type,
			     .size = (uint16_t)size,
			     .n_fds = fd >= 0,
			     .serial = serial,
			     .err = err}};

	memcpy(message.body, body, size);
	CHECK(packet_send(rig.broker_fd, &message, sizeof(message.header) + size, &fd, fd >= 0) ==
		0);
}

static void
net_begins(const struct ipc_header *header, const struct ipc_net *body)
{
	int pair[2];

	CHECK(body->id == play.lease);
	ASSERT(packet_pair(pair) == 0);
	if (body->kind == IPC_NET_RELAY) {
		net_ends();
		ASSERT(ports_start(&net.relay, &net.loop, pair[1]) == 0);
		net.relay_runs = true;
	} else {
		fd_close(&net.seed);
		while (net.n_passt > 0)
			fd_close(&net.passt[--net.n_passt]);
		net.seed = pair[1];
	}
	to_worker(IPC_NET_READY, header->serial, 0, "", 0, pair[0]);
	fd_close(&pair[0]);
}

static void
broker_plays(const struct ipc_header *header, const void *body)
{
	struct ipc_leased leased = {.pid = (uint32_t)getpid()};
	struct ipc_lease_gone gone = {.id = play.lease, .how = IPC_GONE_ENDED};
	int pair[2];

	if (header->type == IPC_LEASE_NEXT) {
		rig_no_lease(header->serial);
	} else if (header->type == IPC_LEASE) {
		ASSERT(play.lease == 0 && packet_pair(pair) == 0);
		qemu_ends();
		play.lease = leased.id = ++play.last_id;
		qemu.seed = pair[0];
		play.let_go = false;
		to_worker(IPC_LEASED, header->serial, 0, &leased, sizeof(leased), pair[1]);
		fd_close(&pair[1]);
	} else if (header->type == IPC_LEASE_STOP) {
		CHECK(((const struct ipc_lease_stop *)body)->id == play.lease);
		play.lease = 0;
		qemu_ends();
		net_ends();
		to_worker(IPC_LEASE_GONE, 0, 0, &gone, sizeof(gone), -1);
	} else if (header->type == IPC_NET) {
		net_begins(header, body);
	}
}

static void
box_takes_packet(struct packet *packet)
{
	static const char ok[] = "ok landlock 7";
	char kind = (char)packet->data[0], why[PLAN_WHY_MAX];
	size_t size = 0;

	if (kind == PLAN_PACKET_PLAN) {
		ASSERT(memfd_read(packet->fds[0], PLAN_SIZE_MAX, &qemu.plan_text, &size) == 0);
		check_same(&play.plan, qemu.plan_text);
		ASSERT(plan_decode(qemu.plan_text, size, &qemu.plan, why) == 0);
	}
	for (unsigned i = 0; kind == PLAN_PACKET_FDS && i < packet->n_fds; i++)
		if (qemu.log < 0)
			qemu.log = take_fd(&packet->fds[i]);
		else
			qemu.fds[qemu.n_fds++] = take_fd(&packet->fds[i]);
	if (kind == PLAN_PACKET_END) {
		(void)packet_send(qemu.seed, ok, strlen(ok), NULL, 0);
		fd_close(&qemu.seed);
	}
}

static void
box_plays(void)
{
	struct packet packet;
	int r = packet_recv(qemu.seed, &packet);

	if (r == PACKET_E_GONE)
		fd_close(&qemu.seed);
	if (r != 0)
		return;
	box_takes_packet(&packet);
	packet_fini(&packet);
}

/* A box takes what it is given, and is passt. */
static void
passt_plays(void)
{
	static const char ok[] = "ok landlock 7";
	static const uint8_t frame[46] = {0, 0, 0, 42}; /* by which it is known to be ready */
	AUTO(packet_fini) struct packet packet;
	int r = packet_recv(net.seed, &packet);

	if (r == PACKET_E_GONE)
		fd_close(&net.seed);
	if (r != 0)
		return;
	for (unsigned i = 0; i < packet.n_fds && net.n_passt < 3; i++)
		net.passt[net.n_passt++] = take_fd(&packet.fds[i]);
	if (packet.data[0] == PLAN_PACKET_END) {
		(void)packet_send(net.seed, ok, strlen(ok), NULL, 0);
		fd_close(&net.seed);
		if (net.n_passt > 0)
			(void)send(net.passt[net.n_passt - 1], frame, sizeof(frame), MSG_NOSIGNAL);
	}
}

static void
monitor_says(const char *text)
{
	/* A worker that has closed meanwhile is seen at the next read. */
	(void)send(qemu.monitor, text, strlen(text), MSG_NOSIGNAL);
}

static void
monitor_answers(const char *line, size_t n)
{
	const struct {
		const char *command, *value;
	} answers[] = {
		{"query-uuid", "{\"UUID\":\"00000000-0000-4000-8000-000000000001\"}"},
		{"query-status", play.let_go ? "{\"status\":\"running\",\"running\":true}"
					     : "{\"status\":\"prelaunch\",\"running\":false}"},
		{"query-balloon", "{\"actual\":33554432}"},
		{"query-hotpluggable-cpus", "[" QEMU_NO_CPU(1) "," QEMU_CPU(0) "]"},
		{"query-blockstats", "[]"},
		{"query-named-block-nodes", "[]"},
		{"query-cpus-fast", "[]"},
		{"qom-get", "{\"last-update\":0,\"stats\":{}}"},
	};
	json_t *message = json_loadb(line, n, 0, NULL);
	const char *command = json_string_value(json_object_get(message, "execute"));
	const char *value = "{}";
	char text[512];

	for (size_t i = 0; command && i < sizeof(answers) / sizeof(answers[0]); i++)
		if (strcmp(command, answers[i].command) == 0)
			value = answers[i].value;
	if (!command) {
		printf("# QEMU is told: %.*s\n", (int)n, line);
		test_this_failed = 1;
	}
	play.let_go |= command && strcmp(command, "cont") == 0;
	if (command && strcmp(command, "cont") == 0)
		monitor_says("{\"timestamp\":{},\"event\":\"RESUME\"}\n");
	if (command && strcmp(command, "stop") == 0)
		monitor_says("{\"timestamp\":{},\"event\":\"STOP\"}\n");
	qemu_notes(message);
	(void)snprintf(text, sizeof(text), "{\"return\":%s%s", value, qemu_id());
	json_decref(message);
	monitor_says(text);
}

/* Commands are small: one that has come has come whole. */
static void
qemu_plays(void)
{
	char text[16384], *end;
	ssize_t n;

	if (qemu.monitor < 0) {
		qemu.monitor = accept4(
			qemu_listener("charmonitor"), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (qemu.monitor >= 0)
			monitor_says(QEMU_GREETING);
		return;
	}
	n = recv(qemu.monitor, text, sizeof(text), 0);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		fd_close(&qemu.monitor);
	for (char *at = text; n > 0 && at < text + n; at = end) {
		end = memchr(at, '\n', (size_t)(text + n - at));
		ASSERT(end++);
		monitor_answers(at, (size_t)(end - at));
	}
}

static void
watcher_plays(void)
{
	char text[4096];

	while (play.watcher >= 0 && recv(play.watcher, text, sizeof(text), 0) > 0)
		;
}

int __real_loop_once(struct loop *loop, int timeout_ms);

/* The worker's turn, then everybody else's. */
int
__wrap_loop_once(struct loop *loop, int timeout_ms)
{
	int r;

	memory.turning = true;
	r = __real_loop_once(loop, timeout_ms);
	memory.turning = false;
	if (qemu.seed >= 0)
		box_plays();
	else if (qemu.n_fds > 0)
		qemu_plays();
	if (net.seed >= 0)
		passt_plays();
	if (net.relay_runs)
		CHECK(__real_loop_once(&net.loop, 0) == 0);
	watcher_plays();
	return r;
}

/* --- a life ------------------------------------------------------------------------------- */

enum did { DID, DID_NOT, UNKNOWN /* the connection ended instead of an answer */ };

static struct {
	int client;
	struct rpc_domain dom;
	unsigned n_descriptors;
	unsigned long n_errors, n_ended, n_nothing;
} life;

static bool
has_failed(void)
{
	return memory.k > 0 && memory.n >= memory.k;
}

static void
connect_client(void)
{
	struct rpc_connect_open_args args = {
		.name = rpc_arena_strdup(&rig.arena, "qemu:///system")};

	fd_close(&life.client);
	do {
		fd_close(&life.client);
		life.client = rig_connect(VERBS_ALL);
	} while (call(life.client, RPC_PROC_CONNECT_OPEN, &args, NULL) != 0 && !test_this_failed);
}

static enum did
attempt(int32_t procedure, const void *args, void *ret)
{
	int r = call(life.client, procedure, args, ret);

	if (r == 0)
		return DID;
	if (r > 0) {
		life.n_errors++;
		/* Whatever was done: what was to be said of it found no room. */
		return call_error.code == VIR_ERR_RPC ? UNKNOWN : DID_NOT;
	}
	life.n_ended++;
	CHECK(has_failed());
	connect_client();
	return UNKNOWN;
}

static bool
is_defined(void)
{
	return access(".qemud/domains/vm.xml", F_OK) == 0;
}

static bool
runs(void)
{
	return farm_domain(VM) && farm_domain(VM)->vm;
}

static enum did
define(void)
{
	struct rpc_domain_define_xml_args args = {.xml = farm_xml("vm", VM,
							  "<title>t</title><metadata><a:b "
							  "xmlns:a='urn:a'>c</a:b></metadata>"
							  "<devices><serial type='pty'/>"
							  "<interface type='user'><mac "
							  "address='52:54:00:00:00:01'/>"
							  "<model type='virtio'/></interface>"
							  "<video><model type='vga'/></video>"
							  "</devices>")};
	struct rpc_domain_define_xml_ret ret = {0};

	return attempt(RPC_PROC_DOMAIN_DEFINE_XML, &args, &ret);
}

static enum did
by_domain(int32_t procedure, void *ret)
{
	struct rpc_domain_create_args args = {.dom = life.dom};

	return attempt(procedure, &args, ret);
}

static enum did
start(void)
{
	return by_domain(RPC_PROC_DOMAIN_CREATE, NULL);
}

static enum did
list(void)
{
	struct rpc_connect_list_all_domains_args args = {.need_results = 1};
	struct rpc_connect_list_all_domains_ret ret = {0};

	return attempt(RPC_PROC_CONNECT_LIST_ALL_DOMAINS, &args, &ret);
}

static enum did
describe(void)
{
	struct rpc_domain_get_xml_desc_args args = {.dom = life.dom, .flags = INACTIVE};
	struct rpc_domain_get_xml_desc_ret ret = {0};
	enum did did = attempt(RPC_PROC_DOMAIN_GET_XML_DESC, &args, &ret);

	if (did == DID)
		check_same(&play.xml, ret.xml);
	return did;
}

/* On a connection of its own, which takes the stream with it. */
static enum did
open_console(void)
{
	struct rpc_domain_open_console_args args = {.dom = life.dom, .flags = 1};
	enum did did = attempt(RPC_PROC_DOMAIN_OPEN_CONSOLE, &args, NULL);

	if (did == DID)
		connect_client();
	return did;
}

static enum did
get_stats(void)
{
	struct rpc_connect_get_all_domain_stats_args args = {.stats = 0};
	struct rpc_connect_get_all_domain_stats_ret ret = {0};

	return attempt(RPC_PROC_CONNECT_GET_ALL_DOMAIN_STATS, &args, &ret);
}

static enum did
get_memory(void)
{
	struct rpc_domain_memory_stats_args args = {.dom = life.dom, .maxStats = 16};
	struct rpc_domain_memory_stats_ret ret = {0};

	return attempt(RPC_PROC_DOMAIN_MEMORY_STATS, &args, &ret);
}

static enum did
pause_it(void)
{
	return by_domain(RPC_PROC_DOMAIN_SUSPEND, NULL);
}

static enum did
resume(void)
{
	return by_domain(RPC_PROC_DOMAIN_RESUME, NULL);
}

static enum did
destroy(void)
{
	return by_domain(RPC_PROC_DOMAIN_DESTROY, NULL);
}

static enum did
undefine(void)
{
	return by_domain(RPC_PROC_DOMAIN_UNDEFINE, NULL);
}

static const struct act {
	const char *name;
	enum did (*fn)(void);
	bool (*has)(void); /* what it changes; NULL: nothing, and it may be done twice */
	bool changes_to, by_qemu;
} acts[] = {
	{"define", define, is_defined, true, false},
	{"list", list, NULL, false, false},
	{"start", start, runs, true, false},
	{"describe", describe, NULL, false, false},
	{"console", open_console, NULL, false, false},
	{"stats", get_stats, NULL, false, false},
	{"memory stats", get_memory, NULL, false, false},
	{"suspend", pause_it, NULL, false, true},
	{"resume", resume, NULL, false, true},
	{"destroy", destroy, runs, false, false},
	{"undefine", undefine, is_defined, false, false},
};

static void
complain(const struct act *what, const char *of)
{
	printf("# %s: %s: %d %s\n", what->name, of, call_error.code,
		call_error.message ? call_error.message : "");
	test_this_failed = 1;
}

/* QEMU may have done what was asked at first, and its answer found no room. */
static bool
is_done(const struct act *what)
{
	return what->fn() == DID || (what->by_qemu && call_error.code == VIR_ERR_OPERATION_INVALID);
}

/* Once, or a second time where the allocation that fails was in the first. */
static void
act(const struct act *what)
{
	enum did did = what->fn();
	bool done;

	if (what->has && did != UNKNOWN && what->has() != (what->changes_to == (did == DID)))
		complain(what, "what was answered is not what has happened");
	if (did == DID)
		return;
	if (!has_failed())
		complain(what, "not done, though no allocation failed");
	for (int i = 0; i < 3; i++)
		rig_turn(0);
	if (what->has && what->has() == what->changes_to)
		return;
	/* A monitor that was lost is soon there again. */
	done = is_done(what);
	for (int i = 0; !done && i < PATIENCE; i++) {
		rig_turn(10);
		done = is_done(what);
	}
	if (!done)
		complain(what, "not done the second time either");
}

static void
watch(void)
{
	struct rpc_connect_domain_event_callback_register_any_args args = {.eventID = LIFECYCLE};
	struct rpc_connect_domain_event_callback_register_any_ret ret = {.callbackID = -1};
	int sock;

	do {
		sock = rig_connect(VERBS_VIEW);
		if (call(sock, RPC_PROC_CONNECT_OPEN,
			    &(struct rpc_connect_open_args){
				    .name = rpc_arena_strdup(&rig.arena, "qemu:///system")},
			    NULL) == 0 &&
			call(sock, RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, &args,
				&ret) == 0)
			break;
		fd_close(&sock);
		CHECK(has_failed());
	} while (!test_this_failed);
	play.watcher = sock;
}

static void
live(unsigned long k)
{
	unsigned long before = life.n_errors + life.n_ended;

	memory.k = k;
	memory.n = 0;
	connect_client();
	watch();
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]) && !test_this_failed; i++)
		act(&acts[i]);
	fd_close(&play.watcher);
	fd_close(&life.client);
	rig_wait(0);
	for (int i = 0; i < 5; i++)
		rig_turn(0);
	qemu_ends();
	net_ends();
	CHECK(play.lease == 0 && rig.estate.vms.n == 0 && rig.estate.jobs.n == 0);
	CHECK(!farm_domain(VM));
	if (k > 1)
		CHECK(n_descriptors() == life.n_descriptors);
	life.n_nothing += before == life.n_errors + life.n_ended;
	rpc_arena_fini(&rig.arena);
	rpc_arena_init(&rig.arena, (size_t)256 << 20);
}

/* --- all of them -------------------------------------------------------------------------- */

static void
every_allocation(void)
{
	const char *asked = getenv("TEST_SEED");
	unsigned long seed = asked ? strtoul(asked, NULL, 10) : (unsigned long)time(NULL);
	/* Every one in the long set; elsewhere another part at each run. */
	unsigned long n, step = getenv("TEST_LONG") ? 1 : 6;

	farm_start();
	ASSERT(chdir(farm_root) == 0 && mkdir("run", 0700) == 0);
	ASSERT(loop_init(&net.loop) == 0);
	life.client = play.watcher = -1;
	rig.told = broker_plays;
	farm_uuid(VM, life.dom.uuid);
	life.dom.name = strdup("vm");
	/* What is made once is made, and the number is known. */
	live(0);
	live(0);
	n = memory.n;
	life.n_descriptors = n_descriptors();
	ASSERT(n > 100);
	life.n_nothing = life.n_errors = life.n_ended = 0;
	printf("# TEST_SEED=%lu\n", seed);
	for (unsigned long k = 1 + seed % step; k <= n; k += step) {
		live(k);
		if (test_this_failed) {
			printf("# when allocation %lu of %lu failed\n", k, n);
			break;
		}
	}
	printf("# %lu allocations: %lu times an error, %lu times the end of a connection, %lu "
	       "times "
	       "nothing\n",
		n, life.n_errors, life.n_ended, life.n_nothing);
	loop_fini(&net.loop);
	free(life.dom.name);
	free(play.plan);
	free(play.xml);
	ASSERT(chdir("/") == 0);
	farm_stop();
}

int
main(void)
{
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	/* Before either has allocated anything. */
	if (!getenv("NOXML"))
		ASSERT(xml_memory_set_up() == 0);
	json_set_alloc_funcs(__wrap_malloc, free);
	TEST("a VM lives, whichever allocation fails", every_allocation);
	return TEST_END();
}
