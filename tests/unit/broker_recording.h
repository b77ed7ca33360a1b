/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_recording.h: a broker with a qemud-audit, which the test plays: the records that it is told.
 */
#ifndef TESTS_UNIT_BROKER_RECORDING_H
#define TESTS_UNIT_BROKER_RECORDING_H

#include "broker/audit.h"
#include "protocol/ipc/account.h"
#include "tests/unit/broker_stage.h"

enum { AUDIT_UID = 993 };

static struct kid auditor;

static inline void
answer_audit_account(void)
{
	AUTO(packet_fini) struct packet ask = {.size = 0};
	struct account account = account_of_uid(AUDIT_UID);

	expect(starter_fd, IPC_RESOLVE, &ask);
	CHECK_STR(((const struct ipc_resolve *)body_of(&ask))->name, "qemud-audit");
	answer_account(&ask, &account);
}

/* As far as `ready`, with qemud-audit started and nothing told. */
static inline void
open_stage(uint32_t audit)
{
	stage_audit = audit;
	stage_accounts();
	no_leaf();
	answer_audit_account();
	refuser = start_kid(IPC_VIEW, VIEW_UID);
	auditor = start_kid(IPC_AUDIT, AUDIT_UID);
	hello(&refuser);
	CHECK(broker.ready);
}

static inline struct ipc_audit_record
next_record(struct packet *packet)
{
	struct ipc_audit_record record;

	expect(auditor.link, IPC_AUDIT_RECORD, packet);
	memcpy(&record, body_of(packet), sizeof record);
	return record;
}

/* The next record, which is written. */
static inline struct ipc_audit_record
keep(void)
{
	AUTO(packet_fini) struct packet packet;
	struct ipc_audit_record record = next_record(&packet);

	answer(auditor.link, &packet, NULL, 0, NULL, 0);
	turn();
	return record;
}

/* The next of that kind; those before it are written. */
static inline struct ipc_audit_record
keep_until(enum audit_kind kind)
{
	struct ipc_audit_record record;

	do {
		record = keep();
	} while (record.kind != kind);
	return record;
}

static inline void
keep_all(void)
{
	struct packet packet;

	turn();
	while (packet_recv(auditor.link, &packet) == 0) {
		answer(auditor.link, &packet, NULL, 0, NULL, 0);
		packet_fini(&packet);
		turn();
	}
	CHECK(broker.audit.n == 0);
}

/* Another one, after the one before has been killed; it is told again what was not answered. */
static inline void
next_auditor(void)
{
	CHECK(broker.audit.auditor.state == AUDITOR_ABSENT);
	be_due(&broker.audit.auditor.timer);
	answer_audit_account();
	auditor = start_kid(IPC_AUDIT, AUDIT_UID);
}

static inline void
refuse(int err)
{
	AUTO(packet_fini) struct packet packet;

	(void)next_record(&packet);
	answer_error(auditor.link, &packet, err, 0);
	turn();
}

/* What was told is no longer of the last second. */
static inline void
second_over(void)
{
	struct audit *audit = &broker.audit;

	for (uint32_t i = 0; i < audit->recent_n; i++)
		audit->recent[(audit->recent_first + i) % AUDIT_RECENT_MAX].due_ns = 0;
	be_due(&audit->timer);
	CHECK(audit->recent_n == 0 && !timer_is_set(&audit->timer));
}

static inline void
close_stage(void)
{
	if (auditor.pid > 0)
		end_kid(&auditor);
	stage_close();
	stage_audit = CONFIG_AUDIT_OFF;
}

#endif
