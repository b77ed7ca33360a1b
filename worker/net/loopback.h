/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * loopback.h: frames of a guest that mean the host's own loopback.
 *
 * Pure, no I/O; in qemud-net. Reads a guest's bytes. A passt connects, from the host, to whatever
 * address a guest's packet is for: also to 127.0.0.1, or to 0.0.0.0, which Linux takes for it (ip(7),
 * INADDR_ANY), and what listens there trusts that only this host can (passt before November 2023
 * lets such packets through, whatever --no-map-gw says).
 */
#ifndef WORKER_NET_LOOPBACK_H
#define WORKER_NET_LOOPBACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Is an Ethernet frame of that size for, or from, 127.0.0.0/8, 0.0.0.0, ::1, ::, or an IPv4 address in
 * an IPv6 one (RFC 4291, 2.5.5)? Who has no address yet may say so: being from 0.0.0.0 or :: is no harm.
 */
bool loopback_is_in(const uint8_t *frame, size_t size);

#endif
