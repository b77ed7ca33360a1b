/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * input.h: keyboards, mice and tablets.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_INPUT_H
#define WORKER_DOMAIN_INPUT_H

#include "worker/domain/kind.h"

enum { DOMAIN_INPUTS_MAX = 16 };

enum domain_input_type { DOMAIN_INPUT_MOUSE = 1, DOMAIN_INPUT_KEYBOARD, DOMAIN_INPUT_TABLET };
enum domain_input_bus { DOMAIN_INPUT_PS2 = 1, DOMAIN_INPUT_USB, DOMAIN_INPUT_VIRTIO };

struct domain_input {
	struct domain_device device;
	enum domain_input_type type;
	bool model;                /* "virtio" is said, which changes nothing */
	enum domain_input_bus bus; /* PS/2: a mouse and a keyboard, which every PC has */
};

/* <input>: what a PC has by itself is there also when the definition does not name it. */
extern const struct domain_kind domain_input_kind;

#endif
