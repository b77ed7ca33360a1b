/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * numa.c: the guest's NUMA nodes; see numa.h.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/numa.h"

#include <errno.h>
#include <stdlib.h>

#include "worker/domain/parse.h"
#include "worker/domain/size.h"

enum { NEAR = 10, FAR = 20 };

static const struct xml_word accesses[] = {
	{"shared", DOMAIN_MEMORY_SHARED},
	{"private", DOMAIN_MEMORY_PRIVATE},
	{NULL, 0},
};

uint64_t
domain_numa_memory_kib(const struct domain_numa *numa)
{
	uint64_t kib = 0;

	for (size_t i = 0; i < numa->n_cells; i++)
		kib += numa->cells[i].memory_kib;
	return kib;
}

unsigned
domain_numa_distance(const struct domain_numa *numa, size_t from, size_t to)
{
	unsigned said = numa->cells[from].distances[to];

	if (said)
		return said;
	return from == to ? NEAR : FAR;
}

/* --- cells -------------------------------------------------------------------------------- */

static int
parse_memory(struct domain_parse *p, xmlNode *node, struct domain_cell *cell)
{
	const char *memory = xml_attr(node, "memory");
	uint64_t bytes;
	int r;

	if (!memory)
		return domain_refuse(p->error, VIR_ERR_XML_ERROR, VIR_FROM_XML,
			"missing element or attribute './@memory'");
	r = domain_size_read(p, memory, "./@memory", xml_attr(node, "unit"), "KiB",
		DOMAIN_MEMORY_MAX_KIB / DOMAIN_CELLS_MAX * 1024, &bytes);
	if (r == 0 && bytes == 0)
		return refuse_unsupported(p, "a NUMA cell needs memory");
	cell->memory_kib = (bytes + 1023) / 1024;
	return r;
}

static int
parse_cell(struct domain_parse *p, xmlNode *node, struct domain_cell *cell)
{
	const char *cpus = xml_attr(node, "cpus");
	unsigned access = 0, discard = 0;
	int r = cpus ? domain_vcpu_set_parse(p, cpus, &cell->cpus) : 0;

	if (r == 0)
		r = parse_memory(p, node, cell);
	if (r == 0)
		r = xml_attr_choice(node, "memAccess", accesses, p->error, &access);
	if (r == 0)
		r = xml_attr_choice(node, "discard", xml_yes_no, p->error, &discard);
	cell->access = access;
	cell->discard = discard;
	return r;
}

/* Each cell into its place: ids are 0 to n - 1, and may be left out. */
static int
parse_cells(struct domain_parse *p, xmlNode *numa, xmlNode *nodes[static DOMAIN_CELLS_MAX])
{
	size_t n = p->def->numa.n_cells, i = 0;
	xmlNode *node = NULL;
	int r = 0;

	while (r == 0 && (node = xml_each(numa, "cell", node))) {
		uint32_t id;

		r = xml_attr_number(node, "id", 10, UINT32_MAX, (uint32_t)i++, p->error, &id);
		if (r)
			return r;
		if (id >= n)
			return refuse_xml(p, "Exactly one 'cell' element per guest NUMA cell "
					     "allowed, non-contiguous ranges or ranges not "
					     "starting from 0 are not allowed");
		if (nodes[id])
			return refuse_xml(p, "Duplicate NUMA cell info for cell id '%u'", id);
		nodes[id] = node;
		r = parse_cell(p, node, &p->def->numa.cells[id]);
	}
	return r;
}

/* --- distances ---------------------------------------------------------------------------- */

static int
parse_sibling(struct domain_parse *p, xmlNode *node, size_t from)
{
	struct domain_numa *numa = &p->def->numa;
	uint32_t id, value;
	const char *given;
	int r = xml_attr_required(node, "id", p->error, &given);

	if (r == 0)
		r = xml_attr_number(node, "id", 10, UINT32_MAX, 0, p->error, &id);
	if (r)
		return r;
	if (id >= numa->n_cells)
		return refuse_xml(p,
			"'sibling_id %u' does not refer to a valid cell within NUMA 'cell id %zu'",
			id, from);
	r = xml_attr_required(node, "value", p->error, &given);
	if (r == 0)
		r = xml_attr_number(node, "value", 10, UINT32_MAX, 0, p->error, &value);
	if (r)
		return r;
	if (value < NEAR || value > UINT8_MAX)
		return refuse_xml(p,
			"'value %u' is invalid for 'sibling id %u' under NUMA 'cell id %zu'", value,
			id, from);
	if ((value == NEAR) != (id == from))
		return refuse_xml(p,
			"'value %u' is invalid for 'sibling id %u' under NUMA 'cell id %zu'", value,
			id, from);
	numa->cells[from].distances[id] = (uint8_t)value;
	return 0;
}

