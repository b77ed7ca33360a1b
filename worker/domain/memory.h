/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory.h: how much memory a virtual machine has, and what it is made of.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_MEMORY_H
#define WORKER_DOMAIN_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/domain/device.h"

struct _xmlNode;
struct domain_def;
struct domain_parse;
struct writer;

#define DOMAIN_MEMORY_MAX_KIB (UINT64_C(1) << 34) /* 16 TiB */

enum domain_memory_source { DOMAIN_MEMORY_ANONYMOUS = 1, DOMAIN_MEMORY_MEMFD };
enum domain_memory_access { DOMAIN_MEMORY_SHARED = 1, DOMAIN_MEMORY_PRIVATE };
enum domain_memory_allocation { DOMAIN_MEMORY_IMMEDIATE = 1, DOMAIN_MEMORY_ONDEMAND };

/* In all of it 0 is "not said". Nothing of it has a path. */
struct domain_backing {
	bool nosharepages;
	enum domain_memory_source source;
	enum domain_memory_access access;
	enum domain_memory_allocation allocation;
	uint32_t threads; /* that allocate it */
	bool discard;     /* its contents when it is over; there is no file that would keep them */
};

/** <memory>, <currentMemory>, <memoryBacking>; <numa> must be read (domain_numa_parse()). */
int domain_memory_parse(struct domain_parse *p, struct _xmlNode *domain);

void domain_memory_format(struct writer *w, const struct domain_def *def);

#endif
