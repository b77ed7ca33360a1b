/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * channel.h: channels: virtio-serial ports over which programs of host and guest talk.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_CHANNEL_H
#define WORKER_DOMAIN_CHANNEL_H

#include "worker/domain/chardev.h"
#include "worker/domain/kind.h"

enum { DOMAIN_CHANNELS_MAX = 16, DOMAIN_CHANNEL_NAME_MAX = 255 /* bytes */ };

/* The channel of that name is the guest agent's. */
#define DOMAIN_CHANNEL_AGENT "org.qemu.guest_agent.0"

/* Has somebody in the guest opened it? Numbers are the wire's. */
enum domain_channel_state { DOMAIN_CHANNEL_CONNECTED = 1, DOMAIN_CHANNEL_DISCONNECTED };

struct domain_channel {
	struct domain_chardev chardev;
	char *name;                      /* by which the guest knows it; may be NULL */
	enum domain_channel_state state; /* of a running VM; 0: not known */
};

/* <channel> */
extern const struct domain_kind domain_channel_kind;

#endif
