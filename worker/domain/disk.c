/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk.c: virtio disks from files, with the format said and never guessed.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/domain/def.h"
#include "worker/domain/parse.h"
#include "worker/domain/path.h"

#define SERIAL_MAX 255

static const struct xml_word types[] = {{"file", 1}, {NULL, 0}};
static const struct xml_word devices[] = {{"disk", 1}, {NULL, 0}};
static const struct xml_word drivers[] = {{"qemu", 1}, {NULL, 0}};
static const struct xml_word buses[] = {{"virtio", 1}, {NULL, 0}};
static const struct xml_word formats[] = {
	{"raw", DOMAIN_DISK_RAW},
	{"qcow2", DOMAIN_DISK_QCOW2},
	{NULL, 0},
};

/* "vda" is 0, "vdz" 25, "vdaa" 26; up to three letters. */
static bool
read_index(const char *target, unsigned *ret_index)
{
	unsigned index = 0;
	size_t n;

	if (strncmp(target, "vd", 2) != 0)
		return false;
	target += 2;
	n = strlen(target);
	if (n < 1 || n > 3)
		return false;
	for (; *target; target++) {
		if (*target < 'a' || *target > 'z')
			return false;
		index = index * 26 + (unsigned)(*target - 'a') + 1;
	}
	*ret_index = index - 1;
	return true;
}

static int
parse_target(struct domain_parse *p, xmlNode *node, struct domain_disk *disk)
{
	xmlNode *target = xml_child(node, "target");
	const char *dev = target ? xml_attr(target, "dev") : NULL;
	unsigned bus;
	int r;

	if (!dev || !*dev)
		return domain_refuse(p->error, VIR_ERR_NO_TARGET, VIR_FROM_DOMAIN, "%.200s",
			disk->source ? disk->source : "");
	r = xml_attr_word(target, "bus", buses, p->error, &bus);
	if (r)
		return r;
	if (!read_index(dev, &disk->index))
		return refuse_unsupported(p,
			"disk target '%.100s' is not supported by qemud yet; use 'vda', 'vdb' and "
			"so on",
			dev);
	memcpy(disk->target, dev, strlen(dev) + 1);
	return 0;
}

static int
parse_source(struct domain_parse *p, xmlNode *node, struct domain_disk *disk)
{
	xmlNode *source = xml_child(node, "source");
	const char *file;

	if (!source)
		return 0;
	(void)xml_attr(source, "index"); /* a running VM's number for the layer */
	file = xml_attr(source, "file");
	if (!file || !*file)
		return 0;
	disk->source = strdup(file);
	if (!disk->source)
		return -ENOMEM;
	return domain_path_check(p, "source", file);
}

static int
parse_driver(struct domain_parse *p, xmlNode *node, struct domain_disk *disk)
{
	xmlNode *driver = xml_child(node, "driver");
	unsigned name, format = 0;
	int r = 0;

	if (driver)
		r = xml_attr_word(driver, "name", drivers, p->error, &name);
	if (r == 0 && driver)
		r = xml_attr_word(driver, "type", formats, p->error, &format);
	if (r == 0 && !format)
		return refuse_unsupported(p,
			"disk '%s' needs <driver name='qemu' type='raw'/> or type='qcow2': the "
			"format of an image is never guessed",
			disk->target);
	disk->format = format;
	return r;
}

static int
parse_serial(struct domain_parse *p, xmlNode *node, struct domain_disk *disk)
{
	int r = xml_child_text(node, "serial", &disk->serial);
	const char *serial = disk->serial;

	if (r || !serial)
		return r;
	if (strlen(serial) > SERIAL_MAX ||
		serial[strspn(serial,
			"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
			"_- .+")])
		return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU,
			"driver serial '%.255s' contains unsafe characters", serial);
	return 0;
}

