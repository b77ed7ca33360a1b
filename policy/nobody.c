/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nobody.c: uids that are nobody to this host, and why.
 *
 * Pure. Runs in the broker, as root, and in tools as anybody.
 */
#include "policy/nobody.h"

#include <stddef.h>

const char *
nobody_uid_why(uint32_t uid)
{
	static const struct {
		uint32_t first, last;
		const char *why;
	} ranges[] = {
		{65534, 65534, "it stands for users that this host does not know"},
		{UINT32_MAX, UINT32_MAX, "it is not a uid"},
		{61184, 65519, "it is of the range for short-lived services (DynamicUser)"},
	};

	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
		if (uid >= ranges[i].first && uid <= ranges[i].last)
			return ranges[i].why;
	return NULL;
}

const char *
nobody_why(uint32_t uid, const struct account *account)
{
	const char *why = nobody_uid_why(uid);

	if (why)
		return why;
	if (!account || account->uid != uid)
		return "it has no account on this host";
	if (account->subordinate)
		return "it is a subordinate uid (/etc/subuid) of another account";
	return NULL;
}
