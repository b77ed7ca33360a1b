/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * serial.h: serial and parallel ports.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_SERIAL_H
#define WORKER_DOMAIN_SERIAL_H

#include <stdint.h>

#include "worker/domain/chardev.h"
#include "worker/domain/kind.h"

enum {
	DOMAIN_SERIALS_MAX = 8,
	DOMAIN_ISA_SERIALS_MAX = 4, /* of a PC */
	DOMAIN_PARALLELS_MAX = 3    /* of a PC */
};

enum domain_serial_target { DOMAIN_SERIAL_ISA = 1, DOMAIN_SERIAL_PCI, DOMAIN_SERIAL_USB };

struct domain_serial {
	struct domain_chardev chardev;
	enum domain_serial_target target;
	uint8_t port; /* ISA: which of the PC's */
};

struct domain_parallel {
	struct domain_chardev chardev;
	uint8_t port;
};

/* <serial>. Ports that are not said count on from the highest that is, as in libvirt. */
extern const struct domain_kind domain_serial_kind;

/* <parallel>, of which the same is true. */
extern const struct domain_kind domain_parallel_kind;

/** Put a serial port on ISA behind the others; what is in chardev is its own then. */
int domain_serial_add(struct domain_parse *p, struct domain_chardev *chardev);

#endif
