/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * input.h: the keyboard and the mouse.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_INPUT_H
#define WORKER_DOMAIN_INPUT_H

#include "worker/domain/kind.h"

enum { DOMAIN_INPUTS_MAX = 2 };

enum domain_input_type { DOMAIN_INPUT_MOUSE = 1, DOMAIN_INPUT_KEYBOARD };

/* A PS/2 device; every PC has both. */
struct domain_input {
	struct domain_device device;
	enum domain_input_type type;
};

/* <input>: what a PC has by itself is there also when the definition does not name it. */
extern const struct domain_kind domain_input_kind;

#endif
