/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * panic.h: the device through which a guest says that it has crashed.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_PANIC_H
#define WORKER_DOMAIN_PANIC_H

#include "worker/domain/kind.h"

enum { DOMAIN_PANICS_MAX = 1 };

/* The ISA device: a PC has room for one. */
struct domain_panic {
	struct domain_device device;
};

/* <panic> */
extern const struct domain_kind domain_panic_kind;

#endif
