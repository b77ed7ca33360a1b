/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capabilities_xml.c: the capabilities document, in libvirt's order (docs/formatcaps).
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/qemu/capabilities_xml.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/take.h"
#include "worker/domain/writer.h"

enum { PAGE_KIB = 4 };

/* --- host --------------------------------------------------------------------------------- */

static void
write_page_size(struct writer *w, unsigned kib)
{
	writer_start(w, "pages");
	writer_attr(w, "unit", "KiB");
	writer_attr_f(w, "size", "%u", kib);
	writer_end(w, "pages");
}

static void
write_pages(struct writer *w, unsigned kib, uint64_t n)
{
	writer_start(w, "pages");
	writer_attr(w, "unit", "KiB");
	writer_attr_f(w, "size", "%u", kib);
	writer_end_text_f(w, "pages", "%" PRIu64, n);
}

static void
write_shape(struct writer *w, const struct host *host)
{
	writer_start(w, "topology");
	writer_attr_f(w, "sockets", "%u", host->sockets);
	writer_attr(w, "dies", "1");
	writer_attr_f(w, "cores", "%u", host->cores);
	writer_attr_f(w, "threads", "%u", host->threads);
	writer_end(w, "topology");
}

static void
write_host_cpu(struct writer *w, const struct host *host)
{
	writer_start(w, "cpu");
	writer_element(w, "arch", host->arch);
	if (host->vendor)
		writer_element(w, "vendor", host->vendor);
	if (host->microcode) {
		writer_start(w, "microcode");
		writer_attr_f(w, "version", "%" PRIu32, host->microcode);
		writer_end(w, "microcode");
	}
	if (host->family) {
		writer_start(w, "signature");
		writer_attr_f(w, "family", "%u", host->family);
		writer_attr_f(w, "model", "%u", host->model);
		writer_attr_f(w, "stepping", "%u", host->stepping);
		writer_end(w, "signature");
	}
	write_shape(w, host);
	if (host->address_bits) {
		writer_start(w, "maxphysaddr");
		writer_attr(w, "mode", "emulate");
		writer_attr_f(w, "bits", "%u", host->address_bits);
		writer_end(w, "maxphysaddr");
	}
	write_page_size(w, PAGE_KIB);
	for (size_t i = 0; i < HOST_N_HUGE; i++)
		if (host->nodes[0].has_huge[i])
			write_page_size(w, host_huge_kib[i]);
	writer_end(w, "cpu");
}

static bool
siblings(const struct host_cpu *one, const struct host_cpu *other)
{
	return one->socket == other->socket && one->die == other->die && one->core == other->core;
}

/* The threads of a core, as a list like "0-1,4". */
static void
write_siblings(struct writer *w, const struct host *host, const struct host_cpu *cpu)
{
	char list[64] = "";
	size_t size = 0;

	for (size_t i = 0; i < host->n_cpus && size < sizeof(list); i++) {
		unsigned first = host->cpus[i].id, last = first;

		if (!siblings(&host->cpus[i], cpu))
			continue;
		for (; i + 1 < host->n_cpus && siblings(&host->cpus[i + 1], cpu) &&
			host->cpus[i + 1].id == last + 1;
			i++)
			last++;
		size += (size_t)snprintf(list + size, sizeof(list) - size,
			last > first ? "%s%u-%u" : "%s%u", size > 0 ? "," : "", first, last);
	}
	/* One that is too long for this is of no processor that there is. */
	if (size < sizeof(list))
		writer_attr(w, "siblings", list);
}

static void
write_cpus(struct writer *w, const struct host *host, unsigned node)
{
	writer_start(w, "cpus");
	writer_attr_f(w, "num", "%u", host->nodes[node].n_cpus);
	for (size_t i = 0; i < host->n_cpus; i++) {
		const struct host_cpu *cpu = &host->cpus[i];

		if (cpu->node != node)
			continue;
		writer_start(w, "cpu");
		writer_attr_f(w, "id", "%u", cpu->id);
		writer_attr_f(w, "socket_id", "%u", cpu->socket);
		writer_attr_f(w, "die_id", "%u", cpu->die);
		writer_attr_f(w, "core_id", "%u", cpu->core);
		write_siblings(w, host, cpu);
		writer_end(w, "cpu");
	}
	writer_end(w, "cpus");
}

static void
write_distances(struct writer *w, const struct host *host, const struct host_node *node)
{
	if (node->n_distances == 0)
		return;
	writer_start(w, "distances");
	for (size_t i = 0; i < node->n_distances && i < host->n_nodes; i++) {
		writer_start(w, "sibling");
		writer_attr_f(w, "id", "%u", host->nodes[i].id);
		writer_attr_f(w, "value", "%u", node->distances[i]);
		writer_end(w, "sibling");
	}
	writer_end(w, "distances");
}

