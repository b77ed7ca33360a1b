/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk_place.c: target, bus and address of a disk.
 *
 * Runs in the worker, as the user. Pure. What libvirt takes and QEMU does not start with is refused
 * here: units that a bus does not have.
 */
#include "worker/domain/disk_place.h"

#include <string.h>

#include "worker/domain/def.h"
#include "worker/domain/parse.h"

const struct xml_word domain_disk_buses[] = {
	{"virtio", DOMAIN_BUS_VIRTIO},
	{"ide", DOMAIN_BUS_IDE},
	{"sata", DOMAIN_BUS_SATA},
	{"scsi", DOMAIN_BUS_SCSI},
	{"fdc", DOMAIN_BUS_FDC},
	{"usb", DOMAIN_BUS_USB},
	{NULL, 0},
};
static const struct xml_word trays[] = {{"closed", 1}, {"open", 2}, {NULL, 0}};

/* Which bus a name is of, where nothing is said. */
static const struct xml_word prefixes[] = {
	{"vd", DOMAIN_BUS_VIRTIO},
	{"hd", DOMAIN_BUS_IDE},
	{"sd", DOMAIN_BUS_SCSI},
	{"fd", DOMAIN_BUS_FDC},
	{NULL, 0},
};

/*
 * What is on one controller: the places that libvirt gives by name, `each` on a controller and
 * `units` on one of its buses; and those that there are.
 */
static const struct bus {
	enum domain_controller_type controller;
	unsigned each, units;
	uint32_t controllers, buses, unit_max;
	const char *many_controllers, *many_buses;
} buses[] = {
	[DOMAIN_BUS_IDE] = {DOMAIN_CONTROLLER_IDE, 4, 2, 1, 2, 1,
		"Only 1 IDE controller is supported", NULL},
	[DOMAIN_BUS_SATA] = {DOMAIN_CONTROLLER_SATA, 6, 6, 256, 1, 5, NULL, NULL},
	[DOMAIN_BUS_SCSI] = {DOMAIN_CONTROLLER_SCSI, 7, 7, 256, 1, UINT32_MAX, NULL,
		"SCSI controller only supports 1 bus"},
	[DOMAIN_BUS_FDC] = {DOMAIN_CONTROLLER_FDC, 2, 2, 1, 1, 1,
		"Only 1 fdc controller is supported", "Only 1 fdc bus is supported"},
};

const char *
domain_disk_bus_word(enum domain_disk_bus bus)
{
	return xml_word(domain_disk_buses, bus);
}

unsigned
domain_disk_bus_controller(enum domain_disk_bus bus)
{
	return bus < sizeof(buses) / sizeof(buses[0]) ? buses[bus].controller : 0;
}

/* --- target ------------------------------------------------------------------------------- */

/* "vda" is 0, "vdz" 25, "vdaa" 26; up to three letters. The bus of the name, or 0. */
static unsigned
read_name(const char *target, unsigned *ret_index)
{
	const struct xml_word *prefix = prefixes;
	unsigned index = 0;
	size_t n;

	while (prefix->word && strncmp(target, prefix->word, 2) != 0)
		prefix++;
	if (!prefix->word)
		return 0;
	target += 2;
	n = strspn(target, "abcdefghijklmnopqrstuvwxyz");
	if (n < 1 || n > 3 || target[n])
		return 0;
	for (; *target; target++)
		index = index * 26 + (unsigned)(*target - 'a') + 1;
	*ret_index = index - 1;
	return prefix->value;
}

/* What goes with what, in libvirt's words. */
static int
check_bus(struct domain_parse *p, const struct domain_disk *disk, unsigned named)
{
	const char *word = xml_word(domain_disk_buses, disk->bus);

	if (disk->what == DOMAIN_FLOPPY && named != DOMAIN_BUS_FDC)
		return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_DOMAIN,
			"Invalid floppy device name: %s", disk->target);
	if (disk->what == DOMAIN_FLOPPY && disk->bus != DOMAIN_BUS_FDC)
		return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_DOMAIN,
			"Invalid bus type '%s' for floppy disk", word);
	if (disk->what != DOMAIN_FLOPPY && named == DOMAIN_BUS_FDC && !disk->said_bus)
		return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_DOMAIN,
			"Invalid harddisk device name: %s", disk->target);
	if (disk->what != DOMAIN_FLOPPY && disk->bus == DOMAIN_BUS_FDC)
		return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_DOMAIN,
			"Invalid bus type 'fdc' for disk");
	if (disk->what == DOMAIN_CDROM && disk->bus == DOMAIN_BUS_VIRTIO)
		return refuse_unsupported(
			p, "disk type of '%s' does not support ejectable media", disk->target);
	if (disk->bus == DOMAIN_BUS_IDE && p->def->os.chipset != DOMAIN_CHIPSET_I440FX)
		return refuse_unsupported(
			p, "IDE controllers are unsupported for this QEMU binary or machine type");
	return 0;
}

