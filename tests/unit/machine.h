/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * machine.h: the stage of vm_stage.h played by itself: a broker that grants every lease and ends what
 * it is told to end, and a QEMU that answers whatever it is asked, so that a test can send any calls.
 */
#ifndef TESTS_UNIT_MACHINE_H
#define TESTS_UNIT_MACHINE_H

#include "tests/unit/vm_stage.h"

#define MACHINE_NAME "vm"
#define MACHINE_XML                                                                       \
	"<domain type='qemu'><name>vm</name>"                                             \
	"<uuid>00000000-0000-4000-8000-000000000001</uuid><memory unit='MiB'>64</memory>" \
	"<vcpu>1</vcpu><os><type>hvm</type></os><devices>"                                \
	"<serial type='pty'/><graphics type='vnc'/><video><model type='vga'/></video>"    \
	"</devices></domain>"

static struct {
	bool runs; /* it is to run */
	uint32_t id;
	char line[65536];
	size_t n_line;
} machine;

/* --- QEMU ----------------------------------------------------------------------------------- */

/* What it says to a command: all that any of them has, so that every handler finds something. */
static inline const char *
machine_answer(const char *command)
{
	if (strcmp(command, "query-uuid") == 0)
		return "{\"UUID\":\"00000000-0000-4000-8000-000000000001\"}";
	if (strcmp(command, "query-status") == 0)
		return "{\"status\":\"running\",\"running\":true}";
	if (strcmp(command, "query-balloon") == 0)
		return "{\"actual\":67108864}";
	if (strcmp(command, "query-hotpluggable-cpus") == 0)
		return "[" QEMU_NO_CPU(1) "," QEMU_CPU(0) "]";
	if (strcmp(command, "add-fd") == 0)
		return "{\"fdset-id\":1,\"fd\":7}";
	if (strcmp(command, "query-blockstats") == 0 ||
		strcmp(command, "query-named-block-nodes") == 0)
		return "[]";
	return "{}";
}

static inline void
machine_hears_line(void)
{
	json_t *message = json_loadb(machine.line, machine.n_line, 0, NULL);
	const char *command = json_string_value(json_object_get(message, "execute"));

	machine.n_line = 0;
	if (command) {
		qemu_notes(message);
		qemu_answers(machine_answer(command));
		if (strcmp(command, "stop") == 0)
			qemu_tells("STOP", NULL);
		if (strcmp(command, "cont") == 0)
			qemu_tells("RESUME", NULL);
		if (strcmp(command, "quit") == 0)
			broker_ends(machine.id);
	}
	json_decref(message);
}

