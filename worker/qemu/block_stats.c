/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * block_stats.c: what QEMU says of a drive; see block_stats.h.
 *
 * Runs in the worker, as the user. Pure. Formats: QEMU's qapi/block-core.json, BlockStats,
 * BlockDeviceInfo and BlockInfo.
 */
#include "worker/qemu/block_stats.h"

#include <string.h>

/* The number of that name in an object, or 0. */
static uint64_t
number(const json_t *object, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(object, name));

	return value < 0 ? 0 : (uint64_t)value;
}

/* Is that the device, or, with some buses, a part below it? */
static bool
is_device(const char *qdev, const char *alias)
{
	static const char below[] = "/machine/peripheral/";
	size_t size = strlen(alias);

	if (!qdev)
		return false;
	if (strncmp(qdev, below, sizeof(below) - 1) == 0)
		qdev += sizeof(below) - 1;
	return strncmp(qdev, alias, size) == 0 && (qdev[size] == '\0' || qdev[size] == '/');
}

/* The entry of a device, or NULL. */
static const json_t *
find_device(const json_t *stats, const char *alias)
{
	const json_t *entry;
	size_t i;

	json_array_foreach (stats, i, entry) {
		if (is_device(json_string_value(json_object_get(entry, "qdev")), alias))
			return entry;
	}
	return NULL;
}

bool
block_stats_read(const json_t *stats, const char *alias, struct block_stats *ret)
{
	const json_t *entry = find_device(stats, alias), *own = json_object_get(entry, "stats");
	const json_t *file = json_object_get(json_object_get(entry, "parent"), "stats");

	*ret = (struct block_stats){
		.rd_bytes = number(own, "rd_bytes"),
		.rd_operations = number(own, "rd_operations"),
		.rd_total_times = number(own, "rd_total_time_ns"),
		.wr_bytes = number(own, "wr_bytes"),
		.wr_operations = number(own, "wr_operations"),
		.wr_total_times = number(own, "wr_total_time_ns"),
		.flush_operations = number(own, "flush_operations"),
		.flush_total_times = number(own, "flush_total_time_ns"),
		.highest = number(file, "wr_highest_offset"),
	};
	return json_is_object(own);
}

bool
block_size_read(const json_t *stats, const json_t *nodes, const char *alias, struct block_size *ret)
{
	const char *medium =
		json_string_value(json_object_get(find_device(stats, alias), "node-name"));
	const json_t *node;
	size_t i;

	*ret = (struct block_size){.capacity = 0};
	if (!medium)
		return false;
	json_array_foreach (nodes, i, node) {
		const char *name = json_string_value(json_object_get(node, "node-name"));
		const json_t *image = json_object_get(node, "image");

		if (!name || strcmp(name, medium) != 0)
			continue;
		ret->capacity = number(image, "virtual-size");
		ret->physical = number(image, "actual-size");
		return true;
	}
	return false;
}

enum block_error
block_error_read(const json_t *state, const char *alias)
{
	const char *status =
		json_string_value(json_object_get(find_device(state, alias), "io-status"));

	if (!status || strcmp(status, "ok") == 0)
		return BLOCK_ERROR_NONE;
	return strcmp(status, "nospace") == 0 ? BLOCK_ERROR_NO_SPACE : BLOCK_ERROR_UNSPEC;
}

/* FNV-1a: http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t
mix(uint64_t sum, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
	return sum;
}

uint64_t
block_stats_sum(const json_t *stats)
{
	static const char *const changes[] = {
		"wr_operations", "wr_bytes", "flush_operations", "unmap_operations"};
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	const json_t *entry;
	size_t i;

	json_array_foreach (stats, i, entry) {
		const char *medium = json_string_value(json_object_get(entry, "node-name"));
		const json_t *own = json_object_get(entry, "stats");

		if (medium)
			sum = mix(sum, medium, strlen(medium));
		for (size_t j = 0; j < sizeof(changes) / sizeof(changes[0]); j++) {
			uint64_t value = number(own, changes[j]);

			sum = mix(sum, &value, sizeof(value));
		}
	}
	return sum;
}
