/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_qmp.c: what a QEMU that its guest has taken over may say to the worker.
 *
 * The first byte says how long the pieces are in which the rest arrives, and, with its highest bit,
 * that commands have no ids. Commands are open all the time. Oracle: answers come in order to who
 * asked, the end is told at most once and as the last, and what was told does not depend on the
 * pieces.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/take.h"
#include "worker/qemu/capabilities.h"
#include "worker/qemu/qmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct talk {
	struct qmp qmp;
	bool without_ids;
	uint64_t next_ask, next_reply;
	unsigned n_greetings, n_events, n_ends;
	enum qmp_end why;
	size_t sum; /* of what was told */
};

static void
require(int holds)
{
	if (!holds)
		abort();
}

static void
ask(struct talk *talk)
{
	require((talk->without_ids ? qmp_question : qmp_command)(
			&talk->qmp, "query-status", NULL, talk->next_ask++) == 0);
}

/* What a real owner does with values: reads them as one thing or another. */
static void
read_value(struct talk *talk, const json_t *value)
{
	capabilities_auto struct capabilities *capabilities = capabilities_new();
	capabilities_take_fn *const take[] = {capabilities_take_version, capabilities_take_target,
		capabilities_take_machines, capabilities_take_models, capabilities_take_kvm};

	require(capabilities != NULL);
	for (size_t i = 0; i < sizeof(take) / sizeof(take[0]); i++)
		talk->sum = talk->sum * 31 + (size_t)take[i](capabilities, value);
	require(capabilities->n_machines <= CAPABILITIES_MACHINES_MAX &&
		capabilities->n_models <= CAPABILITIES_MODELS_MAX);
}

static void
on_greeting(struct qmp *qmp, json_t *version)
{
	struct talk *talk = container_of(qmp, struct talk, qmp);

	require(talk->n_greetings++ == 0 && talk->n_events == 0 && talk->next_reply == 0);
	read_value(talk, version);
}

static void
on_reply(struct qmp *qmp, uint64_t cookie, const struct qmp_reply *reply)
{
	struct talk *talk = container_of(qmp, struct talk, qmp);

	require(talk->n_greetings == 1 && talk->n_ends == 0);
	require(cookie == talk->next_reply++ && cookie < talk->next_ask);
	require(reply->value ? !reply->error_class : reply->error_class && reply->error_text);
	if (reply->value)
		read_value(talk, reply->value);
	ask(talk);
}

static void
on_event(struct qmp *qmp, const char *name, json_t *event_data)
{
	struct talk *talk = container_of(qmp, struct talk, qmp);

	(void)event_data;
	require(talk->n_greetings == 1 && talk->n_ends == 0);
	talk->n_events++;
	talk->sum = talk->sum * 31 + strlen(name);
}

static void
on_end(struct qmp *qmp, enum qmp_end why)
{
	struct talk *talk = container_of(qmp, struct talk, qmp);

	require(talk->n_ends++ == 0 && qmp->fd < 0 && qmp_end_text(why)[0] != '?');
	talk->why = why;
}

static const struct qmp_ops ops = {
	.greeting = on_greeting, .reply = on_reply, .event = on_event, .end = on_end};

static void
hear(struct talk *talk, bool without_ids, const uint8_t *data, size_t size, size_t piece)
{
	struct loop loop;
	int pair[2];

	memset(talk, 0, sizeof(*talk));
	talk->without_ids = without_ids;
	require(loop_init(&loop) == 0);
	require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	require(qmp_start(&talk->qmp, &loop, pair[0], &ops) == 0);
	ask(talk);
	ask(talk);
	while (size > 0 && talk->qmp.fd >= 0) {
		size_t want = piece < size ? piece : size;
		ssize_t n = send(pair[1], data, want, MSG_DONTWAIT | MSG_NOSIGNAL);
		char heard[4096];

		data += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
		(void)recv(pair[1], heard, sizeof(heard), MSG_DONTWAIT);
		require(loop_once(&loop, 0) == 0);
	}
	require(close(pair[1]) == 0);
	while (talk->n_ends == 0)
		require(loop_once(&loop, 0) == 0);
	require(!talk->qmp.input && !talk->qmp.output);
	qmp_stop(&talk->qmp);
	loop_fini(&loop);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct talk whole, pieces;
	bool without_ids;

	if (size == 0)
		return 0;
	without_ids = data[0] & 0x80;
	hear(&whole, without_ids, data + 1, size - 1, SIZE_MAX);
	/* Long input is not sent byte by byte: that would test nothing but patience. */
	hear(&pieces, without_ids, data + 1, size - 1, data[0] % 64 + 1 + size / 256);
	require(whole.why == pieces.why && whole.sum == pieces.sum);
	require(whole.next_reply == pieces.next_reply && whole.n_events == pieces.n_events);
	return 0;
}
