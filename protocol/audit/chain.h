/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chain.h: does each line of the audit log follow from the one before?
 *
 * Pure. A line's prev is the SHA-256 of the line before it, newline included; of the first that
 * ever was it is zero. seq rises by one. What a crash has left of a line stays in the log, is ended by
 * "#" and a newline, and is followed by a line (AUDIT_REPAIR) that says how many bytes are none of its lines
 * and whose prev is the SHA-256 of the digest of the last whole line and these bytes: nothing is ever
 * taken out of the log.
 *
 * So nobody can change, take out, put in or move a line, but who writes all that follow anew: that,
 * and a cut end, shows by a digest that was kept elsewhere (the heads in the system's log).
 */
#ifndef PROTOCOL_AUDIT_CHAIN_H
#define PROTOCOL_AUDIT_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/sha256.h"
#include "protocol/audit/line.h"

struct audit_chain {
	bool begun;                /* there was a line */
	uint64_t seq;              /* of the last line; 0 before the first */
	uint8_t head[SHA256_SIZE]; /* its digest */
	uint64_t torn;             /* so many bytes since then are no lines */
	struct sha256 torn_sha;
};

enum audit_verdict_of_line {
	AUDIT_CHAIN_FOLLOWS = 0,
	AUDIT_CHAIN_FIRST,   /* nothing was before it: its prev and seq are taken as they are */
	AUDIT_CHAIN_TORN,    /* it is no line: what comes next must tell of it */
	AUDIT_CHAIN_MISSING, /* its seq is more than one above the last: lines are missing */
	AUDIT_CHAIN_BACK, /* its seq is not above the last: lines were moved, or are there twice */
	AUDIT_CHAIN_CHANGED, /* the line before it is not the one that it followed */
	AUDIT_CHAIN_UNTOLD   /* before it are bytes that are no lines, of which it does not tell */
};

/** Begin with nothing, so that any line may come first. */
void audit_chain_init(struct audit_chain *chain);
/** Begin behind the last line of that number with that digest; 0 and zero: at the very beginning. */
void audit_chain_init_at(
	struct audit_chain *chain, uint64_t seq, const uint8_t head[static SHA256_SIZE]);

/**
 * The next line, with its newline, or a piece of what is none. line may be NULL; else it is what was
 * read, when the result is not AUDIT_CHAIN_TORN. The chain goes on behind it, whatever the result is.
 */
enum audit_verdict_of_line audit_chain_next(
	struct audit_chain *chain, const char *text, size_t size, struct audit_line *ret_line);

/** What the next line has to say of its place. */
void audit_chain_place(const struct audit_chain *chain, struct audit_place *ret);
/** A line that follows was written. */
void audit_chain_add(struct audit_chain *chain, const char *text, size_t size);
/** Bytes were written that are no line. */
void audit_chain_tear(struct audit_chain *chain, const char *text, size_t size);

#endif