static void
write_cell(struct writer *w, const struct host *host, unsigned index)
{
	const struct host_node *node = &host->nodes[index];
	uint64_t small_kib = node->memory_kib;

	writer_start(w, "cell");
	writer_attr_f(w, "id", "%u", node->id);
	writer_start(w, "memory");
	writer_attr(w, "unit", "KiB");
	writer_end_text_f(w, "memory", "%" PRIu64, node->memory_kib);
	for (size_t i = 0; i < HOST_N_HUGE; i++) {
		uint64_t kib = node->n_huge[i] * host_huge_kib[i];

		small_kib -= kib < small_kib ? kib : small_kib;
	}
	write_pages(w, PAGE_KIB, small_kib / PAGE_KIB);
	for (size_t i = 0; i < HOST_N_HUGE; i++)
		if (node->has_huge[i])
			write_pages(w, host_huge_kib[i], node->n_huge[i]);
	write_distances(w, host, node);
	write_cpus(w, host, index);
	writer_end(w, "cell");
}

static void
write_host(struct writer *w, const struct host *host)
{
	writer_start(w, "host");
	write_host_cpu(w, host);
	/* It can be sent to no sleep. */
	writer_start(w, "power_management");
	writer_end(w, "power_management");
	writer_start(w, "topology");
	writer_start(w, "cells");
	writer_attr_f(w, "num", "%zu", host->n_nodes);
	for (unsigned i = 0; i < host->n_nodes; i++)
		write_cell(w, host, i);
	writer_end(w, "cells");
	writer_end(w, "topology");
	writer_start(w, "secmodel");
	writer_element(w, "model", "none");
	writer_element(w, "doi", "0");
	writer_end(w, "secmodel");
	writer_end(w, "host");
}

/* --- guest -------------------------------------------------------------------------------- */

static bool
is_offered(const struct capabilities_machine *machine)
{
	return *machine->cpu && domain_chipset_of(machine->name) != 0;
}

static void
write_machine(struct writer *w, const struct capabilities_machine *machine)
{
	writer_start(w, "machine");
	writer_attr_f(w, "maxCpus", "%" PRIu32, machine->max_vcpus);
	if (machine->deprecated)
		writer_attr(w, "deprecated", "yes");
	writer_end_text(w, "machine", machine->name);
	if (!*machine->alias)
		return;
	writer_start(w, "machine");
	writer_attr(w, "canonical", machine->name);
	writer_attr_f(w, "maxCpus", "%" PRIu32, machine->max_vcpus);
	writer_end_text(w, "machine", machine->alias);
}

/* The default first: that is how clients know it. */
static void
write_machines(struct writer *w, const struct capabilities *capabilities)
{
	for (int others = 0; others < 2; others++)
		for (size_t i = 0; i < capabilities->n_machines; i++) {
			const struct capabilities_machine *machine = &capabilities->machines[i];

			if (is_offered(machine) && machine->is_default != others)
				write_machine(w, machine);
		}
}

static void
write_domain_type(struct writer *w, const char *type)
{
	writer_start(w, "domain");
	writer_attr(w, "type", type);
	writer_end(w, "domain");
}

static void
write_switch(struct writer *w, const char *name, const char *toggle)
{
	writer_start(w, name);
	writer_attr(w, "default", "on");
	writer_attr(w, "toggle", toggle);
	writer_end(w, name);
}

static void
write_guest(struct writer *w, const struct capabilities *capabilities, const char *emulator)
{
	writer_start(w, "guest");
	writer_element(w, "os_type", "hvm");
	writer_start(w, "arch");
	writer_attr(w, "name", capabilities->arch);
	writer_element(w, "wordsize", "64");
	writer_element(w, "emulator", emulator);
	write_machines(w, capabilities);
	write_domain_type(w, "qemu");
	if (capabilities->kvm)
		write_domain_type(w, "kvm");
	writer_end(w, "arch");
	writer_start(w, "features");
	write_switch(w, "acpi", "yes");
	write_switch(w, "apic", "no");
	writer_start(w, "cpuselection");
	writer_end(w, "cpuselection");
	writer_start(w, "deviceboot");
	writer_end(w, "deviceboot");
	writer_end(w, "features");
	writer_end(w, "guest");
}

int
capabilities_xml(const struct host *host, const struct capabilities *capabilities,
	const char *emulator, char **ret_xml)
{
	AUTO(writer_fini) struct writer w = {.text = NULL};

	writer_start(&w, "capabilities");
	write_host(&w, host);
	if (capabilities)
		write_guest(&w, capabilities, emulator);
	writer_end(&w, "capabilities");
	*ret_xml = writer_take(&w);
	return *ret_xml ? 0 : -ENOMEM;
}
