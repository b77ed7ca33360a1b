/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host.h: the machine that all of this runs on, as far as clients ask for it.
 *
 * Runs in the worker, as the user. Reads /proc and /sys, which everybody may read; says the same of
 * processors and memory as libvirt 9.0 does (measured: virsh nodeinfo, virsh capabilities).
 */
#ifndef WORKER_QEMU_HOST_H
#define WORKER_QEMU_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HOST_CPUS_MAX = 4096, HOST_NODES_MAX = 64, HOST_N_HUGE = 2 };

/* A processor that is online. */
struct host_cpu {
	unsigned id;
	unsigned node; /* index in host.nodes */
	unsigned socket, die, core;
};

/* Sizes of huge pages on x86, in KiB. */
extern const unsigned host_huge_kib[HOST_N_HUGE];

/* A NUMA node; a host without NUMA has one. */
struct host_node {
	unsigned id;
	unsigned n_cpus;
	uint64_t memory_kib;
	bool has_huge[HOST_N_HUGE];
	uint64_t n_huge[HOST_N_HUGE]; /* pages reserved now */
	unsigned n_distances;
	unsigned distances[HOST_NODES_MAX]; /* to each node, as the firmware has it; 10 is near */
};

struct host {
	char arch[32];      /* "x86_64" */
	const char *vendor; /* libvirt's name: "AMD"; NULL for others */
	unsigned family, model, stepping;
	uint32_t microcode;    /* 0: not known */
	unsigned address_bits; /* of physical addresses; 0: not known */
	unsigned mhz;          /* 0: not known */
	uint64_t memory_kib;
	struct host_cpu *cpus; /* by id */
	size_t n_cpus;
	unsigned n_present;      /* the last processor's id, online or not, and one */
	struct host_node *nodes; /* by id */
	size_t n_nodes;
	/*
	 * The shape in libvirt's counting: sockets of a node, cores of a socket, threads of a core,
	 * the largest of each. Where their product is not the number of processors, it is one node
	 * with one socket, and all are cores.
	 */
	unsigned shape_nodes, sockets, cores, threads;
};

/**
 * Read all of it. root_fd: a descriptor of the folder "/" (O_PATH is enough). Costs some system
 * calls for each processor: kept rather than read for each client. Returns 0, -ENOMEM, or the
 * negative errno of a file that every Linux has.
 */
int host_read(int root_fd, struct host *ret);
/** Set a bit for each processor that is online, the lowest first; those beyond size bytes are left out. */
void host_map(const struct host *host, uint8_t *map, size_t size);
/** Free what it holds; nothing happens when it is zeroed. */
void host_fini(struct host *host);

#endif
