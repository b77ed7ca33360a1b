/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stats_groups.h: the groups of a domain's statistics, in libvirt 9.0.0's names, types and order.
 *
 * Runs in the worker.
 */
#ifndef WORKER_RPC_STATS_GROUPS_H
#define WORKER_RPC_STATS_GROUPS_H

#include <stdint.h>

#include "worker/rpc/params.h"
#include "worker/store/domains.h"
#include "worker/vm/inquiry.h"

/* virDomainStatsTypes */
enum {
	STATS_STATE = 0x1,
	STATS_CPU_TOTAL = 0x2,
	STATS_BALLOON = 0x4,
	STATS_VCPU = 0x8,
	STATS_INTERFACE = 0x10,
	STATS_BLOCK = 0x20,
	STATS_PERF = 0x40,
	STATS_IOTHREAD = 0x80,
	STATS_MEMORY = 0x100,
	STATS_DIRTYRATE = 0x200,
	STATS_VM = 0x400
};

/** Which of them there are for a domain as it is now. */
uint32_t stats_groups_supported(const struct domain *domain);
/** What QEMU must be asked for these groups of a domain (enum inquiry_question); 0: nothing. */
unsigned stats_groups_questions(const struct domain *domain, uint32_t groups);
/**
 * Add these groups. answers: QEMU's; NULL, or without an answer, when it was not asked or did not
 * answer: then what is known without it is told.
 */
void stats_groups_add(struct params *params, const struct domain *domain, uint32_t groups,
	const struct inquiry_answers *answers);

#endif
