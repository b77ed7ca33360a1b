/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_filter.h: which domains a call that lists them means.
 *
 * Runs in the worker.
 */
#ifndef WORKER_RPC_DOMAIN_FILTER_H
#define WORKER_RPC_DOMAIN_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/store/domains.h"

/**
 * Does a domain pass these flags (virConnectListAllDomainsFlags)? They are pairs and groups; in a
 * group any must hold, of all groups each.
 */
bool domain_filter_passes(const struct domain *domain, uint32_t flags);

#endif
