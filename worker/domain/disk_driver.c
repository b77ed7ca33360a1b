/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk_driver.c: <driver> of a disk.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/disk_driver.h"

#include <stddef.h>

#include "worker/domain/def.h"
#include "worker/domain/disk_place.h"
#include "worker/domain/parse.h"

/* What virtio has: counts of 16 bits, of queues, and of places in one. */
#define QUEUES_MAX     1024
#define QUEUE_SIZE_MAX 1024

#define CACHE_DEFAULT (DOMAIN_CACHE_UNSAFE + 1) /* the same as not said */

static const struct xml_word names[] = {{"qemu", 1}, {NULL, 0}};
static const struct xml_word caches[] = {
	{"none", DOMAIN_CACHE_NONE},
	{"writethrough", DOMAIN_CACHE_WRITETHROUGH},
	{"writeback", DOMAIN_CACHE_WRITEBACK},
	{"directsync", DOMAIN_CACHE_DIRECTSYNC},
	{"unsafe", DOMAIN_CACHE_UNSAFE},
	{"default", CACHE_DEFAULT},
	{NULL, 0},
};
static const struct xml_word ios[] = {
	{"threads", DOMAIN_IO_THREADS}, {"native", DOMAIN_IO_NATIVE}, {NULL, 0}};
static const struct xml_word errors[] = {
	{"stop", DOMAIN_ERROR_STOP},
	{"report", DOMAIN_ERROR_REPORT},
	{"ignore", DOMAIN_ERROR_IGNORE},
	{"enospace", DOMAIN_ERROR_ENOSPACE},
	{NULL, 0},
};
static const struct xml_word discards[] = {
	{"unmap", DOMAIN_DISCARD_UNMAP}, {"ignore", DOMAIN_DISCARD_IGNORE}, {NULL, 0}};
static const struct xml_word zeroes[] = {
	{"off", DOMAIN_ZEROES_OFF},
	{"on", DOMAIN_ZEROES_ON},
	{"unmap", DOMAIN_ZEROES_UNMAP},
	{NULL, 0},
};

/* In the order in which libvirt writes them. */
#define FIELD(name) #name, offsetof(struct domain_disk_driver, name)
static const struct attribute {
	const char *name;
	size_t offset;
	const struct xml_word *words; /* NULL: a number */
	uint32_t max;                 /* 0: any but 0 */
	bool virtio;                  /* others do not have it */
} attributes[] = {
	{FIELD(cache), caches, 0, false},
	{FIELD(error_policy), errors, 0, false},
	{FIELD(rerror_policy), errors, 0, false},
	{FIELD(io), ios, 0, false},
	{FIELD(ioeventfd), xml_on_off, 0, true},
	{FIELD(event_idx), xml_on_off, 0, true},
	{FIELD(copy_on_read), xml_on_off, 0, false},
	{FIELD(discard), discards, 0, false},
	{FIELD(iothread), NULL, 0, true},
	{FIELD(detect_zeroes), zeroes, 0, false},
	{FIELD(queues), NULL, QUEUES_MAX, true},
	{FIELD(queue_size), NULL, QUEUE_SIZE_MAX, true},
};
#define N_ATTRIBUTES (sizeof(attributes) / sizeof(attributes[0]))
_Static_assert(sizeof(unsigned) == sizeof(uint32_t), "words and numbers are of one size");

static uint32_t *
place_of(const struct attribute *attribute, struct domain_disk_driver *driver)
{
	return (uint32_t *)(void *)((char *)driver + attribute->offset);
}

static int
refuse_bus(
	struct domain_parse *p, const struct attribute *attribute, const struct domain_disk *disk)
{
	if (attribute->offset == offsetof(struct domain_disk_driver, iothread))
		return refuse_unsupported(p, "IOThreads not available for bus %s target %s",
			domain_disk_bus_word(disk->bus), disk->target);
	return attribute->words
		       ? refuse_unsupported(
				 p, "disk %s mode supported only for virtio bus", attribute->name)
		       : refuse_unsupported(p,
				 "%s attribute in disk driver element is only supported by "
				 "virtio-blk",
				 attribute->name);
}

