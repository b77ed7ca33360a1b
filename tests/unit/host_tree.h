/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host_tree.h: hosts of several shapes, as folders with the few files of /proc and /sys that are
 * read of one.
 */
#ifndef TESTS_UNIT_HOST_TREE_H
#define TESTS_UNIT_HOST_TREE_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/test.h"

static char host_folder[] = "/tmp/host-XXXXXX";
static int host_root = -1;

static inline int
host_remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	return ftw->level == 0 ? 0 : remove(path);
}

static inline void
host_empty(void)
{
	if (nftw(host_folder, host_remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0)
		abort();
}

/* Write a file below the host's root; its folders are made. */
__attribute__((format(printf, 2, 3))) static inline void
host_put(const char *text, const char *fmt, ...)
{
	char path[256];
	va_list ap;
	FILE *out;
	int fd;

	va_start(ap, fmt);
	(void)vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	for (char *slash = path; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (mkdirat(host_root, path, 0700) < 0 && errno != EEXIST)
			abort();
		*slash = '/';
	}
	fd = openat(host_root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out || fputs(text, out) < 0 || fclose(out) != 0)
		abort();
}

static inline void
host_put_cpu(unsigned id, unsigned socket, unsigned die, unsigned core)
{
	const struct {
		const char *name;
		unsigned value;
	} files[] = {{"physical_package_id", socket}, {"die_id", die}, {"core_id", core}};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char text[16];

		(void)snprintf(text, sizeof(text), "%u\n", files[i].value);
		host_put(text, "sys/devices/system/cpu/cpu%u/topology/%s", id, files[i].name);
	}
}

static inline void
host_put_node(unsigned id, const char *cpus, const char *memory_kib, const char *distances)
{
	char text[128];

	(void)snprintf(text, sizeof(text), "Node %u MemTotal:  %s kB\nNode %u MemFree:  5 kB\n", id,
		memory_kib, id);
	host_put(text, "sys/devices/system/node/node%u/meminfo", id);
	host_put(cpus, "sys/devices/system/node/node%u/cpulist", id);
	host_put(distances, "sys/devices/system/node/node%u/distance", id);
}

static const char host_cpuinfo[] = "processor\t: 0\n"
				   "vendor_id\t: AuthenticAMD\n"
				   "cpu family\t: 25\n"
				   "model\t\t: 17\n"
				   "model name\t: AMD EPYC: 7\n"
				   "stepping\t: 1\n"
				   "microcode\t: 0x1000065\n"
				   "cpu MHz\t\t: 2596.142\n"
				   "address sizes\t: 48 bits physical, 48 bits virtual\n"
				   "\n"
				   "processor\t: 1\n"
				   "vendor_id\t: GenuineIntel\n"
				   "cpu MHz\t\t: 1.0\n";

/* One node, one socket, two cores. */
static inline void
host_small(void)
{
	host_empty();
	host_put(host_cpuinfo, "proc/cpuinfo");
	host_put("0-1\n", "sys/devices/system/cpu/online");
	host_put("0\n", "sys/devices/system/node/online");
	host_put_cpu(0, 0, 0, 0);
	host_put_cpu(1, 0, 0, 1);
	host_put_node(0, "0-1\n", "7301336", "10\n");
	host_put("0\n", "sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages");
	host_put("1\n", "sys/devices/system/node/node0/hugepages/hugepages-1048576kB/nr_hugepages");
}

/* Nodes 0 and 2, each a socket of 2 cores of 2 threads, numbered as Intel's firmware does. */
static inline void
host_large(void)
{
	host_empty();
	host_put(host_cpuinfo, "proc/cpuinfo");
	host_put("0-7\n", "sys/devices/system/cpu/online");
	host_put("0,2\n", "sys/devices/system/node/online");
	for (unsigned i = 0; i < 8; i++)
		host_put_cpu(i, i % 4 / 2, 0, i % 2);
	host_put_node(0, "0-1,4-5\n", "1000", "10 21\n");
	host_put_node(2, "2-3,6-7\n", "3000", "21 10\n");
}

/* Before the first host, and after the last. */
static inline void
host_tree_init(void)
{
	if (!mkdtemp(host_folder))
		abort();
	host_root = open(host_folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (host_root < 0)
		abort();
}

static inline void
host_tree_fini(void)
{
	host_empty();
	(void)close(host_root);
	(void)rmdir(host_folder);
}

#endif
