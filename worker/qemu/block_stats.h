/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * block_stats.h: what QEMU says of a drive: what went through it, and how large its medium is.
 *
 * Runs in the worker, as the user. Pure. QEMU is not trusted: what is missing, of another type or
 * negative counts as 0.
 */
#ifndef WORKER_QEMU_BLOCK_STATS_H
#define WORKER_QEMU_BLOCK_STATS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Since its QEMU began; in bytes, in operations, and in nanoseconds that they took. */
struct block_stats {
	uint64_t rd_bytes, rd_operations, rd_total_times;
	uint64_t wr_bytes, wr_operations, wr_total_times;
	uint64_t flush_operations, flush_total_times;
	uint64_t highest; /* end of what was written farthest into the image file, in bytes */
};

/* The medium, in bytes. */
struct block_size {
	uint64_t capacity; /* as the guest sees it */
	uint64_t physical; /* that its file takes up */
};

/* virDomainDiskErrorCode: why a device's last request failed. */
enum block_error { BLOCK_ERROR_NONE = 0, BLOCK_ERROR_UNSPEC, BLOCK_ERROR_NO_SPACE };

/**
 * Of the device with that alias. stats: QEMU's answer to query-blockstats. Returns false, and *ret
 * is zeroed, when it says nothing of it.
 */
bool block_stats_read(const json_t *stats, const char *alias, struct block_stats *ret);
/**
 * A number that is another one when anything was written to one of the drives since, or a medium was
 * changed: sizes are then worth asking for again.
 */
uint64_t block_stats_sum(const json_t *stats);
/** Of the same device's medium, with the answer to query-named-block-nodes; likewise. */
bool block_size_read(
	const json_t *stats, const json_t *nodes, const char *alias, struct block_size *ret);
/**
 * The error in which the device with that alias is, since the guest last went on. state: QEMU's answer to
 * query-block. BLOCK_ERROR_NONE also where it says nothing of it.
 */
enum block_error block_error_read(const json_t *state, const char *alias);

#endif
