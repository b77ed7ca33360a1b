/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * port.h: a port of the relay: QEMU's end and the network's, and what goes from one to the other.
 *
 * In qemud-net, as the user. Neither direction waits for the other. Who does not read holds his
 * sender back, as a full wire does, for PORT_PATIENCE_S; from then on, until he reads, what comes
 * for him is dropped. What comes for a network end that is not there is dropped at once.
 */
#ifndef WORKER_NET_PORT_H
#define WORKER_NET_PORT_H

#include <stdbool.h>

#include "lib/loop.h"
#include "worker/net/flow.h"

enum { PORT_PATIENCE_S = 1 };

enum port_side { PORT_QEMU, PORT_NETWORK, PORT_N_SIDES };

struct port;

struct port_end {
	struct port *port;
	int fd; /* owned; -1: there is none */
	struct io io;
	struct flow out;       /* what is to go to it */
	struct timer patience; /* while it does not read */
	bool dropping;         /* it has not read for so long */
};

struct port {
	struct loop *loop;
	unsigned number;
	/* An end has gone by itself; with QEMU's, the port is free. From the loop. */
	void (*changed)(struct port *port);
	struct port_end ends[PORT_N_SIDES];
	uint8_t *memory; /* owned; NULL: the port is free */
};

/** Free. */
void port_init(
	struct port *port, struct loop *loop, unsigned number, void (*changed)(struct port *port));

/**
 * Begin with QEMU's end (taken over, also on failure); counters are the port's, and begin at 0.
 * Returns 0, -EEXIST when it is not free, or another negative errno.
 */
int port_add(struct port *port, int qemu_fd, struct net_port_counters *counters);
/** Put a network's end (taken over, also on failure) in the place of the former. As above; -ENOENT. */
int port_join(struct port *port, int fd);
/** Close both, and be free. */
void port_remove(struct port *port);

/** enum net_side, or'ed. */
uint8_t port_sides(const struct port *port);

#endif
