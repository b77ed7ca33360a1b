/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_layer.c: the images of a disk: each a descriptor, a node that reads it and one that knows
 * its format.
 *
 * Runs in the worker, as the user. Pure. Must never name a file of the user's, nor let QEMU choose
 * whether an image is written to, or what is below it.
 */
#include "worker/qemu/command_disk.h"

unsigned
command_disk_cache(const struct domain_disk *disk)
{
	/* What another VM writes would not be seen otherwise; as libvirt has it. */
	if (!disk->driver.cache && disk->shareable && !disk->readonly)
		return DOMAIN_CACHE_NONE;
	return disk->driver.cache;
}

static json_t *
cache_of(const struct domain_disk *disk)
{
	unsigned cache = command_disk_cache(disk);

	return cache ? json_pack("{sb sb}", "direct",
			       cache == DOMAIN_CACHE_NONE || cache == DOMAIN_CACHE_DIRECTSYNC,
			       "no-flush", cache == DOMAIN_CACHE_UNSAFE)
		     : NULL;
}

/* Without discard there is nothing that zeroes could become but zeroes. */
static const char *
detect_zeroes(const struct domain_disk_driver *driver)
{
	static const char *const words[] = {[DOMAIN_ZEROES_OFF] = "off",
		[DOMAIN_ZEROES_ON] = "on",
		[DOMAIN_ZEROES_UNMAP] = "unmap"};

	return driver->detect_zeroes == DOMAIN_ZEROES_UNMAP &&
			       driver->discard != DOMAIN_DISCARD_UNMAP
		       ? "on"
		       : words[driver->detect_zeroes];
}

/*
 * A set of one descriptor, and no auto-read-only, with which QEMU would look for one of the other
 * kind.
 */
static void
add_storage(struct command_line *line, size_t i, size_t layer, bool readonly)
{
	const struct domain_disk *disk = &line->def->disks[i];
	const struct domain_layer *l = layer > 0 ? &disk->backing[layer - 1] : &disk->source;
	const char *io = disk->driver.io == DOMAIN_IO_NATIVE    ? "native"
			 : disk->driver.io == DOMAIN_IO_THREADS ? "threads"
								: NULL;
	int fd = command_line_add_disk_fd(line, i, layer);

	command_line_add(line, "-add-fd");
	command_line_add_f(line, "set=%u,fd=%d,opaque=%s", l->node, fd, disk->device.alias);
	command_line_add_json(line, "-blockdev",
		json_pack("{ss so ss* so so* ss sb}", "driver",
			l->type == DOMAIN_LAYER_BLOCK ? "host_device" : "file", "filename",
			json_sprintf("/dev/fdset/%u", l->node), "aio", io, "node-name",
			json_sprintf("libvirt-%u-storage", l->node), "cache", cache_of(disk),
			"discard", "unmap", "read-only", readonly));
}

/*
 * below: the next image; NULL: there is none, and QEMU is told so. Where that is not known, QEMU
 * looks itself, and cannot start when there is one: nothing is below in a box.
 */
static void
add_format(struct command_line *line, const struct domain_disk *disk, size_t layer,
	const struct domain_layer *below, bool readonly)
{
	static const char *const formats[] = {
		[DOMAIN_DISK_RAW] = "raw", [DOMAIN_DISK_QCOW2] = "qcow2"};
	const struct domain_layer *l = layer > 0 ? &disk->backing[layer - 1] : &disk->source;
	const struct domain_disk_driver *driver = &disk->driver;
	bool top = layer == 0;
	json_t *backing = NULL;

	if (below)
		backing = json_sprintf("libvirt-%u-format", below->node);
	else if (l->format == DOMAIN_DISK_QCOW2 && disk->whole)
		backing = json_null();
	command_line_add_json(line, "-blockdev",
		json_pack("{ss so so so* sb ss* ss* so*}", "driver", formats[l->format],
			"node-name", json_sprintf("libvirt-%u-format", l->node), "file",
			json_sprintf("libvirt-%u-storage", l->node), "cache", cache_of(disk),
			"read-only", readonly, "discard",
			!top || !driver->discard                  ? NULL
			: driver->discard == DOMAIN_DISCARD_UNMAP ? "unmap"
								  : "ignore",
			"detect-zeroes",
			top && driver->detect_zeroes ? detect_zeroes(driver) : NULL, "backing",
			backing));
}

json_t *
command_disk_add_layers(struct command_line *line, size_t i)
{
	const struct domain_disk *disk = &line->def->disks[i];
	const struct domain_layer *below = NULL;

	for (size_t layer = disk->n_backing + 1; layer-- > 0;) {
		bool readonly = layer > 0 || disk->readonly;

		add_storage(line, i, layer, readonly);
		add_format(line, disk, layer, below, readonly);
		below = layer > 0 ? &disk->backing[layer - 1] : &disk->source;
	}
	if (disk->driver.copy_on_read != DOMAIN_ON)
		return json_sprintf("libvirt-%u-format", disk->source.node);
	command_line_add_json(line, "-blockdev",
		json_pack("{ss so so ss}", "driver", "copy-on-read", "node-name",
			json_sprintf("libvirt-CoR-%s", disk->target), "file",
			json_sprintf("libvirt-%u-format", disk->source.node), "discard", "unmap"));
	return json_sprintf("libvirt-CoR-%s", disk->target);
}
