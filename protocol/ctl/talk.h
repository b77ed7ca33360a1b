/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * talk.h: what qemudctl asks on the socket qemud-ctl, and is answered; this header is the specification.
 *
 * Pure. Runs in qemudctl, and in the view that answers it; each trusts no byte of the other's.
 *
 * A connection has one question, a line, and its answer, lines. Fields are separated by one TAB; a line
 * ends with a newline. The question is
 *
 *   1 TAB status
 *   1 TAB vms                   the same, and each virtual machine
 *   1 TAB limits [TAB user]     of whoever may be seen, or of that account (a name or a uid)
 *
 * where 1 is the protocol's number. A line of the answer is a row: its kind, then one field for each of
 * the kind's columns (talk_kinds), in their order. A number is decimal, without zeros in front; a flag is 0
 * or 1; a text is UTF-8 without control characters. An empty field says that it is not known, or not
 * to be told to who asks.
 *
 * An answer has at most TALK_ROWS_MAX rows before its end, and TALK_ANSWER_MAX bytes: whoever answers says so
 * in an error where it would be longer. Room is there for eight limits of each of 65536 users (max_users), or
 * for these, as many machines that run (max_vms), and several times as many that do not.
 *
 * A refusal or a failure is a row `error`. The last row is `end`, with the number of rows before it: an
 * answer that ends otherwise was cut.
 */
#ifndef PROTOCOL_CTL_TALK_H
#define PROTOCOL_CTL_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TALK_PROTOCOL = 1,
	TALK_QUESTION_MAX = 128, /* bytes, with the newline */
	TALK_USER_SIZE = 64,     /* with the NUL */
	TALK_TEXT_MAX = 256,     /* bytes of a text; what is longer is cut */
	TALK_COLUMNS_MAX = 16,
	TALK_ROW_MAX = 4608, /* bytes, with the newline; no row is as long */
	TALK_ROWS_MAX = 1000000,
	TALK_ANSWER_MAX = 64 * 1024 * 1024
};

/* --- the question ------------------------------------------------------------------------- */

enum talk_ask { TALK_ASK_STATUS = 1, TALK_ASK_VMS, TALK_ASK_LIMITS };

struct talk_question {
	enum talk_ask ask;
	char user[TALK_USER_SIZE]; /* whose limits; "": of all */
};

enum talk_error {
	TALK_E_BAD = 1, /* it is no question */
	TALK_E_PROTOCOL /* it is one of another protocol */
};

/** The line of a question. Returns its length, or 0: there is no such user. */
size_t talk_question_write(
	const struct talk_question *question, char ret[static TALK_QUESTION_MAX]);
/** The question of a line, without its newline. Returns 0 or an enum talk_error. */
int talk_question_read(const char *line, size_t size, struct talk_question *ret);

/* --- the answer --------------------------------------------------------------------------- */

enum talk_row_kind {
	TALK_HOST = 1, /* the first, but for errors */
	TALK_USER,
	TALK_VM,
	TALK_LIMIT,
	TALK_ERROR,
	TALK_END,
	TALK_KINDS
};

enum talk_type { TALK_NUMBER = 1, TALK_FLAG, TALK_TEXT };

/* Columns, by kind. Memory is in KiB; times are seconds of 1970 UTC. */

enum talk_host {
	TALK_HOST_PROTOCOL,
	TALK_HOST_VERSION,
	TALK_HOST_SINCE,       /* the broker runs */
	TALK_HOST_LIMITS,      /* "count" or "enforce": qemud.conf(5) */
	TALK_HOST_CONTROLLERS, /* that the control groups have: "none", "some" or "all" */
	TALK_HOST_POLICY_READ, /* when what holds was */
	TALK_HOST_POLICY_RULES,
	TALK_HOST_POLICY_FAILED, /* what was read since then holds not */
	/* For who sees everybody. */
	TALK_HOST_WORKERS,
	TALK_HOST_VMS, /* that have a lease */
	TALK_HOST_CONNECTIONS,
	TALK_HOST_MEMORY, /* that the host has */
	TALK_HOST_AUDIT,  /* "off", "written" or "stuck" */
	TALK_HOST_AUDIT_WAITING,
	TALK_HOST_AUDIT_LOST, /* and not recorded as lost yet */
	TALK_HOST_COLUMNS
};

