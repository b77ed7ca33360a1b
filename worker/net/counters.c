/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * counters.c: what has gone through each port of a relay; see counters.h.
 *
 * In qemud-net and in the worker, as the user. Must never map what could shrink below the reader.
 */
#include "worker/net/counters.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/take.h"

enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

int
net_counters_make(int *ret_fd, struct net_counters **ret)
{
	fd_auto int fd = memfd_create("counters", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *memory;

	if (fd < 0 || ftruncate(fd, sizeof **ret) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	memory = mmap(NULL, sizeof **ret, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	*ret = memory;
	*ret_fd = take_fd(&fd);
	return 0;
}

int
net_counters_map(int fd, const struct net_counters **ret)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	void *memory;

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &st) < 0 ||
		st.st_size != sizeof **ret)
		return NET_COUNTERS_E_BAD;
	memory = mmap(NULL, sizeof **ret, PROT_READ, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	*ret = memory;
	return 0;
}

void
net_counters_unmap(const struct net_counters *counters)
{
	if (counters)
		(void)munmap((void *)(uintptr_t)counters, sizeof *counters);
}

static void
read_flow(const struct net_flow_counters *from, struct net_flow_counters *to)
{
	to->bytes = __atomic_load_n(&from->bytes, __ATOMIC_RELAXED);
	to->packets = __atomic_load_n(&from->packets, __ATOMIC_RELAXED);
	to->errors = __atomic_load_n(&from->errors, __ATOMIC_RELAXED);
	to->drops = __atomic_load_n(&from->drops, __ATOMIC_RELAXED);
}

void
net_counters_read(const struct net_counters *counters, unsigned port, struct net_port_counters *ret)
{
	read_flow(&counters->ports[port].rx, &ret->rx);
	read_flow(&counters->ports[port].tx, &ret->tx);
}
