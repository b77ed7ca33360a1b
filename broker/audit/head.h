/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * head.h: the number and digest of the last line, told to the system's log.
 *
 * Runs in qemud-audit. Who can write the audit log can write it anew from any line on, or cut its
 * end: that shows by what was told here, if the system's log goes elsewhere too.
 */
#ifndef BROKER_AUDIT_HEAD_H
#define BROKER_AUDIT_HEAD_H

#include <stdint.h>

#include "protocol/audit/chain.h"

#define HEAD_WORDS "audit head seq=" /* then the number, " hash=" and the digest */

struct head {
	int sock;      /* owned */
	uint64_t told; /* the last number */
};

/** Make the socket: before the filter is loaded. Returns 0 or a negative errno. */
int head_open(struct head *head);
void head_close(struct head *head);
/**
 * Tell it, if it is another than the last; to /dev/log, or, where nobody listens there, on stderr.
 * Only of what is on the disk.
 */
void head_tell(struct head *head, const struct audit_chain *chain);

#endif