static int
parse_more(struct domain_parse *p, xmlNode *target, struct domain_disk *disk)
{
	unsigned tray = 0, removable = 0;
	int r = xml_attr_word(target, "tray", trays, p->error, &tray);

	if (r == 0 && tray && disk->what == DOMAIN_DISK)
		return refuse_unsupported(p, "tray is only valid for cdrom and floppy");
	disk->tray_open = tray == 2;
	if (r == 0)
		r = xml_attr_choice(target, "removable", xml_on_off, p->error, &removable);
	if (r == 0 && removable && disk->bus != DOMAIN_BUS_USB)
		return refuse_xml(p, "removable is only valid for usb disks");
	disk->removable = removable;
	if (r == 0)
		r = xml_attr_number(
			target, "rotation_rate", 10, UINT16_MAX, 0, p->error, &disk->rotation_rate);
	if (r == 0 && disk->rotation_rate && disk->bus != DOMAIN_BUS_SCSI &&
		disk->bus != DOMAIN_BUS_IDE && disk->bus != DOMAIN_BUS_SATA)
		return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_DOMAIN,
			"rotation rate is only valid for SCSI/IDE/SATA bus");
	return r;
}

int
domain_disk_target_parse(struct domain_parse *p, xmlNode *node, struct domain_disk *disk)
{
	xmlNode *target = xml_child(node, "target");
	const char *name = target ? xml_attr(target, "dev") : NULL;
	unsigned said = 0, named;
	int r;

	if (!name || !*name)
		return domain_refuse(p->error, VIR_ERR_NO_TARGET, VIR_FROM_DOMAIN, "%.200s",
			disk->source.path ? disk->source.path : "");
	r = xml_attr_word(target, "bus", domain_disk_buses, p->error, &said);
	if (r)
		return r;
	named = read_name(name, &disk->index);
	if (!named)
		return refuse_unsupported(p,
			"disk target '%.100s' is not supported by qemud yet; use 'vda', 'hda', "
			"'sda', 'fda', 'vdb' and so on",
			name);
	memcpy(disk->target, name, strlen(name) + 1);
	disk->said_bus = said;
	disk->bus = said ? said : named;
	r = check_bus(p, disk, named);
	return r ? r : parse_more(p, target, disk);
}

void
domain_disk_target_format(struct writer *w, const struct domain_disk *disk)
{
	writer_start(w, "target");
	writer_attr(w, "dev", disk->target);
	writer_attr(w, "bus", xml_word(domain_disk_buses, disk->bus));
	if (disk->tray_open)
		writer_attr(w, "tray", "open");
	if (disk->removable)
		writer_attr(w, "removable", xml_word(xml_on_off, disk->removable));
	if (disk->rotation_rate)
		writer_attr_f(w, "rotation_rate", "%u", disk->rotation_rate);
	writer_end(w, "target");
}

/* --- address ------------------------------------------------------------------------------ */

static int
refuse_place(struct domain_parse *p, const struct domain_disk *disk)
{
	const struct domain_drive_address *a = &disk->device.drive;

	return refuse_unsupported(p,
		"disk '%s': there is no place controller='%u' bus='%u' target='%u' unit='%u' on "
		"this bus '%s'",
		disk->target, a->controller, a->bus, a->target, a->unit,
		xml_word(domain_disk_buses, disk->bus));
}

static int
refuse_many(struct domain_parse *p, const char *why)
{
	return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_DOMAIN, "%s", why);
}

