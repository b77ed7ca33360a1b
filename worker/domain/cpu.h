/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cpu.h: which CPU the guest sees.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_CPU_H
#define WORKER_DOMAIN_CPU_H

#include <stddef.h>
#include <stdint.h>

#include "worker/domain/device.h"

struct _xmlNode;
struct domain_def;
struct domain_env;
struct domain_parse;
struct rpc_error;
struct writer;

enum domain_cpu_mode {
	DOMAIN_CPU_CUSTOM = 1,
	DOMAIN_CPU_HOST_MODEL,
	DOMAIN_CPU_HOST_PASSTHROUGH, /* only with KVM */
	DOMAIN_CPU_MAXIMUM,
};
enum domain_cpu_match { DOMAIN_CPU_MINIMUM = 1, DOMAIN_CPU_EXACT, DOMAIN_CPU_STRICT };
enum domain_cpu_check { DOMAIN_CPU_CHECK_NONE = 1, DOMAIN_CPU_PARTIAL, DOMAIN_CPU_FULL };
enum domain_cpu_fallback { DOMAIN_CPU_ALLOW = 1, DOMAIN_CPU_FORBID };
enum domain_cpu_policy {
	DOMAIN_CPU_FORCE = 1,
	DOMAIN_CPU_REQUIRE,
	DOMAIN_CPU_OPTIONAL,
	DOMAIN_CPU_DISABLE,
	DOMAIN_CPU_FORBIDDEN,
};
enum domain_cpu_cache { DOMAIN_CACHE_EMULATE = 1, DOMAIN_CACHE_PASSTHROUGH, DOMAIN_CACHE_DISABLE };
enum domain_cpu_address { DOMAIN_ADDRESS_EMULATE = 1, DOMAIN_ADDRESS_PASSTHROUGH };

enum { DOMAIN_CPU_FEATURES_MAX = 512, DOMAIN_CPU_VENDOR_SIZE = 12 };

struct domain_cpu_feature {
	char *name; /* letters, digits and .+_- */
	enum domain_cpu_policy policy;
};

/* In all of it 0 is "not said". */
struct domain_cpu {
	enum domain_cpu_mode mode;
	enum domain_cpu_check check;
	enum domain_cpu_match match;       /* custom only */
	char *model;                       /* custom only: letters, digits and .+_- */
	enum domain_cpu_fallback fallback; /* custom only */
	char *vendor;                      /* of the model, as libvirt names it; may be NULL */
	char vendor_id[DOMAIN_CPU_VENDOR_SIZE + 1]; /* that the guest is told */
	enum domain_switch migratable;              /* host-passthrough and maximum only */
	uint32_t sockets, dies, cores, threads;     /* all or none of them */
	enum domain_cpu_cache cache;
	uint32_t cache_level;
	enum domain_cpu_address address; /* how many bits a physical address has */
	uint32_t address_bits;           /* with DOMAIN_ADDRESS_EMULATE */
	struct domain_cpu_feature *features;
	size_t n_features;
};

/** <cpu> but for <numa>; <vcpu> and <numa> must be read. */
int domain_cpu_parse(struct domain_parse *p, struct _xmlNode *domain);

void domain_cpu_format(struct writer *w, const struct domain_def *def);

/**
 * Does the emulator know its model and its features? Asked before a start, as libvirt does. Returns
 * 0 or DOMAIN_E_REFUSED.
 */
int domain_cpu_check(
	const struct domain_def *def, const struct domain_env *env, struct rpc_error *error);

void domain_cpu_fini(struct domain_cpu *cpu);

#endif
