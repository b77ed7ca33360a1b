/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * input.h: the keyboard and the mouse.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_INPUT_H
#define WORKER_DOMAIN_INPUT_H

#include "worker/domain/parse.h"

/** One <input>: a PS/2 device, of which there is one of each type. */
int domain_input_parse(struct domain_parse *p, xmlNode *node);

/** Add the PS/2 devices that a PC has by itself and the definition does not name. -ENOMEM. */
int domain_input_complete(struct domain_parse *p);

void domain_input_format(struct writer *w, const struct domain_input *input, unsigned flags);

void domain_input_fini(struct domain_input *input);

#endif
