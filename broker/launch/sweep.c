/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sweep.c: what earlier starters left in the ledger; see sweep.h.
 */
#include "broker/launch/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/take.h"

static void
close_folder(DIR **folder)
{
	if (*folder)
		(void)closedir(*folder);
}
#define folder_auto AUTO(close_folder)

/* NULL with errno. */
static DIR *
open_folder(int parent_fd, const char *name)
{
	fd_auto int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);

	if (folder)
		(void)take_fd(&fd); /* closedir() closes it */
	return folder;
}

/* The next folder in it; "" behind the last. Files are the kernel's. Returns 0 or an errno. */
static int
next_folder(DIR *folder, const char **ret_name)
{
	const struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(folder);
	} while (entry && (entry->d_type != DT_DIR || entry->d_name[0] == '.'));
	*ret_name = entry ? entry->d_name : "";
	return entry ? 0 : -errno;
}

static void
count_foreign(struct sweep *sweep, const char *user, const char *leaf)
{
	if (sweep->n_foreign++ == 0)
		(void)snprintf(sweep->foreign, sizeof(sweep->foreign), "%s%s%s", user,
			*leaf ? "/" : "", leaf);
}

static int
keep(struct sweep *sweep, const struct ipc_leaf *vm)
{
	/* A power of two of them is as many as fit. */
	if ((sweep->n_vms & (sweep->n_vms - 1)) == 0) {
		size_t room = sweep->n_vms ? 2 * sweep->n_vms : 1;
		struct ipc_leaf *larger = reallocarray(sweep->vms, room, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		sweep->vms = larger;
	}
	sweep->vms[sweep->n_vms++] = *vm;
	return 0;
}

static int
sweep_leaf(struct sweep *sweep, int user_fd, const char *user, uint32_t uid, const char *leaf)
{
	struct ipc_leaf vm;
	enum ledger_kind kind = ledger_leaf_read(uid, leaf, &vm);

	if (kind == LEDGER_FOREIGN) {
		count_foreign(sweep, user, leaf);
		return 0;
	}
	/* It fails exactly while somebody is in it. */
	if (unlinkat(user_fd, leaf, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	return kind == LEDGER_VM ? keep(sweep, &vm) : 0;
}

static int
sweep_user(struct sweep *sweep, int ledger_fd, const char *user)
{
	folder_auto DIR *folder = NULL;
	const char *leaf;
	uint32_t uid;
	int r = 0;

	if (!ledger_user_read(user, &uid)) {
		count_foreign(sweep, user, "");
		return 0;
	}
	folder = open_folder(ledger_fd, user);
	/* An earlier starter, about to end, may still be removing what it has left. */
	if (!folder)
		return errno == ENOENT ? 0 : -errno;
	while (r == 0 && (r = next_folder(folder, &leaf)) == 0 && *leaf)
		r = sweep_leaf(sweep, dirfd(folder), user, uid, leaf);
	if (r == 0)
		(void)unlinkat(ledger_fd, user, AT_REMOVEDIR); /* EBUSY: not everything has gone */
	return r;
}

int
sweep_ledger(const struct ledger *ledger, struct sweep *ret)
{
	folder_auto DIR *folder = NULL;
	const char *user;
	int r = 0;

	if (ledger->dir_fd < 0)
		return 0;
	folder = open_folder(ledger->dir_fd, ".");
	if (!folder)
		return -errno;
	while (r == 0 && (r = next_folder(folder, &user)) == 0 && *user)
		r = sweep_user(ret, ledger->dir_fd, user);
	return r;
}

void
sweep_fini(struct sweep *sweep)
{
	free(sweep->vms);
	*sweep = (struct sweep){.vms = NULL};
}
