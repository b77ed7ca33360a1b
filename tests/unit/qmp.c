/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whatever QEMU sends or leaves out ends at most its own conversation, once, and every command is
 * answered to whoever sent it.
 */
#include "worker/qemu/qmp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/take.h"
#include "tests/unit/test.h"

#define GREETING                                                                           \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, " \
	"\"package\": "                                                                    \
	"\"Debian\"}, \"capabilities\": [\"oob\"]}}\r\n"

/* What the conversation told, in its order, as one text. */
static struct {
	struct qmp qmp;
	char told[4096];
	int n_ends;
	enum qmp_end why;
	bool quit_at_reply, stop_at_event, ask_at_reply;
	uint64_t last_cookie;
	int n_replies, n_events;
} talk;

static struct loop loop;
static int qemu; /* the other end */

__attribute__((format(printf, 1, 2))) static void
tell(const char *fmt, ...)
{
	size_t size = strlen(talk.told);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(talk.told + size, sizeof(talk.told) - size, fmt, ap);
	va_end(ap);
}

static void
on_greeting(struct qmp *qmp, json_t *version)
{
	(void)qmp;
	tell("greeting %d;", (int)json_integer_value(
				     json_object_get(json_object_get(version, "qemu"), "major")));
}

static void
on_reply(struct qmp *qmp, uint64_t cookie, const struct qmp_reply *reply)
{
	CHECK((reply->value == NULL) == (reply->error_class != NULL));
	tell("reply %d %s;", (int)cookie, reply->value ? "ok" : reply->error_text);
	talk.n_replies++;
	talk.last_cookie = cookie;
	if (talk.ask_at_reply)
		CHECK(qmp_command(qmp, "query-status", NULL, cookie + 1) == 0);
	if (talk.quit_at_reply)
		qmp_stop(qmp);
}

static void
on_event(struct qmp *qmp, const char *name, json_t *data)
{
	(void)data;
	tell("event %s;", name);
	talk.n_events++;
	if (talk.stop_at_event)
		qmp_stop(qmp);
}

static void
on_end(struct qmp *qmp, enum qmp_end why)
{
	CHECK(qmp->fd == -1);
	talk.n_ends++;
	talk.why = why;
}

static const struct qmp_ops ops = {
	.greeting = on_greeting, .reply = on_reply, .event = on_event, .end = on_end};

static void
begin(void)
{
	int pair[2];

	memset(&talk, 0, sizeof(talk));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	qemu = pair[1];
	CHECK(qmp_start(&talk.qmp, &loop, pair[0], &ops) == 0);
}

/* Iterations that have nothing to wait for. */
static void
turn(int n)
{
	for (int i = 0; i < n; i++)
		CHECK(loop_once(&loop, 0) == 0);
}

static void
finish(void)
{
	qmp_stop(&talk.qmp);
	fd_close(&qemu);
	turn(3);
	CHECK(!talk.qmp.input && !talk.qmp.output && heap_first(&loop.timers) == NULL);
}

