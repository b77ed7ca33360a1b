/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whatever a QEMU does at whatever step of whatever is done to it, the call has a formal answer by its
 * deadline, another client is served, the VM can be destroyed, and nothing is left.
 * test: timeout=600 heavy
 */
#include "tests/unit/test.h"

#include "tests/unit/next_worker.h"

/* --- what a QEMU may do instead of answering -------------------------------------------------- */

enum bad {
	SILENT,
	SLOW,     /* the answer byte by byte, and not its end */
	HANGS_UP, /* closes its monitor, and goes on */
	DIES,     /* nothing of it runs any more */
	NO_JSON,
	ENDLESS, /* a line without end */
	DEEP,    /* lists in lists */
	MANY,    /* more values than any answer has */
	WRONG_ID,
	NO_ID,
	TWICE,   /* the right answer, two times */
	EARLIER, /* an answer to a question of before */
	GREETS,  /* once more */
	REFUSES,
	REFUSES_AT_LENGTH,
	SAYS_NOTHING, /* neither result nor error */
	NUMBER,
	LIST,
	NOTHING,     /* a result of another type */
	FLOODS,      /* events that change its state, without end */
	JUNK_EVENTS, /* of no form, then the answer */
	N_BAD
};

static const char *const bad_names[N_BAD] = {"silent", "slow", "hangs up", "dies", "no JSON",
	"endless line", "deep", "many values", "wrong id", "no id", "twice", "earlier answer",
	"greets again", "refuses", "refuses at length", "says nothing", "a number", "a list",
	"null", "floods", "junk events"};

