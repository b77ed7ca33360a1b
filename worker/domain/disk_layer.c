/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk_layer.c: <source> and <backingStore> of a disk.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/disk_layer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "worker/domain/def.h"
#include "worker/domain/parse.h"
#include "worker/domain/path.h"

static const struct xml_word formats[] = {
	{"raw", DOMAIN_DISK_RAW},
	{"qcow2", DOMAIN_DISK_QCOW2},
	{NULL, 0},
};
static const struct xml_word types[] = {
	{"file", DOMAIN_LAYER_FILE},
	{"block", DOMAIN_LAYER_BLOCK},
	{NULL, 0},
};
static const struct xml_word policies[] = {
	{"mandatory", DOMAIN_MANDATORY},
	{"requisite", DOMAIN_REQUISITE},
	{"optional", DOMAIN_OPTIONAL},
	{NULL, 0},
};

int
domain_disk_format_parse(struct domain_parse *p, xmlNode *node, unsigned *ret_format)
{
	return xml_attr_word(node, "type", formats, p->error, ret_format);
}

const char *
domain_disk_format_word(enum domain_disk_format format)
{
	return xml_word(formats, format);
}

static const char *
path_attribute(const struct domain_layer *layer)
{
	return layer->type == DOMAIN_LAYER_BLOCK ? "dev" : "file";
}

const char *
domain_layer_type_word(const struct domain_layer *layer)
{
	return xml_word(types, layer->type);
}

/* The path of a <source>; its absence is for the caller to judge. */
static int
parse_path(struct domain_parse *p, xmlNode *source, struct domain_layer *layer)
{
	const char *path = source ? xml_attr(source, path_attribute(layer)) : NULL;

	if (!path || !*path)
		return 0;
	layer->path = strdup(path);
	return layer->path ? domain_path_check(p, "source", path) : -ENOMEM;
}

/* A running VM's number of the layer; any other passes it over, as libvirt does. */
static int
parse_node(struct domain_parse *p, xmlNode *node, struct domain_layer *layer)
{
	uint32_t number = 0;
	int r = xml_attr_number(node, "index", 10, INT32_MAX, 0, p->error, &number);

	if (p->flags & DOMAIN_DEF_LIVE)
		layer->node = number;
	return r;
}

static int
parse_type(struct domain_parse *p, xmlNode *node, struct domain_layer *layer)
{
	unsigned type = 0;
	int r = xml_attr_word(node, "type", types, p->error, &type);

	layer->type = type ? type : DOMAIN_LAYER_FILE;
	return r;
}

int
domain_disk_source_parse(struct domain_parse *p, xmlNode *node, struct domain_disk *disk)
{
	xmlNode *source = xml_child(node, "source");
	unsigned policy = 0;
	int r = parse_type(p, node, &disk->source);

	if (r == 0)
		r = parse_path(p, source, &disk->source);
	if (r == 0 && source)
		r = xml_attr_word(source, "startupPolicy", policies, p->error, &policy);
	if (r == 0 && source)
		r = parse_node(p, source, &disk->source);
	disk->startup = policy;
	/* As libvirt has it: nothing is a file. */
	if (!disk->source.path)
		disk->source.type = DOMAIN_LAYER_FILE;
	return r;
}

/* One image below others, whose format has to be said. */
static int
parse_backing(struct domain_parse *p, xmlNode *node, struct domain_disk *disk)
{
	xmlNode *format = xml_child(node, "format"), *source = xml_child(node, "source");
	struct domain_layer layer = {0};
	unsigned word = 0;
	int r = parse_type(p, node, &layer);

	if (r == 0)
		r = parse_node(p, node, &layer);
	if (r == 0 && format)
		r = domain_disk_format_parse(p, format, &word);
	if (r == 0 && !word)
		return refuse_xml(p, "missing disk backing store format");
	if (r == 0 && !source)
		return refuse_xml(p, "missing disk backing store source");
	if (r == 0)
		r = parse_path(p, source, &layer);
	if (r == 0 && !layer.path)
		return domain_refuse(
			p->error, VIR_ERR_NO_SOURCE, VIR_FROM_DOMAIN, "%s", disk->target);
	if (r == 0)
		r = domain_layers_append(disk, layer.type, word, layer.path);
	else
		free(layer.path);
	if (r == 0)
		disk->backing[disk->n_backing - 1].node = layer.node;
	return r;
}

