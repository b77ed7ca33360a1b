/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * audit.h: what happens is told to qemud-audit, which writes it down.
 *
 * Runs in the broker, as root. One function for all that happens; it never waits and never grows.
 *
 * What equals something of the last second, but for time, pid and connection, is counted, and told as
 * one record with that count when the second is over. Who makes more happen than AUDIT_UID_BURST
 * different things, and then AUDIT_UID_PER_S a second, has the rest counted (AUDIT_MORE): nobody fills
 * the log, nor the queue, at others' expense. What finds the queue full is counted, and the count is
 * recorded (AUDIT_LOST) as soon as there is room.
 */
#ifndef BROKER_AUDIT_H
#define BROKER_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/auditor.h"
#include "broker/bucket.h"
#include "lib/loop.h"
#include "protocol/ipc/audit.h"

struct broker;
struct user;

enum {
	AUDIT_QUEUE_MAX = 1024, /* records that wait for qemud-audit */
	AUDIT_RECENT_MAX = 256, /* records of the last second, which others may equal */
	AUDIT_UID_BURST = 64,
	AUDIT_UID_PER_S = 4
};

/* Something that happened. What does not apply is 0 or NULL; texts are cut where they are too long. */
struct audit_event {
	enum audit_kind kind;
	enum audit_verdict verdict;
	uint32_t uid; /* who caused it; 0 and no label: the broker */
	uint32_t pid;
	uint64_t conn_id;
	const char *label, *target, *rule;
	uint32_t vm;
	const uint8_t *uuid; /* as the worker said */
	uint64_t memory_kib; /* asked for, or granted */
	uint32_t vcpus;
	struct bucket *payer; /* NULL: what the broker itself keeps from happening too often */
};

struct audit_recent {
	struct ipc_audit_record record;
	uint32_t more; /* so many equal it that were not told */
	uint64_t due_ns;
};

struct audit {
	struct broker *broker;
	struct ipc_audit_record *queue; /* a ring */
	uint32_t first, n;
	struct audit_recent *recent; /* the same, in the order of their times */
	uint32_t recent_first, recent_n;
	struct timer timer;      /* when the oldest of those is a second old */
	struct bucket strangers; /* of all uids without an account together */
	uint64_t n_lost;         /* not recorded yet */
	uint32_t pid;            /* the broker's own */
	bool stopping, ended;
	struct auditor auditor;
};

/** Make the queue. Returns 0 or -ENOMEM. */
int audit_init(struct audit *audit, struct broker *broker);
void audit_fini(struct audit *audit);
/** The link to qemud-launch is there: have qemud-audit started, unless there is to be none. */
void audit_start(struct audit *audit);
/** All is over: tell what waits, then broker_audit_ended(). */
void audit_stop(struct audit *audit);

/** It happened; outcome is what became of it, in words, or NULL. */
void audit_record(struct audit *audit, const struct audit_event *event, const char *outcome, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * May something be granted now, which the log is to hold? Returns 0, -ENOSPC (the log cannot be written
 * or has no room for more), or -ENOLINK (there is no qemud-audit). Stopping and showing are not asked for.
 */
int audit_refusal(const struct audit *audit);
/** The same in words for the client. */
const char *audit_refusal_words(int err);

/** Which key of qemud.conf says so. */
const char *audit_refusal_rule(int err);

/** Who pays for what that uid makes happen. */
struct bucket *audit_payer(struct audit *audit, uint32_t uid);
/**
 * The beginning of something that a user's worker asked for: hers to pay for unless it was allowed,
 * so that nobody hides what she was granted behind what she was not.
 */
struct audit_event audit_by(struct user *user, enum audit_kind kind, enum audit_verdict verdict);

/* For the auditor. */
const struct ipc_audit_record *audit_next(
	const struct audit *audit);    /* NULL: nothing is to be told */
void audit_kept(struct audit *audit);  /* that one is written */
void audit_stuck(struct audit *audit); /* there is nobody who writes, for now */

#endif
