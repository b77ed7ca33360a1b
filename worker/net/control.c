/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control.c: what a worker and the relay of one of its VMs say to each other; see control.h.
 *
 * Pure, no I/O. Must never let a field out of its range through.
 */
#include "worker/net/control.h"

#include <string.h>

enum { ERRNO_MAX = 4095 /* the kernel's MAX_ERRNO */ };

_Static_assert(sizeof(struct net_ask) == 16 && sizeof(struct net_report) == 16, "no padding");

/* How many descriptors an ask of a type has. */
static const struct {
	uint8_t least, most;
} ask_fds[] = {
	[NET_LISTEN] = {1, 1},
	[NET_ADD] = {1, 2},
	[NET_JOIN] = {1, 1},
	[NET_REMOVE] = {0, 0},
};

bool
net_ask_read(const void *data, size_t size, unsigned n_fds, struct net_ask *ret)
{
	struct net_ask ask;

	if (size != sizeof ask)
		return false;
	memcpy(&ask, data, sizeof ask);
	if (ask.type < NET_LISTEN || ask.type > NET_REMOVE || ask.serial == 0 || ask.zero != 0)
		return false;
	if (ask.port >= (ask.type == NET_LISTEN ? 1 : NET_PORTS_MAX))
		return false;
	if (n_fds < ask_fds[ask.type].least || n_fds > ask_fds[ask.type].most)
		return false;
	*ret = ask;
	return true;
}

bool
net_report_read(const void *data, size_t size, unsigned n_fds, bool first, struct net_report *ret)
{
	struct net_report report;

	if (size != sizeof report || n_fds != (first ? 1 : 0))
		return false;
	memcpy(&report, data, sizeof report);
	if (report.err > 0 || report.err < -ERRNO_MAX || (report.err != 0 && report.serial == 0) ||
		(first && report.serial != 0))
		return false;
	for (unsigned i = 0; i < NET_PORTS_MAX; i++)
		if (report.sides[i] > (NET_SIDE_QEMU | NET_SIDE_NETWORK) ||
			report.sides[i] == NET_SIDE_NETWORK)
			return false;
	*ret = report;
	return true;
}
