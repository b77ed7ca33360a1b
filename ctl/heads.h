/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * heads.h: what the system's log knows of an audit log: digests of its lines, by their numbers.
 *
 * Runs as whoever calls qemudctl.
 */
#ifndef CTL_HEADS_H
#define CTL_HEADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/sha256.h"

struct heads_entry {
	uint64_t seq;
	uint8_t hash[SHA256_SIZE];
	bool seen; /* the line was there, whatever its digest */
};

struct heads {
	struct heads_entry *entries; /* owned */
	size_t n, room;
};

/** "SEQ:HASH". Returns an enum ctl_status; what is wrong is told. */
int heads_add(struct heads *heads, const char *text);
/** Those that are in a file; "-": standard input. The same. */
int heads_read(struct heads *heads, const char *path);
/** In the order of their numbers: before the next two. */
void heads_sort(struct heads *heads);
/** Does any tell of that line, and of another digest than that? It is seen from then on. */
bool heads_contradict(struct heads *heads, uint64_t seq, const uint8_t hash[static SHA256_SIZE]);
void heads_free(struct heads *heads);

#endif
