/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * config.c: qemud.conf, read once at the start.
 *
 * Runs in the broker, as root, before it is boxed. One row a key; man page qemud.conf(5).
 */
#include "broker/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/keyval.h"
#include "lib/take.h"

#define DEFAULT_FILE QEMUD_SYSCONFDIR "/qemud/qemud.conf"

struct key {
	const char *name;
	const char *must; /* what a value must be, for people */
	bool (*read)(const struct key *key, const char *value, void *field);
	size_t offset, size;
	uint32_t min, max; /* of numbers */
};

static bool
read_path(const struct key *key, const char *value, void *field)
{
	size_t len = strlen(value);

	if (value[0] != '/' || len >= key->size)
		return false;
	/* Every part between slashes is a name. */
	for (const char *at = value; *at; at += strcspn(at, "/")) {
		size_t n = strcspn(++at, "/");

		if (n == 0 || (n == 1 && at[0] == '.') || (n == 2 && memcmp(at, "..", 2) == 0))
			return false;
	}
	memcpy(field, value, len + 1);
	return true;
}

static bool
read_cgroup(const struct key *key, const char *value, void *field)
{
	if (strcmp(value, "auto") != 0 && strcmp(value, "none") != 0)
		return read_path(key, value, field);
	memcpy(field, value, strlen(value) + 1);
	return true;
}

static bool
read_account(const struct key *key, const char *value, void *field)
{
	(void)key;
	if (!account_name_valid(value))
		return false;
	memcpy(field, value, strlen(value) + 1);
	return true;
}

static bool
read_number(const struct key *key, const char *value, void *field)
{
	uint64_t number;

	if (keyval_number(value, key->min, key->max, &number) != 0)
		return false;
	*(uint32_t *)field = (uint32_t)number;
	return true;
}

static bool
read_log_level(const struct key *key, const char *value, void *field)
{
	uint32_t level = log_level_read(value);

	(void)key;
	if (level == 0)
		return false;
	*(uint32_t *)field = level;
	return true;
}

static bool
read_network(const struct key *key, const char *value, void *field)
{
	(void)key;
	if (strcmp(value, "none") != 0 && strcmp(value, "user") != 0)
		return false;
	*(uint32_t *)field = value[0] == 'n' ? CONFIG_NETWORK_NONE : CONFIG_NETWORK_USER;
	return true;
}

static bool
read_kvm(const struct key *key, const char *value, void *field)
{
	(void)key;
	if (strcmp(value, "none") != 0 && strcmp(value, "user") != 0)
		return false;
	*(uint32_t *)field = value[0] == 'n' ? CONFIG_KVM_NONE : CONFIG_KVM_USER;
	return true;
}

static bool
read_limits(const struct key *key, const char *value, void *field)
{
	(void)key;
	if (strcmp(value, "count") != 0 && strcmp(value, "enforce") != 0)
		return false;
	*(uint32_t *)field = value[0] == 'c' ? CONFIG_LIMITS_COUNT : CONFIG_LIMITS_ENFORCE;
	return true;
}

static bool
read_audit_full(const struct key *key, const char *value, void *field)
{
	(void)key;
	if (strcmp(value, "continue") != 0 && strcmp(value, "refuse") != 0)
		return false;
	*(uint32_t *)field = value[0] == 'c' ? CONFIG_AUDIT_CONTINUE : CONFIG_AUDIT_REFUSE;
	return true;
}

static bool
read_audit(const struct key *key, const char *value, void *field)
{
	if (strcmp(value, "off") != 0)
		return read_audit_full(key, value, field);
	*(uint32_t *)field = CONFIG_AUDIT_OFF;
	return true;
}

#define KEY(name_, read_, must_, min_, max_)                                             \
	{                                                                                \
		.name = #name_, .must = must_, .read = read_,                            \
		.offset = offsetof(struct config, name_),                                \
		.size = sizeof(((struct config *)NULL)->name_), .min = min_, .max = max_ \
	}
#define PATH                 "an absolute path of at most 91 bytes, without empty parts, \".\" and \"..\""
#define PATHS(n)             KEY(n, read_path, PATH, 0, 0)
#define ACCOUNTS(n)          KEY(n, read_account, "an account name", 0, 0)
#define NUMBERS(n, min, max) KEY(n, read_number, "a number from " #min " to " #max, min, max)

