/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nss.c: one account or group from the host's name service; see nss.h.
 */
#include "broker/resolve/nss.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/take.h"

enum { ENTRY_FIRST = 4096, ENTRY_MAX = 1024 * 1024 };

/* getpwnam(3), getgrnam(3): how modules that differ say that there is none. */
static bool
means_unknown(int err)
{
	return err == ENOENT || err == ESRCH;
}

/* One more than fits, so that a longer list is noticed. */
static int
find_groups(struct account *account)
{
	gid_t groups[ACCOUNT_GROUPS_MAX + 1];
	int n = ACCOUNT_GROUPS_MAX + 1;

	if (getgrouplist(account->name, account->gid, groups, &n) < 0)
		return NSS_E_TOO_LONG;
	/* Ascending and without doubles, by insertion: the service promises neither. */
	for (int i = 0; i < n; i++) {
		unsigned at = 0;

		while (at < account->n_groups && account->groups[at] < groups[i])
			at++;
		if (at < account->n_groups && account->groups[at] == groups[i])
			continue;
		if (account->n_groups == ACCOUNT_GROUPS_MAX)
			return NSS_E_TOO_LONG;
		memmove(&account->groups[at + 1], &account->groups[at],
			(account->n_groups - at) * sizeof(*account->groups));
		account->groups[at] = groups[i];
		account->n_groups++;
	}
	return 0;
}

static int
fill(const struct passwd *entry, struct account *ret)
{
	if (strlen(entry->pw_name) >= sizeof(ret->name) ||
		strlen(entry->pw_dir) >= sizeof(ret->home))
		return NSS_E_TOO_LONG;
	memcpy(ret->name, entry->pw_name, strlen(entry->pw_name) + 1);
	memcpy(ret->home, entry->pw_dir, strlen(entry->pw_dir) + 1);
	ret->uid = entry->pw_uid;
	ret->gid = entry->pw_gid;
	return find_groups(ret);
}

int
nss_find(const char *name, uint32_t uid, struct account *ret)
{
	free_auto char *buf = NULL;
	struct passwd entry, *found = NULL;
	int err = ERANGE;

	*ret = (struct account){.n_groups = 0};
	for (size_t size = ENTRY_FIRST; err == ERANGE && size <= ENTRY_MAX; size *= 4) {
		free(buf);
		buf = malloc(size);
		if (!buf)
			return -ENOMEM;
		err = name ? getpwnam_r(name, &entry, buf, size, &found)
			   : getpwuid_r(uid, &entry, buf, size, &found);
	}
	if (!found)
		return err == 0 || means_unknown(err) ? NSS_E_NONE : -err;
	if (!name && entry.pw_uid != uid)
		return NSS_E_CONFLICTING;
	return fill(&entry, ret);
}

int
nss_find_group(const char *name, uint32_t *ret_gid)
{
	free_auto char *buf = NULL;
	struct group entry, *found = NULL;
	int err = ERANGE;

	/* All members come along. */
	for (size_t size = ENTRY_FIRST; err == ERANGE && size <= ENTRY_MAX; size *= 4) {
		free(buf);
		buf = malloc(size);
		if (!buf)
			return -ENOMEM;
		err = getgrnam_r(name, &entry, buf, size, &found);
	}
	if (!found)
		return err == 0 || means_unknown(err) ? NSS_E_NONE : -err;
	if (strcmp(entry.gr_name, name) != 0)
		return NSS_E_CONFLICTING;
	*ret_gid = entry.gr_gid;
	return 0;
}
