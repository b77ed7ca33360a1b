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

/* How many descriptors an ask of a type has, and whether it is about a port. */
static const struct {
	uint8_t least, most;
	bool of_port;
} ask_fds[] = {
	[NET_LISTEN] = {1, 1, false},
	[NET_ADD] = {1, 2, true},
	[NET_JOIN] = {1, 1, true},
	[NET_REMOVE] = {0, 0, true},
	[NET_COUNTERS] = {0, 0, false},
};

bool
net_ask_read(const void *data, size_t size, unsigned n_fds, struct net_ask *ret)
{
	struct net_ask ask;

	if (size != sizeof ask)
		return false;
	memcpy(&ask, data, sizeof ask);
	if (ask.type < NET_LISTEN || ask.type > NET_COUNTERS || ask.serial == 0 || ask.zero != 0)
		return false;
	if (ask.port >= (ask_fds[ask.type].of_port ? NET_PORTS_MAX : 1))
		return false;
	if (n_fds < ask_fds[ask.type].least || n_fds > ask_fds[ask.type].most)
		return false;
	*ret = ask;
	return true;
}

bool
net_report_read(
	const void *data, size_t size, unsigned n_fds, uint32_t counters, struct net_report *ret)
{
	struct net_report report;
	bool has_counters;

	if (size != sizeof report)
		return false;
	memcpy(&report, data, sizeof report);
	if (report.err > 0 || report.err < -ERRNO_MAX || (report.err != 0 && report.serial == 0))
		return false;
	has_counters = report.serial != 0 && report.serial == counters && report.err == 0;
	if (n_fds != (has_counters ? 1 : 0))
		return false;
	for (unsigned i = 0; i < NET_PORTS_MAX; i++)
		if (report.sides[i] > (NET_SIDE_QEMU | NET_SIDE_NETWORK) ||
			report.sides[i] == NET_SIDE_NETWORK)
			return false;
	*ret = report;
	return true;
}
