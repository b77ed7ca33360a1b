/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A probe gets from a seed to the capabilities of QEMU; wherever the box, QEMU or time fails it, it
 * ends once, says why, and leaves no descriptor and no timer behind.
 *
 * The test plays box and QEMU, with QEMU 7.2's own answers; at the end, with the real ones.
 * test: timeout=360
 */
#include "worker/qemu/probe.h"

#include <errno.h>
#include <sys/socket.h>

#include "confine/filter.h"
#include "lib/take.h"
#include "tests/unit/box_seed.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/test.h"
#include "worker/qemu/capabilities_cache.h"
#include "worker/qemu/capabilities_xml.h"

enum { ANSWERS = 8 /* lines of the transcript: the greeting, then an answer a question */ };

static const char *const asked[ANSWERS] = {"", "qmp_capabilities", "query-target", "query-machines",
	"query-cpu-definitions", "qom-list-properties", "query-kvm", "quit"};

static struct loop loop;
static struct jobs jobs;
static char *transcript[ANSWERS];

static struct {
	struct probe probe;
	int n_ends;
	struct capabilities *capabilities;
	struct rpc_error error;
	int box, log_fd, monitor; /* of the box and QEMU that the test plays */
} play;

static void
probe_ended(struct probe *probe, struct capabilities *capabilities, const struct rpc_error *error)
{
	CHECK(probe == &play.probe);
	play.n_ends++;
	play.capabilities = capabilities;
	play.error = *error;
}

static const struct probe_ops ops = {.end = probe_ended};

static unsigned n_before;

static void
none_left_open(void)
{
	CHECK(n_descriptors() == n_before);
}

static void
turn(int n)
{
	for (int i = 0; i < n; i++)
		CHECK(loop_once(&loop, 0) == 0);
}

static void
begin(bool kvm)
{
	int pair[2];

	memset(&play, 0, sizeof(play));
	play.log_fd = play.monitor = -1;
	if (packet_pair(pair) != 0)
		abort();
	play.box = pair[1];
	probe_start(&play.probe, &jobs, pair[0], kvm, &ops);
	turn(2);
}

static void
finish(void)
{
	turn(3);
	CHECK(play.n_ends == 1 && jobs.n == 0 && heap_first(&loop.timers) == NULL);
	CHECK((play.capabilities != NULL) == (play.error.code == 0));
	play.capabilities = capabilities_free(play.capabilities);
	fd_close(&play.box);
	fd_close(&play.log_fd);
	fd_close(&play.monitor);
}

/* --- the box ------------------------------------------------------------------------------ */

/* Receive the plan, the log and the monitor as a box does. */
static void
box_takes(bool kvm)
{
	static const char kinds[] = {
		PLAN_PACKET_PLAN, PLAN_PACKET_FDS, PLAN_PACKET_FDS, PLAN_PACKET_END};
	static struct plan plan;
	free_auto char *text = NULL;
	char why[PLAN_WHY_MAX];
	size_t size;

	for (unsigned i = 0; i < sizeof(kinds); i++) {
		AUTO(packet_fini) struct packet packet;

		if (packet_recv(play.box, &packet) != 0)
			abort();
		CHECK(packet.size == 1 && packet.data[0] == (uint8_t)kinds[i]);
		CHECK(packet.n_fds == (i < 3));
		if (i == 0)
			CHECK(memfd_read(packet.fds[0], PLAN_SIZE_MAX, &text, &size) == 0);
		else if (i == 1)
			play.log_fd = take_fd(&packet.fds[0]);
		else if (i == 2)
			play.monitor = take_fd(&packet.fds[0]);
	}
	CHECK(plan_decode(text, size, &plan, why) == 0);
	CHECK(plan.program == PLAN_QEMU_X86_64 && plan.profile == PLAN_PROBE);
	CHECK(plan.n_fds == 1 && plan.fds[0] == 10 && plan.n_args == (kvm ? 12 : 10));
	CHECK_STR(plan.args[5], "socket,id=monitor,fd=10");
	CHECK_STR(plan.args[9], kvm ? "kvm" : "tcg");
	CHECK_STR(plan.args[plan.n_args - 1], "tcg");
}

