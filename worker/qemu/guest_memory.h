/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest_memory.h: what a guest has said of its memory, through its balloon.
 *
 * Runs in the worker, as the user. Pure. Neither guest nor QEMU is trusted: these are numbers, and
 * what is none, or is missing, is left out.
 */
#ifndef WORKER_QEMU_GUEST_MEMORY_H
#define WORKER_QEMU_GUEST_MEMORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One of them, in libvirt's names and units. */
struct guest_memory_stat {
	int32_t tag;      /* virDomainMemoryStatTags */
	const char *name; /* behind "balloon." */
};

enum { GUEST_MEMORY_STATS = 11 };

/** In libvirt's order. */
extern const struct guest_memory_stat guest_memory_stats[GUEST_MEMORY_STATS];

/**
 * The one with that index. answer: of a balloon's guest-stats; NULL where the guest is not asked for
 * any: then it has never been, and the time of its last word is all that there is. Returns false
 * when there is no such number.
 */
bool guest_memory_read(const json_t *answer, size_t i, uint64_t *ret);

#endif
