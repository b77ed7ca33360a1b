/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A monitor is open when QEMU has answered that it is this VM, and how it is; at whatever point and
 * however it fails, it is lost once, with a reason, and may be opened again.
 */
#include "worker/vm/monitor.h"

#include <errno.h>
#include <sys/socket.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/take.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/test.h"

#define GREETING "{\"QMP\":{\"version\":{\"qemu\":{}},\"capabilities\":[]}}\n"

static struct loop loop;
static const uint8_t uuid[16] = {[6] = 0x40, [8] = 0x80, [15] = 1};

static struct {
	struct monitor monitor;
	int sock; /* QEMU's end */
	unsigned n_opened, n_lost, n_replies, n_events;
	bool close_when_opened;
	char status[64], why[128], event[64];
	uint64_t cookie;
	bool ok; /* of the last reply */
} play;

static void
opened(struct monitor *monitor, const char *status)
{
	CHECK(monitor->state == MONITOR_OPEN);
	play.n_opened++;
	(void)snprintf(play.status, sizeof(play.status), "%s", status);
	if (play.close_when_opened)
		monitor_close(monitor);
}

static void
reply(struct monitor *monitor, uint64_t cookie, const struct qmp_reply *reply)
{
	CHECK(monitor == &play.monitor);
	play.n_replies++;
	play.cookie = cookie;
	play.ok = reply->value != NULL;
}

static void
event(struct monitor *monitor, const char *name, const json_t *data)
{
	(void)monitor;
	(void)data;
	play.n_events++;
	(void)snprintf(play.event, sizeof(play.event), "%s", name);
}

static void
lost(struct monitor *monitor, const char *why)
{
	CHECK(monitor->state == MONITOR_CLOSED);
	play.n_lost++;
	(void)snprintf(play.why, sizeof(play.why), "%s", why);
}

static const struct monitor_ops ops = {
	.opened = opened, .reply = reply, .event = event, .lost = lost};

static void
turns(int n)
{
	for (int i = 0; i < n; i++)
		CHECK(loop_once(&loop, 0) == 0);
}

static void
open_again(void)
{
	int fds[2];

	ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	fd_close(&play.sock);
	play.sock = fds[0];
	CHECK(monitor_open(&play.monitor, &loop, fds[1], uuid, &ops) == 0);
	CHECK(play.monitor.state == MONITOR_OPENING);
}

static void
begin(void)
{
	memset(&play, 0, sizeof(play));
	play.sock = -1;
	open_again();
}

static void
end(void)
{
	monitor_close(&play.monitor);
	monitor_close(&play.monitor);
	fd_close(&play.sock);
	turns(3);
	CHECK(heap_first(&loop.timers) == NULL);
}