static void
box_says(const char *text)
{
	CHECK(packet_send(play.box, text, strlen(text), NULL, 0) == 0);
	turn(2);
}

static void
box_becomes_qemu(void)
{
	box_takes(play.probe.kvm);
	box_says("ok landlock 7");
	CHECK(play.n_ends == 0);
	fd_close(&play.box);
	turn(2);
}

/* --- QEMU --------------------------------------------------------------------------------- */

static void
qemu_says(const char *text)
{
	size_t size = strlen(text), at = 0;

	while (at < size && play.n_ends == 0) {
		ssize_t n = send(play.monitor, text + at, size - at, MSG_DONTWAIT | MSG_NOSIGNAL);

		at += n > 0 ? (size_t)n : 0;
		turn(1);
	}
	turn(1);
}

/* The greeting and the first answers, each after its question. */
static void
qemu_answers(int n)
{
	for (int i = 0; i < n; i++) {
		char text[256];
		ssize_t size = i > 0 ? recv(play.monitor, text, sizeof(text) - 1, MSG_DONTWAIT) : 0;

		text[size < 0 ? 0 : size] = '\0';
		CHECK(strstr(text, asked[i]));
		qemu_says(transcript[i]);
		qemu_says("\n");
	}
}

static void
probed(void)
{
	for (int kvm = 0; kvm < 2; kvm++) {
		begin(kvm);
		box_becomes_qemu();
		qemu_answers(ANSWERS - 2);
		/* Events in between are nobody's answer. */
		qemu_says("{\"event\": \"RTC_CHANGE\"}\n");
		CHECK(play.n_ends == 0);
		qemu_says("{\"return\": {\"enabled\": true, \"present\": true}, \"id\": 5}\n");
		qemu_says(transcript[ANSWERS - 1]);
		qemu_says("\n");
		CHECK(play.capabilities && play.capabilities->version == 7002022);
		CHECK(play.capabilities && play.capabilities->kvm &&
			play.capabilities->n_machines == 59 && play.capabilities->n_models == 132);
		finish();
	}
}

/* --- failures at each step ---------------------------------------------------------------- */

static void
failed_with(enum vir_error_code code, const char *words)
{
	finish();
	CHECK(play.error.code == (int32_t)code && play.error.domain == VIR_FROM_QEMU);
	CHECK(strstr(play.error.message, words));
	if (test_this_failed)
		printf("# %s\n", play.error.message);
}

static void
no_more_time(void)
{
	timer_set(&loop, &play.probe.job.deadline, 0, play.probe.job.deadline.fn);
	turn(2);
}

static void
seed_fails(void)
{
	static const struct {
		const char *says, *words;
	} refusals[] = {
		{NULL, "the box ended without an answer"},
		{"failed exec: /usr/bin/qemu-system-x86_64: No such file or directory",
			"No such file or directory"},
		{"failed seed: runs with capabilities", "runs with capabilities"},
		{"hello", "the box answered what no box says"},
	};

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		begin(false);
		box_takes(false);
		if (refusals[i].says)
			box_says(refusals[i].says);
		fd_close(&play.box);
		turn(2);
		failed_with(VIR_ERR_INTERNAL_ERROR, refusals[i].words);
	}
	/* It goes before it has read anything; it fails after it said that it would not. */
	begin(false);
	fd_close(&play.box);
	failed_with(VIR_ERR_INTERNAL_ERROR, "the box ended without an answer");
	begin(false);
	box_takes(false);
	box_says("ok landlock 0");
	box_says("failed exec: no");
	failed_with(VIR_ERR_INTERNAL_ERROR, "exec: no");
	begin(false);
	box_takes(false);
	box_says("ok landlock 0");
	box_says("ok landlock 0");
	failed_with(VIR_ERR_INTERNAL_ERROR, "the box answered what no box says");
	begin(false);
	no_more_time();
	failed_with(VIR_ERR_INTERNAL_ERROR, "no answer within");
	begin(false);
	job_cancel(&play.probe.job);
	failed_with(VIR_ERR_OPERATION_ABORTED, "aborted");
}

