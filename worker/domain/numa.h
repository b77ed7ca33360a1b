/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * numa.h: the guest's NUMA nodes: which virtual CPUs and how much memory each has.
 *
 * Runs in the worker, as the user. Pure. libvirt calls them cells.
 */
#ifndef WORKER_DOMAIN_NUMA_H
#define WORKER_DOMAIN_NUMA_H

#include <stddef.h>
#include <stdint.h>

#include "worker/domain/memory.h"
#include "worker/domain/vcpu.h"

enum { DOMAIN_CELLS_MAX = 8 };

struct domain_cell {
	struct domain_vcpu_set cpus;
	uint64_t memory_kib;
	enum domain_memory_access access; /* 0: as <memoryBacking> says */
	enum domain_switch discard;
	uint8_t distances[DOMAIN_CELLS_MAX]; /* to each cell; 0: not said */
};

struct domain_numa {
	struct domain_cell *cells; /* in the order of their ids */
	size_t n_cells;            /* 0: no NUMA */
};

/** All that the cells have; 0 without cells. */
uint64_t domain_numa_memory_kib(const struct domain_numa *numa);

/** How far it is between two cells: as it was said, else 10 within one and 20 between two. */
unsigned domain_numa_distance(const struct domain_numa *numa, size_t from, size_t to);

/** <numa> below <cpu>; <vcpu> must be read. */
int domain_numa_parse(struct domain_parse *p, struct _xmlNode *domain);

/** <numa>, within <cpu>. */
void domain_numa_format(struct writer *w, const struct domain_numa *numa);

void domain_numa_fini(struct domain_numa *numa);

#endif
