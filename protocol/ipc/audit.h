/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * audit.h: what the broker tells qemud-audit, one thing that happened a message, and the words that
 * stand for it in the log.
 *
 * Pure. Used by the broker, by qemud-audit, and by who reads the log. A kind has one row in the table
 * of audit.c; what has no row cannot be recorded.
 */
#ifndef PROTOCOL_IPC_AUDIT_H
#define PROTOCOL_IPC_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/ipc/ipc.h"

enum audit_kind {
	AUDIT_BROKER_START = 1,
	AUDIT_BROKER_STOP, /* the last that a broker says */
	/* What the audit has to say of itself; the first three are the broker's. */
	AUDIT_LOST, /* count records found the queue full */
	AUDIT_MORE, /* count records of that uid were more than it may have */
	AUDIT_GONE, /* there is no qemud-audit for a time: the next one writes that */
	AUDIT_BEGIN,
	AUDIT_ROTATE,
	AUDIT_REMOVE,
	AUDIT_REPAIR,
	AUDIT_REOPEN,
	AUDIT_ORPHAN, /* the broker has gone without a BROKER_STOP */

	AUDIT_CONNECTION,
	AUDIT_PROCESS_START,
	AUDIT_PROCESS_END,
	AUDIT_PROCESS_VIOLATION,
	AUDIT_VM_START, /* a lease that was asked for: granted, or not */
	AUDIT_VM_FOUND, /* one that an earlier broker has granted */
	AUDIT_VM_STOP,
	AUDIT_VM_END,
	AUDIT_NET_START,
	AUDIT_TOOL_START,
	AUDIT_AUTOSTART,
	AUDIT_TICKET,  /* an open connection may do less than before, or nothing any more */
	AUDIT_CHANNEL, /* a way for a connection to what somebody else owns */
	AUDIT_VM_CHANGE,
	AUDIT_VM_FREEZE,
	AUDIT_VM_THAW,
	AUDIT_POLICY_LOAD,   /* at the start */
	AUDIT_POLICY_RELOAD, /* at SIGHUP */
	AUDIT_POLICY_NAMES,  /* some of its names stand for something else than before */
	AUDIT_POLICY_CHANGE, /* what that means for a user who is known */
	AUDIT_KINDS          /* how many, and one */
};

/* What was decided about it; AUDIT_FACT where nothing was. */
enum audit_verdict { AUDIT_FACT = 0, AUDIT_ALLOWED, AUDIT_REFUSED, AUDIT_FAILED };

enum { AUDIT_RULE_MAX = 48 };

struct ipc_audit_record {
	uint64_t time_us; /* CLOCK_REALTIME, when it happened (or, of several, the last) */
	uint64_t conn_id; /* or 0 */
	uint64_t memory_kib;
	uint32_t kind;    /* enum audit_kind */
	uint32_t verdict; /* enum audit_verdict */
	uint32_t uid;     /* who caused it */
	uint32_t pid;     /* the same, or 0 */
	uint32_t count;   /* so many that differ in nothing but time, pid and conn_id; 1 or more */
	uint32_t vm;      /* id of a VM, or 0 */
	uint32_t vcpus;
	uint32_t zero;
	uint8_t uuid[IPC_UUID_SIZE];  /* zero: none; as a worker said */
	char label[IPC_LABEL_MAX];    /* who caused it, for people; may be empty, as all texts */
	char target[IPC_NAME_MAX];    /* whom or what it was done to */
	char rule[AUDIT_RULE_MAX];    /* which rule decided; of a policy that is bad: its place */
	char outcome[IPC_REASON_MAX]; /* what became of it, in words */
};

struct audit_words {
	const char *noun, *verb; /* "connection", "open" */
	bool reported;           /* its outcome is what a worker says of itself */
};

/** The words of a kind, which is in its range. */
const struct audit_words *audit_words(uint32_t kind);
/** "allowed" for AUDIT_ALLOWED; NULL for AUDIT_FACT. */
const char *audit_verdict_word(uint32_t verdict);

#endif
