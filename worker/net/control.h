/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control.h: what a worker and the relay of one of its VMs (qemud-net) say to each other.
 *
 * Pure, no I/O. Written and read by both ends, which run as the same user; neither believes the
 * other: the relay reads a guest's frames, and may be taken over by it.
 *
 * A relay has up to NET_PORTS_MAX ports, one a network interface. A port joins two stream sockets,
 * over which Ethernet frames go, each behind its length (worker/net/frame.h): QEMU's, given with
 * NET_ADD, and the network's (passt's), given with NET_ADD too or later by NET_JOIN, and again by
 * NET_JOIN when that one has ended. QEMU never sees the network end; while there is none, what the
 * guest sends is dropped and counted. When QEMU's end closes, the port is over and free.
 *
 * The control is a SOCK_SEQPACKET connection. The first is the socket that came with NET_READY
 * (protocol/ipc/ipc.h); later ones come in by the listening socket given with NET_LISTEN, one
 * after the other: the next is accepted when the one before has ended, so that the next worker
 * finds its way. A relay without a port and without a connection ends after NET_ALONE_S.
 *
 * At each change of a port and as the answer to each ask, the relay sends a report. That which
 * answers NET_COUNTERS carries one descriptor (worker/net/counters.h); nothing is sent unasked that
 * has one, for the broker holds the worker's end for a moment, and lets none in (lib/foreign.h).
 * What a relay does not understand ends the connection, and costs no port.
 */
#ifndef WORKER_NET_CONTROL_H
#define WORKER_NET_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NET_PORTS_MAX = 8, NET_ALONE_S = 10, NET_ASK_FDS_MAX = 2 };

enum net_ask_type {
	/* 1 descriptor: listening, for the next workers; again: instead of the former. */
	NET_LISTEN = 1,
	/* 1 or 2 descriptors: QEMU's end, the network's end. -EEXIST: the port is in use. */
	NET_ADD,
	/* 1 descriptor: the network's end, instead of the former. -ENOENT: there is no such port. */
	NET_JOIN,
	/* Close both ends; nothing happens to a free port. */
	NET_REMOVE,
	/* Give me the counters. */
	NET_COUNTERS
};

/* Which ends a port has; bits. NET_SIDE_NETWORK is never without NET_SIDE_QEMU. */
enum net_side { NET_SIDE_QEMU = 1, NET_SIDE_NETWORK = 2 };

struct net_ask {
	uint32_t type;   /* enum net_ask_type */
	uint32_t serial; /* never 0 */
	uint32_t port;   /* below NET_PORTS_MAX; 0 where it is about none */
	uint32_t zero;
};

struct net_report {
	uint32_t serial; /* of the ask that this answers; 0: something has changed */
	int32_t err;     /* 0 or a negative errno; -EBADF: a descriptor is not of its kind */
	uint8_t sides[NET_PORTS_MAX]; /* as they are now */
};

/** Is this, with so many descriptors, an ask? *ret is filled then. */
bool net_ask_read(const void *data, size_t size, unsigned n_fds, struct net_ask *ret);
/** The same for a report; counters: the serial of an open ask for these, or 0. */
bool net_report_read(
	const void *data, size_t size, unsigned n_fds, uint32_t counters, struct net_report *ret);

#endif
