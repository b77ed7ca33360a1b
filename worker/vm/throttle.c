/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * throttle.c: see throttle.h.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/vm/throttle.h"

/* In QEMU's words (qapi/block-core.json: BlockIOThrottle). */
static const char *const names[DOMAIN_THROTTLE_VALUES] = {
	[DOMAIN_TOTAL_BYTES] = "bps",
	[DOMAIN_READ_BYTES] = "bps_rd",
	[DOMAIN_WRITE_BYTES] = "bps_wr",
	[DOMAIN_TOTAL_IOPS] = "iops",
	[DOMAIN_READ_IOPS] = "iops_rd",
	[DOMAIN_WRITE_IOPS] = "iops_wr",
	[DOMAIN_TOTAL_BYTES_MAX] = "bps_max",
	[DOMAIN_READ_BYTES_MAX] = "bps_rd_max",
	[DOMAIN_WRITE_BYTES_MAX] = "bps_wr_max",
	[DOMAIN_TOTAL_IOPS_MAX] = "iops_max",
	[DOMAIN_READ_IOPS_MAX] = "iops_rd_max",
	[DOMAIN_WRITE_IOPS_MAX] = "iops_wr_max",
	[DOMAIN_SIZE_IOPS] = "iops_size",
	[DOMAIN_TOTAL_BYTES_LENGTH] = "bps_max_length",
	[DOMAIN_READ_BYTES_LENGTH] = "bps_rd_max_length",
	[DOMAIN_WRITE_BYTES_LENGTH] = "bps_wr_max_length",
	[DOMAIN_TOTAL_IOPS_LENGTH] = "iops_max_length",
	[DOMAIN_READ_IOPS_LENGTH] = "iops_rd_max_length",
	[DOMAIN_WRITE_IOPS_LENGTH] = "iops_wr_max_length",
};

/* The device that has the image: in some it is another one inside. */
static json_t *
device_of(const struct domain_disk *disk)
{
	const char *alias = disk->device.alias;

	if (disk->bus == DOMAIN_BUS_VIRTIO)
		return json_sprintf("/machine/peripheral/%s/virtio-backend", alias);
	if (disk->bus == DOMAIN_BUS_USB)
		return json_sprintf("/machine/peripheral/%s/%s.0/legacy[0]", alias, alias);
	return json_string(alias);
}

size_t
vm_throttle_next(const struct domain_def *live, size_t from)
{
	while (from < live->n_disks &&
		(!live->disks[from].source.path ||
			!domain_throttle_is_set(&live->disks[from].throttle)))
		from++;
	return from;
}

json_t *
vm_throttle_arguments(const struct domain_disk *disk)
{
	const struct domain_throttle *throttle = &disk->throttle;
	json_t *arguments = json_pack("{so}", "id", device_of(disk));
	int r = arguments ? 0 : -1;

	for (unsigned i = 0; i < DOMAIN_THROTTLE_VALUES && r == 0; i++)
		/* These six are no options; a length of 0 is none. */
		if (throttle->values[i] || i <= DOMAIN_WRITE_IOPS)
			r = json_object_set_new(
				arguments, names[i], json_integer((json_int_t)throttle->values[i]));
	if (r == 0 && throttle->group)
		r = json_object_set_new(arguments, "group", json_string(throttle->group));
	if (r == 0)
		return arguments;
	json_decref(arguments);
	return NULL;
}