static void
qemu_fails_anywhere(void)
{
	for (int n = 0; n < ANSWERS; n++)
		for (int how = 0; how < 6; how++) {
			begin(false);
			box_becomes_qemu();
			qemu_answers(n);
			switch (how) {
			case 0:
				CHECK(write(play.log_fd, "qemu: line 1\nqemu: \033[m", 22) == 22);
				fd_close(&play.monitor);
				turn(3);
				failed_with(VIR_ERR_INTERNAL_ERROR,
					"QEMU closed its monitor: qemu: line 1 qemu: \\x1b[m");
				break;
			case 1:
				qemu_says("rubbish\n");
				turn(1);
				failed_with(VIR_ERR_INTERNAL_ERROR, "not a JSON object");
				break;
			case 2:
				qemu_says(transcript[(n + 1) % ANSWERS]);
				qemu_says("\n");
				turn(1);
				failed_with(VIR_ERR_INTERNAL_ERROR,
					n == 0 ? "did not begin" : "not asked");
				break;
			case 3:
				if (n > 0) {
					char text[128];

					(void)snprintf(text, sizeof(text),
						"{\"id\": %d, \"error\": {\"class\": \"C\", "
						"\"desc\": \"so \\u001b what\"}}\n",
						n - 1);
					qemu_says(text);
					failed_with(VIR_ERR_INTERNAL_ERROR, "so \\x1b what");
					break;
				}
				qemu_says("{\"QMP\": {\"version\": {}}}\n");
				failed_with(VIR_ERR_INTERNAL_ERROR, "has no version");
				break;
			case 4:
				no_more_time();
				failed_with(VIR_ERR_INTERNAL_ERROR, "no answer within");
				break;
			default:
				jobs_cancel_all(&jobs);
				failed_with(VIR_ERR_OPERATION_ABORTED, "aborted");
				break;
			}
		}
}

static void
wrong_answers(void)
{
	for (int n = 2; n < ANSWERS - 1; n++) {
		char text[64];

		begin(false);
		box_becomes_qemu();
		qemu_answers(n);
		(void)snprintf(text, sizeof(text), "{\"return\": 5, \"id\": %d}\n", n - 1);
		qemu_says(text);
		failed_with(VIR_ERR_INTERNAL_ERROR, asked[n]);
		CHECK(strstr(play.error.message, "answered what no QEMU says"));
	}
}

/* --- the real ones ------------------------------------------------------------------------ */

/* A KVM that it may try, and has not, is no failure. */
static void
probe_for_real(bool kvm)
{
	struct seed seed = seed_start();
	uint64_t begun = loop_now(&loop);
	int status;

	memset(&play, 0, sizeof(play));
	play.box = play.log_fd = play.monitor = -1;
	probe_start(&play.probe, &jobs, fcntl(seed.sock, F_DUPFD_CLOEXEC, 0), kvm, &ops);
	while (play.n_ends == 0)
		CHECK(loop_once(&loop, PATIENCE_MS) == 0);
	printf("# %llu ms\n", (unsigned long long)((loop_now(&loop) - begun) / LOOP_MS(1)));
	CHECK_STR(play.error.message, "");
	if (!play.capabilities) {
		(void)seed_kill(&seed);
		return;
	}
	status = seed_end(&seed);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CHECK(play.capabilities->version >= 4002000 && (kvm || !play.capabilities->kvm));
	CHECK(play.capabilities->n_machines > 10 && play.capabilities->n_models > 10);
	CHECK_STR(play.capabilities->arch, "x86_64");
	finish();
}

static void
real_probe(void)
{
	probe_for_real(false);
	probe_for_real(true);
}

