/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watchdog.h: the clock that a guest has to wind up.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_WATCHDOG_H
#define WORKER_DOMAIN_WATCHDOG_H

#include "worker/domain/kind.h"

enum { DOMAIN_WATCHDOGS_MAX = 1 };

enum domain_watchdog_model { DOMAIN_WATCHDOG_I6300ESB = 1, DOMAIN_WATCHDOG_IB700 };

/* What is done when it runs down; names are QEMU's too. */
enum domain_watchdog_action {
	DOMAIN_WATCHDOG_RESET = 1,
	DOMAIN_WATCHDOG_SHUTDOWN,
	DOMAIN_WATCHDOG_POWEROFF,
	DOMAIN_WATCHDOG_PAUSE,
	DOMAIN_WATCHDOG_NONE,
	DOMAIN_WATCHDOG_INJECT_NMI
};

struct domain_watchdog {
	struct domain_device device;
	enum domain_watchdog_model model;
	enum domain_watchdog_action action;
};

/* <watchdog> */
extern const struct domain_kind domain_watchdog_kind;

/** "reset": in a definition and on QEMU's command line. */
const char *domain_watchdog_action_name(enum domain_watchdog_action action);

#endif
