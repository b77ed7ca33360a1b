/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memballoon.h: the memory balloon.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_MEMBALLOON_H
#define WORKER_DOMAIN_MEMBALLOON_H

#include "worker/domain/kind.h"

enum domain_memballoon_model { DOMAIN_MEMBALLOON_VIRTIO = 1, DOMAIN_MEMBALLOON_NONE };

struct domain_memballoon {
	struct domain_device device;
	enum domain_memballoon_model model;
};

/* <memballoon>: one; a definition that says nothing has a virtio balloon. */
extern const struct domain_kind domain_memballoon_kind;

#endif
