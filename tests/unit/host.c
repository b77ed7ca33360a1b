/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Processors and memory are counted as libvirt counts them, on hosts of several shapes.
 *
 * The wanted numbers of the small one are what virsh nodeinfo of libvirt 9.0 said on such a host.
 */
#include "worker/qemu/host.h"

#include <sys/utsname.h>

#include "lib/take.h"
#include "tests/unit/host_tree.h"
#include "tests/unit/test.h"

static void
check_shape(
	const struct host *host, unsigned nodes, unsigned sockets, unsigned cores, unsigned threads)
{
	CHECK(host->shape_nodes == nodes && host->sockets == sockets && host->cores == cores &&
		host->threads == threads);
	if (test_this_failed)
		printf("# %u %u %u %u\n", host->shape_nodes, host->sockets, host->cores,
			host->threads);
}

static void
as_libvirt_counts(void)
{
	struct host host;
	struct utsname name;

	host_small();
	CHECK(host_read(host_root, &host) == 0);
	check_shape(&host, 1, 1, 2, 1);
	CHECK(host.n_cpus == 2 && host.memory_kib == 7301336 && host.mhz == 2596);
	CHECK_STR(host.vendor, "AMD");
	CHECK(host.family == 25 && host.model == 17 && host.stepping == 1);
	CHECK(host.microcode == 16777317 && host.address_bits == 48);
	CHECK(uname(&name) == 0);
	CHECK_STR(host.arch, name.machine);
	host_fini(&host);
	host_fini(&host);
	host_large();
	CHECK(host_read(host_root, &host) == 0);
	check_shape(&host, 2, 1, 2, 2);
	CHECK(host.n_cpus == 8 && host.memory_kib == 4000);
	CHECK(host.cpus[6].id == 6 && host.cpus[6].node == 1 && host.cpus[6].socket == 1);
	host_fini(&host);
}

static void
shapes_that_do_not_fit(void)
{
	struct host host;

	/* A processor is offline. */
	host_large();
	host_put("0-6\n", "sys/devices/system/cpu/online");
	host_put("2-3,6\n", "sys/devices/system/node/node2/cpulist");
	CHECK(host_read(host_root, &host) == 0);
	check_shape(&host, 1, 1, 7, 1);
	host_fini(&host);
	/* Two sockets in one node; a socket of two dies whose cores have the same numbers. */
	host_large();
	host_put("0\n", "sys/devices/system/node/online");
	host_put("0-7\n", "sys/devices/system/node/node0/cpulist");
	CHECK(host_read(host_root, &host) == 0);
	check_shape(&host, 1, 2, 2, 2);
	host_fini(&host);
	for (unsigned i = 0; i < 8; i++)
		host_put_cpu(i, 0, i % 4 / 2, i % 2);
	CHECK(host_read(host_root, &host) == 0);
	check_shape(&host, 1, 1, 4, 2);
	host_fini(&host);
}

static void
less_than_all(void)
{
	struct host host;

	/* No NUMA, no topology: what is missing is the simplest that there is. */
	host_empty();
	host_put("processor : 0\nvendor_id\t: Other\n", "proc/cpuinfo");
	host_put("0,2-3\n", "sys/devices/system/cpu/online");
	host_put("MemFree: 1 kB\nMemTotal:  2048 kB\n", "proc/meminfo");
	CHECK(host_read(host_root, &host) == 0);
	check_shape(&host, 1, 1, 3, 1);
	CHECK(host.n_cpus == 3 && host.cpus[2].id == 3 && host.memory_kib == 2048);
	CHECK(!host.vendor && host.mhz == 0 && host.microcode == 0);
	host_fini(&host);
	/* The kernel does not know. */
	host_put("-1\n", "sys/devices/system/cpu/cpu0/topology/physical_package_id");
	CHECK(host_read(host_root, &host) == 0 && host.cpus[0].socket == 0);
	host_fini(&host);
}

static void
no_host(void)
{
	static const char *const lists[] = {
		"", "x\n", "1-\n", "3-1\n", "0-4096\n", "0-99999999999\n"};
	struct host host;

	host_empty();
	CHECK(host_read(host_root, &host) == -ENOENT && !host.cpus && !host.nodes);
	host_small();
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		host_put(lists[i], "sys/devices/system/cpu/online");
		CHECK(host_read(host_root, &host) == -EINVAL && !host.cpus);
	}
	host_put("0-4095\n", "sys/devices/system/cpu/online");
	CHECK(host_read(host_root, &host) == 0 && host.n_cpus == 4096);
	host_fini(&host);
}

static void
this_host(void)
{
	fd_auto int slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct host host;

	CHECK(host_read(slash, &host) == 0);
	CHECK((long)host.n_cpus == sysconf(_SC_NPROCESSORS_ONLN));
	CHECK(host.memory_kib > 1024);
	printf("# %zu processors, %llu KiB, %u MHz\n", host.n_cpus,
		(unsigned long long)host.memory_kib, host.mhz);
	host_fini(&host);
}

int
main(void)
{
	host_tree_init();
	TEST("processors and memory are counted as libvirt counts them", as_libvirt_counts);
	TEST("where the shape is not even, all are cores of one socket", shapes_that_do_not_fit);
	TEST("what a host does not tell is left out", less_than_all);
	TEST("files with nonsense are an error", no_host);
	TEST("this host can be read", this_host);
	host_tree_fini();
	return TEST_END();
}