/* Send as much of it as is read. */
static void
pour(const char *text, size_t size)
{
	for (unsigned i = 0; size > 0 && i < TURNS; i++) {
		ssize_t n = send(qemu.monitor, text, size, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return;
		text += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
		rig_turn(0);
	}
}

static void
pour_text(const char *text)
{
	pour(text, strlen(text));
}

/* The same byte again and again, between two texts. */
static void
pour_many(const char *first, char byte, size_t n, const char *last)
{
	static char many[64 * 1024];

	pour_text(first);
	memset(many, byte, sizeof(many));
	for (; n > 0 && the_vm() && the_vm()->monitor.state != MONITOR_CLOSED;
		n -= n < sizeof(many) ? n : sizeof(many))
		pour(many, n < sizeof(many) ? n : sizeof(many));
	pour_text(last);
}

static void
pour_answer(const char *value)
{
	pour_text("{\"return\":");
	pour_text(value);
	pour_text(qemu_id());
}

static void
pour_answer_to(json_int_t id)
{
	char text[256];

	(void)snprintf(text, sizeof(text), "{\"return\":{},\"id\":%" JSON_INTEGER_FORMAT "}\n", id);
	pour_text(text);
}

static void
floods(void)
{
	for (unsigned i = 0; i < 4 * VM_CHANGES_MAX; i++)
		pour_text("{\"event\":\"STOP\"}\n{\"event\":\"RESUME\"}\n");
}

static void
junk_events(void)
{
	pour_text("{\"event\":\"SHUTDOWN\",\"data\":[]}\n"
		  "{\"event\":\"\"}\n{\"event\":\"BLOCK_IO_ERROR\",\"data\":{\"action\":{}}}\n"
		  "{\"event\":\"RTC_CHANGE\",\"data\":{\"offset\":\"x\"}}\n"
		  "{\"event\":\"BALLOON_CHANGE\",\"data\":{\"actual\":-9}}\n"
		  "{\"event\":\"WATCHDOG\",\"data\":7}\n");
	pour_answer("{}");
}

static void
misbehave(enum bad bad)
{
	switch (bad) {
	case SILENT:
		break;
	case SLOW:
		for (const char *text = "{\"return\": {}, \"id\""; *text; text++)
			pour(text, 1);
		break;
	case HANGS_UP:
		fd_close(&qemu.monitor);
		break;
	case DIES:
		broker_ends(ID);
		break;
	case NO_JSON:
		pour_text("\x1b[2Jhello\n");
		break;
	case ENDLESS:
		pour_many("{\"return\": \"", 'x', QMP_LINE_MAX, "");
		break;
	case DEEP:
		pour_many("{\"return\": ", '[', 100000, "\n");
		break;
	case MANY:
		pour_many("{\"return\": [1", ',', 2 * QMP_VALUES_MAX, "]}\n");
		break;
	case WRONG_ID:
		pour_answer_to(qemu.id + 7);
		break;
	case NO_ID:
		/* A question has none, and none is none. */
		pour_text(qemu.id < 0 ? "{\"return\": {}, \"id\": null}\n" : "{\"return\": {}}\n");
		break;
	case TWICE:
		pour_answer("{}");
		pour_answer("{}");
		break;
	case EARLIER:
		pour_answer_to(qemu.id - 1);
		break;
	case GREETS:
		pour_text(QEMU_GREETING);
		break;
	case REFUSES:
		qemu_refuses("no \\u0000 \\u001b[2J");
		break;
	case REFUSES_AT_LENGTH:
		pour_many(
			"{\"error\":{\"class\":\"GenericError\",\"desc\":\"", 'x', 1024 * 1024, "");
		pour_text("\"}");
		pour_text(qemu_id());
		break;
	case SAYS_NOTHING: {
		const char *id = qemu_id();

		pour_text("{");
		pour_text(id + (*id == ','));
		break;
	}
	case NUMBER:
		pour_answer("-7");
		break;
	case LIST:
		pour_answer("[{},[],null,1e300,\"\"]");
		break;
	case NOTHING:
		pour_answer("null");
		break;
	case FLOODS:
		floods();
		break;
	case JUNK_EVENTS:
	case N_BAD:
		junk_events();
		break;
	}
	for (int i = 0; i < 3; i++)
		rig_turn(0);
}

/* --- what is done to it ----------------------------------------------------------------------- */

static char disk_path[64], device[] = "vda";

static struct rpc_header
send_plain(int32_t procedure, uint32_t flags)
{
	return ask(stage.client, procedure, flags);
}

static struct rpc_header
send_screenshot(int32_t procedure, uint32_t flags)
{
	struct rpc_domain_screenshot_args args = {.dom = stage.dom, .flags = flags};

	return send_call(stage.client, procedure, &args);
}

static struct rpc_header
send_graphics(int32_t procedure, uint32_t flags)
{
	struct rpc_domain_open_graphics_fd_args args = {.dom = stage.dom, .flags = flags};

	return send_call(stage.client, procedure, &args);
}

static struct rpc_header
send_key(int32_t procedure, uint32_t flags)
{
	uint32_t key = 30;
	struct rpc_domain_send_key_args args = {
		.dom = stage.dom, .n_keycodes = 1, .keycodes = &key, .flags = flags};

	return send_call(stage.client, procedure, &args);
}

static struct rpc_header
send_block_stats(int32_t procedure, uint32_t flags)
{
	struct rpc_domain_block_stats_args args = {.dom = stage.dom, .path = device};

	(void)flags;
	return send_call(stage.client, procedure, &args);
}

static struct rpc_header
send_memory_stats(int32_t procedure, uint32_t flags)
{
	struct rpc_domain_memory_stats_args args = {
		.dom = stage.dom, .maxStats = 16, .flags = flags};

	return send_call(stage.client, procedure, &args);
}

static struct rpc_header
send_all_stats(int32_t procedure, uint32_t flags)
{
	struct rpc_connect_get_all_domain_stats_args args = {.flags = flags};

	return send_call(stage.client, procedure, &args);
}

static const struct act {
	const char *name;
	struct rpc_header (*send)(int32_t procedure, uint32_t flags);
	int32_t procedure;
	uint32_t flags;
	bool partly; /* what is known without QEMU is told without it */
} acts[] = {
	{"suspend", send_plain, RPC_PROC_DOMAIN_SUSPEND, 0, false},
	{"reset", send_plain, RPC_PROC_DOMAIN_RESET, 0, false},
	{"shutdown", send_plain, RPC_PROC_DOMAIN_SHUTDOWN, 0, false},
	{"reboot", send_plain, RPC_PROC_DOMAIN_REBOOT, 0, false},
	{"inject-nmi", send_plain, RPC_PROC_DOMAIN_INJECT_NMI, 0, false},
	{"send-key", send_key, RPC_PROC_DOMAIN_SEND_KEY, 0, false},
	{"screenshot", send_screenshot, RPC_PROC_DOMAIN_SCREENSHOT, 0, false},
	{"open-graphics", send_graphics, RPC_PROC_DOMAIN_OPEN_GRAPHICS_FD, 0, false},
	{"blockstats", send_block_stats, RPC_PROC_DOMAIN_BLOCK_STATS, 0, false},
	{"memory stats", send_memory_stats, RPC_PROC_DOMAIN_MEMORY_STATS, 0, true},
	{"domstats", send_all_stats, RPC_PROC_CONNECT_GET_ALL_DOMAIN_STATS, 0, true},
	{"graceful destroy", send_plain, RPC_PROC_DOMAIN_DESTROY_FLAGS, 1, false},
};

__attribute__((used)) static void (*const served_acts[])(void) = {
	(void (*)(void))rpc_connect_get_all_domain_stats,
	(void (*)(void))rpc_domain_block_stats,
	(void (*)(void))rpc_domain_inject_nmi,
	(void (*)(void))rpc_domain_memory_stats,
	(void (*)(void))rpc_domain_open_graphics_fd,
	(void (*)(void))rpc_domain_screenshot,
	(void (*)(void))rpc_domain_send_key,
};

/* --- the deadline, the answer, the end -------------------------------------------------------- */

static void
expire(struct timer *timer)
{
	if (timer_is_set(timer))
		timer_set(&rig.loop, timer, 0, timer->fn);
}

/* Whatever waits for QEMU waits no longer. */
static void
let_time_pass(void)
{
	struct vm *vm = the_vm();
	struct inquiry *inquiry;
	struct vm_op *op = vm ? TAILQ_FIRST(&vm->ops) : NULL;
	struct vm_waiter *waiter;

	if (op && op->job.jobs)
		expire(&op->job.deadline);
	if (vm) {
		LIST_FOREACH (inquiry, &vm->inquiries.asked, entry)
			expire(&inquiry->late);
		LIST_FOREACH (inquiry, &vm->inquiries.next, entry)
			expire(&inquiry->late);
		TAILQ_FOREACH (waiter, &vm->waiters, entry)
			expire(&waiter->late);
	}
	rig_turn(0);
	rig_turn(0);
}

/* A formal answer to this call, in time. Returns its code; 0: a result, -1: none. */
static int
answer_to(const struct rpc_header *header)
{
	struct rpc_remote_error error = {.code = 0};
	struct rpc_frame frame;
	uint8_t byte;

	for (int i = 0; i < 8 && is_silent(stage.client); i++) {
		/* A start that has failed waits until nothing of it runs. */
		if (stage.n_stops > 0) {
			stage.n_stops = 0;
			broker_ends(ID);
		}
		let_time_pass();
	}
	if (is_silent(stage.client) || !receive_frame(stage.client, &frame))
		return -1;
	for (unsigned i = 0; i < frame.n_fds; i++)
		CHECK(receive_all(stage.client, &byte, 1));
	CHECK(frame.header.serial == header->serial);
	if (frame.header.status == RPC_OK)
		return 0;
	CHECK(rpc_decode(&rpc_shapes[RPC_SHAPE_REMOTE_ERROR], frame.payload, frame.size, &rig.arena,
		      &error) == 0);
	CHECK(error.code > 0 && error.domain > 0 && error.level == 2 && error.message &&
		error.message[0] && strlen(error.message) < 2048);
	return error.code > 0 ? error.code : -1;
}

/* It is ended by its owner, if it is not yet, and nothing is left. */
static void
check_destroyed(void)
{
	struct rpc_connect_get_type_ret type = {0};
	struct rpc_header destroy;
	int other = rig_open(VERBS_VIEW);

	CHECK(call(other, RPC_PROC_CONNECT_GET_TYPE, NULL, &type) == 0);
	fd_close(&other);
	rig_wait(2);
	if (the_vm() && !the_vm()->stopping) {
		unsigned before = stage.n_stops;

		/* What was still on its way comes first. */
		fd_close(&stage.client);
		stage.client = rig_open(VERBS_ALL);
		destroy = ask(stage.client, RPC_PROC_DOMAIN_DESTROY, 0);
		for (int i = 0; i < 4; i++)
			rig_turn(0);
		CHECK(stage.n_stops == before + 1);
		broker_ends(ID);
		CHECK(read_reply(stage.client, &destroy, NULL) == 0);
	}
	qemu_ends();
	for (int i = 0; i < 4; i++)
		rig_turn(0);
	CHECK(farm_domain(VM)->state == DOMAIN_STATE_SHUTOFF && !the_vm());
	CHECK(rig.estate.vms.n == 0 && rig.estate.jobs.n == 0 && n_files() == 0);
	CHECK(rig.server.n_later == 0);
	/* Streams and their pictures go with the connection. */
	fd_close(&stage.client);
	rig_wait(1);
	CHECK(n_descriptors() + 2 == stage.n_descriptors);
	stage.client = rig_open(VERBS_ALL);
}

static void
tell_where(const char *what, const char *step, enum bad bad, int before)
{
	if (test_this_failed && !before)
		printf("# %s, at %s: %s\n", what, step, bad_names[bad]);
}

/* --- a QEMU that is good for a while ---------------------------------------------------------- */

/* A machine of which QEMU is told all that it can be told. */
static const char *
elements(void)
{
	static char text[1024];

	(void)snprintf(disk_path, sizeof(disk_path), "/tmp/qemud-bad-%d", (int)getpid());
	(void)snprintf(text, sizeof(text),
		"<devices><disk type='file'><driver name='qemu' type='raw'/><source file='%s'/>"
		"<target dev='vda'/><iotune><total_iops_sec>100</total_iops_sec></iotune></disk>"
		"<serial type='pty'/><channel type='unix'><target type='virtio' "
		"name='a'/></channel>"
		"<graphics type='vnc' passwd='secret'><listen type='socket'/></graphics>"
		"<video><model type='vga'/></video>"
		"<memballoon model='virtio'><stats period='5'/></memballoon></devices>",
		disk_path);
	return text;
}

static bool let_go; /* it was told to run */

static const char *
good_answer(const char *command)
{
	static const struct {
		const char *command, *value;
	} answers[] = {
		{"query-uuid", "{\"UUID\":\"00000000-0000-4000-8000-000000000001\"}"},
		{"query-balloon", "{\"actual\":33554432}"},
		{"query-hotpluggable-cpus", "[" QEMU_NO_CPU(1) "," QEMU_CPU(0) "]"},
		{"query-block", "[]"},
		{"query-blockstats", "[]"},
		{"query-named-block-nodes", "[]"},
		{"query-chardev", "[]"},
		{"qom-get", "{\"last-update\":0,\"stats\":{}}"},
		{"add-fd", "{\"fdset-id\":1,\"fd\":7}"},
	};

	if (strcmp(command, "query-status") == 0)
		return let_go ? "{\"status\":\"running\",\"running\":true}"
			      : "{\"status\":\"prelaunch\",\"running\":false}";
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (strcmp(command, answers[i].command) == 0)
			return answers[i].value;
	return "{}";
}

/* What it is told next; NULL: nothing more. */
static const char *
hears(void)
{
	static char command[64];
	char line[4096], got = '\0';
	json_t *message;
	size_t n = 0;

	for (unsigned idle = 0; got != '\n' && n < sizeof(line) && idle < 8;) {
		if (recv(qemu.monitor, &got, 1, MSG_DONTWAIT) == 1) {
			line[n++] = got;
			continue;
		}
		rig_turn(0);
		idle++;
	}
	if (n == 0)
		return NULL;
	message = json_loadb(line, n, 0, NULL);
	ASSERT(message);
	(void)snprintf(command, sizeof(command), "%s",
		json_string_value(json_object_get(message, "execute")));
	qemu_notes(message);
	json_decref(message);
	return command;
}

/* It answers n commands as it should. Returns the next, which it has not answered; NULL: none came. */
static const char *
is_good(unsigned n)
{
	const char *command = hears();

	for (; command && n > 0; n--) {
		let_go |= strcmp(command, "cont") == 0;
		if (strcmp(command, "cont") == 0)
			qemu_tells("RESUME", NULL);
		if (strcmp(command, "stop") == 0)
			qemu_tells("STOP", NULL);
		qemu_answers(good_answer(command));
		command = hears();
	}
	return command;
}

static void
begin_start(struct rpc_header *ret)
{
	static char run[64];

	let_go = false;
	stage_open("");
	(void)snprintf(run, sizeof(run), "%s/run", farm_root);
	rig.estate.env.run = run;
	CHECK(farm_define(stage.client, "vm", VM, elements(), &stage.dom) == 0);
	(void)told();
	*ret = ask_start(0);
	go_to(AT_GREETING);
}

static void
run_it(void)
{
	struct rpc_header start;

	begin_start(&start);
	qemu_greets();
	CHECK(!is_good(UINT_MAX));
	check_started(&start);
	CHECK_STR(told(), "resumed 0, started 0");
}

/* --- while it runs ---------------------------------------------------------------------------- */

/* Returns false when it is told no more than n commands. */
static bool
one(const struct act *act, unsigned n, enum bad bad)
{
	struct rpc_header header;
	int before = test_this_failed, code;
	char step[64] = "";
	const char *command;

	run_it();
	header = act->send(act->procedure, act->flags);
	command = is_good(n);
	if (command) {
		(void)snprintf(step, sizeof(step), "%s", command);
		misbehave(bad);
	}
	code = answer_to(&header);
	CHECK(code >= 0);
	/* What is no answer is none; but some tell what is known without. */
	if (command && bad != TWICE && bad != DIES && bad < NUMBER && !act->partly)
		CHECK(code > 0);
	check_destroyed();
	tell_where(act->name, step, bad, before);
	stage_close();
	return step[0];
}

static void
test_acts(void)
{
	unsigned n_steps = 0;

	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		unsigned n = 0;

		for (; one(&acts[i], n, SILENT); n++)
			for (int bad = SILENT + 1; bad < N_BAD; bad++)
				CHECK(one(&acts[i], n, (enum bad)bad));
		CHECK(n > 0);
		n_steps += n;
	}
	printf("# %u steps\n", n_steps);
}