static inline void
machine_hears(void)
{
	char got;

	if (qemu.monitor < 0 && qemu.n_fds > 0 && qemu.seed < 0) {
		qemu.monitor = accept4(
			qemu_listener("charmonitor"), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (qemu.monitor >= 0)
			qemu_says(QEMU_GREETING);
	}
	while (qemu.monitor >= 0 && recv(qemu.monitor, &got, 1, MSG_DONTWAIT) == 1) {
		ASSERT(machine.n_line < sizeof(machine.line));
		machine.line[machine.n_line++] = got;
		if (got == '\n')
			machine_hears_line();
	}
}

/* --- the broker ----------------------------------------------------------------------------- */

/* One turn of all that is there. */
static inline void
machine_turn(int timeout_ms)
{
	rig_turn(timeout_ms);
	if (stage.lease_serial != 0) {
		machine.n_line = 0;
		broker_grants(++machine.id);
		box_takes();
		box_becomes_qemu();
	}
	machine_hears();
	if (stage.n_stops > 0) {
		stage.n_stops = 0;
		broker_ends(stage.stopped);
	}
}

/* --- clients -------------------------------------------------------------------------------- */

/* False when the worker has closed. */
static inline bool
machine_sends(int sock, const uint8_t *data, size_t size)
{
	for (unsigned i = 0; size > 0 && i < TURNS; i++) {
		ssize_t n = send(sock, data, size, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return false;
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
		machine_turn(0);
	}
	return size == 0;
}

/* Receive exactly size bytes. False when the worker has closed, or nothing comes. */
static inline bool
machine_receives_all(int sock, void *data, size_t size)
{
	uint8_t *at = data;

	for (unsigned idle = 0; size > 0 && idle < 300;) {
		ssize_t n = recv(sock, at, size, 0);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			return false;
		if (n > 0) {
			at += n;
			size -= (size_t)n;
			continue;
		}
		machine_turn(idle++ < 50 ? 0 : 10);
	}
	return size == 0;
}

/* The reply of that serial; what comes before is read away. Its payload is in the rig's arena. */
static inline bool
machine_receives(int sock, uint32_t serial, struct rpc_frame *ret)
{
	uint8_t word[RPC_LENGTH_SIZE], *data, byte;
	size_t length;

	do {
		if (!machine_receives_all(sock, word, sizeof(word)) ||
			rpc_frame_length(word, sizeof(word), &length) != 0)
			return false;
		data = rpc_arena_bytes(&rig.arena, length);
		ASSERT(data);
		memcpy(data, word, sizeof(word));
		if (!machine_receives_all(sock, data + sizeof(word), length - sizeof(word)) ||
			rpc_frame_read(data, length, ret) != 0)
			return false;
		for (unsigned i = 0; i < ret->n_fds; i++)
			if (!machine_receives_all(sock, &byte, 1))
				return false;
	} while ((ret->header.type != RPC_REPLY && ret->header.type != RPC_REPLY_WITH_FDS) ||
		 ret->header.serial != serial);
	return true;
}

/* --- begin, go on, end ---------------------------------------------------------------------- */

/* Nothing goes on any more; n connections are left. */
static inline void
machine_settles(unsigned n)
{
	for (unsigned i = 0; i < 100 && (rig.server.n_clients > n || rig.server.n_later > 0 ||
						rig.estate.jobs.n > 0);
		i++)
		machine_turn(10);
	for (int i = 0; i < 4; i++)
		machine_turn(0);
	CHECK(rig.server.n_clients == n && rig.server.n_later == 0);
}

static inline bool
machine_calls(int32_t procedure, const void *args)
{
	struct rpc_header header = send_call(stage.client, procedure, args);
	struct rpc_frame frame;

	return machine_receives(stage.client, header.serial, &frame) &&
	       frame.header.status == RPC_OK;
}

/* Nothing is left of this domain. */
static inline void
machine_forgets(const struct domain *domain)
{
	char name[256];
	struct rpc_domain dom = {.name = name};

	(void)snprintf(name, sizeof(name), "%s", domain_def_now(domain)->name);
	memcpy(dom.uuid, domain_def_now(domain)->uuid, sizeof(dom.uuid));
	if (domain_is_active(domain))
		(void)machine_calls(
			RPC_PROC_DOMAIN_DESTROY, &(struct rpc_domain_destroy_args){.dom = dom});
	(void)machine_calls(
		RPC_PROC_DOMAIN_UNDEFINE, &(struct rpc_domain_undefine_args){.dom = dom});
}

/* Whatever was done to it: it is defined, under its name, and runs if it is to run. */
static inline void
machine_is_there(void)
{
	static char xml[] = MACHINE_XML, name[] = MACHINE_NAME;
	struct rpc_domain_define_xml_args define = {.xml = xml};
	struct rpc_domain_create_args create;
	const struct domain *domain = farm_domain(VM);
	const struct domain *same = domains_find_name(&rig.estate.domains, name);

	stage.dom.name = name;
	create.dom = stage.dom;
	if (!domain || domain != same || !domain->config) {
		if (same && same != domain)
			machine_forgets(same);
		if (domain)
			machine_forgets(domain);
		CHECK(machine_calls(RPC_PROC_DOMAIN_DEFINE_XML, &define));
	}
	if (machine.runs && !domain_is_active(farm_domain(VM)))
		CHECK(machine_calls(RPC_PROC_DOMAIN_CREATE, &create));
}

/* Where the sockets are that nobody names: in the folder that it is run in. */
static inline void
machine_runs_here(void)
{
	static char run[sizeof(farm_root) + sizeof("/run")];

	(void)snprintf(run, sizeof(run), "%s/run", farm_root);
	rig.estate.env.run = run;
}

/* What its QEMU can do: as a real one said. Before the test has left the tree's folder. */
static inline void
machine_can(void)
{
	static char *text;
	static size_t size;
	struct capabilities_stamp stamp;
	fd_auto int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	ASSERT(root_fd >= 0 && host_read(root_fd, &rig.estate.host) == 0);
	if (!text)
		text = domain_read_file(
			"tests/golden/capabilities/qemu-7.2.22.capabilities", &size);
	ASSERT(text && capabilities_read(text, size, &stamp, &rig.estate.capabilities) == 0);
}

static inline void
machine_begin(bool runs)
{
	static char tree[4096];

	if (!tree[0])
		ASSERT(getcwd(tree, sizeof(tree)));
	farm_in_memory();
	stage_open("");
	machine_runs_here();
	ASSERT(chdir(tree) == 0);
	machine_can();
	ASSERT(chdir(farm_root) == 0 && chdir("run") == 0);
	memset(&machine, 0, sizeof(machine));
	machine.runs = runs;
	fd_close(&stage.watcher);
	machine_is_there();
}

static inline void
machine_end(void)
{
	machine.runs = false;
	fd_close(&stage.client);
	machine_settles(0);
	vms_fini(&rig.estate.vms);
	for (int i = 0; i < 4; i++)
		rig_turn(0);
	qemu_ends();
	ASSERT(chdir("/") == 0);
	farm_stop();
}

#endif
