/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vcpu.h: how many virtual CPUs there are, and which of them are there from the start; sets of them.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_VCPU_H
#define WORKER_DOMAIN_VCPU_H

#include <stdbool.h>
#include <stdint.h>

struct _xmlNode;
struct domain_def;
struct domain_env;
struct domain_parse;
struct rpc_error;
struct writer;

/* More need an interrupt remapper on the board, as an <iommu> would be. */
enum { DOMAIN_VCPUS_MAX = 255, DOMAIN_VCPU_SET_TEXT = 2048 };

/* Some of the virtual CPUs 0 to 254. */
struct domain_vcpu_set {
	uint32_t words[(DOMAIN_VCPUS_MAX + 31) / 32];
};

static inline bool
domain_vcpu_set_has(const struct domain_vcpu_set *set, uint32_t cpu)
{
	return set->words[cpu / 32] >> cpu % 32 & 1;
}

static inline void
domain_vcpu_set_add(struct domain_vcpu_set *set, uint32_t cpu)
{
	set->words[cpu / 32] |= UINT32_C(1) << cpu % 32;
}

/**
 * Read "0-3,^1,5": ranges, and after "^" what is taken out again. Returns 0 or DOMAIN_E_REFUSED.
 */
int domain_vcpu_set_parse(struct domain_parse *p, const char *text, struct domain_vcpu_set *ret);

/** Write "0,2-3" with that between two ranges, of at most 6 bytes. Returns text. */
const char *domain_vcpu_set_format(const struct domain_vcpu_set *set, const char *between,
	char text[static DOMAIN_VCPU_SET_TEXT]);

/** <vcpu> and <vcpus>; the machine's limit must be known (domain_os_parse()). */
int domain_vcpu_parse(struct domain_parse *p, struct _xmlNode *domain);

void domain_vcpu_format(struct writer *w, const struct domain_def *def);

/* --- each of them (vcpus.c) ----------------------------------------------------------------- */

/* One virtual CPU, where a definition speaks of each. The first is enabled, and not hotpluggable. */
struct domain_vcpu {
	bool enabled;      /* it is there */
	bool hotpluggable; /* it can be taken away; always so where it is not there */
	uint32_t order;    /* in which they came, from 1 on; 0: not said */
};

bool domain_vcpu_enabled(const struct domain_def *def, uint32_t id);
bool domain_vcpu_hotpluggable(const struct domain_def *def, uint32_t id);

/** <vcpus>: nothing is said of each if it is not there, or empty. <vcpu> must be read. */
int domain_vcpus_parse(struct domain_parse *p, struct _xmlNode *domain);

void domain_vcpus_format(struct writer *w, const struct domain_def *def);

/** Those that are enabled, in the order in which QEMU gets them. Returns how many. */
uint32_t domain_vcpus_in_order(const struct domain_def *def, uint32_t ids[static DOMAIN_VCPUS_MAX]);
/** They are started: those that are enabled have that order, the others none. */
void domain_vcpus_start(struct domain_def *live);

/** Can just these be there, of a machine that runs? It keeps all that are not hotpluggable. */
bool domain_vcpus_possible(const struct domain_def *live, const struct domain_vcpu_set *there);
/**
 * Just these are there: those that were not have come last, and can go again. Returns whether others were.
 * Without memory no more than their number is kept.
 */
bool domain_vcpus_take(struct domain_def *live, const struct domain_vcpu_set *there);

/* --- another number of them (vcpu_change.c) -------------------------------------------------- */

struct domain_vcpu_change {
	uint32_t n;        /* more than 0, and no more than there can be, but for a new maximum */
	bool maximum;      /* so many there can be; else so many are enabled */
	bool hotpluggable; /* those that this enables can be taken away */
};

/**
 * A definition with the change in it, as libvirt makes it: the lowest of those that are not enabled become so,
 * or the highest are no more. ret_def: as of domain_def_parse(), with the same results.
 */
int domain_vcpu_change(const struct domain_def *config, const struct domain_vcpu_change *change,
	const struct domain_env *env, struct rpc_error *error, struct domain_def **ret_def);

#endif