static void
test_resume(void)
{
	for (int bad = 0; bad < N_BAD; bad++) {
		struct rpc_header header;
		int before = test_this_failed;

		run_it();
		qemu_tells("STOP", NULL);
		header = send_plain(RPC_PROC_DOMAIN_RESUME, 0);
		qemu_hears("cont");
		misbehave((enum bad)bad);
		CHECK(answer_to(&header) >= 0);
		check_destroyed();
		tell_where("resume", "cont", (enum bad)bad, before);
		stage_close();
	}
}

/* --- while it starts, and is reached again ---------------------------------------------------- */

/* Connected, and it has not greeted yet. */
static void
is_connected(void)
{
	qemu.monitor = qemu_accepts("charmonitor");
	ASSERT(qemu.monitor >= 0);
	qemu.id = 1;
}

/* Step 0 is its greeting. Returns false when there are no more than n steps. */
static bool
start_once(unsigned n, enum bad bad)
{
	struct rpc_header header;
	int before = test_this_failed;
	const char *command = "greeting";
	char step[64] = "";

	begin_start(&header);
	if (n == 0) {
		is_connected();
	} else {
		qemu_greets();
		command = is_good(n - 1);
	}
	if (command) {
		(void)snprintf(step, sizeof(step), "%s", command);
		misbehave(bad);
	}
	CHECK(answer_to(&header) >= 0);
	check_destroyed();
	tell_where("start", step, bad, before);
	stage_close();
	return step[0];
}

