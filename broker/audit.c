/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * audit.c: what happens is told to qemud-audit, which writes it down; see audit.h.
 *
 * Runs in the broker, as root. Must never wait for anybody, and lets nobody's doings push out what
 * others do.
 */
#include "broker/audit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/users.h"
#include "lib/log.h"
#include "lib/take.h"

static const struct bucket_size pace = {
	.interval_ns = LOOP_S(1) / AUDIT_UID_PER_S, .burst = AUDIT_UID_BURST};

static void flush(struct audit *audit, uint64_t until_ns);

int
audit_init(struct audit *audit, struct broker *broker)
{
	*audit = (struct audit){.broker = broker, .pid = (uint32_t)getpid()};
	auditor_init(&audit->auditor, audit);
	if (broker->config.audit == CONFIG_AUDIT_OFF)
		return 0;
	audit->queue = calloc(AUDIT_QUEUE_MAX, sizeof *audit->queue);
	audit->recent = calloc(AUDIT_RECENT_MAX, sizeof *audit->recent);
	return audit->queue && audit->recent ? 0 : -ENOMEM;
}

void
audit_fini(struct audit *audit)
{
	auditor_fini(&audit->auditor);
	timer_stop(&audit->timer);
	free(audit->queue);
	free(audit->recent);
	audit->queue = NULL;
	audit->recent = NULL;
}

void
audit_start(struct audit *audit)
{
	if (audit->queue)
		auditor_start(&audit->auditor);
}

/* --- the queue ---------------------------------------------------------------------------- */

static void
push(struct audit *audit, const struct ipc_audit_record *record)
{
	audit->queue[(audit->first + audit->n++) % AUDIT_QUEUE_MAX] = *record;
}

static uint64_t
time_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* What was lost is told in its place, before what comes next. */
static void
push_lost(struct audit *audit)
{
	struct ipc_audit_record record = {.time_us = time_us(),
		.kind = AUDIT_LOST,
		.verdict = AUDIT_FAILED,
		.pid = audit->pid,
		.label = "qemud",
		.outcome = "so many records found no room while nobody wrote them"};

	record.count = audit->n_lost < UINT32_MAX ? (uint32_t)audit->n_lost : UINT32_MAX;
	audit->n_lost = 0;
	push(audit, &record);
}

static void
enqueue(struct audit *audit, const struct ipc_audit_record *record)
{
	uint32_t want = audit->n_lost > 0 ? 2 : 1;

	if (audit->n + want > AUDIT_QUEUE_MAX) {
		if (audit->n_lost == 0)
			log_warning("audit: %d records wait to be written already: more are lost, "
				    "and counted",
				AUDIT_QUEUE_MAX);
		audit->n_lost += record->count;
		return;
	}
	if (audit->n_lost > 0)
		push_lost(audit);
	push(audit, record);
	auditor_next(&audit->auditor);
}

const struct ipc_audit_record *
audit_next(const struct audit *audit)
{
	return audit->n > 0 ? &audit->queue[audit->first] : NULL;
}

static void
end(struct audit *audit)
{
	if (audit->ended)
		return;
	audit->ended = true;
	if (audit->n > 0)
		log_warning("audit: %" PRIu64 " records are lost: nobody writes them",
			audit->n + audit->n_lost);
	auditor_stop(&audit->auditor);
	broker_audit_ended(audit->broker);
}

void
audit_kept(struct audit *audit)
{
	audit->first = (audit->first + 1) % AUDIT_QUEUE_MAX;
	audit->n--;
	if (audit->n_lost > 0 && audit->n <= AUDIT_QUEUE_MAX / 2)
		push_lost(audit);
	if (audit->stopping && audit->n == 0)
		end(audit);
}

void
audit_stuck(struct audit *audit)
{
	if (audit->stopping)
		end(audit);
}

void
audit_stop(struct audit *audit)
{
	if (!audit->queue) {
		end(audit);
		return;
	}
	flush(audit, UINT64_MAX);
	audit_record(audit, &(struct audit_event){.kind = AUDIT_BROKER_STOP}, NULL);
	audit->stopping = true;
	if (audit->n == 0 || !auditor_writes(&audit->auditor))
		end(audit);
}

int
audit_refusal(const struct audit *audit)
{
	const struct config *config = &audit->broker->config;
	const struct auditor *auditor = &audit->auditor;

	if (!audit->queue)
		return 0;
	if (config->audit == CONFIG_AUDIT_REFUSE && !auditor->works)
		return -ENOLINK;
	if (config->audit_full == CONFIG_AUDIT_REFUSE &&
		(auditor->write_err < 0 || (auditor->works && audit->n == AUDIT_QUEUE_MAX)))
		return -ENOSPC;
	return 0;
}

const char *
audit_refusal_words(int err)
{
	return err == -ENOSPC
		       ? "the audit log of this host has no room for what happens, and nothing "
			 "is started until it has (audit_full in qemud.conf); ask its "
			 "administrator"
		       : "nobody writes the audit log of this host, and nothing is started "
			 "until somebody does (audit in qemud.conf); ask its administrator";
}

const char *
audit_refusal_rule(int err)
{
	return err == -ENOSPC ? "audit_full" : "audit";
}

/* --- what equals what happened just before -------------------------------------------------- */

static bool
is_equal(const struct ipc_audit_record *a, const struct ipc_audit_record *b)
{
	return a->kind == b->kind && a->uid == b->uid && a->verdict == b->verdict &&
	       a->vm == b->vm && a->vcpus == b->vcpus && a->memory_kib == b->memory_kib &&
	       memcmp(a->uuid, b->uuid, sizeof a->uuid) == 0 && strcmp(a->label, b->label) == 0 &&
	       strcmp(a->target, b->target) == 0 && strcmp(a->rule, b->rule) == 0 &&
	       strcmp(a->outcome, b->outcome) == 0;
}

