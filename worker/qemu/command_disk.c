/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_disk.c: disks.
 *
 * Runs in the worker, as the user. Pure. Must never name a file of the user's, nor let QEMU
 * choose whether an image is written to.
 */
#include "worker/qemu/command_devices.h"

#include <stdio.h>

#include "lib/take.h"
#include "worker/qemu/command_pci.h"

/* A definition that orders whole classes of devices means the first disk by "hd". */
static uint32_t
boot_index(const struct domain_def *def, size_t i)
{
	uint32_t index = 0;

	if (def->disks[i].device.boot_order || i > 0)
		return def->disks[i].device.boot_order;
	for (uint32_t place = 0; place < def->os.n_boot; place++)
		if (def->os.boot[place] == DOMAIN_BOOT_HD)
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

/*
 * A set of one descriptor, and no auto-read-only, with which QEMU would look for one of the other
 * kind. Backing images stay as the image itself names them: a file of the box, which has none.
 */
static void
add_blockdevs(struct command_line *line, size_t i, const char *node)
{
	static const char *const formats[] = {
		[DOMAIN_DISK_RAW] = "raw", [DOMAIN_DISK_QCOW2] = "qcow2"};
	const struct domain_disk *disk = &line->def->disks[i];
	int fd = command_line_add_fd(line, QEMU_FILE_DISK, i);

	command_line_add(line, "-add-fd");
	command_line_add_f(line, "set=%zu,fd=%d,opaque=%s", i + 1, fd, disk->device.alias);
	command_line_add_json(line, "-blockdev",
		json_pack("{ss so so ss sb}", "driver", "file", "filename",
			json_sprintf("/dev/fdset/%zu", i + 1), "node-name",
			json_sprintf("%s-storage", node), "discard", "unmap", "read-only",
			disk->readonly));
	command_line_add_json(line, "-blockdev",
		json_pack("{ss so so sb}", "driver", formats[disk->format], "node-name",
			json_sprintf("%s-format", node), "file", json_sprintf("%s-storage", node),
			"read-only", disk->readonly));
}

static void
add_disk(struct command_line *line, size_t i)
{
	const struct domain_disk *disk = &line->def->disks[i];
	uint32_t order = boot_index(line->def, i);
	char node[32];

	(void)snprintf(node, sizeof(node), "libvirt-%u", domain_disk_number(line->def->n_disks, i));
	add_blockdevs(line, i, node);
	command_pci_add(line, "virtio-blk-pci", &disk->device,
		json_pack("{so so* so*}", "drive", json_sprintf("%s-format", node), "bootindex",
			order ? json_integer(order) : NULL, "serial",
			disk->serial ? serial_number(line, disk->serial) : NULL));
}

void
command_add_disks(struct command_line *line)
{
	for (size_t i = 0; i < line->def->n_disks; i++)
		add_disk(line, i);
}
