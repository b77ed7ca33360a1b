/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * head.h: the number and digest of the last line, told to the system's log.
 *
 * Runs in qemud-audit. Who can write the audit log can write it anew from any line on, or cut its
 * end: that shows by what was told here, if the system's log goes elsewhere too. It is told with the
 * first line, at each new file, at the end, and each minute, whether anything was written since or not:
 * where nothing is told any more, nobody writes any more.
 */
#ifndef BROKER_AUDIT_HEAD_H
#define BROKER_AUDIT_HEAD_H

#include <stdint.h>

#include "broker/audit/journal.h"
#include "lib/loop.h"

#define HEAD_WORDS "audit head seq=" /* then the number, " hash=" and the digest */

enum { HEAD_S = 60 /* so often it is told */ };

struct head {
	struct journal *journal; /* borrowed */
	struct loop *loop;       /* borrowed */
	struct timer timer;
	int sock;           /* owned */
	bool begun;         /* it was told of a line of this process */
	uint64_t first_seq; /* of the file of which it was told */
};

/**
 * Make the socket, and begin to tell of that journal: before the filter is loaded. Returns 0 or a
 * negative errno.
 */
int head_open(struct head *head, struct loop *loop, struct journal *journal);
void head_close(struct head *head);
/** A line was written: the first one, and the first of a file, is told at once. */
void head_wrote(struct head *head);
/**
 * Tell it, to /dev/log, or, where nobody listens there, on stderr. Only of what is on the disk: when
 * it cannot be brought there, nothing is told.
 */
void head_tell(struct head *head);

#endif
