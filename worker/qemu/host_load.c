/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host_load.c: what the machine is doing now; see host_load.h.
 *
 * Runs in the worker, as the user. Formats: proc(5), and the kernel's
 * Documentation/ABI/stable/sysfs-devices-node.
 */
#include "worker/qemu/host_load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/take.h"
#include "worker/qemu/host.h"

enum {
	LINE_MAX_SIZE = 256,                            /* of a processor in /proc/stat */
	STAT_MAX = LINE_MAX_SIZE * (HOST_CPUS_MAX + 1), /* bytes of it with all processors */
	MEMORY_MAX = 8192,
	NS_A_SECOND = 1000000000
};

/*
 * The beginning of a file, NUL-terminated, until this is in it (NULL: all that fits). Returns 0 or
 * a negative errno.
 */
static int
read_until(int root_fd, const char *path, const char *wanted, char *text, size_t room)
{
	fd_auto int fd = openat(root_fd, path, O_RDONLY | O_CLOEXEC);
	size_t size = 0;
	ssize_t n;

	*text = '\0';
	if (fd < 0)
		return -errno;
	while (size < room - 1 && (n = read(fd, text + size, room - 1 - size)) != 0) {
		char *found;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		size += (size_t)n;
		text[size] = '\0';
		found = wanted ? strstr(text, wanted) : NULL;
		if (found && strchr(found + 1, '\n'))
			break;
	}
	return 0;
}

/* --- processors --------------------------------------------------------------------------- */

static uint64_t
next_time(char **at)
{
	return strtoull(*at, at, 10) * (NS_A_SECOND / (uint64_t)sysconf(_SC_CLK_TCK));
}

int
host_times_read(int root_fd, int cpu, struct host_times *ret)
{
	free_auto char *text = malloc(STAT_MAX);
	char name[32], *at;
	int r;

	*ret = (struct host_times){.kernel = 0};
	if (!text)
		return -ENOMEM;
	if (cpu == HOST_ALL)
		(void)snprintf(name, sizeof(name), "cpu ");
	else
		(void)snprintf(name, sizeof(name), "\ncpu%d ", cpu);
	r = read_until(root_fd, "proc/stat", name, text, STAT_MAX);
	if (r < 0)
		return r;
	at = strstr(text, name);
	if (!at || (cpu == HOST_ALL && at != text))
		return -ENOENT;
	at += strlen(name);
	/* user, nice, system, idle, iowait, irq, softirq: libvirt puts them together so. */
	ret->user = next_time(&at);
	ret->user += next_time(&at);
	ret->kernel = next_time(&at);
	ret->idle = next_time(&at);
	ret->iowait = next_time(&at);
	ret->kernel += next_time(&at);
	ret->kernel += next_time(&at);
	return 0;
}

/* --- memory ------------------------------------------------------------------------------- */

/* The number behind "prefix NAME:", or 0. */
static uint64_t
amount(const char *text, const char *prefix, const char *name)
{
	char wanted[64];
	const char *at;

	(void)snprintf(wanted, sizeof(wanted), "%s%s:", prefix, name);
	at = strstr(text, wanted);
	/* "MemFree:" must not be found in a longer name. */
	while (at && at != text && at[-1] != '\n')
		at = strstr(at + 1, wanted);
	return at ? strtoull(at + strlen(wanted), NULL, 10) : 0;
}

int
host_memory_read(int root_fd, int node, struct host_memory *ret)
{
	char text[MEMORY_MAX], path[64] = "proc/meminfo", prefix[32] = "";
	int r;

	*ret = (struct host_memory){.total = 0};
	if (node != HOST_ALL) {
		(void)snprintf(path, sizeof(path), "sys/devices/system/node/node%d/meminfo", node);
		(void)snprintf(prefix, sizeof(prefix), "Node %d ", node);
	}
	r = read_until(root_fd, path, NULL, text, sizeof(text));
	if (r < 0)
		return r;
	ret->total = amount(text, prefix, "MemTotal");
	ret->free = amount(text, prefix, "MemFree");
	if (node == HOST_ALL) {
		ret->buffers = amount(text, prefix, "Buffers");
		ret->cached = amount(text, prefix, "Cached");
	}
	return 0;
}
