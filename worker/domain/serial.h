/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * serial.h: serial ports and the console.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_SERIAL_H
#define WORKER_DOMAIN_SERIAL_H

#include "worker/domain/parse.h"

/** One <serial>, at the end of the list. It may be without a port. */
int domain_serial_parse(struct domain_parse *p, xmlNode *node);

/**
 * One <console>. The first is another name of the first serial port, which it makes if there is
 * none: so this comes after all of <serial>.
 */
int domain_console_parse(struct domain_parse *p, xmlNode *node);

/** Ports that are not said count on from the highest that is, as in libvirt. */
int domain_serial_complete(struct domain_parse *p);

/** The serial ports in their order, then the console that goes with the first of them. */
void domain_serial_format(struct writer *w, const struct domain_def *def, unsigned flags);

void domain_serial_fini(struct domain_serial *serial);

#endif
