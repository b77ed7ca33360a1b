/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * archive.h: the older files of the audit log, by their names.
 *
 * Runs in qemud-audit. A name is audit-SEQ.log with the number of the file's first line in twenty
 * digits, so that their order is that of their names.
 */
#ifndef BROKER_AUDIT_ARCHIVE_H
#define BROKER_AUDIT_ARCHIVE_H

#include <stdint.h>

enum { ARCHIVE_NAME_MAX = sizeof "audit-00000000000000000000.log" };

enum archive_error { ARCHIVE_E_FEW = 1 };

struct archive_oldest {
	char name[ARCHIVE_NAME_MAX];
	uint64_t last_seq; /* of its last line: the next file begins behind it */
};

/** The name of the file that begins with that line. */
void archive_name(uint64_t first_seq, char ret[static ARCHIVE_NAME_MAX]);
/** The newest of them. Returns 0, -ENOENT when there is none, or another negative errno. */
int archive_newest(int dir_fd, char ret[static ARCHIVE_NAME_MAX]);
/** The oldest, where there are more than n (1 or more). Returns 0, ARCHIVE_E_FEW or a negative errno. */
int archive_find(int dir_fd, uint32_t n, struct archive_oldest *ret);

#endif