static int
parse_all(struct domain_parse *p, xmlNode *node, struct domain_disk *disk)
{
	unsigned value;
	int r;

	r = xml_attr_word(node, "type", types, p->error, &value);
	if (r == 0)
		r = xml_attr_word(node, "device", devices, p->error, &value);
	if (r == 0)
		r = parse_source(p, node, disk);
	if (r == 0)
		r = parse_target(p, node, disk);
	if (r == 0 && !disk->source)
		return domain_refuse(
			p->error, VIR_ERR_NO_SOURCE, VIR_FROM_DOMAIN, "%s", disk->target);
	if (r == 0)
		r = parse_driver(p, node, disk);
	if (r == 0)
		r = parse_serial(p, node, disk);
	if (r == 0)
		r = domain_device_parse_boot(p, node, &disk->device);
	if (r == 0)
		r = domain_device_parse(p, node, &disk->device, DOMAIN_ADDRESS_PCI);
	disk->readonly = xml_child(node, "readonly") != NULL;
	return r;
}

/* Where a disk goes in the list that is sorted by target, after checks against the others. */
static int
find_place(struct domain_parse *p, const struct domain_disk *disk, size_t *ret_at)
{
	const struct domain_def *def = p->def;

	*ret_at = 0;
	for (size_t i = 0; i < def->n_disks; i++) {
		const struct domain_disk *other = &def->disks[i];

		if (other->index == disk->index)
			return refuse_xml(p,
				"target '%s' duplicated for disk sources '%.200s' and '%.200s'",
				disk->target, other->source, disk->source);
		if (other->index < disk->index)
			*ret_at = i + 1;
	}
	return 0;
}

static int
parse(struct domain_parse *p, xmlNode *node)
{
	struct domain_disk disk = {0};
	size_t at = 0;
	int r = parse_all(p, node, &disk);

	if (r == 0)
		r = find_place(p, &disk, &at);
	if (r == 0)
		r = domain_kind_insert(&domain_disk_kind, p->def, at, &disk, p->error);
	domain_kind_fini(&domain_disk_kind, &disk);
	return r;
}

static void
format_empty(struct writer *w, const char *name)
{
	writer_start(w, name);
	writer_end(w, name);
}

static void
format(struct writer *w, const struct domain_def *def, size_t i, unsigned flags)
{
	const struct domain_disk *disk = &def->disks[i];

	writer_start(w, "disk");
	writer_attr(w, "type", "file");
	writer_attr(w, "device", "disk");
	writer_start(w, "driver");
	writer_attr(w, "name", "qemu");
	writer_attr(w, "type", xml_word(formats, disk->format));
	writer_end(w, "driver");
	writer_start(w, "source");
	writer_attr(w, "file", disk->source);
	writer_end(w, "source");
	writer_start(w, "target");
	writer_attr(w, "dev", disk->target);
	writer_attr(w, "bus", "virtio");
	writer_end(w, "target");
	if (disk->readonly)
		format_empty(w, "readonly");
	if (disk->serial)
		writer_element(w, "serial", disk->serial);
	domain_device_format_boot(w, &disk->device);
	domain_device_format(w, &disk->device, flags);
	writer_end(w, "disk");
}

static void
fini(void *device)
{
	struct domain_disk *disk = device;

	free(disk->source);
	free(disk->serial);
}

static int
name(const struct domain_def *def, size_t i, char **ret)
{
	return asprintf(ret, "virtio-disk%u", def->disks[i].index) < 0 ? -ENOMEM : 0;
}

static const struct domain_choice choices[] = {
	{.name = "diskDevice", .words = devices}, {.name = "bus", .words = buses}, {.name = NULL}};

const struct domain_kind domain_disk_kind = {
	.element = "disk",
	.choices = choices,
	DOMAIN_KIND_LIST(disks, domain_disk),
	.max = DOMAIN_DISKS_MAX,
	.parse = parse,
	.format = format,
	.name = name,
	.fini = fini,
};