static int
check(struct domain_parse *p, const struct domain_disk *disk)
{
	const struct domain_disk_driver *driver = &disk->driver;

	if (driver->rerror_policy == DOMAIN_ERROR_ENOSPACE)
		return refuse_unsupported(p, "Invalid disk read error policy: 'enospace'");
	if (driver->io == DOMAIN_IO_NATIVE && driver->cache != DOMAIN_CACHE_NONE &&
		driver->cache != DOMAIN_CACHE_DIRECTSYNC)
		return refuse_unsupported(
			p, "io='native' needs either no disk cache or directsync cache mode");
	if (driver->copy_on_read == DOMAIN_ON && disk->readonly)
		return refuse_unsupported(
			p, "copy_on_read is not compatible with read-only disk '%s'", disk->target);
	if (driver->iothread && !domain_iothread_exists(&p->def->iothreads, driver->iothread))
		return refuse_unsupported(
			p, "Disk iothread '%u' not defined in iothreadid", driver->iothread);
	if (driver->queue_size & (driver->queue_size - 1))
		return refuse_unsupported(
			p, "queue_size='%u' is not a power of two", driver->queue_size);
	return 0;
}

static int
parse_attribute(struct domain_parse *p, xmlNode *node, const struct attribute *attribute,
	struct domain_disk *disk)
{
	uint32_t *place = place_of(attribute, &disk->driver);
	int r;

	if (attribute->words == ios) /* libvirt knows one more */
		r = xml_attr_word(node, attribute->name, ios, p->error, place);
	else if (attribute->words)
		r = xml_attr_choice(node, attribute->name, attribute->words, p->error, place);
	else if (!attribute->max)
		r = xml_attr(node, attribute->name)
			    ? xml_attr_positive(node, attribute->name, 0, p->error, place)
			    : 0;
	else
		r = xml_attr_number(node, attribute->name, 10, attribute->max, 0, p->error, place);
	if (r == 0 && *place && attribute->virtio && disk->bus != DOMAIN_BUS_VIRTIO)
		return refuse_bus(p, attribute, disk);
	return r;
}

int
domain_disk_driver_parse(struct domain_parse *p, xmlNode *node, struct domain_disk *disk)
{
	xmlNode *driver = xml_child(node, "driver");
	unsigned name, format = 0;
	int r = 0;

	if (driver)
		r = xml_attr_word(driver, "name", names, p->error, &name);
	if (r == 0 && driver)
		r = domain_disk_format_parse(p, driver, &format);
	for (size_t i = 0; i < N_ATTRIBUTES && driver && r == 0; i++)
		r = parse_attribute(p, driver, &attributes[i], disk);
	if (disk->driver.cache == CACHE_DEFAULT)
		disk->driver.cache = 0;
	/* As in libvirt; it is never guessed from what is in the image. */
	if (!format && (disk->source.path || !(p->flags & DOMAIN_DEF_LIVE)))
		format = DOMAIN_DISK_RAW;
	disk->source.format = format;
	return r ? r : check(p, disk);
}

void
domain_disk_driver_format(struct writer *w, const struct domain_disk *disk)
{
	struct domain_disk_driver driver = disk->driver;

	writer_start(w, "driver");
	writer_attr(w, "name", "qemu");
	if (disk->source.format)
		writer_attr(w, "type", domain_disk_format_word(disk->source.format));
	for (size_t i = 0; i < N_ATTRIBUTES; i++) {
		uint32_t value = *place_of(&attributes[i], &driver);

		if (value && attributes[i].words)
			writer_attr(w, attributes[i].name, xml_word(attributes[i].words, value));
		else if (value)
			writer_attr_f(w, attributes[i].name, "%u", value);
	}
	writer_end(w, "driver");
}
