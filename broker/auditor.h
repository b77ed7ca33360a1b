/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * auditor.h: the process qemud-audit, as the broker has it: from its account to its end.
 *
 * Runs in the broker, as root. One record at a time is on its way; until it is answered the broker
 * keeps it, so that whatever becomes of the process, it goes to the next one. A process that does not
 * answer in AUDITOR_ANSWER_S is ended. One that cannot be had is tried again, ever more seldom.
 */
#ifndef BROKER_AUDITOR_H
#define BROKER_AUDITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/starter.h"
#include "lib/link.h"
#include "lib/loop.h"
#include "protocol/ipc/account.h"

struct audit;

enum {
	AUDITOR_ANSWER_S = 10,
	AUDITOR_FULL_S = 1,  /* a record that could not be written is told again after that time */
	AUDITOR_FIRST_S = 1, /* after its end it is started again; twice that when it fails ... */
	AUDITOR_LAST_S = 60  /* ... up to this */
};

enum auditor_state {
	AUDITOR_OFF = 0, /* there is to be none */
	AUDITOR_ABSENT,  /* it is started when the timer is due */
	AUDITOR_ASKED,   /* its account, or it, is asked for */
	AUDITOR_SERVING,
	AUDITOR_KILLED /* or its link has ended: its process has not yet */
};

struct auditor {
	struct audit *audit;
	enum auditor_state state;
	struct question question;
	struct account account;
	struct link link;
	struct io end_io; /* on pidfd */
	int pidfd;        /* owned; -1 when there is no process */
	uint32_t pid;
	struct timer timer; /* of an answer, of trying again */
	bool asked;         /* the record that is next is on its way */
	bool has_kept;      /* this process has written one */
	bool works;         /* so has the one before, and it may be had again */
	int write_err;      /* the last one could not be written: a negative errno */
	int told_err;       /* why it cannot be had, as the log was told: a negative errno */
	uint32_t wait_s;
	bool gone; /* it has ended, or cannot be had, and none has written since */
};

void auditor_init(struct auditor *auditor, struct audit *audit);
void auditor_fini(struct auditor *auditor);
/** Look up the account, then have the process started. */
void auditor_start(struct auditor *auditor);
/** There is something to tell: do what can be done now. */
void auditor_next(struct auditor *auditor);
/** Is there one that writes? */
bool auditor_writes(const struct auditor *auditor);
/** Tell it that there will be nothing more. */
void auditor_stop(struct auditor *auditor);

#endif
