/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * loopback.c: frames of a guest that mean the host's own loopback; see loopback.h.
 *
 * Pure, no I/O; in qemud-net.
 */
#include "worker/net/loopback.h"

/* Of an Ethernet frame: RFC 894, RFC 791 and RFC 8200. passt knows no tag of a VLAN. */
enum {
	TYPE = 12,
	IPV4 = 0x0800,
	IPV4_FROM = 14 + 12,
	IPV4_TO = 14 + 16,
	IPV4_END = 14 + 20,
	IPV6 = 0x86dd,
	IPV6_FROM = 14 + 8,
	IPV6_TO = 14 + 24,
	IPV6_END = 14 + 40,
	IPV6_ADDRESS = 16,
	PREFIX = 10 /* of ::, ::1, ::a.b.c.d and ::ffff:a.b.c.d: bytes of nothing */
};

static bool
is_zero(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (data[i] != 0)
			return false;
	return true;
}

bool
loopback_is_in(const uint8_t *frame, size_t size)
{
	unsigned type = size > TYPE + 1 ? (unsigned)frame[TYPE] << 8 | frame[TYPE + 1] : 0;

	if (type == IPV4 && size >= IPV4_END)
		return frame[IPV4_TO] == 127 || frame[IPV4_TO] == 0 || frame[IPV4_FROM] == 127;
	if (type == IPV6 && size >= IPV6_END)
		return is_zero(frame + IPV6_TO, PREFIX) ||
		       (is_zero(frame + IPV6_FROM, PREFIX) &&
			       !is_zero(frame + IPV6_FROM, IPV6_ADDRESS));
	return false;
}
