/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * iothread_info.c: what QEMU says of its iothreads; see iothread_info.h.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/qemu/iothread_info.h"

#include <string.h>

/* At most max; false: it is no number, or not of that size. */
static bool
read_number(const json_t *object, const char *key, uint64_t max, uint64_t *ret)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
		(uint64_t)json_integer_value(value) > max)
		return false;
	*ret = (uint64_t)json_integer_value(value);
	return true;
}

/* "iothread7": as the command line names it. */
static bool
read_id(const char *name, uint32_t *ret)
{
	static const char prefix[] = "iothread";
	uint64_t id = 0;

	if (!name || strncmp(name, prefix, sizeof(prefix) - 1) != 0)
		return false;
	for (name += sizeof(prefix) - 1; *name >= '0' && *name <= '9' && id <= UINT32_MAX; name++)
		id = id * 10 + (uint64_t)(*name - '0');
	*ret = (uint32_t)id;
	return !*name && id > 0 && id <= UINT32_MAX;
}

bool
iothread_info_read(const json_t *answer, size_t i, struct iothread_info *ret)
{
	const json_t *one = json_array_get(answer, i);
	uint64_t grow = 0, shrink = 0;

	*ret = (struct iothread_info){.id = 0};
	if (!read_id(json_string_value(json_object_get(one, "id")), &ret->id))
		return false;
	ret->polls = read_number(one, "poll-max-ns", INT64_MAX, &ret->poll_max_ns) &&
		     read_number(one, "poll-grow", UINT32_MAX, &grow) &&
		     read_number(one, "poll-shrink", UINT32_MAX, &shrink);
	ret->poll_grow = (uint32_t)grow;
	ret->poll_shrink = (uint32_t)shrink;
	return true;
}

uint32_t
iothread_info_count(const json_t *answer)
{
	struct iothread_info info;
	uint32_t n = 0;

	for (size_t i = 0; i < json_array_size(answer); i++)
		n += iothread_info_read(answer, i, &info);
	return n;
}
