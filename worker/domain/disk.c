/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk.c: <disk>: disks and drives, with the format of an image said and never guessed.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/disk.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/domain/def.h"
#include "worker/domain/disk_place.h"
#include "worker/domain/parse.h"

#define SERIAL_MAX  255
#define VENDOR_MAX  8
#define PRODUCT_MAX 16
#define BLOCK_MAX   (2 * 1024 * 1024) /* QEMU's: MAX_BLOCK_SIZE */

static const struct xml_word devices[] = {
	{"disk", DOMAIN_DISK},
	{"cdrom", DOMAIN_CDROM},
	{"floppy", DOMAIN_FLOPPY},
	{NULL, 0},
};

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
parse_wwn(struct domain_parse *p, xmlNode *node, struct domain_disk *disk)
{
	int r = xml_child_text(node, "wwn", &disk->wwn);
	const char *wwn = disk->wwn;

	if (r || !wwn)
		return r;
	if (strlen(wwn) != 16 || wwn[strspn(wwn, "0123456789abcdefABCDEF")])
		return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_DOMAIN,
			"Malformed wwn: %.100s", wwn);
	if (disk->bus != DOMAIN_BUS_IDE && disk->bus != DOMAIN_BUS_SCSI)
		return refuse_unsupported(p, "Only ide and scsi disk support wwn");
	/* QEMU is given it as JSON. */
	if (*wwn > '7')
		return refuse_unsupported(p, "wwn '%s' is not supported by qemud", wwn);
	return 0;
}

/* What the inquiry of a SCSI disk answers. */
static int
parse_inquiry(struct domain_parse *p, xmlNode *node, const struct domain_disk *disk,
	const char *name, size_t max, char **ret_text)
{
	int r = xml_child_text(node, name, ret_text);
	const char *text = *ret_text;

	if (r || !text)
		return r;
	if (strlen(text) > max)
		return refuse_unsupported(p, "disk %s is more than %zu characters", name, max);
	for (const char *c = text; *c; c++)
		if (!isascii((unsigned char)*c) || !isprint((unsigned char)*c))
			return refuse_xml(p, "disk %s is not printable string", name);
	if (disk->bus != DOMAIN_BUS_SCSI)
		return refuse_unsupported(p, "Only scsi disk supports vendor and product");
	return 0;
}

static bool
is_block_size(uint32_t size)
{
	return size == 0 || (size >= 512 && size <= BLOCK_MAX && (size & (size - 1)) == 0);
}

/* QEMU does not start with others. */
static int
parse_blockio(struct domain_parse *p, xmlNode *node, struct domain_disk *disk)
{
	xmlNode *blockio = xml_child(node, "blockio");
	uint32_t *logical = &disk->logical_block_size, *physical = &disk->physical_block_size;
	int r;

	if (!blockio)
		return 0;
	r = xml_attr_number(blockio, "logical_block_size", 10, UINT32_MAX, 0, p->error, logical);
	if (r == 0)
		r = xml_attr_number(
			blockio, "physical_block_size", 10, UINT32_MAX, 0, p->error, physical);
	if (r)
		return r;
	if (!is_block_size(*logical) || !is_block_size(*physical))
		return refuse_unsupported(p,
			"block sizes of disk '%s' are not powers of two from 512 on", disk->target);
	if (*logical > (*physical ? *physical : 512))
		return refuse_unsupported(p,
			"logical_block_size of disk '%s' is more than physical_block_size",
			disk->target);
	if (*logical > 512 && (disk->bus == DOMAIN_BUS_IDE || disk->bus == DOMAIN_BUS_SATA))
		return refuse_unsupported(p,
			"logical_block_size of disk '%s' must be 512 on bus '%s'", disk->target,
			domain_disk_bus_word(disk->bus));
	return 0;
}

static int
parse_boot(struct domain_parse *p, xmlNode *node, struct domain_disk *disk)
{
	return domain_device_parse_boot(p, node, &disk->device);
}

static int
check(struct domain_parse *p, const struct domain_disk *disk)
{
	const char *bus = domain_disk_bus_word(disk->bus);

	if (!disk->source.path && disk->what == DOMAIN_DISK)
		return domain_refuse(
			p->error, VIR_ERR_NO_SOURCE, VIR_FROM_DOMAIN, "%s", disk->target);
	if (!disk->source.path && disk->bus == DOMAIN_BUS_USB)
		return refuse_unsupported(
			p, "a drive on bus 'usb' without a medium is not supported by QEMU");
	if (disk->startup == DOMAIN_REQUISITE && disk->what == DOMAIN_DISK)
		return refuse_xml(
			p, "disk startupPolicy 'requisite' is allowed only for cdrom or floppy");
	if (disk->what == DOMAIN_DISK && disk->readonly &&
		(disk->bus == DOMAIN_BUS_IDE || disk->bus == DOMAIN_BUS_SATA))
		return refuse_unsupported(p, "readonly %s disks are not supported", bus);
	if (disk->shareable && !disk->readonly && disk->source.format != DOMAIN_DISK_RAW &&
		disk->source.path)
		return refuse_unsupported(p,
			"shared access for disk '%s' requires use of supported storage format",
			disk->target);
	return 0;
}