/* A VM that the next worker finds is there, and can be destroyed, whatever its QEMU says. */
static bool
adopt_once(unsigned n, enum bad bad)
{
	int before = test_this_failed;
	const char *command = "greeting";
	char step[64] = "";

	run_it();
	fd_close(&qemu.monitor);
	begin_again();
	lists_it();
	if (n == 0) {
		is_connected();
	} else {
		qemu_greets();
		command = is_good(n - 1);
	}
	if (command) {
		(void)snprintf(step, sizeof(step), "%s", command);
		misbehave(bad);
	}
	for (int i = 0; i < 8 && n_adopted == 0; i++)
		let_time_pass();
	CHECK(n_adopted == 1 && adopted_err == 0);
	CHECK(bad == DIES || !the_vm() || domain_is_active(farm_domain(VM)));
	check_destroyed();
	tell_where("adopt", step, bad, before);
	stage_close();
	return step[0];
}

/* At least those that were known when this was written. */
static void
at_each_step(bool (*once)(unsigned n, enum bad bad), unsigned at_least)
{
	unsigned n = 0;

	for (; once(n, SILENT); n++)
		for (int bad = SILENT + 1; bad < N_BAD; bad++)
			CHECK(once(n, (enum bad)bad));
	printf("# %u steps\n", n);
	CHECK(n >= at_least);
}

static void
test_start(void)
{
	at_each_step(start_once, 10);
}

static void
test_adopt(void)
{
	at_each_step(adopt_once, 6);
}

int
main(void)
{
	int fd;

	farm_in_memory();
	(void)elements();
	fd = open(disk_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ASSERT(fd >= 0 && ftruncate(fd, 4096) == 0);
	fd_close(&fd);
	TEST("at each step of all that is done to a machine that runs", test_acts);
	TEST("when it is to go on", test_resume);
	TEST("at each step of a start", test_start);
	TEST("when the next worker reaches it", test_adopt);
	ASSERT(unlink(disk_path) == 0);
	return TEST_END();
}