static void
says(const char *text)
{
	CHECK(send(play.sock, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
	turns(2);
}

/* The next line is this command. */
static void
hears(const char *command)
{
	char text[512] = "";
	ssize_t n = recv(play.sock, text, sizeof(text) - 1, 0);

	CHECK(n > 0 && text[n - 1] == '\n');
	if (!strstr(text, command))
		CHECK_STR(text, command);
}

/* What QEMU says to open, each after its question. */
static const struct {
	const char *question, *answer;
} opening[] = {
	{NULL, GREETING},
	{"qmp_capabilities", "{\"return\":{},\"id\":0}\n"},
	{"query-uuid",
		"{\"return\":{\"UUID\":\"00000000-0000-4000-8000-000000000001\"},\"id\":1}\n"},
	{"query-status", "{\"return\":{\"status\":\"prelaunch\",\"running\":false},\"id\":2}\n"},
};

enum { STEPS = sizeof(opening) / sizeof(opening[0]) };

static void
go_to(int step)
{
	for (int i = 0; i < step; i++) {
		if (opening[i].question)
			hears(opening[i].question);
		says(opening[i].answer);
	}
}

/* --- tests -------------------------------------------------------------------------------- */

static void
test_opens(void)
{
	begin();
	go_to(STEPS);
	CHECK(play.n_opened == 1 && play.n_lost == 0 && play.n_replies == 0);
	CHECK_STR(play.status, "prelaunch");
	CHECK(monitor_ask(&play.monitor, "stop", NULL, 5) == 0);
	hears("\"execute\":\"stop\"");
	CHECK(monitor_ask(&play.monitor, "balloon", json_pack("{s:i}", "value", 7), 6) == 0);
	hears("\"arguments\":{\"value\":7}");
	says("{\"return\":{},\"id\":3}\n");
	CHECK(play.n_replies == 1 && play.cookie == 5 && play.ok);
	says("{\"error\":{\"class\":\"C\",\"desc\":\"d\"},\"id\":4}\n");
	CHECK(play.n_replies == 2 && play.cookie == 6 && !play.ok);
	says("{\"event\":\"STOP\"}\n");
	CHECK_STR(play.event, "STOP");
	end();
	CHECK(play.n_lost == 0);
}

static void
test_no_command_before(void)
{
	begin();
	for (int i = 0; i < STEPS; i++) {
		CHECK(monitor_ask(&play.monitor, "balloon", json_pack("{s:i}", "value", 7), 1) ==
			-ENOTCONN);
		if (opening[i].question)
			hears(opening[i].question);
		if (i > 0)
			says("{\"event\":\"RESUME\"}\n");
		says(opening[i].answer);
	}
	CHECK(play.n_opened == 1 && play.n_lost == 0 && play.n_events == STEPS - 1);
	end();
	CHECK(monitor_ask(&play.monitor, "balloon", json_pack("{s:i}", "value", 7), 1) ==
		-ENOTCONN);
}

struct fault {
	int step;         /* answers that have come */
	const char *says; /* NULL: it closes */
	const char *why;
};

static const struct fault faults[] = {
	{0, NULL, "QEMU closed its monitor"},
	{1, NULL, "QEMU closed its monitor"},
	{2, NULL, "QEMU closed its monitor"},
	{3, NULL, "QEMU closed its monitor"},
	{4, NULL, "QEMU closed its monitor"},
	{0, "SSH-2.0\n", "not a JSON object"},
	{0, "{\"return\":{},\"id\":0}\n", "did not begin with its greeting"},
	{0, "{\"event\":\"RESUME\"}\n", "did not begin with its greeting"},
	{1, "{\"error\":{\"class\":\"C\",\"desc\":\"no\"},\"id\":0}\n", "refuses the first"},
	{1, "{\"return\":{},\"id\":1}\n", "answered what it was not asked"},
	{2, "{\"error\":{\"class\":\"C\",\"desc\":\"no\"},\"id\":1}\n", "refuses the first"},
	{2, "{\"return\":{\"UUID\":\"00000000-0000-4000-8000-000000000002\"},\"id\":1}\n",
		"is another VM"},
	{2, "{\"return\":{\"UUID\":\"00000000-0000-4000-8000-00000000000\"},\"id\":1}\n",
		"is another VM"},
	{2, "{\"return\":{\"UUID\":1},\"id\":1}\n", "is another VM"},
	{2, "{\"return\":[],\"id\":1}\n", "is another VM"},
	{3, "{\"error\":{\"class\":\"C\",\"desc\":\"no\"},\"id\":2}\n", "refuses the first"},
	{3, "{\"return\":{\"status\":1},\"id\":2}\n", "does not say how it is"},
	{3, "{\"return\":7,\"id\":2}\n", "does not say how it is"},
	{4, "{\"return\":{},\"id\":3}\n", "answered what it was not asked"},
	{4, "[]\n", "not a JSON object"},
};

static void
test_faults(void)
{
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		begin();
		go_to(faults[i].step);
		if (faults[i].says)
			says(faults[i].says);
		else
			fd_close(&play.sock);
		turns(3);
		CHECK(play.n_lost == 1 && play.n_opened == (faults[i].step == 4));
		if (!strstr(play.why, faults[i].why))
			CHECK_STR(play.why, faults[i].why);
		CHECK(monitor_ask(&play.monitor, "cont", NULL, 0) == -ENOTCONN);
		/* By the same struct, from the beginning. */
		open_again();
		go_to(STEPS);
		CHECK(play.n_lost == 1 && play.n_opened == 1 + (faults[i].step == 4u));
		end();
	}
}

static void
test_closed_from_its_callback(void)
{
	begin();
	play.close_when_opened = true;
	go_to(STEPS - 1);
	hears("query-status");
	says("{\"return\":{\"status\":\"running\"},\"id\":2}\n{\"event\":\"STOP\"}\nrubbish\n");
	CHECK(play.n_opened == 1 && play.n_lost == 0 && play.n_events == 0);
	end();
}

static void
test_bad_socket(void)
{
	memset(&play, 0, sizeof(play));
	play.sock = -1;
	CHECK(monitor_open(&play.monitor, &loop, -1, uuid, &ops) == -EBADF);
	CHECK(play.monitor.state == MONITOR_CLOSED);
	end();
	CHECK(play.n_lost == 0);
}

static unsigned n_before;

static void
none_left_open(void)
{
	CHECK(n_descriptors() == n_before);
}

int
main(void)
{
	if (loop_init(&loop) < 0)
		abort();
	n_before = n_descriptors();
	TEST("it opens, takes commands, brings their answers and events", test_opens);
	TEST("nobody gives a command to what is not open; events come all the same",
		test_no_command_before);
	TEST("whatever else is said, or nothing, it is lost once, and opens again", test_faults);
	TEST("closed by whom it tells, it says nothing more", test_closed_from_its_callback);
	TEST("what is no socket is told at once", test_bad_socket);
	TEST("no descriptor was left open", none_left_open);
	loop_fini(&loop);
	return TEST_END();
}
