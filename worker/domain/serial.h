/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * serial.h: serial ports and the console.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_SERIAL_H
#define WORKER_DOMAIN_SERIAL_H

#include <stdint.h>

#include "worker/domain/kind.h"

enum { DOMAIN_SERIALS_MAX = 4 /* ISA serial ports of a PC */ };

/* An ISA serial port whose other end is the console stream; the first is the console. */
struct domain_serial {
	struct domain_device device;
	uint8_t port;
};

/* <serial>. Ports that are not said count on from the highest that is, as in libvirt. */
extern const struct domain_kind domain_serial_kind;

/*
 * <console>: the first is another name of the first serial port, which it makes if there is none:
 * so this kind is read after that one.
 */
extern const struct domain_kind domain_console_kind;

#endif
