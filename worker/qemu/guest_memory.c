/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest_memory.c: what a guest has said of its memory; see guest_memory.h.
 *
 * Runs in the worker, as the user. Pure. Format: QEMU's docs/interop/virtio-balloon-stats.rst.
 */
#include "worker/qemu/guest_memory.h"

static const char last_update[] = "last-update";

/* QEMU's names, and how many of its units are one of libvirt's. */
static const struct {
	const char *field;
	unsigned unit;
} fields[GUEST_MEMORY_STATS] = {
	{"stat-swap-in", 1024},
	{"stat-swap-out", 1024},
	{"stat-major-faults", 1},
	{"stat-minor-faults", 1},
	{"stat-free-memory", 1024},
	{"stat-total-memory", 1024},
	{"stat-available-memory", 1024},
	{last_update, 1}, /* beside the others */
	{"stat-disk-caches", 1024},
	{"stat-htlb-pgalloc", 1},
	{"stat-htlb-pgfail", 1},
};

const struct guest_memory_stat guest_memory_stats[GUEST_MEMORY_STATS] = {
	{0, "swap_in"},
	{1, "swap_out"},
	{2, "major_fault"},
	{3, "minor_fault"},
	{4, "unused"},
	{5, "available"},
	{8, "usable"},
	{9, "last-update"},
	{10, "disk_caches"},
	{11, "hugetlb_pgalloc"},
	{12, "hugetlb_pgfail"},
};

bool
guest_memory_read(const json_t *answer, size_t i, uint64_t *ret)
{
	const char *field = fields[i].field;
	const json_t *stats = field == last_update ? answer : json_object_get(answer, "stats");
	double value;

	*ret = 0;
	if (!answer)
		return field == last_update;
	/* What the guest did not say is the largest number of 64 bits, which is no json_int_t. */
	value = json_number_value(json_object_get(stats, field));
	if (!json_is_number(json_object_get(stats, field)) || value < 0 ||
		value >= (double)INT64_MAX)
		return false;
	*ret = (uint64_t)value / fields[i].unit;
	return true;
}
