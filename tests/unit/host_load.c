/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the host does now is what its files say, put together as libvirt puts it.
 */
#include "tests/unit/test.h"

#include "tests/unit/host_tree.h"
#include "worker/qemu/host_load.h"

enum { TICK = 10000000 /* nanoseconds, at a hundred a second */ };

static void
test_times(void)
{
	struct host_times times;

	host_put("cpu  1 2 3 4 5 6 7 0 0 0\ncpu0 10 20 30 40 50 60 70 0 0 0\n"
		 "cpu10 1 0 0 0 0 0 0 0 0 0\nintr 1 2 3\n",
		"proc/stat");
	CHECK(host_times_read(host_root, HOST_ALL, &times) == 0);
	CHECK(times.user == 3 * TICK && times.kernel == 16 * TICK && times.idle == 4 * TICK &&
		times.iowait == 5 * TICK);
	CHECK(host_times_read(host_root, 0, &times) == 0 && times.user == 30 * TICK);
	CHECK(host_times_read(host_root, 10, &times) == 0 && times.user == 1 * TICK);
	CHECK(host_times_read(host_root, 1, &times) == -ENOENT && times.user == 0);
	host_put("cpu", "proc/stat");
	CHECK(host_times_read(host_root, HOST_ALL, &times) == -ENOENT);
	host_put("", "proc/stat");
	CHECK(host_times_read(host_root, 0, &times) == -ENOENT);
}

static void
test_memory(void)
{
	struct host_memory memory;

	host_put("MemTotal:  100 kB\nMemFree:\t40 kB\nBuffers: 3 kB\nSwapCached: 9 kB\nCached: 7 "
		 "kB\n",
		"proc/meminfo");
	host_put("Node 2 MemTotal: 60 kB\nNode 2 MemFree: 20 kB\nNode 2 Buffers: 1 kB\n",
		"sys/devices/system/node/node2/meminfo");
	CHECK(host_memory_read(host_root, HOST_ALL, &memory) == 0);
	CHECK(memory.total == 100 && memory.free == 40 && memory.buffers == 3 &&
		memory.cached == 7);
	CHECK(host_memory_read(host_root, 2, &memory) == 0);
	CHECK(memory.total == 60 && memory.free == 20 && memory.buffers == 0);
	CHECK(host_memory_read(host_root, 1, &memory) == -ENOENT && memory.total == 0);
}

static void
test_here(void)
{
	int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct host_memory memory;
	struct host_times times;

	CHECK(host_times_read(root_fd, HOST_ALL, &times) == 0 && times.user > 0 && times.idle > 0);
	CHECK(host_memory_read(root_fd, HOST_ALL, &memory) == 0);
	CHECK(memory.free > 0 && memory.free < memory.total);
	(void)close(root_fd);
}

int
main(void)
{
	if (!mkdtemp(host_folder))
		return EXIT_FAILURE;
	host_root = open(host_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	TEST("processor time, of all and of one", test_times);
	TEST("memory, of all and of a node", test_memory);
	TEST("this machine", test_here);
	host_empty();
	(void)close(host_root);
	CHECK(rmdir(host_folder) == 0);
	return TEST_END();
}
