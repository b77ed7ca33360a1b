/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_event.h: the events of domains that clients hear of, and sending one.
 *
 * Runs in worker and view. domain_event.c has the handlers by which a client says which it wants.
 */
#ifndef SERVE_DOMAIN_EVENT_H
#define SERVE_DOMAIN_EVENT_H

#include <stdbool.h>
#include <stdint.h>

struct client;

/* virDomainEventID of libvirt 9.0.0: 0 lifecycle to 26 memory device size change. */
enum { DOMAIN_EVENTS = 27 };

/**
 * Queue the event of that procedure; msg is of its row. Returns false when the client has to go: it
 * does not read, or there is no memory.
 */
bool domain_event_send(struct client *client, int32_t procedure, const void *msg);

#endif