/* Say something in whole; the conversation reads meanwhile. */
static void
say_bytes(const char *data, size_t size)
{
	while (size > 0 && talk.qmp.fd >= 0) {
		ssize_t n = send(qemu, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
		turn(1);
	}
	turn(3);
}

static void
say(const char *text)
{
	say_bytes(text, strlen(text));
}

/* What the worker sent, up to now. */
static const char *
heard(void)
{
	static char text[8192];
	ssize_t n = recv(qemu, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static void
ended_with(enum qmp_end why)
{
	CHECK(talk.n_ends == 1 && talk.why == why);
	CHECK(qmp_command(&talk.qmp, "query-status", json_object(), 1) == -EPIPE);
	CHECK(strlen(qmp_end_text(why)) > 10);
	if (talk.why != why)
		printf("# %s, not %s\n", qmp_end_text(talk.why), qmp_end_text(why));
	finish();
}

/* --- as it should be ---------------------------------------------------------------------- */

static void
conversation(void)
{
	begin();
	say(GREETING);
	CHECK(qmp_command(&talk.qmp, "qmp_capabilities", NULL, 70) == 0);
	CHECK_STR(heard(), "{\"execute\":\"qmp_capabilities\",\"id\":0}\n");
	CHECK(qmp_command(&talk.qmp, "getfd", json_pack("{s:s}", "fdname", "a\nb"), 71) == 0);
	CHECK_STR(
		heard(), "{\"execute\":\"getfd\",\"id\":1,\"arguments\":{\"fdname\":\"a\\nb\"}}\n");
	say("{\"return\": {}, \"id\": 0}\r\n{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, "
	    "\"event\": \"STOP\"}\r\n"
	    "{\"id\": 1, \"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\n");
	CHECK_STR(talk.told, "greeting 7;reply 70 ok;event STOP;reply 71 no;");
	/* Silent, it holds no buffer. */
	CHECK(!talk.qmp.input && !talk.qmp.output);
	fd_close(&qemu);
	turn(3);
	ended_with(QMP_END_CLOSED);
}

/* What has no id is answered without one; what has one, with its own. */
static void
questions(void)
{
	static const struct {
		const char *text;
		bool first_has_id;
	} wrong[] = {{"{\"return\": {}, \"id\": 0}\n", false},
		{"{\"return\": {}, \"id\": null}\n", false}, {"{\"return\": {}}\n", true}};

	begin();
	say(GREETING);
	CHECK(qmp_question(&talk.qmp, "query-blockstats", NULL, 5) == 0);
	CHECK(qmp_question(&talk.qmp, "qom-get", json_pack("{s:s}", "path", "/"), 6) == 0);
	CHECK(qmp_command(&talk.qmp, "stop", NULL, 7) == 0);
	CHECK_STR(heard(), "{\"execute\":\"query-blockstats\"}\n"
			   "{\"execute\":\"qom-get\",\"arguments\":{\"path\":\"/\"}}\n"
			   "{\"execute\":\"stop\",\"id\":2}\n");
	say("{\"return\": []}\n{\"error\": {\"class\": \"C\", \"desc\": \"no\"}}\n");
	say("{\"return\": {}, \"id\": 2}\n");
	/* In the places that such questions had, too. */
	for (int i = 0; i < QMP_OPEN_MAX; i++)
		CHECK(qmp_command(&talk.qmp, "x", NULL, 8) == 0);
	CHECK_STR(talk.told, "greeting 7;reply 5 ok;reply 6 no;reply 7 ok;");
	say("{\"return\": {}, \"id\": 3}\n{\"return\": {}}\n");
	CHECK_STR(talk.told, "greeting 7;reply 5 ok;reply 6 no;reply 7 ok;reply 8 ok;");
	ended_with(QMP_END_ANSWER);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		begin();
		say(GREETING);
		CHECK((wrong[i].first_has_id ? qmp_command : qmp_question)(
			      &talk.qmp, "x", NULL, 1) == 0);
		CHECK((wrong[i].first_has_id ? qmp_question : qmp_command)(
			      &talk.qmp, "x", NULL, 2) == 0);
		say(wrong[i].text);
		ended_with(QMP_END_ANSWER);
	}
}

/* As a balloon's statistics, where the guest has not said one. */
static void
large_numbers(void)
{
	begin();
	say(GREETING);
	CHECK(qmp_command(&talk.qmp, "qom-get", NULL, 5) == 0);
	CHECK(qmp_command(&talk.qmp, "qom-get", NULL, 6) == 0);
	say("{\"return\": {\"a\": 18446744073709551615, \"b\": 3}, \"id\": 0}\n");
	say("{\"return\": 99999999999999999999999, \"id\": 1}\n");
	CHECK_STR(talk.told, "greeting 7;reply 5 ok;reply 6 ok;");
	finish();
	CHECK(talk.n_ends == 0);
}

static void
asked_from_inside(void)
{
	char text[64];

	begin();
	say(GREETING);
	talk.ask_at_reply = true;
	CHECK(qmp_command(&talk.qmp, "query-status", NULL, 0) == 0);
	for (int i = 0; i < 200; i++) {
		(void)snprintf(text, sizeof(text), "{\"return\": [], \"id\": %d}\n", i);
		say(text);
		CHECK(talk.n_replies == i + 1 && talk.last_cookie == (uint64_t)i);
	}
	CHECK(talk.n_ends == 0);
	finish();
	CHECK(talk.n_ends == 0);
}

static void
byte_by_byte(void)
{
	static const char all[] = GREETING "{\"return\": {}, \"id\": 0}\n"
					   "{\"event\": \"RESET\", \"data\": {\"guest\": true}}\n"
					   "{\"return\": [1, 2], \"id\": 1}\n";

	begin();
	CHECK(qmp_command(&talk.qmp, "qmp_capabilities", NULL, 1) == 0);
	CHECK(qmp_command(&talk.qmp, "x", NULL, 2) == 0);
	for (size_t i = 0; i < sizeof(all) - 1; i++)
		say_bytes(all + i, 1);
	CHECK_STR(talk.told, "greeting 7;reply 1 ok;event RESET;reply 2 ok;");
	CHECK(talk.n_ends == 0);
	finish();
}

/* Everything up to a byte, then the end: what was whole is told, the rest is not. */
static void
cut_at_every_byte(void)
{
	static const char all[] = GREETING "{\"return\": {}, \"id\": 0}\n"
					   "{\"event\": \"RESET\"}\n";
	const size_t greeting = sizeof(GREETING) - 1,
		     reply = greeting + sizeof("{\"return\": {}, \"id\": 0}\n") - 1;

	for (size_t cut = 0; cut < sizeof(all); cut++) {
		begin();
		CHECK(qmp_command(&talk.qmp, "qmp_capabilities", NULL, 5) == 0);
		CHECK(send(qemu, all, cut, MSG_NOSIGNAL) == (ssize_t)cut);
		fd_close(&qemu);
		turn(4);
		CHECK_STR(talk.told, cut < greeting ? ""
				     : cut < reply  ? "greeting 7;"
				     : cut < sizeof(all) - 1
					     ? "greeting 7;reply 5 ok;"
					     : "greeting 7;reply 5 ok;event RESET;");
		ended_with(QMP_END_CLOSED);
	}
}

/* --- what no QEMU says -------------------------------------------------------------------- */

static void
not_qmp(void)
{
	/* After the greeting, and with the command of id 0 open. */
	static const struct {
		const char *text;
		enum qmp_end why;
	} wrong[] = {
		{"\n", QMP_END_JSON},
		{"[]\n", QMP_END_JSON},
		{"1\n", QMP_END_JSON},
		{"null\n", QMP_END_JSON},
		{"{\"return\": {}, \"id\": 0\n", QMP_END_JSON},
		{"{\"return\": {}, \"id\": 0}}\n", QMP_END_JSON},
		{"{\"return\": {}, \"id\": 0, \"id\": 0}\n", QMP_END_JSON},
		{"{\"return\": \"\xff\", \"id\": 0}\n", QMP_END_JSON},
		{"{\"return\": 1e999, \"id\": 0}\n", QMP_END_JSON},
		{"{\"return\": 18446744073709551615, \"id\": -1}\n", QMP_END_ANSWER},
		{"{\"return\": 18446744073709551615, \"id\": 1}\n", QMP_END_ANSWER},
		{"{\"return\": 1, \"id\": 18446744073709551615}\n", QMP_END_ANSWER},
		{"{}\n", QMP_END_ANSWER},
		{GREETING, QMP_END_ANSWER},
		{"{\"return\": {}}\n", QMP_END_ANSWER},
		{"{\"return\": {}, \"id\": \"0\"}\n", QMP_END_ANSWER},
		{"{\"return\": {}, \"id\": 0.0}\n", QMP_END_ANSWER},
		{"{\"return\": {}, \"id\": -1}\n", QMP_END_ANSWER},
		{"{\"return\": {}, \"id\": 1}\n", QMP_END_ANSWER},
		{"{\"return\": {}, \"id\": 9223372036854775807}\n", QMP_END_ANSWER},
		{"{\"id\": 0}\n", QMP_END_ANSWER},
		{"{\"id\": 0, \"error\": null}\n", QMP_END_ANSWER},
		{"{\"id\": 0, \"error\": {}}\n", QMP_END_ANSWER},
		{"{\"id\": 0, \"error\": {\"class\": \"x\"}}\n", QMP_END_ANSWER},
		{"{\"id\": 0, \"error\": {\"class\": 1, \"desc\": \"x\"}}\n", QMP_END_ANSWER},
		{"{\"event\": 1}\n", QMP_END_ANSWER},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		begin();
		say(GREETING);
		CHECK(qmp_command(&talk.qmp, "x", NULL, 3) == 0);
		say(wrong[i].text);
		CHECK_STR(talk.told, "greeting 7;");
		ended_with(wrong[i].why);
	}
}

static void
no_greeting(void)
{
	static const char *const wrong[] = {"{\"event\": \"STOP\"}\n", "{}\n",
		"{\"return\": {}, \"id\": 0}\n", "{\"QMP\": {}}\n",
		"{\"QMP\": {\"version\": 7}}\n"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		begin();
		say(wrong[i]);
		CHECK_STR(talk.told, "");
		ended_with(QMP_END_GREETING);
	}
}

static void
answered_twice(void)
{
	begin();
	say(GREETING);
	CHECK(qmp_command(&talk.qmp, "x", NULL, 3) == 0);
	say("{\"return\": {}, \"id\": 0}\n{\"return\": {}, \"id\": 0}\n"
	    "{\"event\": \"NEVER\"}\n");
	CHECK_STR(talk.told, "greeting 7;reply 3 ok;");
	ended_with(QMP_END_ANSWER);
}

static void
out_of_order(void)
{
	begin();
	say(GREETING);
	CHECK(qmp_command(&talk.qmp, "x", NULL, 3) == 0);
	CHECK(qmp_command(&talk.qmp, "y", NULL, 4) == 0);
	say("{\"return\": {}, \"id\": 1}\n");
	ended_with(QMP_END_ANSWER);
}

static void
say_many(const char *text, size_t n)
{
	size_t size = strlen(text);
	char *all = malloc(size * n);

	if (!all)
		abort();
	for (size_t i = 0; i < n; i++)
		memcpy(all + i * size, text, size);
	say_bytes(all, size * n);
	free(all);
}

static void
endless_line(void)
{
	begin();
	say(GREETING "{\"event\": \"");
	say_many("A", QMP_LINE_MAX - 20);
	CHECK(talk.n_ends == 0 && talk.qmp.input_room <= 2 * QMP_LINE_MAX);
	say_many("A", 40);
	ended_with(QMP_END_LONG);
}

static void
longest_line(void)
{
	begin();
	say(GREETING "{\"event\": \"STOP\", \"data\": \"");
	say_many("A", QMP_LINE_MAX - 100);
	say("\"}\n");
	CHECK_STR(talk.told, "greeting 7;event STOP;");
	CHECK(talk.n_ends == 0 && !talk.qmp.input);
	finish();
}

static void
too_many_values(void)
{
	begin();
	say(GREETING "{\"event\": \"STOP\", \"data\": [0");
	say_many(",{}", QMP_VALUES_MAX / 2);
	say("]}\n");
	ended_with(QMP_END_LONG);
}

static void
too_deep(void)
{
	begin();
	say(GREETING "{\"event\": \"STOP\", \"data\": ");
	say_many("[", 100000);
	say_many("]", 100000);
	say("}\n");
	ended_with(QMP_END_JSON);
}

/* --- too much, or nothing at all ---------------------------------------------------------- */

static void
flood(void)
{
	int n;
	char events[26 * 1000 + 1];

	begin();
	say(GREETING);
	for (int i = 0; i < 1000; i++)
		memcpy(events + 26 * i, "{\"event\":\"BLOCK_IO_ERR\"} \n", 26);
	for (int i = 0; i < 1000; i++)
		events[26 * i + 25] = '\n';
	events[sizeof(events) - 1] = '\0';
	/* As much as the socket takes, at once: an iteration reads a bounded piece of it. */
	for (n = 0; send(qemu, events, sizeof(events) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) ==
		    (ssize_t)sizeof(events) - 1;)
		n++;
	CHECK(n > 3);
	turn(1);
	CHECK(talk.n_events > 0 && talk.n_events <= 2 * 16 * 1024 / 26 + 1);
	turn(100);
	CHECK(talk.n_events >= n * 1000 && talk.n_ends == 0);
	finish();
}

/* The room that a long line has made is not filled at once by those behind it. */
static void
flood_behind_a_long_line(void)
{
	enum { EVENTS = 4000 };
	static char line[256 * 1024], events[EVENTS * 14];

	begin();
	say(GREETING);
	memset(line, ' ', sizeof(line));
	say_bytes(line, sizeof(line));
	for (size_t at = 0; at < sizeof(events); at += 14)
		memcpy(events + at, "{\"event\":\"E\"}\n", 14);
	CHECK(send(qemu, events, sizeof(events), 0) == (ssize_t)sizeof(events));
	for (int i = 0; i < 100; i++) {
		int before = talk.n_events;

		turn(1);
		CHECK(talk.n_events - before <= 2 * 16 * 1024 / 14 + 1);
	}
	CHECK(talk.n_events == EVENTS && talk.n_ends == 0);
	finish();
}

static void
deaf_qemu(void)
{
	char large[60 * 1024];
	int n = 0, r = 0;
	size_t size = 0;

	begin();
	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	while (r == 0 && n < 64) {
		r = qmp_command(&talk.qmp, "x", json_pack("{s:s}", "x", large), 1);
		n += r == 0;
	}
	/* Refused to whoever asks, and only that. */
	CHECK(r == -ENOBUFS && talk.qmp.n_output <= QMP_OUTPUT_MAX);
	turn(5);
	CHECK(talk.n_ends == 0);
	/* It reads after all: everything arrives, in order and whole, and there is room again. */
	while (size < (size_t)n * (sizeof(large) - 1)) {
		ssize_t got = recv(qemu, large, sizeof(large) - 1, MSG_DONTWAIT);

		size += got > 0 ? (size_t)got : 0;
		turn(1);
	}
	turn(2);
	CHECK(!talk.qmp.output);
	CHECK(qmp_command(&talk.qmp, "y", NULL, 2) == 0);
	CHECK(recv(qemu, large, sizeof(large) - 1, MSG_DONTWAIT) > 0);
	/* It goes while something waits. */
	memset(large, 'x', sizeof(large) - 1);
	for (r = 0; r == 0;)
		r = qmp_command(&talk.qmp, "x", json_pack("{s:s}", "x", large), 1);
	fd_close(&qemu);
	turn(4);
	ended_with(QMP_END_CLOSED);
}

/* What is sent stays whole while some of it waits and more is added. */
static void
slow_qemu(void)
{
	char text[600];
	unsigned next = 0;
	size_t in_line = 0;
	char line[1024];

	begin();
	say(GREETING);
	(void)setsockopt(talk.qmp.fd, SOL_SOCKET, SO_SNDBUF, &(int){1}, sizeof(int));
	for (unsigned sent = 0; next < 600;) {
		ssize_t got;

		memset(text, 'a' + (char)(sent % 26), sizeof(text) - 1);
		text[sizeof(text) - 1] = '\0';
		while (sent < 600 &&
			qmp_command(&talk.qmp, "x", json_pack("{s:s}", "t", text), sent) == 0) {
			sent++;
			memset(text, 'a' + (char)(sent % 26), sizeof(text) - 1);
		}
		got = recv(qemu, line + in_line, 100, MSG_DONTWAIT);
		in_line += got > 0 ? (size_t)got : 0;
		CHECK(in_line <= sizeof(line) - 100);
		turn(1);
		for (char *newline; (newline = memchr(line, '\n', in_line));) {
			char id[64], answer[64];

			*newline = '\0';
			(void)snprintf(id, sizeof(id), "\"id\":%u,", next);
			CHECK(strstr(line, id) &&
				line[strlen(line) - 4] == 'a' + (char)(next % 26));
			in_line -= (size_t)(newline + 1 - line);
			memmove(line, newline + 1, in_line);
			(void)snprintf(
				answer, sizeof(answer), "{\"return\":0,\"id\":%u}\n", next++);
			CHECK(send(qemu, answer, strlen(answer), MSG_NOSIGNAL) > 0);
			turn(1);
		}
		if (test_this_failed)
			break;
	}
	CHECK(talk.n_replies == 600 && talk.last_cookie == 599);
	finish();
}

static void
too_many_open(void)
{
	begin();
	say(GREETING);
	for (int i = 0; i < QMP_OPEN_MAX; i++)
		CHECK(qmp_command(&talk.qmp, "x", NULL, (uint64_t)i) == 0);
	CHECK(qmp_command(&talk.qmp, "x", json_object(), 1) == -ENOBUFS);
	say("{\"return\": {}, \"id\": 0}\n");
	CHECK(qmp_command(&talk.qmp, "x", NULL, 1) == 0);
	finish();
}

/* QEMU has gone, and what it said last is answered with a command: the rest is still told. */
static void
last_words(void)
{
	static const char last[] = "{\"return\": {}, \"id\": 0}\n{\"event\": \"SHUTDOWN\"}\n";

	begin();
	say(GREETING);
	talk.ask_at_reply = true;
	CHECK(qmp_command(&talk.qmp, "x", NULL, 0) == 0);
	CHECK(qmp_command(&talk.qmp, "y", NULL, 8) == 0);
	CHECK(send(qemu, last, sizeof(last) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(last) - 1);
	fd_close(&qemu);
	turn(4);
	CHECK_STR(talk.told, "greeting 7;reply 0 ok;event SHUTDOWN;");
	ended_with(QMP_END_CLOSED);
}

/* --- stopped by us ------------------------------------------------------------------------ */

static void
stopped_from_inside(void)
{
	begin();
	talk.quit_at_reply = true;
	CHECK(qmp_command(&talk.qmp, "x", NULL, 1) == 0);
	say(GREETING "{\"return\": {}, \"id\": 0}\n{\"event\": \"NEVER\"}\n");
	CHECK_STR(talk.told, "greeting 7;reply 1 ok;");
	CHECK(talk.n_ends == 0);
	finish();
	begin();
	talk.stop_at_event = true;
	say(GREETING "{\"event\": \"STOP\"}\n{\"event\": \"NEVER\"}\n");
	CHECK_STR(talk.told, "greeting 7;event STOP;");
	finish();
	CHECK(talk.n_ends == 0);
}

/* It has ended, which was not yet told: the owner stops and frees it first. */
static void
stopped_before_the_end_is_told(void)
{
	struct qmp *qmp = calloc(1, sizeof(*qmp));
	int pair[2];

	memset(&talk, 0, sizeof(talk));
	if (!qmp || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	CHECK(qmp_start(qmp, &loop, pair[0], &ops) == 0);
	CHECK(send(pair[1], "x\n", 2, MSG_NOSIGNAL) == 2);
	turn(1);
	CHECK(qmp->fd == -1 && talk.n_ends == 0);
	qmp_stop(qmp);
	free(qmp);
	turn(3);
	CHECK(talk.n_ends == 0);
	fd_close(&pair[1]);
}

static void
stopped_without_a_start(void)
{
	struct qmp qmp = {.fd = 0};

	/* Whatever descriptor 0 is, it is not this conversation's. */
	if (fcntl(0, F_GETFD) < 0)
		(void)open("/dev/null", O_RDONLY | O_CLOEXEC);
	qmp_stop(&qmp);
	CHECK(fcntl(0, F_GETFD) >= 0);
	begin();
	finish();
	qmp_stop(&talk.qmp);
	CHECK(qmp_start(&talk.qmp, &loop, -1, &ops) == -EBADF);
	qmp_stop(&talk.qmp);
}

int
main(void)
{
	if (loop_init(&loop) < 0)
		abort();
	TEST("greeting, commands, answers and events", conversation);
	TEST("questions without an id", questions);
	TEST("numbers beyond what an integer holds", large_numbers);
	TEST("commands sent from inside an answer", asked_from_inside);
	TEST("one byte a write", byte_by_byte);
	TEST("an end at each byte: what was whole is told", cut_at_every_byte);
	TEST("what is not QMP ends it, each for its own reason", not_qmp);
	TEST("anything before the greeting ends it", no_greeting);
	TEST("an answer that came before ends it", answered_twice);
	TEST("an answer out of order ends it", out_of_order);
	TEST("a line without end ends it, in bounded memory", endless_line);
	TEST("a long line is told, and its memory given back", longest_line);
	TEST("a line of too many values ends it", too_many_values);
	TEST("a line of too deep values ends it", too_deep);
	TEST("a flood of events is read in bounded pieces", flood);
	TEST("so is one behind a long line", flood_behind_a_long_line);
	TEST("a QEMU that does not read costs who asks it, no more", deaf_qemu);
	TEST("a QEMU that reads slowly gets every command whole", slow_qemu);
	TEST("what QEMU said before it went is told, also when a command meets its end",
		last_words);
	TEST("open commands are bounded", too_many_open);
	TEST("stopped by its own callbacks it says no more", stopped_from_inside);
	TEST("stopped and freed before its end was told, it is silent",
		stopped_before_the_end_is_told);
	TEST("stopping what never started, or twice, does nothing", stopped_without_a_start);
	loop_fini(&loop);
	return TEST_END();
}
