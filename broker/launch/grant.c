/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grant.c: what a VM was granted: written on its leaf, and enforced there; see grant.h.
 */
#include "broker/launch/grant.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "broker/launch/ledger.h"
#include "lib/take.h"

enum { NOTE_MAX = 96, VALUE_MAX = 48, EVENTS_MAX = 512, PERIOD_US = 100000 };

static int
format(const struct ipc_grant *grant, char text[static NOTE_MAX])
{
	return snprintf(text, NOTE_MAX,
		"vcpus=%" PRIu32 " memory_kib=%" PRIu64 " overhead_kib=%" PRIu64, grant->vcpus,
		grant->memory_kib, grant->overhead_kib);
}

int
grant_write(int leaf_fd, const struct ipc_grant *grant)
{
	char text[NOTE_MAX];
	int n = format(grant, text);

	return fsetxattr(leaf_fd, GRANT_ATTRIBUTE, text, (size_t)n, 0) < 0 ? -errno : 0;
}

/* As many as a guest can have; see ipc.h. */
static bool
is_possible(const struct ipc_grant *grant)
{
	return grant->vcpus != 0 && grant->vcpus <= IPC_VCPUS_MAX && grant->memory_kib != 0 &&
	       grant->memory_kib <= IPC_MEMORY_MAX_KIB && grant->overhead_kib <= IPC_MEMORY_MAX_KIB;
}

/* What stands behind that name; 0: it is not there. */
static uint64_t
number(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

int
grant_read(int leaf_fd, struct ipc_grant *ret)
{
	struct ipc_grant grant = {.vcpus = 0};
	char text[NOTE_MAX], again[NOTE_MAX];
	ssize_t n = fgetxattr(leaf_fd, GRANT_ATTRIBUTE, text, sizeof(text) - 1);

	if (n < 0)
		return errno == ERANGE ? -EBADMSG : -errno;
	text[n] = '\0';
	/* What it is to the letter shows when it is written again. */
	grant.vcpus = (uint32_t)number(text, "vcpus=");
	grant.memory_kib = number(text, "memory_kib=");
	grant.overhead_kib = number(text, "overhead_kib=");
	if (format(&grant, again) != n || strcmp(text, again) != 0 || !is_possible(&grant))
		return -EBADMSG;
	*ret = grant;
	return 0;
}

/* --- limits ------------------------------------------------------------------------------- */

/* Returns 0 or a negative errno; -EOPNOTSUPP: this kernel, or this tree, has no such file. */
static int
set(int leaf_fd, const char *name, const char *value)
{
	fd_auto int fd = openat(leaf_fd, name, O_WRONLY | O_CLOEXEC);
	size_t n = strlen(value);

	if (fd < 0)
		return errno == ENOENT ? -EOPNOTSUPP : -errno;
	return write(fd, value, n) != (ssize_t)n ? -errno : 0;
}

int
grant_enforce(int leaf_fd, const struct ipc_grant *grant)
{
	char memory[VALUE_MAX], cpu[VALUE_MAX];
	const struct {
		const char *name, *value;
		bool may_be_missing; /* without an account of swap there is none to limit */
	} limits[] = {
		{"memory.oom.group", "1", false},
		{"memory.swap.max", memory, true},
		{"memory.max", memory, false},
		{"cpu.max", cpu, false},
	};
	int missing = 0;

	(void)snprintf(memory, sizeof(memory), "%" PRIu64,
		(grant->memory_kib + grant->overhead_kib) * 1024);
	(void)snprintf(cpu, sizeof(cpu), "%" PRIu64 " %d", ((uint64_t)grant->vcpus + 1) * PERIOD_US,
		PERIOD_US);
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		int r = set(leaf_fd, limits[i].name, limits[i].value);

		if (r < 0 && r != -EOPNOTSUPP)
			return r;
		if (r < 0 && !limits[i].may_be_missing)
			missing = r;
	}
	return missing;
}

/* A line "NAME NUMBER" of memory.events. */
static uint64_t
event(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
		if (strncmp(at, name, n) == 0 && at[n] == ' ')
			return strtoull(at + n + 1, NULL, 10);
	return 0;
}

enum ipc_gone
grant_how_ended(int leaf_fd)
{
	char text[EVENTS_MAX];

	/* Where there is no such file nobody counts. */
	if (ledger_read(leaf_fd, "memory.events", text, sizeof(text)) < 0 ||
		event(text, "oom_kill") == 0)
		return IPC_GONE_ENDED;
	/* oom: an allocation failed at a limit of this group's. */
	return event(text, "oom") > 0 ? IPC_GONE_MEMORY : IPC_GONE_HOST_MEMORY;
}
