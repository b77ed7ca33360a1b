/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * group.c: which number a group's name stands for, and the text in which that travels.
 *
 * Pure. Used by qemud-resolve to write, by the broker (root) to read: the reader trusts no byte.
 */
#include "protocol/ipc/group.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/keyval.h"
#include "protocol/ipc/account.h"

enum { GID_LAST = UINT32_MAX - 1 /* (gid_t)-1 is no group's */ };

int
group_read(const char *text, size_t size, const char *name, uint32_t *ret_gid)
{
	bool has_name = false, has_gid = false;
	enum keyval_result result;
	struct keyval kv;
	uint64_t gid = 0;

	keyval_init(&kv, text, size);
	while ((result = keyval_next(&kv)) != KEYVAL_END) {
		if (result == KEYVAL_BAD)
			return GROUP_E_BAD;
		if (strcmp(kv.key, "group") == 0 && !has_name && strcmp(kv.value, name) == 0)
			has_name = true;
		else if (strcmp(kv.key, "gid") == 0 && !has_gid &&
			 keyval_number(kv.value, 0, GID_LAST, &gid) == 0)
			has_gid = true;
		else
			return GROUP_E_BAD;
	}
	if (!has_name || !has_gid)
		return GROUP_E_BAD;
	*ret_gid = (uint32_t)gid;
	return 0;
}

int
group_format(const char *name, uint32_t gid, char *buf, size_t size)
{
	int n;

	if (!account_name_valid(name) || gid > GID_LAST)
		return -EINVAL;
	n = snprintf(buf, size, "group = %s\ngid = %u\n", name, gid);
	return (size_t)n < size ? n : -ENOSPC;
}
