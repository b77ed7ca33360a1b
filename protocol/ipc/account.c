/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * account.c: what the host knows of one account, and the text in which it travels.
 *
 * Pure. Used by qemud-resolve to write, by the broker and the starter (root) to read: the reader
 * trusts no byte.
 */
#include "protocol/ipc/account.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/keyval.h"
#include "lib/utf8.h"

enum { ID_LAST = UINT32_MAX - 1 /* (uid_t)-1 is nobody's */ };

bool
account_name_valid(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789_.@-";
	size_t len = strspn(name, allowed);

	if (len == 0 || name[0] == '-' || strlen(name) >= ACCOUNT_NAME_MAX)
		return false;
	return name[len] == '\0' || strcmp(name + len, "$") == 0;
}

bool
account_name_shown(const char *name)
{
	return name[strspn(name, "0123456789")] != '\0' && strcmp(name, "system") != 0;
}

static bool
home_valid(const char *home)
{
	size_t len = strlen(home);

	if (home[0] != '/' || home[len - 1] == ' ')
		return false;
	for (size_t at = 0, n; at < len; at += n) {
		uint32_t c;

		n = utf8_next(home + at, len - at, &c);
		if (n == 0 || utf8_is_control(c))
			return false;
		if (c == '/' && strncmp(home + at, "/..", 3) == 0 &&
			(home[at + 3] == '/' || home[at + 3] == '\0'))
			return false;
	}
	return true;
}

/* Why this is no account, or NULL. Reader and writer ask the same. */
static const char *
account_fault(const struct account *account)
{
	bool primary = false;

	if (!account_name_valid(account->name))
		return "name: not an account name";
	if (account->uid > ID_LAST || account->gid > ID_LAST)
		return "uid or gid: not an id";
	if (!home_valid(account->home))
		return "home: not an absolute path without \"..\"";
	if (account->n_groups > ACCOUNT_GROUPS_MAX)
		return "groups: too many";
	for (unsigned i = 0; i < account->n_groups; i++) {
		if (account->groups[i] > ID_LAST)
			return "groups: not an id";
		if (i > 0 && account->groups[i] <= account->groups[i - 1])
			return "groups: not ascending";
		primary |= account->groups[i] == account->gid;
	}
	return primary ? NULL : "groups: the primary group is not among them";
}

static const char *
read_string(const char *value, char *ret, size_t size)
{
	if (strlen(value) >= size)
		return "a value is too long";
	memcpy(ret, value, strlen(value) + 1);
	return NULL;
}

static const char *
read_name(struct account *account, const char *value)
{
	return read_string(value, account->name, sizeof account->name);
}

static const char *
read_home(struct account *account, const char *value)
{
	return read_string(value, account->home, sizeof account->home);
}

static const char *
read_id(const char *value, uint32_t *ret)
{
	uint64_t id;

	if (keyval_number(value, 0, ID_LAST, &id) != 0)
		return "uid or gid: not an id";
	*ret = (uint32_t)id;
	return NULL;
}

static const char *
read_uid(struct account *account, const char *value)
{
	return read_id(value, &account->uid);
}

static const char *
read_gid(struct account *account, const char *value)
{
	return read_id(value, &account->gid);
}

static const char *
read_groups(struct account *account, const char *value)
{
	while (*value != '\0') {
		char number[16];
		size_t len = strcspn(value, " ");

		if (account->n_groups == ACCOUNT_GROUPS_MAX)
			return "groups: too many";
		if (len >= sizeof number)
			return "groups: not an id";
		memcpy(number, value, len);
		number[len] = '\0';
		if (read_id(number, &account->groups[account->n_groups++]))
			return "groups: not an id";
		value += len;
		value += strspn(value, " ");
	}
	return NULL;
}

static const char *
read_subordinate(struct account *account, const char *value)
{
	int yes;

	if (keyval_bool(value, &yes) != 0)
		return "subordinate: neither yes nor no";
	account->subordinate = yes;
	return NULL;
}

static const struct {
	const char *name;
	const char *(*read)(struct account *account, const char *value);
} keys[] = {
	{"name", read_name},
	{"uid", read_uid},
	{"gid", read_gid},
	{"home", read_home},
	{"groups", read_groups},
	{"subordinate", read_subordinate},
};

enum { N_KEYS = sizeof keys / sizeof *keys };

/* Put one pair where it belongs; *seen has a bit for every key that was there. */
static const char *
read_pair(struct account *account, const struct keyval *kv, unsigned *seen)
{
	for (unsigned i = 0; i < N_KEYS; i++) {
		if (strcmp(keys[i].name, kv->key) != 0)
			continue;
		if (*seen & 1u << i)
			return "a key is there twice";
		*seen |= 1u << i;
		return keys[i].read(account, kv->value);
	}
	return "an unknown key";
}

int
account_read(const char *text, size_t size, struct account *ret, const char **ret_why)
{
	enum keyval_result result;
	const char *why = NULL;
	unsigned seen = 0;
	struct keyval kv;

	*ret = (struct account){.n_groups = 0};
	keyval_init(&kv, text, size);
	while (!why && (result = keyval_next(&kv)) != KEYVAL_END)
		why = result == KEYVAL_BAD ? kv.error : read_pair(ret, &kv, &seen);
	if (!why && seen != (1u << N_KEYS) - 1)
		why = "a key is missing";
	if (!why)
		why = account_fault(ret);
	if (!why)
		return 0;
	*ret_why = why;
	return ACCOUNT_E_BAD;
}

int
account_format(const struct account *account, char *buf, size_t size)
{
	size_t len;
	int n;

	if (account_fault(account))
		return -EINVAL;
	n = snprintf(buf, size,
		"name = %s\nuid = %u\ngid = %u\nhome = %s\nsubordinate = %s\ngroups =",
		account->name, account->uid, account->gid, account->home,
		account->subordinate ? "yes" : "no");
	if (n < 0 || (size_t)n >= size)
		return -ENOSPC;
	len = (size_t)n;
	for (unsigned i = 0; i < account->n_groups; i++) {
		n = snprintf(buf + len, size - len, " %u", account->groups[i]);
		if (n < 0 || (size_t)n >= size - len)
			return -ENOSPC;
		len += (size_t)n;
	}
	if (size - len < 2)
		return -ENOSPC;
	buf[len] = '\n';
	buf[len + 1] = '\0';
	return (int)(len + 1);
}
