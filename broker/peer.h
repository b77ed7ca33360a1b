/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peer.h: who connected, as the kernel tells it.
 *
 * Runs in the broker, as root. Only getsockopt() on the client's socket: nothing is read from it.
 */
#ifndef BROKER_PEER_H
#define BROKER_PEER_H

#include <stddef.h>
#include <stdint.h>

struct peer {
	uint32_t uid, gid; /* effective ids at connect(), as this user namespace sees them */
	uint32_t pid;      /* for logs alone: it may be another's by now; 0 when out of sight */
};

enum { PEER_TEXT_MAX = 256 };

/** SO_PEERCRED (unix(7)). Returns 0 or a negative errno. */
int peer_read(int sock, struct peer *ret);

/**
 * Its supplementary groups (SO_PEERGROUPS, Linux 4.13), " groups=1,2", for the audit and for no
 * decision: whoever makes a user namespace connects with none. Returns buf.
 */
const char *peer_groups(int sock, char buf[static PEER_TEXT_MAX]);

/**
 * What else the kernel knows of the peer, for a log line and no decision: its supplementary groups
 * (SO_PEERGROUPS, Linux 4.13) and whether it still lives (SO_PEERPIDFD, Linux 6.5). Empty where
 * the kernel tells nothing. Returns buf.
 */
const char *peer_describe(int sock, char buf[static PEER_TEXT_MAX]);

#endif
