/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_asked_first.h: what the starter is asked while the broker begins; of each: how far
 * things are before it, that it is asked, that an error is told to who wanted it (which returns whether
 * the broker goes on), and the answer that is right.
 */
#ifndef TESTS_UNIT_BROKER_ASKED_FIRST_H
#define TESTS_UNIT_BROKER_ASKED_FIRST_H

#include "tests/unit/broker_asked.h"

static inline void
ask_system(void)
{
	hear(IPC_RESOLVE);
}

static inline bool
told_system(int err)
{
	struct account view = account_of_uid(VIEW_UID);

	turn();
	CHECK(user_of(0)->lookup_err == err && !user_of(0)->has_account);
	hear(IPC_RESOLVE);
	answer_account(&at.ask, &view);
	no_leaf();
	refuser = start_kid(IPC_VIEW, VIEW_UID);
	hello(&refuser);
	CHECK(broker.ready);
	return true;
}

static inline void
answer_system(void)
{
	struct account system = account_of_uid(VM_UID);

	answer_account(&at.ask, &system);
}

static inline void
ask_view_account(void)
{
	hear(IPC_RESOLVE);
	answer_system();
	hear(IPC_RESOLVE);
}

/* The name service may be slow just then: it is asked again until the start is too late. */
static inline bool
told_patient(int err)
{
	turn();
	if (err == -ETIMEDOUT)
		CHECK(hear_all(true) == PACKET_E_AGAIN);
	return err == -ETIMEDOUT;
}

static inline void
answer_view_account(void)
{
	struct account view = account_of_uid(VIEW_UID);

	answer_account(&at.ask, &view);
}

static inline void
ask_leaf(void)
{
	hear(IPC_LEAF_NEXT);
}

static inline bool
told_leaf(int err)
{
	turn();
	return err == -ENOENT;
}

static inline void
answer_leaf(void)
{
	answer_error(starter_fd, &at.ask, -ENOENT, sizeof(struct ipc_leaf_found));
}

static inline void
begin_refuser(void)
{
	stage_accounts();
	no_leaf();
}

static inline void
ask_refuser(void)
{
	hear(IPC_VIEW);
}

static inline bool
told_refuser(int err)
{
	(void)err;
	turn();
	return false;
}

static inline void
answer_refuser(void)
{
	refuser = started(false);
	hello(&refuser);
	CHECK(broker.ready);
}

static inline void
begin_names(void)
{
	stage_names(STAFF);
}

static inline bool
told_name(int err)
{
	/* It is in a line that gives something, and that gives nothing then. */
	return told_patient(err) || err == -ENOENT;
}

/* The names are told of when all of them are. */
static inline bool
told_group(int err)
{
	if (err != -ETIMEDOUT)
		resolve_root(0);
	return told_name(err);
}

static inline void
answer_staff(void)
{
	answer_group(&at.ask, "staff", GID);
}

static inline void
ask_root(void)
{
	hear(IPC_RESOLVE);
	answer_staff();
	hear(IPC_RESOLVE);
}

static inline void
answer_root(void)
{
	struct account root = {.uid = 0, .n_groups = 1, .name = "root", .home = "/root"};

	answer_account(&at.ask, &root);
}

static inline void
begin_audited(void)
{
	open_stage(CONFIG_AUDIT_CONTINUE);
	at.bob = idle_worker(BOB);
	keep_all();
	end_kid(&auditor);
}

static inline void
ask_audit_account(void)
{
	be_due(&broker.audit.auditor.timer);
	hear(IPC_RESOLVE);
}

/* It is tried again. */
static inline bool
told_audit(int err)
{
	(void)err;
	turn();
	CHECK(broker.audit.auditor.state == AUDITOR_ABSENT);
	CHECK(timer_is_set(&broker.audit.auditor.timer));
	return true;
}

static inline void
answer_audit(void)
{
	auditor = started(false);
	keep_all();
}

static inline void
answer_auditors_account(void)
{
	struct account account = account_of_uid(AUDIT_UID);

	answer_account(&at.ask, &account);
	auditor = start_kid(IPC_AUDIT, AUDIT_UID);
	keep_all();
}

static inline void
ask_audit(void)
{
	be_due(&broker.audit.auditor.timer);
	answer_audit_account();
	hear(IPC_AUDIT);
}

#endif
