/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ports.h: qemud-net as a whole: its ports, and who tells it which there are.
 *
 * As the user, in namespaces of its own. See worker/net/control.h for what is said.
 */
#ifndef WORKER_NET_PORTS_H
#define WORKER_NET_PORTS_H

#include <stdbool.h>

#include "lib/loop.h"
#include "worker/net/control.h"
#include "worker/net/counters.h"
#include "worker/net/port.h"

struct ports {
	struct loop *loop;
	struct net_counters *counters; /* mapped, for good */
	int counters_fd;               /* owned */
	struct port table[NET_PORTS_MAX];

	int listen_fd; /* owned; -1: no other worker will find it */
	struct io listen_io;
	int conn_fd; /* owned; -1: nobody is there */
	struct io conn_io;
	bool changed; /* one of what is now */
	struct net_report answer;
	bool answering, counting; /* it has yet to be sent; with the counters */
	struct timer alone;
};

/** Begin with a connection of its control (taken over). Returns 0 or a negative errno. */
int ports_start(struct ports *ports, struct loop *loop, int conn_fd);
/** Close everything. */
void ports_stop(struct ports *ports);

#endif