enum talk_user {
	TALK_USER_UID,
	TALK_USER_NAME,
	TALK_USER_OWN,         /* who asks is she */
	TALK_USER_WORKER,      /* "none", "starting", "serving" or "leaving" */
	TALK_USER_ANSWERS,     /* does it? Of one that serves */
	TALK_USER_CONNECTIONS, /* her own */
	TALK_USER_VMS,         /* that have a lease; so the next three, which are what is leased */
	TALK_USER_VCPUS,
	TALK_USER_MEMORY,
	TALK_USER_OVERHEAD,     /* of QEMU and what belongs to it */
	TALK_USER_REPORTED_VMS, /* that there are, by her worker's word */
	TALK_USER_COLUMNS
};

enum talk_vm {
	TALK_VM_UID, /* the owner's */
	TALK_VM_OWNER,
	TALK_VM_ID,    /* as the next four, of one that has a lease */
	TALK_VM_STATE, /* "starting", "running", "frozen" or "ending" */
	TALK_VM_VCPUS,
	TALK_VM_MEMORY,
	TALK_VM_OVERHEAD,
	TALK_VM_UUID, /* her worker's word, as the next two */
	TALK_VM_REPORTED_NAME,
	TALK_VM_REPORTED_STATE, /* as virsh(1) has it */
	TALK_VM_COLUMNS
};

enum talk_limit {
	TALK_LIMIT_UID, /* empty: the host's */
	TALK_LIMIT_NAME,
	TALK_LIMIT_KEY, /* as policy.conf(5) calls it; "connections" */
	TALK_LIMIT_USED,
	TALK_LIMIT_MAX,  /* empty: there is none */
	TALK_LIMIT_RULE, /* where it says so: FILE:LINE, as a rule */
	TALK_LIMIT_COLUMNS
};

/* The codes of an error, which are words. */
#define TALK_CODE_REFUSED  "refused"  /* who asks may not */
#define TALK_CODE_UNKNOWN  "unknown"  /* there is no such user, or she may not be seen */
#define TALK_CODE_QUESTION "question" /* it was not understood */
#define TALK_CODE_FAILED   "failed"

enum talk_error_column { TALK_ERROR_CODE, TALK_ERROR_TEXT, TALK_ERROR_COLUMNS };
enum talk_end { TALK_END_ROWS, TALK_END_COLUMNS };

struct talk_kind {
	const char *name;
	unsigned n_columns;
	struct {
		const char *name;
		enum talk_type type;
	} columns[TALK_COLUMNS_MAX];
};

/* By enum talk_row_kind. */
extern const struct talk_kind talk_kinds[TALK_KINDS];

struct talk_value {
	bool known;
	uint64_t number;  /* of a number, or a flag */
	const char *text; /* of a text; borrowed */
};

struct talk_row {
	enum talk_row_kind kind;
	struct talk_value values[TALK_COLUMNS_MAX];
};

static inline struct talk_value
talk_number(uint64_t number)
{
	return (struct talk_value){.known = true, .number = number};
}

static inline struct talk_value
talk_text(const char *text)
{
	return (struct talk_value){.known = text && *text, .text = text};
}

/**
 * The line of a row. What a text may not have in it is a question mark there. Returns its length.
 */
size_t talk_row_write(const struct talk_row *row, char ret[static TALK_ROW_MAX]);

struct talk_reader {
	char *text; /* borrowed, size bytes; changed while it is read */
	size_t size, at;
	uint64_t n_rows;
	const char *error; /* after TALK_BAD, a constant */
};

enum talk_result { TALK_WHOLE = 0, TALK_ROW, TALK_BAD };

/**
 * The next row of an answer, whose texts live as long as the reader's text; after the last one, if it
 * is whole, TALK_WHOLE. Nothing that was read before TALK_BAD need be all that there is.
 */
enum talk_result talk_next(struct talk_reader *reader, struct talk_row *ret);
/**
 * Once more a row that talk_next() has read, from where it began in the reader's text. Returns where the next
 * one begins.
 */
char *talk_again(char *line, struct talk_row *ret);

#endif
