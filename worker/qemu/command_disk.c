/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_disk.c: disks and drives, each at its place on a bus.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/qemu/command_disk.h"

#include <stdlib.h>

#include "lib/take.h"
#include "worker/qemu/command_devices.h"
#include "worker/qemu/command_machine.h"
#include "worker/qemu/command_pci.h"
#include "worker/qemu/command_usb.h"

/* A definition that orders whole classes of devices means the first of each. */
uint32_t
command_disk_boot_index(const struct domain_def *def, size_t i)
{
	static const enum domain_boot classes[] = {[DOMAIN_DISK] = DOMAIN_BOOT_HD,
		[DOMAIN_CDROM] = DOMAIN_BOOT_CDROM,
		[DOMAIN_FLOPPY] = DOMAIN_BOOT_FD};
	uint32_t index = 0;

	if (def->disks[i].device.boot_order)
		return def->disks[i].device.boot_order;
	for (size_t j = 0; j < i; j++)
		if (def->disks[j].what == def->disks[i].what)
			return 0;
	for (uint32_t place = 0; place < def->os.n_boot; place++)
		if (def->os.boot[place] == classes[def->disks[i].what])
			index = place + 1;
	return index;
}

/* Guests have always seen libvirt's backslash before a blank, and name their disks by it. */
static json_t *
serial_number(struct command_line *line, const char *serial)
{
	free_auto char *escaped = command_line_escape(line, serial, ' ', '\\');

	return escaped ? json_string(escaped) : NULL;
}

static void
put(struct command_line *line, json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) < 0)
		line->failed = true;
}

static void
put_number(struct command_line *line, json_t *object, const char *key, uint64_t value)
{
	if (value)
		put(line, object, key, json_integer((json_int_t)value));
}

static void
put_text(struct command_line *line, json_t *object, const char *key, const char *value)
{
	if (value)
		put(line, object, key, json_string(value));
}

static void
put_switch(struct command_line *line, json_t *object, const char *key, unsigned value)
{
	if (value)
		put(line, object, key, json_boolean(value == DOMAIN_ON));
}

static void
put_policies(struct command_line *line, json_t *object, const struct domain_disk *disk)
{
	static const char *const words[] = {[DOMAIN_ERROR_STOP] = "stop",
		[DOMAIN_ERROR_REPORT] = "report",
		[DOMAIN_ERROR_IGNORE] = "ignore",
		[DOMAIN_ERROR_ENOSPACE] = "enospc"};
	const struct domain_disk_driver *driver = &disk->driver;
	unsigned writes = driver->error_policy, reads = driver->rerror_policy;
	unsigned cache = command_disk_cache(disk);

	/* As libvirt has it; QEMU has no enospc for reads. */
	if (!reads && writes != DOMAIN_ERROR_ENOSPACE)
		reads = writes;
	put_text(line, object, "werror", writes ? words[writes] : NULL);
	put_text(line, object, "rerror", reads ? words[reads] : NULL);
	if (cache)
		put_text(line, object, "write-cache",
			cache == DOMAIN_CACHE_WRITETHROUGH || cache == DOMAIN_CACHE_DIRECTSYNC
				? "off"
				: "on");
}

/* What has the same name on all buses. */
static json_t *
properties(struct command_line *line, size_t i)
{
	const struct domain_disk *disk = &line->def->disks[i];
	json_t *object = json_object();

	if (disk->source.path)
		put(line, object, "drive", command_disk_add_layers(line, i));
	if (disk->bus != DOMAIN_BUS_FDC)
		put_number(line, object, "bootindex", command_disk_boot_index(line->def, i));
	if (disk->serial)
		put(line, object, "serial", serial_number(line, disk->serial));
	if (disk->shareable)
		put(line, object, "share-rw", json_true());
	put_number(line, object, "logical_block_size", disk->logical_block_size);
	put_number(line, object, "physical_block_size", disk->physical_block_size);
	put_number(line, object, "wwn", disk->wwn ? strtoull(disk->wwn, NULL, 16) : 0);
	put_number(line, object, "rotation_rate", disk->rotation_rate);
	put_text(line, object, "vendor", disk->vendor);
	put_text(line, object, "product", disk->product);
	if (disk->driver.iothread)
		put(line, object, "iothread", command_iothread(disk->driver.iothread));
	put_switch(line, object, "ioeventfd", disk->driver.ioeventfd);
	put_switch(line, object, "event_idx", disk->driver.event_idx);
	put_number(line, object, "num-queues", disk->driver.queues);
	put_number(line, object, "queue-size", disk->driver.queue_size);
	put_policies(line, object, disk);
	return object;
}

