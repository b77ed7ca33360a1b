/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * console.h: consoles: virtio's, and the other name of the first serial port.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_CONSOLE_H
#define WORKER_DOMAIN_CONSOLE_H

#include "worker/domain/chardev.h"
#include "worker/domain/kind.h"

enum { DOMAIN_CONSOLES_MAX = 8 };

/* A virtio console: hvc0 and on. */
struct domain_console {
	struct domain_chardev chardev;
};

/*
 * <console>: the first may be another name of the first serial port, which it makes if there is
 * none: so this kind is read after that one. All others are virtio's.
 */
extern const struct domain_kind domain_console_kind;

#endif
