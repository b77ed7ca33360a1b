/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rules.c: a policy as the broker would load it, by whoever may read its files; see rules.h.
 */
#include "ctl/rules.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/fd.h"
#include "lib/keyval.h"
#include "lib/log.h"
#include "lib/take.h"

enum { COMPLAINT_LINE_MAX = 512, PATH_SIZE = 4096 };

/* --- files -------------------------------------------------------------------------------- */

/* name: what it is called in complaints. Returns 0 or a negative errno. */
static int
parse_file(struct policy *policy, const char *path, const char *name)
{
	fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	free_auto char *text = NULL;
	struct stat st;
	size_t size;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	r = fd_read_all(fd, POLICY_BYTES_MAX, &text, &size);
	if (r == 0)
		(void)policy_parse(policy, name, text, size);
	return r;
}

static int
tell(const char *path, int r)
{
	log_error("%s: %s", log_quote(path), strerror(-r));
	return r;
}

static int
is_rule_file(const struct dirent *entry)
{
	return fnmatch("*.conf", entry->d_name, FNM_PERIOD) == 0;
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
parse_more(struct policy *policy, const char *dir)
{
	char folder[PATH_SIZE], path[PATH_SIZE + 256], name[sizeof "policy.d/" + 256];
	struct dirent **entries = NULL;
	int n, r = 0;

	(void)snprintf(folder, sizeof folder, "%s/policy.d", dir);
	n = scandir(folder, &entries, is_rule_file, by_name);
	if (n < 0)
		return errno == ENOENT ? 0 : tell(folder, -errno);
	for (int i = 0; i < n; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
		(void)snprintf(name, sizeof name, "policy.d/%s", entries[i]->d_name);
		if (r == 0)
			r = parse_file(policy, path, name);
		if (r < 0)
			(void)tell(path, r);
		free(entries[i]);
	}
	free(entries);
	return r;
}

static int
parse_dir(struct policy *policy, const char *dir)
{
	char path[PATH_SIZE];
	int r;

	(void)snprintf(path, sizeof path, "%s/policy.conf", dir);
	r = parse_file(policy, path, "policy.conf");
	/* Then the built-in rules hold, with what policy.d adds. */
	if (r < 0 && r != -ENOENT)
		return tell(path, r);
	return parse_more(policy, dir);
}

/* --- names -------------------------------------------------------------------------------- */

/* Returns 1 when it is there, 0 when not, or a negative errno. */
static int
look_up(const struct policy_name *name, uint32_t *ret)
{
	const struct group *group;
	const struct passwd *user;

	errno = 0;
	if (name->is_group) {
		group = getgrnam(name->text);
		if (group)
			*ret = group->gr_gid;
		else
			return errno == 0 || errno == ENOENT ? 0 : -errno;
		return 1;
	}
	user = getpwnam(name->text);
	if (user)
		*ret = user->pw_uid;
	else
		return errno == 0 || errno == ENOENT ? 0 : -errno;
	return 1;
}

static int
bind_names(struct policy *policy)
{
	for (unsigned i = 0; i < policy->n_names; i++) {
		uint32_t id = 0;
		int r = look_up(&policy->names[i], &id);

		if (r < 0) {
			log_error(
				"%s cannot be looked up: %s", policy->names[i].text, strerror(-r));
			return r;
		}
		if (r > 0)
			policy_bind(policy, i, id);
		else
			policy_bind_unknown(policy, i);
	}
	(void)policy_check_names(policy);
	return 0;
}

struct policy *
rules_load(const char *path)
{
	struct policy *policy = policy_new();
	struct stat st;
	int r;

	if (!policy) {
		log_error("out of memory");
		return NULL;
	}
	if (stat(path, &st) < 0)
		r = tell(path, -errno);
	else if (S_ISDIR(st.st_mode))
		r = parse_dir(policy, path);
	else {
		r = parse_file(policy, path, path);
		if (r < 0)
			(void)tell(path, r);
	}
	if (r == 0)
		r = bind_names(policy);
	if (r == 0)
		return policy;
	policy_free(policy);
	return NULL;
}

void
rules_complain(const struct policy *policy)
{
	char text[COMPLAINT_LINE_MAX], shown[2 * COMPLAINT_LINE_MAX];
	unsigned n = policy->n_errors + policy->n_warnings;

	for (unsigned i = 0; i < policy->n_complaints; i++) {
		(void)policy_complaint_text(policy, &policy->complaints[i], text, sizeof text);
		(void)log_escape(shown, sizeof shown, text, strlen(text));
		(void)puts(shown);
	}
	if (n > policy->n_complaints)
		(void)printf("and %u more\n", n - policy->n_complaints);
}

/* --- accounts ----------------------------------------------------------------------------- */

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int
rules_account(const char *who, struct account *ret)
{
	int n = ACCOUNT_GROUPS_MAX;
	const struct passwd *user;
	uint64_t uid;

	errno = 0;
	user = keyval_number(who, 0, UINT32_MAX, &uid) == 0 ? getpwuid((uid_t)uid) : getpwnam(who);
	if (!user)
		return errno == 0 || errno == ENOENT ? -ENOENT : -errno;
	*ret = (struct account){.uid = user->pw_uid, .gid = user->pw_gid};
	(void)snprintf(ret->name, sizeof ret->name, "%s", user->pw_name);
	(void)snprintf(ret->home, sizeof ret->home, "%s", user->pw_dir);
	if (getgrouplist(user->pw_name, user->pw_gid, ret->groups, &n) < 0)
		return -E2BIG;
	qsort(ret->groups, (size_t)n, sizeof *ret->groups, by_number);
	for (int i = 0; i < n; i++)
		if (i == 0 || ret->groups[i] != ret->groups[ret->n_groups - 1])
			ret->groups[ret->n_groups++] = ret->groups[i];
	return 0;
}