/* --- places ------------------------------------------------------------------------------- */

/* SATA disks are on IDE buses, one each; those of the board have the board's names. */
static json_t *
sata_place(const struct domain_def *def, const struct domain_drive_address *a)
{
	const struct domain_controller *c =
		domain_controller_find(def, DOMAIN_CONTROLLER_SATA, a->controller);
	const char *bus = domain_controller_is_plugged(def, c) ? c->device.alias : "ide";

	return json_pack("{so}", "bus", json_sprintf("%s.%u", bus, a->unit));
}

/* Old controllers know one number. What a guest is told of a disk without a serial number: its name. */
static json_t *
scsi_place(const struct domain_def *def, const struct domain_disk *disk)
{
	const struct domain_drive_address *a = &disk->device.drive;
	const struct domain_controller *c =
		domain_controller_find(def, DOMAIN_CONTROLLER_SCSI, a->controller);
	json_t *bus = json_sprintf("%s.0", c->device.alias);
	json_t *id = disk->serial ? json_string(disk->serial)
				  : json_sprintf("drive-%s", disk->device.alias);

	if (c->model == DOMAIN_MODEL_LSILOGIC)
		return json_pack(
			"{so so si}", "bus", bus, "device_id", id, "scsi-id", (int)a->unit);
	return json_pack("{so so si si si}", "bus", bus, "device_id", id, "channel", 0, "scsi-id",
		(int)a->target, "lun", (int)a->unit);
}

static json_t *
place(const struct domain_def *def, const struct domain_disk *disk)
{
	const struct domain_drive_address *a = &disk->device.drive;

	switch (disk->bus) {
	case DOMAIN_BUS_IDE:
		return json_pack(
			"{so si}", "bus", json_sprintf("ide.%u", a->bus), "unit", (int)a->unit);
	case DOMAIN_BUS_SATA:
		return sata_place(def, a);
	case DOMAIN_BUS_SCSI:
		return scsi_place(def, disk);
	case DOMAIN_BUS_FDC:
		return json_pack("{si}", "unit", (int)a->unit);
	case DOMAIN_BUS_VIRTIO:
	case DOMAIN_BUS_USB:
		break;
	}
	return NULL;
}

static const char *
driver_of(const struct domain_disk *disk)
{
	bool cdrom = disk->what == DOMAIN_CDROM;

	if (disk->bus == DOMAIN_BUS_FDC)
		return "floppy";
	if (disk->bus == DOMAIN_BUS_SCSI)
		return cdrom ? "scsi-cd" : "scsi-hd";
	return cdrom ? "ide-cd" : "ide-hd";
}

static void
add_disk(struct command_line *line, size_t i)
{
	const struct domain_disk *disk = &line->def->disks[i];
	json_t *more = properties(line, i), *device;
	int r;

	if (disk->bus == DOMAIN_BUS_VIRTIO) {
		command_pci_add(line, "virtio-blk-pci", &disk->device, more);
		return;
	}
	if (disk->bus == DOMAIN_BUS_USB) {
		put(line, more, "removable", json_boolean(disk->removable == DOMAIN_ON));
		command_usb_add(line, "usb-storage", &disk->device, more);
		return;
	}
	device = json_pack("{ss ss}", "driver", driver_of(disk), "id", disk->device.alias);
	/* Both are taken over, also when one fails. */
	r = json_object_update_new(device, place(line->def, disk));
	r |= json_object_update_new(device, more);
	if (r < 0)
		line->failed = true;
	command_line_add_json(line, "-device", device);
}

void
command_add_disks(struct command_line *line)
{
	for (size_t i = 0; i < line->def->n_disks; i++)
		add_disk(line, i);
}
