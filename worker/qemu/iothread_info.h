/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * iothread_info.h: what QEMU says of its iothreads (its query-iothreads).
 *
 * Runs in the worker, as the user. Pure. QEMU is not trusted: what is no number, or has no name of an
 * iothread of libvirt's, is left out.
 */
#ifndef WORKER_QEMU_IOTHREAD_INFO_H
#define WORKER_QEMU_IOTHREAD_INFO_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct iothread_info {
	uint32_t id;          /* as the definition has it */
	bool polls;           /* the three below are told */
	uint64_t poll_max_ns; /* how long it polls before it sleeps */
	uint32_t poll_grow, poll_shrink;
};

/** The i-th of an answer, in QEMU's order. False: it is none. */
bool iothread_info_read(const json_t *answer, size_t i, struct iothread_info *ret);
/** How many of an answer are iothreads. */
uint32_t iothread_info_count(const json_t *answer);

#endif