static int
check_place(struct domain_parse *p, const struct domain_disk *disk)
{
	const struct domain_drive_address *a = &disk->device.drive;
	const struct bus *bus = &buses[disk->bus];

	if (a->controller >= bus->controllers)
		return bus->many_controllers ? refuse_many(p, bus->many_controllers)
					     : refuse_place(p, disk);
	if (a->bus >= bus->buses && bus->many_buses)
		return refuse_many(p, bus->many_buses);
	if (a->bus >= bus->buses && disk->bus == DOMAIN_BUS_SATA)
		return refuse_unsupported(p, "bus must be 0 for sata controller");
	if (a->target > 0 && disk->bus == DOMAIN_BUS_FDC)
		return refuse_unsupported(p, "target must be 0 for controller fdc");
	if (a->target > 0 && disk->bus != DOMAIN_BUS_SCSI)
		return refuse_unsupported(p, "target must be 0 for %s controller",
			xml_word(domain_disk_buses, disk->bus));
	if (a->bus >= bus->buses || a->unit > bus->unit_max)
		return refuse_place(p, disk);
	return 0;
}

int
domain_disk_place_parse(struct domain_parse *p, xmlNode *node, struct domain_disk *disk)
{
	struct domain_drive_address *a = &disk->device.drive;
	const struct bus *bus;
	int r;

	if (disk->bus == DOMAIN_BUS_VIRTIO)
		return domain_device_parse(p, node, &disk->device, DOMAIN_ADDRESS_PCI);
	if (disk->bus == DOMAIN_BUS_USB)
		return domain_device_parse(p, node, &disk->device, DOMAIN_ADDRESS_USB);
	bus = &buses[disk->bus];
	r = domain_device_parse(p, node, &disk->device, DOMAIN_ADDRESS_DRIVE);
	if (r == 0 && !a->set)
		*a = (struct domain_drive_address){
			.set = true,
			.controller = disk->index / bus->each,
			.bus = disk->index % bus->each / bus->units,
			.unit = disk->index % bus->units,
		};
	return r ? r : check_place(p, disk);
}

/* What each SCSI controller of QEMU has (max_target and max_lun of its bus). */
static int
check_scsi(struct domain_parse *p, const struct domain_disk *disk)
{
	static const struct {
		enum domain_controller_model model;
		uint32_t target, unit;
	} last[] = {
		{DOMAIN_MODEL_VIRTIO_SCSI, 255, 16383}, {DOMAIN_MODEL_LSISAS1078, 64, 255},
		{DOMAIN_MODEL_LSISAS1068, 8, 1}, {DOMAIN_MODEL_VMPVSCSI, 64, 0},
		{DOMAIN_MODEL_LSILOGIC, 0, 7}, /* its unit is what others call target */
	};
	const struct domain_drive_address *a = &disk->device.drive;
	enum domain_controller_model model = domain_controller_scsi_model(p->def, a->controller);

	if (model == DOMAIN_MODEL_LSILOGIC && a->target > 0)
		return refuse_unsupported(p, "target must be 0 for controller model 'lsilogic'");
	for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++)
		if (last[i].model == model &&
			(a->target > last[i].target || a->unit > last[i].unit))
			return refuse_place(p, disk);
	return 0;
}

static int
check_twice(struct domain_parse *p, size_t i)
{
	const struct domain_disk *disk = &p->def->disks[i];
	const struct domain_drive_address *a = &disk->device.drive, *b;

	for (size_t j = i + 1; j < p->def->n_disks; j++) {
		b = &p->def->disks[j].device.drive;
		if (p->def->disks[j].bus != disk->bus)
			continue;
		if (!a->set && p->def->disks[j].index == disk->index)
			return refuse_unsupported(p,
				"%s disks '%s' and '%s' have names that end alike: give one "
				"another",
				xml_word(domain_disk_buses, disk->bus), disk->target,
				p->def->disks[j].target);
		if (a->set && a->controller == b->controller && a->bus == b->bus &&
			a->target == b->target && a->unit == b->unit)
			return refuse_unsupported(p,
				"Found duplicate drive address for disk with target name '%s' "
				"controller='%u' bus='%u' target='%u' unit='%u'",
				disk->target, a->controller, a->bus, a->target, a->unit);
	}
	return 0;
}

int
domain_disk_places_check(struct domain_parse *p)
{
	int r = 0;

	for (size_t i = 0; i < p->def->n_disks && r == 0; i++) {
		if (p->def->disks[i].bus == DOMAIN_BUS_SCSI)
			r = check_scsi(p, &p->def->disks[i]);
		if (r == 0)
			r = check_twice(p, i);
	}
	return r;
}