/* What is said of one way is true of the other, if that is not said. */
static void
complete_distances(struct domain_numa *numa, size_t from)
{
	for (size_t to = 0; to < numa->n_cells; to++) {
		if (!numa->cells[from].distances[to])
			continue;
		if (!numa->cells[to].distances[from])
			numa->cells[to].distances[from] = numa->cells[from].distances[to];
		numa->cells[from].distances[from] = numa->cells[to].distances[to] = NEAR;
	}
}

static int
parse_distances(struct domain_parse *p, xmlNode *nodes[static DOMAIN_CELLS_MAX])
{
	struct domain_numa *numa = &p->def->numa;
	int r = 0;

	for (size_t i = 0; i < numa->n_cells && r == 0; i++) {
		xmlNode *distances = xml_child(nodes[i], "distances"), *sibling = NULL;

		while (distances && r == 0 && (sibling = xml_each(distances, "sibling", sibling)))
			r = parse_sibling(p, sibling, i);
	}
	for (size_t i = 0; i < numa->n_cells && r == 0; i++)
		complete_distances(numa, i);
	return r;
}

/* --- virtual CPUs ------------------------------------------------------------------------- */

static int
place_vcpus(struct domain_parse *p)
{
	struct domain_numa *numa = &p->def->numa;

	for (uint32_t cpu = 0; cpu < DOMAIN_VCPUS_MAX; cpu++) {
		size_t found = DOMAIN_CELLS_MAX;

		for (size_t i = 0; i < numa->n_cells; i++) {
			if (!domain_vcpu_set_has(&numa->cells[i].cpus, cpu))
				continue;
			if (cpu >= p->def->vcpus)
				return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR,
					VIR_FROM_DOMAIN,
					"Number of CPUs in <numa> exceeds the <vcpu> count");
			if (found != DOMAIN_CELLS_MAX)
				return refuse_unsupported(p,
					"NUMA cells %zu and %zu have overlapping vCPU ids", i,
					found);
			found = i;
		}
		/* Those of no cell are the first one's. */
		if (found == DOMAIN_CELLS_MAX && cpu < p->def->vcpus)
			domain_vcpu_set_add(&numa->cells[0].cpus, cpu);
	}
	return 0;
}

int
domain_numa_parse(struct domain_parse *p, xmlNode *domain)
{
	xmlNode *cpu = xml_child(domain, "cpu"), *node = cpu ? xml_child(cpu, "numa") : NULL;
	xmlNode *nodes[DOMAIN_CELLS_MAX] = {NULL}, *cell = NULL;
	struct domain_numa *numa = &p->def->numa;
	size_t n = 0;
	int r;

	if (!node)
		return 0;
	while ((cell = xml_each(node, "cell", cell)))
		n++;
	if (n == 0)
		return refuse_xml(p, "NUMA topology defined without NUMA cells");
	if (n > DOMAIN_CELLS_MAX)
		return refuse_unsupported(p, "more than %d NUMA cells", DOMAIN_CELLS_MAX);
	numa->cells = calloc(n, sizeof(*numa->cells));
	if (!numa->cells)
		return -ENOMEM;
	numa->n_cells = n;
	r = parse_cells(p, node, nodes);
	if (r == 0)
		r = parse_distances(p, nodes);
	if (r == 0)
		r = place_vcpus(p);
	return r;
}

/* --- as XML ------------------------------------------------------------------------------- */

static void
format_distances(struct writer *w, const struct domain_numa *numa, const struct domain_cell *cell)
{
	bool begun = false;

	for (size_t i = 0; i < numa->n_cells; i++) {
		if (!cell->distances[i])
			continue;
		if (!begun)
			writer_start(w, "distances");
		begun = true;
		writer_start(w, "sibling");
		writer_attr_f(w, "id", "%zu", i);
		writer_attr_f(w, "value", "%u", cell->distances[i]);
		writer_end(w, "sibling");
	}
	if (begun)
		writer_end(w, "distances");
}

static void
format_cell(struct writer *w, const struct domain_numa *numa, size_t i)
{
	const struct domain_cell *cell = &numa->cells[i];
	char cpus[DOMAIN_VCPU_SET_TEXT];

	writer_start(w, "cell");
	writer_attr_f(w, "id", "%zu", i);
	if (*domain_vcpu_set_format(&cell->cpus, ",", cpus))
		writer_attr(w, "cpus", cpus);
	writer_attr_f(w, "memory", "%llu", (unsigned long long)cell->memory_kib);
	writer_attr(w, "unit", "KiB");
	if (cell->access)
		writer_attr(w, "memAccess", xml_word(accesses, cell->access));
	if (cell->discard)
		writer_attr(w, "discard", xml_word(xml_yes_no, cell->discard));
	format_distances(w, numa, cell);
	writer_end(w, "cell");
}

void
domain_numa_format(struct writer *w, const struct domain_numa *numa)
{
	if (numa->n_cells == 0)
		return;
	writer_start(w, "numa");
	for (size_t i = 0; i < numa->n_cells; i++)
		format_cell(w, numa, i);
	writer_end(w, "numa");
}

void
domain_numa_fini(struct domain_numa *numa)
{
	free(numa->cells);
}
