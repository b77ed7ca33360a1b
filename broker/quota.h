/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * quota.h: may a virtual machine have that much of the host? The decision, and its words.
 *
 * Runs in the broker, as root; pure. Amounts are of every key of `limit`: virtual machines, virtual
 * CPUs, and KiB of memory. What counts as memory of a user is what her guests have; of the host, also
 * what QEMU itself may take for each (quota_grant()).
 */
#ifndef BROKER_QUOTA_H
#define BROKER_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/ipc/ipc.h"

/* In the order in which they are looked at: what can never be comes first. */
enum quota_key {
	QUOTA_VM_VCPUS,
	QUOTA_VM_MEMORY,
	QUOTA_VMS,
	QUOTA_VCPUS,
	QUOTA_MEMORY,
	QUOTA_HOST_VMS,
	QUOTA_HOST_VCPUS,
	QUOTA_HOST_MEMORY,
	QUOTA_N
};

struct quota_limits {
	struct quota_limit {
		uint64_t max;            /* UINT64_MAX: as much as you like */
		bool of_others;          /* it is as much as others leave */
		char rule[IPC_RULE_MAX]; /* where it says so, for people: FILE:LINE */
	} of[QUOTA_N];
};

struct quota_amounts {
	uint64_t of[QUOTA_N];
};

/* Why something is not granted. */
struct quota_refusal {
	/* In words, for the client: whoever asks for one more after the other learns no number of others'. */
	char why[IPC_REASON_MAX];
	char all[IPC_REASON_MAX]; /* the same with all numbers, for log and audit */
	char rule[IPC_RULE_MAX];  /* by which rule */
};

/** No limit at all. */
void quota_no_limits(struct quota_limits *ret);

/**
 * What a lease that is asked for grants: what the guest wants, and for QEMU 192 MiB, 12 MiB a virtual
 * CPU, a 128th of the guest's memory, and all the translated code that it may keep. man/qemud.8 has
 * what was measured.
 */
struct ipc_grant quota_grant(const struct ipc_lease *lease);
/** The same lease with as many processors and as much memory; all that is QEMU's goes along. */
struct ipc_grant quota_regrant(const struct ipc_grant *grant, uint32_t vcpus, uint64_t memory_kib);
/** What that grant adds to each key. */
struct quota_amounts quota_of(const struct ipc_grant *grant);

/**
 * Would any key be above its limit with that much more? A key of which nothing more is wanted is not
 * looked at, so that what is above a lowered limit stays as it is. Returns the first, or QUOTA_N.
 */
enum quota_key quota_decide(const struct quota_limits *limits, const struct quota_amounts *used,
	const struct quota_amounts *more);
/** Why that key is above its limit: which, how much, by which rule, who can change it. */
void quota_words(enum quota_key key, const struct quota_limits *limits,
	const struct quota_amounts *used, const struct quota_amounts *more,
	struct quota_refusal *ret);

#endif
