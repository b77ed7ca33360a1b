/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal.h: the files of the audit log: DIR/audit.log, and what it was before as DIR/audit-SEQ.log,
 * where SEQ is the number of its first line in twenty digits.
 *
 * Runs in qemud-audit. Files are made, appended to, renamed and (the oldest of too many, which is
 * recorded first) removed: nothing that was written is ever changed. What a crash or a full disk has
 * left of a line stays where it is, and is told of by the next one (protocol/audit/chain.h).
 */
#ifndef BROKER_AUDIT_JOURNAL_H
#define BROKER_AUDIT_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/audit/chain.h"
#include "protocol/ipc/audit.h"

#define JOURNAL_NAME "audit.log"

struct journal {
	const char *dir;   /* borrowed, for people */
	uint64_t max_size; /* of a file, in bytes */
	uint32_t n_files;  /* kept beside audit.log; 0: all */

	int dir_fd, fd;           /* owned; fd is -1 while there is no audit.log */
	dev_t dev;                /* of audit.log */
	ino_t ino;                /* the same */
	uint64_t size;            /* the same */
	uint64_t rotate_size;     /* it is renamed when it would be larger */
	uint64_t first_seq;       /* of its first line */
	struct audit_chain chain; /* to its end */
	bool is_cut;              /* its last byte is no newline */
	bool dirty;               /* something was written since it was synced */
	bool begun;               /* the AUDIT_BEGIN of this process is in it */
	bool reopen;              /* an audit.log of this process has gone, which is to be told */
	/* The last line that an earlier process has written; empty once it does not matter any more. */
	char last[AUDIT_LINE_MAX];
	size_t last_size;
};

enum journal_error {
	JOURNAL_E_FOREIGN = 1 /* folder or file is another account's, or others may write there */
};

/**
 * Open the folder and find the end of the log; dir, max_size and n_files are set. Waits until no other
 * process has the folder. Returns 0, JOURNAL_E_FOREIGN, or a negative errno; then *ret_what says what
 * it was about.
 */
int journal_open(struct journal *journal, const char **ret_what);
void journal_close(struct journal *journal);

/**
 * Add a line. Returns 0, or a negative errno when it is not there: it may be tried again. A record that
 * an earlier process wrote as its last one is not written again.
 */
int journal_write(struct journal *journal, const struct ipc_audit_record *record);
/** Add a line of the audit's own. */
int journal_say(
	struct journal *journal, enum audit_kind kind, const char *target, const char *outcome);
/**
 * Have what was written on the disk, and look (see below). Returns 0, or a negative errno that was told.
 */
int journal_keep(struct journal *journal);
/** Has somebody moved or removed audit.log? Then the next line goes into a new one, and says so. */
void journal_look(struct journal *journal);

#endif