static int
parse_all(struct domain_parse *p, xmlNode *node, struct domain_disk *disk)
{
	static int (*const parsers[])(
		struct domain_parse * p, xmlNode * node, struct domain_disk * disk) = {
		domain_disk_source_parse,
		domain_disk_target_parse,
		domain_disk_driver_parse,
		domain_disk_chain_parse,
		parse_serial,
		parse_wwn,
		parse_blockio,
		parse_boot,
		domain_disk_place_parse,
	};
	unsigned what = 0;
	int r = xml_attr_word(node, "device", devices, p->error, &what);

	disk->what = what ? what : DOMAIN_DISK;
	disk->readonly = xml_child(node, "readonly") || what == DOMAIN_CDROM;
	disk->shareable = xml_child(node, "shareable");
	for (size_t i = 0; i < sizeof(parsers) / sizeof(parsers[0]) && r == 0; i++)
		r = parsers[i](p, node, disk);
	if (r == 0)
		r = domain_throttle_parse(p, node, &disk->throttle);
	if (r == 0)
		r = parse_inquiry(p, node, disk, "vendor", VENDOR_MAX, &disk->vendor);
	if (r == 0)
		r = parse_inquiry(p, node, disk, "product", PRODUCT_MAX, &disk->product);
	return r ? r : check(p, disk);
}

/*
 * Before the next name of its bus; behind all of its bus; else at the end. As in libvirt, which
 * knows no bus yet when it reads a disk without one, and sorts those that it has written anew.
 */
static size_t
find_place(const struct domain_disk *disks, size_t n, const struct domain_disk *disk, bool said)
{
	size_t at = n;
	bool found = false;

	for (size_t i = n; i-- > 0;) {
		unsigned bus = said ? disks[i].said_bus : disks[i].bus;

		if (bus != (said ? disk->said_bus : disk->bus))
			continue;
		if (disks[i].index > disk->index)
			at = i;
		else if (!found)
			at = i + 1;
		found = true;
	}
	return at;
}

static int
check_others(struct domain_parse *p, const struct domain_disk *disk)
{
	const struct domain_def *def = p->def;

	for (size_t i = 0; i < def->n_disks; i++) {
		const struct domain_disk *other = &def->disks[i];

		if (strcmp(other->target, disk->target) == 0)
			return refuse_xml(p,
				"target '%s' duplicated for disk sources '%.200s' and '%.200s'",
				disk->target, other->source.path ? other->source.path : "(null)",
				disk->source.path ? disk->source.path : "(null)");
	}
	return 0;
}

static int
parse(struct domain_parse *p, xmlNode *node)
{
	struct domain_disk disk = {0};
	const struct domain_def *def = p->def;
	int r = parse_all(p, node, &disk);

	if (r == 0)
		r = check_others(p, &disk);
	if (r == 0)
		r = domain_kind_insert(&domain_disk_kind, p->def,
			find_place(def->disks, def->n_disks, &disk, true), &disk, p->error);
	domain_kind_fini(&domain_disk_kind, &disk);
	return r;
}

static int
complete(struct domain_parse *p)
{
	struct domain_def *def = p->def;
	size_t layers = 0;

	for (size_t i = 0; i < def->n_disks; i++) {
		struct domain_disk disk = def->disks[i];
		size_t at = find_place(def->disks, i, &disk, false);

		memmove(&def->disks[at + 1], &def->disks[at], (i - at) * sizeof(disk));
		def->disks[at] = disk;
		layers += 1 + disk.n_backing;
	}
	if (layers > DOMAIN_LAYERS_MAX)
		return refuse_unsupported(p, "more than %d images of disks", DOMAIN_LAYERS_MAX);
	return domain_disk_places_check(p);
}

/* --- and back ----------------------------------------------------------------------------- */

static void
format_empty(struct writer *w, const char *name)
{
	writer_start(w, name);
	writer_end(w, name);
}

static void
format_blockio(struct writer *w, const struct domain_disk *disk)
{
	if (!disk->logical_block_size && !disk->physical_block_size)
		return;
	writer_start(w, "blockio");
	if (disk->logical_block_size)
		writer_attr_f(w, "logical_block_size", "%u", disk->logical_block_size);
	if (disk->physical_block_size)
		writer_attr_f(w, "physical_block_size", "%u", disk->physical_block_size);
	writer_end(w, "blockio");
}