static bool
takes_backing(const struct domain_disk *disk)
{
	const struct domain_layer *last =
		disk->n_backing > 0 ? &disk->backing[disk->n_backing - 1] : &disk->source;

	return last->format == DOMAIN_DISK_QCOW2;
}

/* Each stands in the one above; one without a type says that there are no more. */
int
domain_disk_chain_parse(struct domain_parse *p, xmlNode *node, struct domain_disk *disk)
{
	xmlNode *backing = xml_child(node, "backingStore");
	int r = 0;

	for (; r == 0 && backing; backing = xml_child(backing, "backingStore")) {
		if (!xml_attr(backing, "type")) {
			disk->whole = true;
			break;
		}
		if (!takes_backing(disk))
			return refuse_unsupported(
				p, "storage format 'raw' does not support backing store");
		if (disk->n_backing + 1 == DOMAIN_LAYERS_MAX)
			return refuse_unsupported(p, "more than %d images of disk '%s'",
				DOMAIN_LAYERS_MAX, disk->target);
		r = parse_backing(p, backing, disk);
	}
	return r;
}

static void
format_source(struct writer *w, const struct domain_disk *disk, bool live)
{
	const struct domain_layer *source = &disk->source;

	if (!source->path && !disk->startup)
		return;
	writer_start(w, "source");
	if (source->path)
		writer_attr(w, path_attribute(source), source->path);
	if (disk->startup)
		writer_attr(w, "startupPolicy", xml_word(policies, disk->startup));
	if (live && source->path && source->node)
		writer_attr_f(w, "index", "%u", source->node);
	writer_end(w, "source");
}

static void
format_backing(struct writer *w, const struct domain_layer *layer, bool live)
{
	writer_start(w, "backingStore");
	writer_attr(w, "type", domain_layer_type_word(layer));
	if (live && layer->node)
		writer_attr_f(w, "index", "%u", layer->node);
	writer_start(w, "format");
	writer_attr(w, "type", domain_disk_format_word(layer->format));
	writer_end(w, "format");
	writer_start(w, "source");
	writer_attr(w, path_attribute(layer), layer->path);
	writer_end(w, "source");
}

void
domain_layers_format(struct writer *w, const struct domain_disk *disk, unsigned flags)
{
	bool live = flags & DOMAIN_DEF_LIVE;

	format_source(w, disk, live);
	for (size_t i = 0; i < disk->n_backing; i++)
		format_backing(w, &disk->backing[i], live);
	if (disk->whole) {
		writer_start(w, "backingStore");
		writer_end(w, "backingStore");
	}
	for (size_t i = 0; i < disk->n_backing; i++)
		writer_end(w, "backingStore");
}

int
domain_layers_append(struct domain_disk *disk, enum domain_layer_type type,
	enum domain_disk_format format, char *path)
{
	struct domain_layer *grown =
		reallocarray(disk->backing, disk->n_backing + 1, sizeof(*disk->backing));

	if (!grown) {
		free(path);
		return -ENOMEM;
	}
	disk->backing = grown;
	grown[disk->n_backing++] =
		(struct domain_layer){.type = type, .format = format, .path = path};
	return 0;
}

int
domain_layers_copy(struct domain_disk *disk, const struct domain_disk *from)
{
	struct domain_disk copy = {.n_backing = 0};
	int r = 0;

	ASSERT(disk->n_backing == 0);
	for (size_t i = 0; i < from->n_backing && r == 0; i++) {
		const struct domain_layer *layer = &from->backing[i];
		char *path = strdup(layer->path);

		r = path ? domain_layers_append(&copy, layer->type, layer->format, path) : -ENOMEM;
	}
	if (r < 0) {
		domain_layers_clear(&copy);
		return r;
	}
	free(disk->backing);
	disk->backing = copy.backing;
	disk->n_backing = copy.n_backing;
	disk->whole = true;
	return 0;
}

void
domain_layers_clear(struct domain_disk *disk)
{
	for (size_t i = 0; i < disk->n_backing; i++)
		free(disk->backing[i].path);
	free(disk->backing);
	free(disk->source.path);
	disk->backing = NULL;
	disk->n_backing = 0;
	disk->whole = false;
	disk->source = (struct domain_layer){.type = DOMAIN_LAYER_FILE};
}
