/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grant.c: what a VM was granted, written on its leaf; see grant.h.
 */
#include "broker/launch/grant.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

enum { NOTE_MAX = 96 };

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
	if (sscanf(text, "vcpus=%" SCNu32 " memory_kib=%" SCNu64 " overhead_kib=%" SCNu64,
		    &grant.vcpus, &grant.memory_kib, &grant.overhead_kib) != 3)
		return -EBADMSG;
	if (format(&grant, again) != n || strcmp(text, again) != 0 || !is_possible(&grant))
		return -EBADMSG;
	*ret = grant;
	return 0;
}