static void
format_names(struct writer *w, const struct domain_disk *disk)
{
	if (disk->serial)
		writer_element(w, "serial", disk->serial);
	if (disk->wwn)
		writer_element(w, "wwn", disk->wwn);
	if (disk->vendor)
		writer_element(w, "vendor", disk->vendor);
	if (disk->product)
		writer_element(w, "product", disk->product);
}

static void
format(struct writer *w, const struct domain_def *def, size_t i, unsigned flags)
{
	const struct domain_disk *disk = &def->disks[i];

	writer_start(w, "disk");
	writer_attr(w, "type", domain_layer_type_word(&disk->source));
	writer_attr(w, "device", xml_word(devices, disk->what));
	domain_disk_driver_format(w, disk);
	domain_layers_format(w, disk, flags);
	format_blockio(w, disk);
	domain_disk_target_format(w, disk);
	domain_throttle_format(w, &disk->throttle);
	if (disk->readonly)
		format_empty(w, "readonly");
	if (disk->shareable)
		format_empty(w, "shareable");
	format_names(w, disk);
	domain_device_format_boot(w, &disk->device);
	domain_device_format(w, &disk->device, flags);
	writer_end(w, "disk");
}

static void
fini(void *device)
{
	struct domain_disk *disk = device;

	domain_layers_clear(disk);
	free(disk->throttle.group);
	free(disk->serial);
	free(disk->wwn);
	free(disk->vendor);
	free(disk->product);
}

static int
name(const struct domain_def *def, size_t i, char **ret)
{
	const struct domain_disk *disk = &def->disks[i];
	const struct domain_drive_address *a = &disk->device.drive;
	const char *bus = domain_disk_bus_word(disk->bus);
	int n;

	if (disk->bus == DOMAIN_BUS_VIRTIO)
		n = asprintf(ret, "virtio-disk%u", disk->index);
	else if (disk->bus == DOMAIN_BUS_USB)
		n = asprintf(ret, "usb-disk%u", disk->index);
	else if (disk->bus == DOMAIN_BUS_SCSI &&
		 domain_controller_scsi_model(def, a->controller) != DOMAIN_MODEL_LSILOGIC)
		n = asprintf(ret, "scsi%u-%u-%u-%u", a->controller, a->bus, a->target, a->unit);
	else
		n = asprintf(ret, "%s%u-%u-%u", bus, a->controller, a->bus, a->unit);
	return n < 0 ? -ENOMEM : 0;
}

static const struct domain_choice choices[] = {{.name = "diskDevice", .words = devices},
	{.name = "bus", .words = domain_disk_buses}, {.name = NULL}};

const struct domain_kind domain_disk_kind = {
	.element = "disk",
	.choices = choices,
	DOMAIN_KIND_LIST(disks, domain_disk),
	.max = DOMAIN_DISKS_MAX,
	.parse = parse,
	.complete = complete,
	.format = format,
	.name = name,
	.fini = fini,
};

/* --- of a running VM ---------------------------------------------------------------------- */

struct domain_disk *
domain_disk_find(struct domain_def *def, const char *alias)
{
	for (size_t i = 0; i < def->n_disks; i++)
		if (def->disks[i].device.alias && strcmp(def->disks[i].device.alias, alias) == 0)
			return &def->disks[i];
	return NULL;
}

const struct domain_disk *
domain_disk_of_node(const struct domain_def *def, unsigned node)
{
	for (size_t i = 0; i < def->n_disks && node > 0; i++) {
		const struct domain_disk *disk = &def->disks[i];

		if (disk->source.node == node)
			return disk;
		for (size_t j = 0; j < disk->n_backing; j++)
			if (disk->backing[j].node == node)
				return disk;
	}
	return NULL;
}

void
domain_disk_remove(struct domain_def *def, size_t i)
{
	domain_kind_fini(&domain_disk_kind, &def->disks[i]);
	memmove(&def->disks[i], &def->disks[i + 1], (def->n_disks - i - 1) * sizeof(*def->disks));
	def->n_disks--;
}

void
domain_disk_number(struct domain_def *def)
{
	unsigned last = 0;

	for (size_t i = 0; i < def->n_disks; i++) {
		const struct domain_disk *disk = &def->disks[i];

		last = disk->source.node > last ? disk->source.node : last;
		for (size_t j = 0; j < disk->n_backing; j++)
			last = disk->backing[j].node > last ? disk->backing[j].node : last;
	}
	for (size_t i = def->n_disks; i-- > 0;) {
		struct domain_disk *disk = &def->disks[i];

		if (!disk->source.node)
			disk->source.node = ++last;
		for (size_t j = 0; j < disk->n_backing; j++)
			if (!disk->backing[j].node)
				disk->backing[j].node = ++last;
	}
}
