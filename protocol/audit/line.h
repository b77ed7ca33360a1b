/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * line.h: one line of the audit log, written and read.
 *
 * Pure. Written by qemud-audit, read by it and by qemudctl. A line is one JSON object (RFC 8259) without
 * blanks, whose members are strings and numbers from 0 to 2^64-1, and a newline:
 *
 *   {"seq":7,"time":"2026-11-23T00:46:22.000001Z","kind":"vm","verb":"start","verdict":"allowed",
 *    "uid":1000,"label":"alice","target":"alice","vm":3,"reported_uuid":"...","outcome":"...",
 *    "prev":"HEX"}
 *
 * seq counts from 1; prev is the SHA-256 of what stands before this line since the last one that is
 * whole, see chain.h. What is 0 or empty is left out; what a worker said is named reported_*. In a
 * string stands every printable character of well-formed UTF-8 but quote and backslash for itself;
 * what is hidden or drives a terminal (lib/utf8.h) is \uNNNN, and a byte that is no UTF-8 is \ufffd.
 */
#ifndef PROTOCOL_AUDIT_LINE_H
#define PROTOCOL_AUDIT_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/sha256.h"
#include "protocol/ipc/audit.h"

enum { AUDIT_LINE_MAX = 4096, AUDIT_KEY_MAX = 32 };

/* What a line says besides the record. */
struct audit_place {
	uint64_t seq;
	uint64_t torn;    /* AUDIT_REPAIR: so many bytes before it are no lines */
	uint64_t removed; /* AUDIT_REMOVE: up to this seq there are no lines any more */
	uint8_t prev[SHA256_SIZE];
};

/** Write the line, with its newline and a NUL behind it. Returns its length without the NUL. */
size_t audit_line_format(const struct ipc_audit_record *record, const struct audit_place *place,
	char ret[static AUDIT_LINE_MAX]);

/* One member after the other. */
struct audit_members {
	const char *text; /* borrowed, size bytes */
	size_t size, at;
	char key[AUDIT_KEY_MAX];
	bool is_number;
	uint64_t number;
	char value[AUDIT_LINE_MAX]; /* a string, decoded; NUL as U+FFFD; a number, its digits */
};

/** Begin with a line of at most AUDIT_LINE_MAX bytes with its newline. */
void audit_members_init(struct audit_members *members, const char *text, size_t size);
/** Returns 1 and the next member, 0 at the end of a whole line, -1 where it is no line. */
int audit_members_next(struct audit_members *members);

/* What a line says of its place, and what it is. */
struct audit_line {
	struct audit_place place;
	bool repair, remove; /* AUDIT_REPAIR, AUDIT_REMOVE */
};

/** Read a line (with its newline). False for what is none, whatever it is. */
bool audit_line_read(const char *text, size_t size, struct audit_line *ret);

/**
 * Is it the same but for its place? For a record that was written and not answered. prev and seq are
 * at the two ends of a line.
 */
bool audit_line_same(const char *a, size_t a_size, const char *b, size_t b_size);

#endif
