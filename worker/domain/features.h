/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * features.h: what the board has, and what the hypervisor shows of itself to the guest.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_FEATURES_H
#define WORKER_DOMAIN_FEATURES_H

#include <stdint.h>

#include "worker/domain/device.h"

struct _xmlNode;
struct domain_def;
struct domain_parse;
struct writer;

/* Those that are on or off, in the order in which libvirt writes them. */
enum domain_feature {
	DOMAIN_FEATURE_ACPI,
	DOMAIN_FEATURE_APIC,
	DOMAIN_FEATURE_PAE, /* every CPU here has it */
	DOMAIN_FEATURE_HAP, /* a matter of the host's kernel */
	DOMAIN_FEATURE_PVSPINLOCK,
	DOMAIN_FEATURE_PMU,
	DOMAIN_FEATURE_VMPORT,
	DOMAIN_FEATURE_SMM,
	DOMAIN_FEATURE_VMCOREINFO,
	DOMAIN_FEATURE_N
};

/* What makes a guest that knows Hyper-V faster. */
enum domain_hyperv {
	DOMAIN_HYPERV_RELAXED,
	DOMAIN_HYPERV_VAPIC,
	DOMAIN_HYPERV_SPINLOCKS,
	DOMAIN_HYPERV_VPINDEX,
	DOMAIN_HYPERV_RUNTIME,
	DOMAIN_HYPERV_SYNIC,
	DOMAIN_HYPERV_STIMER,
	DOMAIN_HYPERV_RESET,
	DOMAIN_HYPERV_VENDOR_ID,
	DOMAIN_HYPERV_FREQUENCIES,
	DOMAIN_HYPERV_REENLIGHTENMENT,
	DOMAIN_HYPERV_TLBFLUSH,
	DOMAIN_HYPERV_IPI,
	DOMAIN_HYPERV_EVMCS,
	DOMAIN_HYPERV_AVIC,
	DOMAIN_HYPERV_N
};
enum domain_hyperv_mode { DOMAIN_HYPERV_CUSTOM = 1, DOMAIN_HYPERV_PASSTHROUGH };

/* What KVM shows of itself. */
enum domain_kvm {
	DOMAIN_KVM_HIDDEN,
	DOMAIN_KVM_HINT_DEDICATED,
	DOMAIN_KVM_POLL_CONTROL,
	DOMAIN_KVM_PV_IPI,
	DOMAIN_KVM_DIRTY_RING,
	DOMAIN_KVM_N
};

enum domain_ioapic { DOMAIN_IOAPIC_KVM = 1, DOMAIN_IOAPIC_QEMU };

enum { DOMAIN_HYPERV_VENDOR_MAX = 12 };

/* In all of it 0 is "not said". */
struct domain_features {
	enum domain_switch states[DOMAIN_FEATURE_N];
	enum domain_switch apic_eoi; /* end of interrupt without leaving the guest */
	bool has_tseg;
	uint32_t tseg_mib; /* memory of the system management mode */
	enum domain_hyperv_mode hyperv_mode;
	enum domain_switch hyperv[DOMAIN_HYPERV_N];
	uint32_t spinlock_retries;
	enum domain_switch stimer_direct;
	char hyperv_vendor[DOMAIN_HYPERV_VENDOR_MAX + 1];
	bool has_kvm; /* <kvm>, of which nothing need be said */
	enum domain_switch kvm[DOMAIN_KVM_N];
	uint32_t dirty_ring_size;
	enum domain_ioapic ioapic;
	uint64_t tb_cache_mib; /* TCG's translated code */
};

/** Is it on? */
static inline bool
domain_feature_is_on(const struct domain_features *features, enum domain_feature feature)
{
	return features->states[feature] == DOMAIN_ON;
}

/** <features>; the machine must be known (domain_os_parse()). */
int domain_features_parse(struct domain_parse *p, struct _xmlNode *domain);

void domain_features_format(struct writer *w, const struct domain_def *def);

#endif
