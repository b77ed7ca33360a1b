/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * usage.h: what a VM uses of the host, as the kernel counts it.
 *
 * Runs in the worker, as the user. Reads /proc, where everybody may; asks QEMU nothing, so that it
 * can be told of a QEMU that answers nobody.
 */
#ifndef WORKER_VM_USAGE_H
#define WORKER_VM_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of a process, or of one of its threads. */
struct usage {
	uint64_t user_ns, system_ns; /* processor time */
	uint64_t rss_kib;            /* memory of the process that is in RAM */
	unsigned processor;          /* that it was on last */
};

/** Of a process. Returns 0 or a negative errno: -ESRCH when it is gone, or pid is 0. */
int usage_read(uint32_t pid, struct usage *ret);

/* What a virtual CPU has used: its thread. */
struct vcpu_usage {
	bool wanted;  /* set by who asks; of one that is not, nothing is known */
	uint32_t tid; /* as the host sees it; 0: not known, and nothing else is */
	struct usage usage;
	uint64_t wait_ns;  /* that it was runnable, and not run, where the kernel counts it; or 0 */
	uint64_t delay_ns; /* that it waited on a run queue; the same */
};

/**
 * Of those that are wanted among the first n virtual CPUs of a QEMU. Its threads are known by the names that it gives to them
 * (-name debug-threads=on): QEMU's own numbers are of its own pid namespace. vcpus: the tids that
 * were found before, or 0; when one is not that of a thread any more, all are looked for again.
 */
void usage_vcpus(uint32_t pid, struct vcpu_usage *vcpus, size_t n);

/** The thread of that process whose name is `name`, or begins with it cut as the kernel cuts it; 0: none. */
uint32_t usage_thread(uint32_t pid, const char *name);
/**
 * The host's processors that a thread may run on, bit by bit, the lowest first; those beyond size
 * bytes are left out. Returns 0 or a negative errno.
 */
int usage_affinity(uint32_t pid, uint32_t tid, uint8_t *map, size_t size);

#endif
