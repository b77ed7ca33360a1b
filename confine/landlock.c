/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * landlock.c: a list of paths, and everything else that Landlock can forbid, made a ruleset.
 *
 * Runs as the user, before a program is started in a box. Must never give a right that the list
 * does not give, nor go on with fewer rules or a lower level than asked for.
 */
#include "confine/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/take.h"

/* linux/landlock.h of Linux 6.15, for what older copies lack. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif
#ifndef LANDLOCK_ACCESS_NET_BIND_TCP
#define LANDLOCK_ACCESS_NET_BIND_TCP    (1ULL << 0)
#define LANDLOCK_ACCESS_NET_CONNECT_TCP (1ULL << 1)
#endif
#ifndef LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
#define LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define LANDLOCK_SCOPE_SIGNAL               (1ULL << 1)
#endif
#ifndef LANDLOCK_RESTRICT_SELF_LOG_NEW_EXEC_ON
#define LANDLOCK_RESTRICT_SELF_LOG_NEW_EXEC_ON (1U << 1)
#endif

/* struct landlock_ruleset_attr as of level 6; older kernels take it when the rest is zero. */
struct ruleset {
	uint64_t handled_access_fs, handled_access_net, scoped;
};

/* EXECUTE to MAKE_SYM: all of level 1. */
#define FS_LEVEL_1 (LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1)

/* What each level adds to the one below. */
static const struct landlock_rights added[LANDLOCK_LEVEL_MAX + 1] = {
	[1] = {.fs = FS_LEVEL_1},
	[2] = {.fs = LANDLOCK_ACCESS_FS_REFER},
	[3] = {.fs = LANDLOCK_ACCESS_FS_TRUNCATE},
	[4] = {.net = LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP},
	[5] = {.fs = LANDLOCK_ACCESS_FS_IOCTL_DEV},
	[6] = {.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL},
	/* Without it the program's denials, being after an exec, stay out of the audit. */
	[7] = {.restrict_flags = LANDLOCK_RESTRICT_SELF_LOG_NEW_EXEC_ON},
};

static const uint64_t access_rights[] = {
	[LANDLOCK_READ] = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
	[LANDLOCK_EXEC] = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE,
	[LANDLOCK_WRITE] = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE,
	[LANDLOCK_DEVICE] = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
			    LANDLOCK_ACCESS_FS_IOCTL_DEV,
};

struct landlock_rights
landlock_rights(int level)
{
	struct landlock_rights rights = {.fs = 0};

	for (int i = 1; i <= level && i <= LANDLOCK_LEVEL_MAX; i++) {
		rights.fs |= added[i].fs;
		rights.net |= added[i].net;
		rights.scoped |= added[i].scoped;
		rights.restrict_flags |= added[i].restrict_flags;
	}
	return rights;
}

uint64_t
landlock_rule_rights(enum landlock_access access, int level, bool folder)
{
	uint64_t rights = access_rights[access] & landlock_rights(level).fs;

	/* The kernel refuses a right over folders in a rule about something else. */
	return folder ? rights : rights & ~(uint64_t)LANDLOCK_ACCESS_FS_READ_DIR;
}

int
landlock_level(void)
{
	long level = syscall(
		SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);

	if (level < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;
	return level > LANDLOCK_LEVEL_MAX ? LANDLOCK_LEVEL_MAX : (int)level;
}

static int
add_rule(int ruleset_fd, int fd, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};

	if (syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return -errno;
	return 0;
}

static int
add_path(int ruleset_fd, const struct landlock_path *path, int level)
{
	struct stat st;
	fd_auto int fd = open(path->path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT && path->optional ? 0 : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	return add_rule(
		ruleset_fd, fd, landlock_rule_rights(path->access, level, S_ISDIR(st.st_mode)));
}

/* What is open may be opened again, with no more rights. */
static int
add_open_file(int ruleset_fd, int fd, int level)
{
	static const uint64_t rights[] = {
		[O_RDONLY] = LANDLOCK_ACCESS_FS_READ_FILE,
		[O_WRONLY] = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE,
		[O_RDWR] = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
			   LANDLOCK_ACCESS_FS_TRUNCATE,
	};
	int flags = fcntl(fd, F_GETFL), mode = flags & O_ACCMODE, r;
	struct stat st;

	if (flags < 0 || fstat(fd, &st) < 0)
		return -errno;
	if ((!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) || mode > O_RDWR)
		return 0;
	r = add_rule(ruleset_fd, fd, rights[mode] & landlock_rights(level).fs);
	/* A memfd is in no file system that Landlock restricts. */
	return r == -EBADFD ? 0 : r;
}

int
landlock_load(const struct landlock_list *list, int level, const int *fds, unsigned n_fds,
	const char **ret_path)
{
	struct landlock_rights rights = landlock_rights(level);
	struct ruleset handled = {.handled_access_fs = rights.fs,
		.handled_access_net = rights.net,
		.scoped = rights.scoped};
	fd_auto int fd = -1;
	int r = 0;

	*ret_path = NULL;
	if (level == 0)
		return 0;
	fd = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0);
	if (fd < 0)
		return -errno;
	for (unsigned i = 0; i < list->n_paths && r == 0; i++) {
		r = add_path(fd, &list->paths[i], level);
		if (r < 0)
			*ret_path = list->paths[i].path;
	}
	for (unsigned i = 0; i < n_fds && r == 0; i++)
		r = add_open_file(fd, fds[i], level);
	if (r < 0)
		return r;
	if (syscall(SYS_landlock_restrict_self, fd, rights.restrict_flags) < 0)
		return -errno;
	return 0;
}