/* All that a worker does about capabilities, by one that may make the worker's system calls. */
static int
confined(int cache_fd)
{
	static struct capabilities_stamp stamp;
	capabilities_auto struct capabilities *cached = NULL;
	fd_auto int slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct seed seed = seed_start();
	free_auto char *xml = NULL;
	struct host host;

	memset(&play, 0, sizeof(play));
	CHECK(filter_load(&filter_worker) == 0);
	CHECK(capabilities_stamp_read("/usr/bin/qemu-system-x86_64", NULL, &stamp) == 0);
	CHECK(capabilities_cache_load(cache_fd, &stamp, &cached) == CAPABILITIES_CACHE_E_NONE);
	probe_start(&play.probe, &jobs, seed.sock, false, &ops);
	while (play.n_ends == 0)
		CHECK(loop_once(&loop, PATIENCE_MS) == 0);
	if (!play.capabilities)
		return 1;
	CHECK(capabilities_cache_store(cache_fd, &stamp, play.capabilities) == 0);
	CHECK(capabilities_cache_load(cache_fd, &stamp, &cached) == 0);
	CHECK(host_read(slash, &host) == 0);
	CHECK(capabilities_xml(&host, cached, stamp.path, &xml) == 0);
	host_fini(&host);
	play.capabilities = capabilities_free(play.capabilities);
	return test_this_failed;
}

static void
under_the_filter(void)
{
	char folder[] = "/tmp/probe-XXXXXX";
	fd_auto int cache_fd = -1;
	int status = -1;
	pid_t pid;

	if (!mkdtemp(folder))
		abort();
	cache_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		status = confined(cache_fd);
		(void)fflush(stdout);
		_exit(status);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CHECK(unlinkat(cache_fd, "qemu-system-x86_64.capabilities", 0) == 0);
	CHECK(rmdir(folder) == 0);
}

static void
real_refusal(void)
{
	struct seed seed = seed_start_as(false);

	memset(&play, 0, sizeof(play));
	play.box = play.log_fd = play.monitor = -1;
	probe_start(&play.probe, &jobs, fcntl(seed.sock, F_DUPFD_CLOEXEC, 0), false, &ops);
	while (play.n_ends == 0)
		CHECK(loop_once(&loop, PATIENCE_MS) == 0);
	(void)seed_end(&seed);
	failed_with(VIR_ERR_INTERNAL_ERROR, "not as one user other than root");
}

int
main(void)
{
	fd_auto int fd = open("tests/golden/capabilities/qemu-7.2.22.qmp", O_RDONLY | O_CLOEXEC);
	bool has_qemu = access("/usr/bin/qemu-system-x86_64", X_OK) == 0;
	free_auto char *text = NULL;
	char *rest;
	size_t size;

	if (loop_init(&loop) < 0 || fd_read_all(fd, 1 << 20, &text, &size) < 0)
		abort();
	rest = text;
	for (int i = 0; i < ANSWERS; i++)
		transcript[i] = strsep(&rest, "\n");
	jobs_init(&jobs, &loop);
	n_before = n_descriptors();
	TEST("from a seed to capabilities", probed);
	TEST("a box that refuses, lies, ends or is silent fails it", seed_fails);
	TEST("a QEMU that ends, errs, lies or is silent fails it, after any answer",
		qemu_fails_anywhere);
	TEST("an answer of another shape fails it", wrong_answers);
	if (has_qemu) {
		TEST("the real QEMU in the real box says what it can do", real_probe);
		TEST("the worker's system calls are enough for it", under_the_filter);
	} else {
		printf("ok %d - the real QEMU # SKIP no /usr/bin/qemu-system-x86_64\n", ++test_n);
	}
	if (getuid() == 0)
		TEST("the real box refuses to run as root, and says so", real_refusal);
	else
		printf("ok %d - a box as root # SKIP needs root\n", ++test_n);
	TEST("no descriptor was left open", none_left_open);
	loop_fini(&loop);
	return TEST_END();
}
