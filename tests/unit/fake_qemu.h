/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake_qemu.h: the box of a VM and the QEMU that it becomes, played by the test, over the sockets
 * that the worker gave to them. Every step waits for the worker by turns of worker.h's loop.
 */
#ifndef TESTS_UNIT_FAKE_QEMU_H
#define TESTS_UNIT_FAKE_QEMU_H

#include <jansson.h>

#include "lib/memfd.h"
#include "tests/unit/qemu_cpus.h"
#include "tests/unit/worker.h"
#include "worker/box/plan.h"

#define QEMU_GREETING                                                                         \
	"{\"QMP\":{\"version\":{\"qemu\":{\"major\":7,\"minor\":2,\"micro\":22},\"package\":" \
	"\"\"},\"capabilities\":[]}}\n"

static struct {
	int seed; /* the box's end; -1: it has become QEMU, or ended */
	int log;
	struct plan plan;
	char *plan_text;
	unsigned n_fds;
	int fds[PLAN_FDS_MAX]; /* as the plan numbers them */
	int monitor;           /* of the worker that is connected */
	json_t *heard;         /* the arguments of the command that was heard last; owned */
	json_int_t id;         /* of the command that was heard last; -1: it has none */
	char action[16];       /* that a set-action asked for */
	int passed;            /* the descriptor that came with a command last; -1: none */
} qemu = {.seed = -1, .log = -1, .monitor = -1, .passed = -1};

/* All of it ends, or what the next one has is not there yet. */
static inline void
qemu_ends(void)
{
	for (unsigned i = 0; i < qemu.n_fds; i++)
		fd_close(&qemu.fds[i]);
	qemu.n_fds = 0;
	fd_close(&qemu.log);
	fd_close(&qemu.passed);
	fd_close(&qemu.monitor);
	fd_close(&qemu.seed);
	free(take_ptr(qemu.plan_text));
	json_decref(take_ptr(qemu.heard));
}

/* --- the box ------------------------------------------------------------------------------ */

static inline void
box_receive(struct packet *packet)
{
	int r = PACKET_E_AGAIN;

	for (unsigned i = 0; r == PACKET_E_AGAIN && i < TURNS; i++) {
		r = packet_recv(qemu.seed, packet);
		if (r == PACKET_E_AGAIN)
			rig_turn(10);
	}
	ASSERT(r == 0 && packet->size == 1);
}

/* The plan and all descriptors; the last packet says that this is all. */
static inline void
box_takes(void)
{
	char why[PLAN_WHY_MAX];
	struct packet packet;
	size_t size = 0;
	char kind;

	do {
		box_receive(&packet);
		kind = (char)packet.data[0];
		if (kind == PLAN_PACKET_PLAN)
			ASSERT(memfd_read(packet.fds[0], PLAN_SIZE_MAX, &qemu.plan_text, &size) ==
				0);
		for (unsigned i = 0; kind == PLAN_PACKET_FDS && i < packet.n_fds; i++)
			if (qemu.log < 0)
				qemu.log = take_fd(&packet.fds[i]);
			else
				qemu.fds[qemu.n_fds++] = take_fd(&packet.fds[i]);
		packet_fini(&packet);
	} while (kind != PLAN_PACKET_END);
	ASSERT(plan_decode(qemu.plan_text, size, &qemu.plan, why) == 0);
	CHECK(qemu.n_fds == qemu.plan.n_fds);
}

static inline void
box_says(const char *text)
{
	CHECK(packet_send(qemu.seed, text, strlen(text), NULL, 0) == 0);
	rig_turn(0);
}

static inline void
box_becomes_qemu(void)
{
	box_says("ok landlock 7");
	fd_close(&qemu.seed);
	rig_turn(0);
	rig_turn(0);
}

/* --- QEMU --------------------------------------------------------------------------------- */

/* The argument that has this in it, or NULL. */
static inline const char *
qemu_arg(const char *part)
{
	for (unsigned i = 0; i < qemu.plan.n_args; i++)
		if (strstr(qemu.plan.args[i], part))
			return qemu.plan.args[i];
	return NULL;
}

/* The listener that was given to it for this character device. */
static inline int
qemu_listener(const char *chardev)
{
	const char *arg = qemu_arg(chardev);
	int number = arg ? atoi(strstr(arg, "fd=") + 3) : -1;

	for (unsigned i = 0; i < qemu.n_fds; i++)
		if (qemu.plan.fds[i] == number)
			return qemu.fds[i];
	return -1;
}

