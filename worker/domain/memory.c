/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory.c: how much memory there is, and what it is made of; see memory.h.
 *
 * Runs in the worker, as the user. Pure. Huge and locked pages are not read, and so refused: they
 * would be taken from all users of the host.
 */
#include "worker/domain/memory.h"

#include <stdio.h>

#include "worker/domain/parse.h"
#include "worker/domain/size.h"

static const struct xml_word sources[] = {
	{"anonymous", DOMAIN_MEMORY_ANONYMOUS},
	{"memfd", DOMAIN_MEMORY_MEMFD},
	{NULL, 0},
};
static const struct xml_word accesses[] = {
	{"shared", DOMAIN_MEMORY_SHARED},
	{"private", DOMAIN_MEMORY_PRIVATE},
	{NULL, 0},
};
static const struct xml_word allocations[] = {
	{"immediate", DOMAIN_MEMORY_IMMEDIATE},
	{"ondemand", DOMAIN_MEMORY_ONDEMAND},
	{NULL, 0},
};

/* --- how much ----------------------------------------------------------------------------- */

/* 0 if the element is absent. */
static int
read_size(struct domain_parse *p, xmlNode *domain, const char *name, uint64_t *ret_kib)
{
	xmlNode *node = xml_child(domain, name);
	free_auto char *text = NULL;
	char where[32];
	uint64_t bytes;
	int r;

	*ret_kib = 0;
	if (!node)
		return 0;
	r = xml_text(node, &text);
	if (r)
		return r;
	(void)snprintf(where, sizeof(where), "./%s[1]", name);
	r = domain_size_read(p, text, where, xml_attr(node, "unit"), "KiB",
		DOMAIN_MEMORY_MAX_KIB * 1024, &bytes);
	if (r == 0)
		*ret_kib = (bytes + 1023) / 1024;
	return r;
}

static int
parse_sizes(struct domain_parse *p, xmlNode *domain)
{
	struct domain_def *def = p->def;
	xmlNode *memory = xml_child(domain, "memory");
	uint64_t cells = domain_numa_memory_kib(&def->numa);
	unsigned dump_core = 0;
	int r = read_size(p, domain, "memory", &def->memory_kib);

	if (r == 0 && memory)
		r = xml_attr_choice(memory, "dumpCore", xml_on_off, p->error, &dump_core);
	if (r)
		return r;
	def->dump_core = dump_core;
	/* What the cells have is what there is. */
	if (cells)
		def->memory_kib = cells;
	if (def->memory_kib == 0)
		return refuse_xml(p, "Memory size must be specified via <memory> or in the <numa> "
				     "configuration");
	r = read_size(p, domain, "currentMemory", &def->current_memory_kib);
	if (r == 0 && (def->current_memory_kib == 0 || def->current_memory_kib > def->memory_kib))
		def->current_memory_kib = def->memory_kib;
	return r;
}

static void
format_size(struct writer *w, const char *name, enum domain_switch dump_core, uint64_t kib)
{
	writer_start(w, name);
	if (dump_core)
		writer_attr(w, "dumpCore", xml_word(xml_on_off, dump_core));
	writer_attr(w, "unit", "KiB");
	writer_end_text_f(w, name, "%llu", (unsigned long long)kib);
}

/* --- what it is made of ------------------------------------------------------------------- */

/* The word of an attribute of a child element; 0 if there is none. */
static int
parse_word(struct domain_parse *p, xmlNode *backing, const char *element, const char *attribute,
	const struct xml_word *words, unsigned *ret)
{
	xmlNode *node = xml_child(backing, element);
	const char *word = node ? xml_attr(node, attribute) : NULL;

	*ret = word ? xml_word_value(words, word) : 0;
	if (!word || *ret)
		return 0;
	return domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
		"unknown memoryBacking/%s/%s '%.100s'", element, attribute, word);
}

static int
parse_source(struct domain_parse *p, xmlNode *backing, unsigned *ret)
{
	xmlNode *node = xml_child(backing, "source");
	const char *type = node ? xml_attr(node, "type") : NULL;

	if (type && xml_word_value((const struct xml_word[]){{"file", 1}, {NULL, 0}}, type))
		return refuse_unsupported(
			p, "memory from a file is not supported by qemud; use source type 'memfd'");
	return parse_word(p, backing, "source", "type", sources, ret);
}

static int
parse_backing(struct domain_parse *p, xmlNode *domain)
{
	xmlNode *node = xml_child(domain, "memoryBacking"), *allocation;
	struct domain_backing *backing = &p->def->backing;
	unsigned source = 0, access = 0, when = 0;
	int r;

	if (!node)
		return 0;
	allocation = xml_child(node, "allocation");
	backing->nosharepages = xml_child(node, "nosharepages") != NULL;
	backing->discard = xml_child(node, "discard") != NULL;
	r = parse_source(p, node, &source);
	if (r == 0)
		r = parse_word(p, node, "access", "mode", accesses, &access);
	if (r == 0)
		r = parse_word(p, node, "allocation", "mode", allocations, &when);
	if (r == 0 && allocation)
		r = xml_attr_number(
			allocation, "threads", 10, 65535, 0, p->error, &backing->threads);
	if (r)
		return r;
	backing->source = source;
	backing->access = access;
	backing->allocation = when;
	return 0;
}

static void
format_flag(struct writer *w, const char *name, bool is_there)
{
	if (is_there) {
		writer_start(w, name);
		writer_end(w, name);
	}
}

static void
format_word(struct writer *w, const char *element, const char *attribute,
	const struct xml_word *words, unsigned value)
{
	if (!value)
		return;
	writer_start(w, element);
	writer_attr(w, attribute, xml_word(words, value));
	writer_end(w, element);
}

static void
format_allocation(struct writer *w, const struct domain_backing *backing)
{
	if (!backing->allocation && !backing->threads)
		return;
	writer_start(w, "allocation");
	if (backing->allocation)
		writer_attr(w, "mode", xml_word(allocations, backing->allocation));
	if (backing->threads)
		writer_attr_f(w, "threads", "%u", backing->threads);
	writer_end(w, "allocation");
}

static void
format_backing(struct writer *w, const struct domain_backing *backing)
{
	if (!backing->nosharepages && !backing->discard && !backing->source && !backing->access &&
		!backing->allocation && !backing->threads)
		return;
	writer_start(w, "memoryBacking");
	format_flag(w, "nosharepages", backing->nosharepages);
	format_word(w, "source", "type", sources, backing->source);
	format_word(w, "access", "mode", accesses, backing->access);
	format_allocation(w, backing);
	format_flag(w, "discard", backing->discard);
	writer_end(w, "memoryBacking");
}

/* --- both --------------------------------------------------------------------------------- */

int
domain_memory_parse(struct domain_parse *p, xmlNode *domain)
{
	int r = parse_sizes(p, domain);

	return r ? r : parse_backing(p, domain);
}

void
domain_memory_format(struct writer *w, const struct domain_def *def)
{
	format_size(w, "memory", def->dump_core, def->memory_kib);
	format_size(w, "currentMemory", 0, def->current_memory_kib);
	format_backing(w, &def->backing);
}
