/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host_load.h: what the machine is doing now: processor time and memory.
 *
 * Runs in the worker, as the user. Reads /proc and /sys, which everybody may read. root_fd: a
 * descriptor of the folder "/" (O_PATH is enough).
 */
#ifndef WORKER_QEMU_HOST_LOAD_H
#define WORKER_QEMU_HOST_LOAD_H

#include <stdint.h>

enum { HOST_ALL = -1 };

/* Nanoseconds since the machine began. */
struct host_times {
	uint64_t kernel, user, idle, iowait;
};

/** Of a processor, or of HOST_ALL. Returns 0 or a negative errno: -ENOENT when there is none. */
int host_times_read(int root_fd, int cpu, struct host_times *ret);

/* KiB. */
struct host_memory {
	uint64_t total, free;
	uint64_t buffers, cached; /* of HOST_ALL only */
};

/** Of the NUMA node with that id, or of HOST_ALL. Returns 0 or a negative errno. */
int host_memory_read(int root_fd, int node, struct host_memory *ret);

#endif