/* Who has connected there; -1: nobody within a second. */
static inline int
qemu_accepts(const char *chardev)
{
	int fd = -1;

	for (unsigned i = 0; fd < 0 && i < 100; i++) {
		fd = accept4(qemu_listener(chardev), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			rig_turn(10);
	}
	return fd;
}

static inline void
qemu_says(const char *text)
{
	CHECK(send(qemu.monitor, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
	rig_turn(0);
}

/* A byte of its monitor; a descriptor that comes with it is kept, in the place of another. */
static inline ssize_t
qemu_reads(char *byte)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = byte, .iov_len = 1};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf)};
	ssize_t n = recvmsg(qemu.monitor, &msg, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *cmsg = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS) {
		fd_close(&qemu.passed);
		memcpy(&qemu.passed, CMSG_DATA(cmsg), sizeof(int));
	}
	return n;
}

/* It has heard that command. */
static inline void
qemu_notes(const json_t *message)
{
	const json_t *id = json_object_get(message, "id");

	CHECK(!id || json_is_integer(id));
	qemu.id = id ? json_integer_value(id) : -1;
}

/* What its answer ends with. */
static inline const char *
qemu_id(void)
{
	static char text[64];

	if (qemu.id < 0)
		return "}\n";
	(void)snprintf(text, sizeof(text), ",\"id\":%" JSON_INTEGER_FORMAT "}\n", qemu.id);
	return text;
}

/* The next command that it is given, which must be that one; then it can answer. */
static inline void
qemu_hears(const char *command)
{
	char line[4096], got = '\0';
	const char *action;
	json_t *message;
	size_t n = 0;

	for (unsigned i = 0; got != '\n' && n < sizeof(line) && i < TURNS; i++) {
		ssize_t size = qemu_reads(&got);

		if (size == 1)
			line[n++] = got;
		else if (size < 0 && errno == EAGAIN)
			rig_turn(i < 4096 ? 0 : 10);
		else
			break;
	}
	message = json_loadb(line, n, 0, NULL);
	json_decref(qemu.heard);
	qemu.heard = json_incref(json_object_get(message, "arguments"));
	CHECK_STR(json_string_value(json_object_get(message, "execute")), command);
	qemu_notes(message);
	action = json_string_value(
		json_object_get(json_object_get(message, "arguments"), "shutdown"));
	(void)snprintf(qemu.action, sizeof(qemu.action), "%s", action ? action : "");
	json_decref(message);
}

/* What was said in that argument of the last command, or NULL. */
static inline const char *
qemu_heard(const char *argument)
{
	return json_string_value(json_object_get(qemu.heard, argument));
}

/* It has been given no command. */
static inline bool
qemu_is_left_alone(void)
{
	char byte;

	for (int i = 0; i < 3; i++)
		rig_turn(0);
	return recv(qemu.monitor, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

static inline void
qemu_answers(const char *value)
{
	char text[4096];

	(void)snprintf(text, sizeof(text), "{\"return\":%s%s", value, qemu_id());
	qemu_says(text);
}

static inline void
qemu_refuses(const char *words)
{
	char text[512];

	(void)snprintf(text, sizeof(text),
		"{\"error\":{\"class\":\"GenericError\",\"desc\":\"%s\"}%s", words, qemu_id());
	qemu_says(text);
}

/* data: a JSON object, or NULL. */
static inline void
qemu_tells(const char *event, const char *data)
{
	char text[512];

	(void)snprintf(text, sizeof(text), "{\"timestamp\":{},\"event\":\"%s\"%s%s}\n", event,
		data ? ",\"data\":" : "", data ? data : "");
	qemu_says(text);
}

static inline void
qemu_greets(void)
{
	qemu.monitor = qemu_accepts("charmonitor");
	ASSERT(qemu.monitor >= 0);
	qemu_says(QEMU_GREETING);
}

/* Greeting, and the first answers: this is the VM of that number, and so it is. */
static inline void
qemu_opens(unsigned number, const char *status)
{
	char text[128];

	qemu_greets();
	qemu_hears("qmp_capabilities");
	qemu_answers("{}");
	qemu_hears("query-uuid");
	(void)snprintf(
		text, sizeof(text), "{\"UUID\":\"00000000-0000-4000-8000-00000000%04x\"}", number);
	qemu_answers(text);
	qemu_hears("query-status");
	(void)snprintf(text, sizeof(text), "{\"status\":\"%s\",\"running\":false}", status);
	qemu_answers(text);
}

/* That it has so many virtual CPUs of two, as it answers to query-hotpluggable-cpus. */
static inline void
qemu_says_vcpus(unsigned n)
{
	static const char *const answers[] = {
		[1] = "[" QEMU_NO_CPU(1) "," QEMU_CPU(0) "]",
		[2] = "[" QEMU_PLUGGED_CPU(1) "," QEMU_CPU(0) "]",
	};

	qemu_hears("query-hotpluggable-cpus");
	qemu_answers(answers[n]);
}

/* The same, and it says how much memory it has, and how many virtual CPUs: one that runs is adopted. */
static inline void
qemu_is_reached(unsigned number, const char *status)
{
	qemu_opens(number, status);
	qemu_hears("query-balloon");
	qemu_answers("{\"actual\":41943040}");
	qemu_says_vcpus(1);
}

#endif