static const struct key keys[] = {
	PATHS(runtime_dir),
	PATHS(state_dir),
	PATHS(log_dir),
	KEY(cgroup, read_cgroup, "auto, none or " PATH, 0, 0),
	PATHS(policy),
	ACCOUNTS(system_account),
	ACCOUNTS(view_account),
	ACCOUNTS(audit_account),
	NUMBERS(max_users, 16, 65536),
	NUMBERS(max_connections, 16, 1000000),
	NUMBERS(max_vms, 1, 65536),
	NUMBERS(max_views, 1, 4096),
	NUMBERS(user_connections, 1, 1000000),
	NUMBERS(user_connections_per_second, 1, 1000000),
	NUMBERS(idle_seconds, 1, 86400),
	KEY(limits, read_limits, "count or enforce", 0, 0),
	NUMBERS(account_seconds, 1, 86400),
	KEY(network, read_network, "none or user", 0, 0),
	NUMBERS(port_min, 1, 65535),
	KEY(kvm, read_kvm, "none or user", 0, 0),
	KEY(audit, read_audit, "off, continue or refuse", 0, 0),
	KEY(audit_full, read_audit_full, "continue or refuse", 0, 0),
	NUMBERS(audit_file_mib, 1, 65536),
	NUMBERS(audit_files, 0, 100000),
	KEY(log_level, read_log_level, "error, warning, info or debug", 0, 0),
};

enum { N_KEYS = sizeof keys / sizeof *keys };

void
config_default(struct config *ret)
{
	*ret = (struct config){
		.runtime_dir = "/run/qemud",
		.state_dir = "/var/lib/qemud",
		.log_dir = "/var/log/qemud",
		.cgroup = "auto",
		.policy = QEMUD_SYSCONFDIR "/qemud",
		.system_account = "qemud-vm",
		.view_account = "qemud-view",
		.audit_account = "qemud-audit",
		.max_users = 1024,
		.max_connections = 16384,
		.max_vms = 1024,
		.max_views = 64,
		.user_connections = 1000,
		.user_connections_per_second = 500,
		.idle_seconds = 60,
		.limits = CONFIG_LIMITS_COUNT,
		.account_seconds = 300,
		.network = CONFIG_NETWORK_USER,
		.port_min = 1024,
		.kvm = CONFIG_KVM_USER,
		.audit = CONFIG_AUDIT_CONTINUE,
		.audit_full = CONFIG_AUDIT_CONTINUE,
		.audit_file_mib = 64,
		.audit_files = 16,
		.log_level = LEVEL_INFO,
	};
}

static const struct key *
find_key(const char *name)
{
	for (size_t i = 0; i < N_KEYS; i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

/* Read one pair; false with the reason in why. */
static bool
read_pair(struct config *config, const struct keyval *kv, unsigned lines[static N_KEYS], char *why,
	size_t size)
{
	const struct key *key = find_key(kv->key);
	unsigned *line;

	if (!key) {
		(void)snprintf(why, size, "there is no key %s", log_quote(kv->key));
		return false;
	}
	line = &lines[key - keys];
	if (*line > 0) {
		(void)snprintf(why, size, "%s was set in line %u already", key->name, *line);
		return false;
	}
	*line = kv->line;
	if (key->read(key, kv->value, (char *)config + key->offset))
		return true;
	(void)snprintf(
		why, size, "%s must be %s, not %s", key->name, key->must, log_quote(kv->value));
	return false;
}

int
config_read(struct config *config, const char *file, const char *text, size_t size,
	char error[static CONFIG_ERROR_MAX])
{
	unsigned lines[N_KEYS] = {0}; /* where each key was set */
	char why[CONFIG_ERROR_MAX - 64];
	enum keyval_result result;
	struct keyval kv;

	keyval_init(&kv, text, size);
	while ((result = keyval_next(&kv)) != KEYVAL_END) {
		if (result == KEYVAL_BAD)
			(void)snprintf(why, sizeof why, "%s", kv.error);
		else if (read_pair(config, &kv, lines, why, sizeof why))
			continue;
		(void)snprintf(error, CONFIG_ERROR_MAX, "%s:%u: %s", file, kv.line, why);
		return CONFIG_E_BAD;
	}
	return 0;
}

/* The whole file; -ENOENT only when there is none. */
static int
read_file(const char *path, char **ret_text, size_t *ret_size)
{
	/* Not to wait for the other end of a pipe that somebody named by mistake. */
	fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return fd_read_all(fd, CONFIG_FILE_MAX, ret_text, ret_size);
}

int
config_load(struct config *ret, const char *path, char error[static CONFIG_ERROR_MAX])
{
	const char *file = path ? path : DEFAULT_FILE;
	free_auto char *text = NULL;
	size_t size = 0;
	int r;

	config_default(ret);
	r = read_file(file, &text, &size);
	if (r == -ENOENT && !path)
		return 0;
	if (r < 0) {
		(void)snprintf(
			error, CONFIG_ERROR_MAX, "%s cannot be read: %s", file, strerror(-r));
		return CONFIG_E_BAD;
	}
	return config_read(ret, file, text, size, error);
}
