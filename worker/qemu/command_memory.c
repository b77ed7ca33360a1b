/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_memory.c: the guest's memory, and how it is spread over NUMA nodes.
 *
 * Runs in the worker, as the user. Pure. Memory has no path: what is to be shared with another
 * process is a memfd, where libvirt takes a file.
 */
#include "worker/qemu/command_machine.h"

static uint64_t
mib_of(uint64_t kib)
{
	return (kib + 1023) / 1024;
}

/* access: 0 for what <memoryBacking> says. */
static void
add_backend(
	struct command_line *line, const char *id, uint64_t mib, enum domain_memory_access access)
{
	const struct domain_backing *backing = &line->def->backing;
	enum domain_memory_access way = access ? access : backing->access;
	bool memfd = backing->source == DOMAIN_MEMORY_MEMFD || way == DOMAIN_MEMORY_SHARED;
	json_t *object = json_pack("{ss ss}", "qom-type",
		memfd ? "memory-backend-memfd" : "memory-backend-ram", "id", id);

	if (way)
		(void)json_object_set_new(
			object, "share", json_boolean(way == DOMAIN_MEMORY_SHARED));
	/* As of memory that is no memfd: the machine's state can be moved from one to the other. */
	if (memfd && line->def->numa.n_cells == 0)
		(void)json_object_set_new(
			object, "x-use-canonical-path-for-ramblock-id", json_false());
	if (backing->allocation == DOMAIN_MEMORY_IMMEDIATE)
		(void)json_object_set_new(object, "prealloc", json_true());
	if (backing->threads)
		(void)json_object_set_new(
			object, "prealloc-threads", json_integer(backing->threads));
	if (json_object_set_new(object, "size", json_integer((json_int_t)mib * 1024 * 1024)) < 0)
		line->failed = true;
	command_line_add_json(line, "-object", object);
}

static void
add_cell(struct command_line *line, unsigned i)
{
	const struct domain_cell *cell = &line->def->numa.cells[i];
	char cpus[DOMAIN_VCPU_SET_TEXT], id[32];

	(void)snprintf(id, sizeof(id), "ram-node%u", i);
	add_backend(line, id, mib_of(cell->memory_kib), cell->access);
	command_line_add(line, "-numa");
	command_line_add_f(line, "node,nodeid=%u", i);
	if (*domain_vcpu_set_format(&cell->cpus, ",cpus=", cpus))
		command_line_append(line, ",cpus=%s", cpus);
	command_line_append(line, ",memdev=%s", id);
}

static bool
has_distances(const struct domain_numa *numa)
{
	for (size_t i = 0; i < numa->n_cells; i++)
		/* A cell that has any has the one to itself. */
		if (numa->cells[i].distances[i])
			return true;
	return false;
}

static void
add_distances(struct command_line *line)
{
	const struct domain_numa *numa = &line->def->numa;

	for (size_t from = 0; from < numa->n_cells; from++)
		for (size_t to = 0; to < numa->n_cells; to++) {
			command_line_add(line, "-numa");
			command_line_add_f(line, "dist,src=%zu,dst=%zu,val=%u", from, to,
				domain_numa_distance(numa, from, to));
		}
}

void
command_add_memory(struct command_line *line)
{
	const struct domain_numa *numa = &line->def->numa;
	uint64_t mib = numa->n_cells ? 0 : mib_of(line->def->memory_kib);

	for (size_t i = 0; i < numa->n_cells; i++)
		mib += mib_of(numa->cells[i].memory_kib);
	command_line_add(line, "-m");
	command_line_add_f(line, "%llu", (unsigned long long)mib);
	if (numa->n_cells == 0)
		add_backend(line, "pc.ram", mib, 0);
	for (unsigned i = 0; i < numa->n_cells; i++)
		add_cell(line, i);
	if (has_distances(numa))
		add_distances(line);
}
