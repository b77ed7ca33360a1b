/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * packet.h: one SOCK_SEQPACKET message with its descriptors, received without trust.
 *
 * Runs in every program, root's included; knows nothing of what a message means. A receive has
 * room for more descriptors than any message may carry, walks all control data, and either hands
 * over everything or closes everything.
 */
#ifndef LIB_PACKET_H
#define LIB_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PACKET_SIZE_MAX = 512, PACKET_FDS_MAX = 4 };

struct packet {
	size_t size;
	bool cut; /* it came with descriptors that this process had no room for: none is left */
	unsigned n_fds;
	int fds[PACKET_FDS_MAX]; /* owned until taken; -1 where empty */
	_Alignas(8) uint8_t data[PACKET_SIZE_MAX];
};

enum packet_error {
	PACKET_E_AGAIN = 1, /* nothing to read, or no room to write now */
	PACKET_E_GONE,      /* the peer has closed */
	/*
	 * Truncated, empty, too many or unexpected control data; all closed. What was said is there
	 * if nothing but `cut` is wrong: then it may be nobody's fault.
	 */
	PACKET_E_BAD
};

/** Make a connected pair, non-blocking and close-on-exec. Returns 0 or a negative errno. */
int packet_pair(int ret_fds[2]);
/**
 * Send one message; descriptors stay the caller's. Returns 0, PACKET_E_AGAIN, PACKET_E_GONE or a
 * negative errno: the kernel had no memory, say (ENOMEM), or too many descriptors are on their way
 * (ETOOMANYREFS). Nothing was sent then, and the peer is there.
 */
int packet_send(int sock, const void *data, size_t size, const int *fds, unsigned n_fds);
/** Receive one message. Returns 0, PACKET_E_* or a negative errno: what waits is still there. */
int packet_recv(int sock, struct packet *ret);
/** Close the descriptors that were not taken. */
void packet_fini(struct packet *packet);

#endif
