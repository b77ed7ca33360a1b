/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host.c: the machine that all of this runs on; see host.h.
 *
 * Runs in the worker, as the user. Formats: proc(5), and the kernel's
 * Documentation/ABI/stable/sysfs-devices-{system-cpu,node}.
 */
#include "worker/qemu/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/take.h"

/* Enough for one processor in cpuinfo, and for every other file here. */
enum { TEXT_MAX = 8192 };

const unsigned host_huge_kib[HOST_N_HUGE] = {2048, 1048576};

/* --- files -------------------------------------------------------------------------------- */

/* The beginning of a file, NUL-terminated. Returns 0 or a negative errno; the text is "" then. */
__attribute__((format(printf, 3, 4))) static int
read_text(int root_fd, char text[static TEXT_MAX], const char *fmt, ...)
{
	char path[128];
	fd_auto int fd = -1;
	size_t size = 0;
	ssize_t n;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	*text = '\0';
	fd = openat(root_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (size < TEXT_MAX - 1 && (n = read(fd, text + size, TEXT_MAX - 1 - size)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		size += (size_t)n;
	}
	text[size] = '\0';
	return 0;
}

/* A file with one number; `otherwise` where there is none. */
static unsigned
read_number(int root_fd, unsigned id, const char *what, unsigned otherwise)
{
	char text[TEXT_MAX], *end;
	unsigned long value;

	if (read_text(root_fd, text, "sys/devices/system/cpu/cpu%u/topology/%s", id, what) < 0)
		return otherwise;
	value = strtoul(text, &end, 10);
	/* "-1" is the kernel's word for what it does not know. */
	return end == text || value > INT32_MAX ? otherwise : (unsigned)value;
}

typedef int each_fn(void *arg, unsigned id);

/* Each number of a list like "0-3,8". Returns 0, -EINVAL, or what fn returned. */
static int
each_of(const char *list, unsigned max, each_fn *fn, void *arg)
{
	while (*list && *list != '\n') {
		char *end;
		unsigned long first = strtoul(list, &end, 10), last = first;

		if (end == list)
			return -EINVAL;
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		if (last < first || last >= max)
			return -EINVAL;
		for (; first <= last; first++) {
			int r = fn(arg, (unsigned)first);

			if (r)
				return r;
		}
		list = *end == ',' ? end + 1 : end;
	}
	return 0;
}

/* What stands behind "NAME<blanks>:" at the beginning of a line, or NULL. */
static const char *
field(const char *text, const char *name)
{
	size_t size = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		const char *rest;

		line += *line == '\n';
		rest = line + size;
		if (strncmp(line, name, size) == 0 && rest[strspn(rest, " \t")] == ':') {
			rest += strspn(rest, " \t") + 1;
			return rest + strspn(rest, " \t");
		}
	}
	return NULL;
}

static unsigned long
field_number(const char *text, const char *name, int base)
{
	const char *value = field(text, name);

	return value ? strtoul(value, NULL, base) : 0;
}

/* --- processors --------------------------------------------------------------------------- */

/* The first processor stands for all. */
static int
read_cpuinfo(int root_fd, struct host *host)
{
	/* Names that libvirt has for them (src/cpu_map/x86_vendors.xml). */
	static const char *const vendors[][2] = {
		{"AuthenticAMD", "AMD"}, {"GenuineIntel", "Intel"}, {"HygonGenuine", "Hygon"}};
	char text[TEXT_MAX];
	const char *vendor;
	int r = read_text(root_fd, text, "proc/cpuinfo");

	if (r < 0)
		return r;
	vendor = field(text, "vendor_id");
	for (size_t i = 0; vendor && i < sizeof(vendors) / sizeof(vendors[0]); i++)
		if (strncmp(vendor, vendors[i][0], strlen(vendors[i][0])) == 0)
			host->vendor = vendors[i][1];
	host->family = (unsigned)field_number(text, "cpu family", 10);
	host->model = (unsigned)field_number(text, "model", 10);
	host->stepping = (unsigned)field_number(text, "stepping", 10);
	host->microcode = (uint32_t)field_number(text, "microcode", 16);
	host->address_bits = (unsigned)field_number(text, "address sizes", 10);
	host->mhz = (unsigned)field_number(text, "cpu MHz", 10);
	return 0;
}

struct reading {
	int root_fd;
	struct host *host;
	unsigned node; /* that processors are given to */
};

static int
add_cpu(void *arg, unsigned id)
{
	const struct reading *reading = arg;
	struct host_cpu *cpu = &reading->host->cpus[reading->host->n_cpus++];

	cpu->id = id;
	cpu->socket = read_number(reading->root_fd, id, "physical_package_id", 0);
	cpu->die = read_number(reading->root_fd, id, "die_id", 0);
	cpu->core = read_number(reading->root_fd, id, "core_id", id);
	return 0;
}

static int
see_cpu(void *arg, unsigned id)
{
	const struct reading *reading = arg;

	reading->host->n_present = id + 1;
	return 0;
}

static int
read_cpus(struct reading *reading)
{
	struct host *host = reading->host;
	struct host_cpu *cpus;
	char text[TEXT_MAX];
	int r = read_text(reading->root_fd, text, "sys/devices/system/cpu/online");

	if (r < 0)
		return r;
	host->cpus = calloc(HOST_CPUS_MAX, sizeof(*host->cpus));
	if (!host->cpus)
		return -ENOMEM;
	r = each_of(text, HOST_CPUS_MAX, add_cpu, reading);
	if (r == 0 && host->n_cpus == 0)
		r = -EINVAL;
	cpus = r == 0 ? reallocarray(host->cpus, host->n_cpus, sizeof(*cpus)) : NULL;
	if (cpus)
		host->cpus = cpus;
	if (r == 0 && read_text(reading->root_fd, text, "sys/devices/system/cpu/present") == 0)
		r = each_of(text, HOST_CPUS_MAX, see_cpu, reading);
	if (r == 0 && host->n_present <= host->cpus[host->n_cpus - 1].id)
		host->n_present = host->cpus[host->n_cpus - 1].id + 1;
	return r;
}

/* --- nodes -------------------------------------------------------------------------------- */

static int
give_cpu(void *arg, unsigned id)
{
	const struct reading *reading = arg;
	struct host *host = reading->host;

	for (size_t i = 0; i < host->n_cpus; i++)
		if (host->cpus[i].id == id)
			host->cpus[i].node = reading->node;
	return 0;
}

static void
read_distances(struct host_node *node, const char *text)
{
	char *end;

	for (; node->n_distances < HOST_NODES_MAX; text = end) {
		unsigned long value = strtoul(text, &end, 10);

		if (end == text)
			return;
		node->distances[node->n_distances++] = (unsigned)value;
	}
}

static int
add_node(void *arg, unsigned id)
{
	struct reading *reading = arg;
	struct host *host = reading->host;
	struct host_node *node;
	char text[TEXT_MAX], name[32];
	int r;

	if (host->n_nodes == HOST_NODES_MAX)
		return -EINVAL;
	reading->node = (unsigned)host->n_nodes;
	node = &host->nodes[host->n_nodes++];
	node->id = id;
	r = read_text(reading->root_fd, text, "sys/devices/system/node/node%u/meminfo", id);
	if (r < 0)
		return r;
	(void)snprintf(name, sizeof(name), "Node %u MemTotal", id);
	node->memory_kib = field_number(text, name, 10);
	for (size_t i = 0; i < HOST_N_HUGE; i++) {
		node->has_huge[i] = read_text(reading->root_fd, text,
					    "sys/devices/system/node/node%u/hugepages/"
					    "hugepages-%ukB/nr_hugepages",
					    id, host_huge_kib[i]) == 0;
		node->n_huge[i] = strtoull(text, NULL, 10);
	}
	if (read_text(reading->root_fd, text, "sys/devices/system/node/node%u/distance", id) == 0)
		read_distances(node, text);
	r = read_text(reading->root_fd, text, "sys/devices/system/node/node%u/cpulist", id);
	return r < 0 ? r : each_of(text, HOST_CPUS_MAX, give_cpu, reading);
}

static int
read_nodes(struct reading *reading)
{
	struct host *host = reading->host;
	char text[TEXT_MAX];
	int r;

	host->nodes = calloc(HOST_NODES_MAX, sizeof(*host->nodes));
	if (!host->nodes)
		return -ENOMEM;
	if (read_text(reading->root_fd, text, "sys/devices/system/node/online") == 0) {
		r = each_of(text, UINT32_MAX, add_node, reading);
		if (r < 0)
			return r;
	}
	if (host->n_nodes == 0) {
		r = read_text(reading->root_fd, text, "proc/meminfo");
		if (r < 0)
			return r;
		host->nodes[host->n_nodes++].memory_kib = field_number(text, "MemTotal", 10);
	}
	for (size_t i = 0; i < host->n_cpus; i++)
		host->nodes[host->cpus[i].node].n_cpus++;
	for (size_t i = 0; i < host->n_nodes; i++)
		host->memory_kib += host->nodes[i].memory_kib;
	return 0;
}

/* --- the shape ---------------------------------------------------------------------------- */

static int
compare_numbers(unsigned one, unsigned other)
{
	return (one > other) - (one < other);
}

static int
compare_places(const struct host_cpu *one, const struct host_cpu *other)
{
	int r = compare_numbers(one->node, other->node);

	if (r == 0)
		r = compare_numbers(one->socket, other->socket);
	if (r == 0)
		r = compare_numbers(one->die, other->die);
	return r ? r : compare_numbers(one->core, other->core);
}

/*
 * A copy, sorted by place. Not by qsort(), which asks the kernel for the size of its memory: no
 * call that the worker may make.
 */
static struct host_cpu *
sorted_by_place(const struct host *host)
{
	struct host_cpu *sorted = calloc(host->n_cpus, sizeof(*sorted));

	for (size_t i = 0; sorted && i < host->n_cpus; i++) {
		size_t at = i;

		for (; at > 0 && compare_places(&sorted[at - 1], &host->cpus[i]) > 0; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = host->cpus[i];
	}
	return sorted;
}

static void
raise_to(unsigned *most, unsigned n)
{
	if (n > *most)
		*most = n;
}

static int
count_shape(struct host *host)
{
	free_auto struct host_cpu *sorted = sorted_by_place(host);
	unsigned sockets = 0, cores = 0, threads = 0;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < host->n_cpus; i++) {
		const struct host_cpu *cpu = &sorted[i], *last = i > 0 ? cpu - 1 : NULL;
		bool other_node = !last || last->node != cpu->node;
		bool other_socket = other_node || last->socket != cpu->socket;
		bool other_core = other_socket || compare_places(last, cpu) != 0;

		sockets = other_node ? 1 : sockets + other_socket;
		cores = other_socket ? 1 : cores + other_core;
		threads = other_core ? 1 : threads + 1;
		raise_to(&host->sockets, sockets);
		raise_to(&host->cores, cores);
		raise_to(&host->threads, threads);
	}
	host->shape_nodes = (unsigned)host->n_nodes;
	if ((size_t)host->shape_nodes * host->sockets * host->cores * host->threads == host->n_cpus)
		return 0;
	host->shape_nodes = host->sockets = host->threads = 1;
	host->cores = (unsigned)host->n_cpus;
	return 0;
}

/* --- all of it ---------------------------------------------------------------------------- */

int
host_read(int root_fd, struct host *ret)
{
	struct reading reading = {.root_fd = root_fd, .host = ret};
	struct utsname name;
	int r;

	memset(ret, 0, sizeof(*ret));
	if (uname(&name) < 0)
		return -errno;
	(void)snprintf(ret->arch, sizeof(ret->arch), "%.31s", name.machine);
	r = read_cpuinfo(root_fd, ret);
	if (r == 0)
		r = read_cpus(&reading);
	if (r == 0)
		r = read_nodes(&reading);
	if (r == 0)
		r = count_shape(ret);
	if (r < 0)
		host_fini(ret);
	return r;
}

void
host_fini(struct host *host)
{
	free(take_ptr(host->cpus));
	free(take_ptr(host->nodes));
	host->n_cpus = host->n_nodes = 0;
}

void
host_map(const struct host *host, uint8_t *map, size_t size)
{
	for (size_t i = 0; i < host->n_cpus; i++)
		if (host->cpus[i].id / 8 < size)
			map[host->cpus[i].id / 8] |= (uint8_t)(1U << host->cpus[i].id % 8);
}
