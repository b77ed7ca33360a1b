/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * counters.h: what has gone through each port of a relay, in memory that it shares with the worker.
 *
 * Written by qemud-net, read by the worker, both as the user. A memfd of the relay's, as large as
 * struct net_counters and sealed against shrinking; each number is written in one piece. The worker
 * maps it read-only, and believes nothing of it but that it is numbers: whoever took over the relay
 * can write any.
 *
 * Directions are the guest's, as in virDomainInterfaceStats: rx is what goes to the guest. A port
 * that was removed and added again counts from 0.
 */
#ifndef WORKER_NET_COUNTERS_H
#define WORKER_NET_COUNTERS_H

#include <stdint.h>

#include "worker/net/control.h"

struct net_flow_counters {
	uint64_t bytes, packets; /* handed on; bytes of frames, without their lengths */
	uint64_t errors; /* of its sender: a length that no frame has, an end amid a frame */
	uint64_t drops;  /* whole frames that nobody read, or that nobody was there for */
};

struct net_port_counters {
	struct net_flow_counters rx, tx;
};

struct net_counters {
	struct net_port_counters ports[NET_PORTS_MAX];
};

/** In the relay: make them. Returns 0 with a sealed memfd and its memory, or a negative errno. */
int net_counters_make(int *ret_fd, struct net_counters **ret);

enum net_counters_error { NET_COUNTERS_E_BAD = 1 /* not a sealed memfd of that size */ };

/**
 * In the worker: map what NET_COUNTERS was answered with (fd stays the caller's). Returns 0 with the
 * memory, which net_counters_unmap() gives back; NET_COUNTERS_E_BAD or a negative errno.
 */
int net_counters_map(int fd, const struct net_counters **ret);
/** NULL: nothing happens. */
void net_counters_unmap(const struct net_counters *counters);

/** The numbers of a port (below NET_PORTS_MAX), each as it is now. */
void net_counters_read(
	const struct net_counters *counters, unsigned port, struct net_port_counters *ret);

#endif