static struct audit_recent *
find_equal(const struct audit *audit, const struct ipc_audit_record *record)
{
	for (uint32_t i = 0; i < audit->recent_n; i++) {
		struct audit_recent *recent =
			&audit->recent[(audit->recent_first + i) % AUDIT_RECENT_MAX];

		if (is_equal(&recent->record, record))
			return recent;
	}
	return NULL;
}

static void
timer_due(struct timer *timer)
{
	struct audit *audit = container_of(timer, struct audit, timer);

	flush(audit, loop_now(&audit->broker->loop));
}

static void
set_timer(struct audit *audit)
{
	if (audit->recent_n > 0)
		timer_set(&audit->broker->loop, &audit->timer,
			audit->recent[audit->recent_first].due_ns, timer_due);
	else
		timer_stop(&audit->timer);
}

/* Their second is over. */
static void
flush(struct audit *audit, uint64_t until_ns)
{
	while (audit->recent_n > 0 && audit->recent[audit->recent_first].due_ns <= until_ns) {
		struct audit_recent *recent = &audit->recent[audit->recent_first];

		audit->recent_first = (audit->recent_first + 1) % AUDIT_RECENT_MAX;
		audit->recent_n--;
		recent->record.count = recent->more;
		if (recent->more > 0)
			enqueue(audit, &recent->record);
	}
	set_timer(audit);
}

/* It is told now, and remembered for what equals it. */
static void
tell(struct audit *audit, const struct ipc_audit_record *record)
{
	struct audit_recent *recent;

	enqueue(audit, record);
	if (audit->recent_n == AUDIT_RECENT_MAX)
		return;
	recent = &audit->recent[(audit->recent_first + audit->recent_n++) % AUDIT_RECENT_MAX];
	*recent = (struct audit_recent){
		.record = *record, .due_ns = loop_now(&audit->broker->loop) + LOOP_S(1)};
	if (audit->recent_n == 1)
		set_timer(audit);
}

static bool
count_equal(struct audit *audit, const struct ipc_audit_record *record)
{
	struct audit_recent *recent = find_equal(audit, record);

	if (!recent)
		return false;
	recent->more++;
	recent->record.time_us = record->time_us;
	recent->record.pid = record->pid;
	recent->record.conn_id = record->conn_id;
	return true;
}

/* --- what happened ------------------------------------------------------------------------ */

struct bucket *
audit_payer(struct audit *audit, uint32_t uid)
{
	struct user *user = users_find(&audit->broker->users, uid);

	return user && !user->stranger ? &user->audit : &audit->strangers;
}

struct audit_event
audit_by(struct user *user, enum audit_kind kind, enum audit_verdict verdict)
{
	return (struct audit_event){.kind = kind,
		.verdict = verdict,
		.uid = user->uid,
		.label = user->account.name,
		.payer = verdict == AUDIT_ALLOWED ? NULL : &user->audit};
}

/* Nothing in it may drive a terminal; a message with such a byte would not be sent. */
static void
clean(char *text)
{
	for (; *text; text++)
		if ((uint8_t)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

static void
copy(char *ret, size_t size, const char *text)
{
	if (!text)
		return;
	(void)snprintf(ret, size, "%s", text);
	clean(ret);
}

/* Of what is too long the end stays: there is the line. */
static void
copy_rule(char ret[static AUDIT_RULE_MAX], const char *text)
{
	size_t len = text ? strlen(text) : 0;

	copy(ret, AUDIT_RULE_MAX, len < AUDIT_RULE_MAX ? text : text + len - (AUDIT_RULE_MAX - 1));
	if (len >= AUDIT_RULE_MAX)
		memcpy(ret, "...", 3);
}

static struct ipc_audit_record
record_of(const struct audit *audit, const struct audit_event *event)
{
	struct ipc_audit_record record = {.time_us = time_us(),
		.conn_id = event->conn_id,
		.kind = event->kind,
		.verdict = event->verdict,
		.uid = event->uid,
		.pid = event->pid,
		.count = 1,
		.vm = event->vm,
		.memory_kib = event->memory_kib,
		.vcpus = event->vcpus};
	bool own = event->uid == 0 && !event->label;

	if (own)
		record.pid = audit->pid;
	if (event->uuid)
		memcpy(record.uuid, event->uuid, sizeof record.uuid);
	copy(record.label, sizeof record.label, own ? "qemud" : event->label);
	copy(record.target, sizeof record.target, event->target);
	copy_rule(record.rule, event->rule);
	return record;
}

void
audit_record(struct audit *audit, const struct audit_event *event, const char *outcome, ...)
{
	struct ipc_audit_record record;
	va_list ap;

	if (!audit->queue || audit->stopping)
		return;
	record = record_of(audit, event);
	if (outcome) {
		va_start(ap, outcome);
		(void)vsnprintf(record.outcome, sizeof record.outcome, outcome, ap);
		va_end(ap);
		clean(record.outcome);
	}
	if (count_equal(audit, &record))
		return;
	if (event->payer && !bucket_take(event->payer, loop_now(&audit->broker->loop), pace)) {
		bool stranger = event->payer == &audit->strangers;

		/* All strangers are one: each of them may be another uid. */
		record = record_of(audit,
			&(struct audit_event){.kind = AUDIT_MORE,
				.uid = stranger ? UINT32_MAX : event->uid,
				.label = stranger ? "uids without an account" : event->label});
		copy(record.outcome, sizeof record.outcome,
			"so many more things happened than are recorded of one account");
		if (count_equal(audit, &record))
			return;
	}
	tell(audit, &record);
}
