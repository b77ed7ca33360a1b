/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_qemu.c: what a QEMU says to the worker of a machine that starts and runs: answers to all that
 * it is asked, and events.
 *
 * Input: a byte that says whether the start is QEMU's to spoil, two that say what clients ask, then
 * lines, one for each command. "+VALUE" is an answer, "-ERROR" a refusal, "!LINE" said beside it (an
 * event) and ".": the good answer, as is all that is not there; anything else is said as it is. Oracle:
 * the machine ends when it is told to, clients are answered or still served, nothing is left.
 */
#include <fcntl.h>
#include <jansson.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "fuzz/stage.h"
#include "lib/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* libFuzzer's own; not there when a corpus is replayed. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

enum { FRONT = 3, TURNS_A_CALL = 24, EVENT_KINDS = 26 };

static struct {
	char tree[1024];
	const char *lines; /* that are left */
	size_t size;
	char line[65536];
	size_t n_line;
	bool spoils; /* what it says is from the input */
} talk;

static void
require(bool holds)
{
	if (!holds)
		abort();
}

/* --- QEMU ----------------------------------------------------------------------------------- */

static void
say(const char *text, size_t size)
{
	if (qemu.monitor >= 0)
		(void)send(qemu.monitor, text, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
say_answer(const char *kind, const char *value, size_t size)
{
	static char text[sizeof(talk.line) + 128];
	int n = snprintf(text, sizeof(text), "{\"%s\":%.*s%s", kind, (int)size, value, qemu_id());

	say(text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

static void
say_good(const char *command)
{
	const char *value = machine_answer(command);

	say_answer("return", value, strlen(value));
	if (strcmp(command, "cont") == 0)
		say("{\"event\":\"RESUME\"}\n", 19);
	if (strcmp(command, "stop") == 0)
		say("{\"event\":\"STOP\"}\n", 17);
}

/* What the input says to this command. */
static void
say_next(const char *command)
{
	while (talk.spoils && talk.size > 0) {
		const char *line = talk.lines, *end = memchr(line, '\n', talk.size);
		size_t size = end ? (size_t)(end - line) : talk.size, used = size + (end ? 1 : 0);

		talk.lines += used;
		talk.size -= used;
		if (size > sizeof(talk.line))
			size = sizeof(talk.line);
		if (size > 0 && line[0] == '!') {
			say(line + 1, size - 1);
			say("\n", 1);
			continue;
		}
		if (size == 0 || line[0] == '.')
			break;
		if (line[0] == '+' || line[0] == '-') {
			say_answer(line[0] == '+' ? "return" : "error", line + 1, size - 1);
			return;
		}
		say(line, size);
		say("\n", 1);
		return;
	}
	say_good(command);
}

static void
hear_line(const char *line, size_t size)
{
	json_t *message = json_loadb(line, size, 0, NULL);
	const char *command = json_string_value(json_object_get(message, "execute"));

	require(command != NULL);
	qemu_notes(message);
	if (strcmp(command, "quit") == 0)
		broker_ends(machine.id);
	else
		say_next(command);
	json_decref(message);
}

static void
hear(void)
{
	const char *end;
	ssize_t n = 1;

	if (qemu.monitor < 0 && qemu.n_fds > 0 && qemu.seed < 0) {
		qemu.monitor = accept4(
			qemu_listener("charmonitor"), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		talk.n_line = 0;
		say(QEMU_GREETING, strlen(QEMU_GREETING));
	}
	while (qemu.monitor >= 0 && n > 0) {
		n = recv(qemu.monitor, talk.line + talk.n_line, sizeof(talk.line) - talk.n_line,
			MSG_DONTWAIT);
		talk.n_line += n > 0 ? (size_t)n : 0;
		while ((end = memchr(talk.line, '\n', talk.n_line))) {
			size_t size = (size_t)(end - talk.line) + 1;

			hear_line(talk.line, size);
			talk.n_line -= size;
			memmove(talk.line, end + 1, talk.n_line);
		}
		require(talk.n_line < sizeof(talk.line));
	}
	/* The worker has left it: it may be reached again. */
	if (qemu.monitor >= 0 && (n == 0 || errno != EAGAIN))
		fd_close(&qemu.monitor);
}

static void
turn(unsigned n)
{
	while (n-- > 0) {
		rig_turn(0);
		if (stage.lease_serial != 0) {
			broker_grants(++machine.id);
			box_takes();
			box_becomes_qemu();
		}
		hear();
		if (stage.change_serial != 0)
			broker_changes_lease(0);
		if (stage.n_stops > 0) {
			stage.n_stops = 0;
			broker_ends(stage.stopped);
		}
	}
}

/* --- clients -------------------------------------------------------------------------------- */

static void
ask_one(uint8_t which)
{
	static char disk[] = "vda", drive[] = "sdc";
	const struct rpc_domain dom = stage.dom;
	struct rpc_domain_block_stats_args block = {
		.dom = dom, .path = which & 0x80 ? drive : disk};
	struct rpc_domain_block_stats_flags_args block_flags = {
		.dom = dom, .path = disk, .nparams = 16};
	struct rpc_domain_get_block_info_args info = {.dom = dom, .path = disk};
	struct rpc_domain_memory_stats_args memory = {.dom = dom, .maxStats = 16};
	struct rpc_domain_screenshot_args shot = {.dom = dom};
	struct rpc_domain_get_disk_errors_args errors = {.dom = dom, .maxerrors = 16};
	struct rpc_domain_get_iothread_info_args iothreads = {.dom = dom};
	struct rpc_connect_get_all_domain_stats_args all = {.flags = 0};
	struct rpc_domain_set_vcpus_args vcpus = {.dom = dom, .nvcpus = which & 0x80 ? 1 : 2};
	uint32_t codes[] = {30, 48};
	struct rpc_domain_send_key_args keys = {.dom = dom, .keycodes = codes, .n_keycodes = 2};
	const struct {
		int32_t procedure;
		const void *args;
	} asks[] = {
		{RPC_PROC_CONNECT_GET_ALL_DOMAIN_STATS, &all},
		{RPC_PROC_DOMAIN_BLOCK_STATS, &block},
		{RPC_PROC_DOMAIN_BLOCK_STATS_FLAGS, &block_flags},
		{RPC_PROC_DOMAIN_GET_BLOCK_INFO, &info},
		{RPC_PROC_DOMAIN_MEMORY_STATS, &memory},
		{RPC_PROC_DOMAIN_GET_DISK_ERRORS, &errors},
		{RPC_PROC_DOMAIN_SCREENSHOT, &shot},
		{RPC_PROC_DOMAIN_SEND_KEY, &keys},
		{RPC_PROC_DOMAIN_INJECT_NMI, NULL},
		{RPC_PROC_DOMAIN_SUSPEND, NULL},
		{RPC_PROC_DOMAIN_RESUME, NULL},
		{RPC_PROC_DOMAIN_RESET, NULL},
		{RPC_PROC_DOMAIN_REBOOT, NULL},
		{RPC_PROC_DOMAIN_SHUTDOWN, NULL},
		{RPC_PROC_DOMAIN_PM_WAKEUP, NULL},
		{RPC_PROC_DOMAIN_GET_XML_DESC, NULL},
		{RPC_PROC_DOMAIN_GET_IOTHREAD_INFO, &iothreads},
		{RPC_PROC_DOMAIN_SET_VCPUS, &vcpus},
	};
	const size_t i = which % (sizeof(asks) / sizeof(asks[0]));

	if (asks[i].args)
		(void)send_call(stage.client, asks[i].procedure, asks[i].args);
	else
		(void)ask(stage.client, asks[i].procedure, 0);
}

static void
read_away(int sock)
{
	static char data[65536];

	while (recv(sock, data, sizeof(data), MSG_DONTWAIT) > 0)
		continue;
}

static void
watch_all(void)
{
	struct rpc_connect_domain_event_callback_register_any_args args = {.dom = NULL};

	for (args.eventID = 1; args.eventID < EVENT_KINDS; args.eventID++)
		(void)send_call(
			stage.watcher, RPC_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, &args);
	turn(4);
	read_away(stage.watcher);
}

/* --- one life ------------------------------------------------------------------------------- */

static void
begin(void)
{
	char more[2048];

	if (!talk.tree[0]) {
		log_open("fuzz", LEVEL_ERROR);
		require(getcwd(talk.tree, sizeof(talk.tree)) != NULL);
	}
	(void)snprintf(more, sizeof(more),
		"<iothreads>2</iothreads>"
		"<devices><disk type='file'><driver name='qemu' type='raw'/><source "
		"file='%s/LICENSE'/>"
		"<target dev='vda'/><readonly/></disk>"
		"<disk type='file' device='cdrom'><target dev='sdc' bus='scsi'/></disk>"
		"<serial type='pty'/><channel type='unix'><target type='virtio' "
		"name='a'/></channel>"
		"<graphics type='vnc'/><video><model type='vga'/></video><watchdog "
		"model='i6300esb'/>"
		"<memballoon model='virtio'><stats period='5'/></memballoon></devices>"
		"<clock offset='variable' adjustment='0' basis='utc'/>",
		talk.tree);
	memset(&machine, 0, sizeof(machine));
	farm_in_memory();
	stage_open(more);
	machine_runs_here();
	watch_all();
}

static void
end(void)
{
	struct rpc_connect_get_type_ret type = {0};

	read_away(stage.client);
	fd_close(&stage.client);
	stage.client = rig_open(VERBS_ALL);
	require(call(stage.client, RPC_PROC_CONNECT_GET_TYPE, NULL, &type) == 0);
	talk.spoils = false;
	if (farm_domain(VM) && domain_is_active(farm_domain(VM))) {
		struct rpc_header header = ask(stage.client, RPC_PROC_DOMAIN_DESTROY, 0);

		for (unsigned i = 0; i < 100 && domain_is_active(farm_domain(VM)); i++)
			turn(1);
		require(!domain_is_active(farm_domain(VM)));
		(void)header;
	}
	read_away(stage.watcher);
	fd_close(&stage.watcher);
	machine_end();
	require(chdir(talk.tree) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < FRONT)
		return 0;
	talk.lines = (const char *)data + FRONT;
	talk.size = size - FRONT;
	begin();
	talk.spoils = data[0] & 1;
	(void)ask_start(0);
	turn(40);
	read_away(stage.client);
	talk.spoils = true;
	for (unsigned i = 1; i < FRONT; i++)
		ask_one(data[i]);
	turn(TURNS_A_CALL);
	/* What it was not asked for it says all the same. */
	for (unsigned i = 0; i < 8 && talk.size > 0; i++) {
		say_next("");
		turn(4);
		read_away(stage.watcher);
	}
	end();
	return 0;
}

/* --- other values ----------------------------------------------------------------------------- */

static unsigned
choose(unsigned *seed, unsigned n)
{
	*seed = *seed * 1103515245U + 12345U;
	return (*seed >> 8) % n;
}

static json_t *
other_value(unsigned *seed)
{
	static const char *const texts[] = {"null", "true", "false", "0", "-1", "1",
		"9223372036854775807", "-9223372036854775808", "1e308", "0.5", "\"\"", "\"on\"",
		"\"virtio-disk0\"", "\"scsi0-0-2\"", "\"libvirt-1-format\"", "\"channel0\"",
		"\"\\u001b[2J\"", "[]", "{}", "[[[[]]]]", "[{\"image\":{\"virtual-size\":-1}}]"};

	return json_loads(
		texts[choose(seed, sizeof(texts) / sizeof(texts[0]))], JSON_DECODE_ANY, NULL);
}

/* Change something in it, or below. */
static void
change(json_t *value, unsigned *seed)
{
	const char *key;
	json_t *member = NULL;
	size_t at = 0, n;

	if (json_is_object(value) && json_object_size(value) > 0) {
		n = choose(seed, (unsigned)json_object_size(value));
		json_object_foreach (value, key, member)
			if (at++ == n)
				break;
		if (choose(seed, 2) && json_is_object(member) + json_is_array(member))
			change(member, seed);
		else if (choose(seed, 4) == 0)
			(void)json_object_del(value, key);
		else
			(void)json_object_set_new(value, key, other_value(seed));
	} else if (json_is_array(value) && json_array_size(value) > 0) {
		n = choose(seed, (unsigned)json_array_size(value));
		member = json_array_get(value, n);
		if (choose(seed, 2) && json_is_object(member) + json_is_array(member))
			change(member, seed);
		else if (choose(seed, 4) == 0)
			(void)json_array_remove(value, n);
		else if (choose(seed, 2))
			(void)json_array_append(value, member);
		else
			(void)json_array_set_new(value, n, other_value(seed));
	}
}

/* Half of the time bytes are changed as everywhere, else a value of one line. */
size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	size_t at = FRONT, end, used;
	free_auto uint8_t *rest = NULL;
	free_auto char *text = NULL;
	json_t *value;

	for (unsigned skip = choose(&seed, 8); at < size && skip > 0; at++)
		skip -= data[at] == '\n';
	if (at >= size || choose(&seed, 2) || !strchr("+-!", data[at]))
		return LLVMFuzzerMutate(data, size, max_size);
	at++;
	for (end = at; end < size && data[end] != '\n';)
		end++;
	value = json_loadb((const char *)data + at, end - at, JSON_DECODE_ANY, NULL);
	if (value)
		change(value, &seed);
	text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
	json_decref(value);
	used = text ? strlen(text) : 0;
	if (!text || at + used + (size - end) > max_size)
		return LLVMFuzzerMutate(data, size, max_size);
	rest = malloc(size - end + 1);
	require(rest != NULL);
	memcpy(rest, data + end, size - end);
	memcpy(data + at, text, used);
	memcpy(data + at + used, rest, size - end);
	return at + used + (size - end);
}
