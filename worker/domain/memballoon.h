/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memballoon.h: the memory balloon.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_MEMBALLOON_H
#define WORKER_DOMAIN_MEMBALLOON_H

#include "worker/domain/kind.h"
#include "worker/domain/virtio.h"

struct domain_memballoon {
	struct domain_device device;
	enum domain_virtio virtio; /* 0: there is none */
	enum domain_switch autodeflate, free_page_reporting;
	uint32_t stats_period_s; /* 0: the guest is not asked for statistics */
};

/* <memballoon>: one; a definition that says nothing has a virtio balloon. */
extern const struct domain_kind domain_memballoon_kind;

#endif
