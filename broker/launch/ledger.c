/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ledger.c: the tree of control groups in which every user's processes are counted; see ledger.h.
 */
#include "broker/launch/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/take.h"
#include "lib/uuid.h"

_Static_assert((int)UUID_SIZE == (int)IPC_UUID_SIZE, "a UUID is a UUID");

static const char *const controllers[] = {"cpu", "memory", "pids"};

enum { USER_NAME_MAX = 16, CONTROLLERS_TEXT_MAX = 512 };

/* cgroup.controllers: names separated by blanks, one line. */
static bool
has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = text; *at; at += strspn(at, " \n")) {
		size_t len = strcspn(at, " \n");

		if (len == n && memcmp(at, word, n) == 0)
			return true;
		at += len;
	}
	return false;
}

int
ledger_read(int dir_fd, const char *name, char *ret, size_t size)
{
	fd_auto int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);

	ret[n > 0 ? n : 0] = '\0';
	return n < 0 ? -errno : 0;
}

/* Give the controllers to the folders below dir_fd. Returns how many of them work there. */
static unsigned
delegate(int dir_fd)
{
	char available[CONTROLLERS_TEXT_MAX];
	unsigned n_working = 0;

	if (ledger_read(dir_fd, "cgroup.controllers", available, sizeof(available)) < 0)
		return 0;
	for (size_t i = 0; i < sizeof(controllers) / sizeof(*controllers); i++) {
		fd_auto int fd = -1;
		char text[USER_NAME_MAX];
		int n;

		if (!has_word(available, controllers[i]))
			continue;
		fd = openat(dir_fd, "cgroup.subtree_control", O_WRONLY | O_CLOEXEC);
		n = snprintf(text, sizeof(text), "+%s", controllers[i]);
		/* One write each: a controller that refuses must not keep the others away. */
		if (fd >= 0 && write(fd, text, (size_t)n) == n)
			n_working++;
	}
	return n_working;
}

int
ledger_open(struct ledger *ret, const char *dir, const char **ret_why, const char **ret_limits)
{
	fd_auto int fd = -1;
	struct statfs fs;
	struct stat st;

	ret->dir_fd = -1;
	*ret_why = NULL;
	*ret_limits = NULL;
	if (!dir)
		return 0;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		return -errno;
	if (fs.f_type != CGROUP2_SUPER_MAGIC)
		*ret_why = "is not in a cgroup v2 file system";
	else if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)))
		*ret_why = "must be root's and not writable by others";
	else if (faccessat(fd, ".", W_OK, 0) < 0)
		*ret_why = "cannot be written (is it mounted read-only?)";
	if (*ret_why)
		return LEDGER_E_PLACE;

	switch (delegate(fd)) {
	case 0:
		*ret_limits = "none of the controllers cpu, memory and pids works below it";
		break;
	case sizeof(controllers) / sizeof(*controllers):
		break;
	default:
		*ret_limits = "not all of the controllers cpu, memory and pids work below it";
		break;
	}
	ret->dir_fd = take_fd(&fd);
	return 0;
}

static int
make_folder(int dir_fd, const char *name, int *ret_fd)
{
	int fd;

	if (mkdirat(dir_fd, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* The tree is public by design (monitoring reads it); the umask is not. */
	if (fchmod(fd, 0755) < 0) {
		int err = errno;

		(void)close(fd);
		return -err;
	}
	*ret_fd = fd;
	return 0;
}

/* Threads that nobody counts would be the host's last. Returns 0 or a negative errno. */
static int
bound(int leaf_fd)
{
	char text[USER_NAME_MAX];
	fd_auto int fd = -1;
	int n = ledger_read(leaf_fd, "pids.max", text, sizeof(text));

	if (n < 0 || strcmp(text, "max\n") != 0)
		return n == -ENOENT ? 0 : n;
	fd = openat(leaf_fd, "pids.max", O_WRONLY | O_CLOEXEC);
	n = snprintf(text, sizeof(text), "%d", LEDGER_TASKS_MAX);
	return fd < 0 || write(fd, text, (size_t)n) != n ? -errno : 0;
}

static void
user_name(char name[static USER_NAME_MAX], uint32_t uid)
{
	(void)snprintf(name, USER_NAME_MAX, "u%" PRIu32, uid);
}

/* A number to one of the files of a user's folder, if the tree has it; past the largest: "max". */
static int
set(int user_fd, const char *name, uint32_t number, uint32_t largest)
{
	fd_auto int fd = -1;
	char text[USER_NAME_MAX];
	int n = number > largest ? snprintf(text, sizeof(text), "max")
				 : snprintf(text, sizeof(text), "%" PRIu32, number);

	if (number == 0)
		return 0;
	fd = openat(user_fd, name, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return write(fd, text, (size_t)n) != n ? -errno : 0;
}

int
ledger_share(const struct ledger *ledger, uint32_t uid, const struct ipc_share *share)
{
	fd_auto int user_fd = -1;
	char name[USER_NAME_MAX];
	int r;

	if (ledger->dir_fd < 0)
		return 0;
	user_name(name, uid);
	r = make_folder(ledger->dir_fd, name, &user_fd);
	if (r == 0)
		r = set(user_fd, "pids.max", share->tasks, LEDGER_PIDS_MAX);
	return r < 0 ? r : set(user_fd, "cpu.weight", share->cpu_weight, IPC_CPU_WEIGHT_MAX);
}

int
ledger_enter(const struct ledger *ledger, uint32_t uid, const char *leaf, int *ret_fd)
{
	fd_auto int user_fd = -1;
	char name[USER_NAME_MAX];
	int r;

	*ret_fd = -1;
	if (ledger->dir_fd < 0)
		return 0;
	user_name(name, uid);
	r = make_folder(ledger->dir_fd, name, &user_fd);
	if (r < 0)
		return r;
	(void)delegate(user_fd); /* what works here was said at ledger_open() */
	r = make_folder(user_fd, leaf, ret_fd);
	if (r < 0)
		return r;
	r = bound(*ret_fd);
	if (r < 0)
		fd_close(ret_fd);
	return r;
}

/* The user's folder, if there is one. */
static int
find_user(const struct ledger *ledger, uint32_t uid, int *ret_fd)
{
	char name[USER_NAME_MAX];

	if (ledger->dir_fd < 0)
		return -ENOENT;
	user_name(name, uid);
	*ret_fd = openat(ledger->dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

int
ledger_leave(const struct ledger *ledger, uint32_t uid, const char *leaf)
{
	fd_auto int user_fd = -1;
	char name[USER_NAME_MAX];
	int r = find_user(ledger, uid, &user_fd);

	if (r == 0 && unlinkat(user_fd, leaf, AT_REMOVEDIR) < 0)
		r = -errno;
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	user_name(name, uid);
	/* EBUSY: she has other leaves. */
	(void)unlinkat(ledger->dir_fd, name, AT_REMOVEDIR);
	return 0;
}

int
ledger_find(const struct ledger *ledger, uint32_t uid, const char *leaf, int *ret_fd)
{
	fd_auto int user_fd = -1;
	int r = find_user(ledger, uid, &user_fd);

	if (r < 0)
		return r;
	*ret_fd = openat(user_fd, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

void
ledger_vm_name(const struct ipc_leaf *vm, char ret[static LEDGER_LEAF_MAX])
{
	char uuid[UUID_TEXT_SIZE];

	(void)snprintf(
		ret, LEDGER_LEAF_MAX, "vm-%" PRIu32 "-%s", vm->id, uuid_format(vm->uuid, uuid));
}

/* A positive number as printf writes it. Returns what is behind it, or NULL. */
static const char *
read_number(const char *text, uint32_t *ret)
{
	unsigned long long n;
	char *end;

	if (*text < '1' || *text > '9')
		return NULL;
	n = strtoull(text, &end, 10);
	*ret = (uint32_t)n;
	return n > UINT32_MAX ? NULL : end;
}

/* A UUID as uuid_format() writes it, and nothing behind it. */
static bool
read_uuid(const char *text, uint8_t ret[static UUID_SIZE])
{
	static const char digits[] = "0123456789abcdef";

	if (strlen(text) != UUID_TEXT_SIZE - 1)
		return false;
	for (int i = 0; i < UUID_SIZE; i++) {
		const char *high, *low;

		if ((i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
			return false;
		high = strchr(digits, *text++);
		low = strchr(digits, *text++);
		if (!high || !low)
			return false;
		ret[i] = (uint8_t)((high - digits) << 4 | (low - digits));
	}
	return true;
}

static bool
read_vm(const char *name, struct ipc_leaf *ret)
{
	const char *rest = strncmp(name, "vm-", 3) == 0 ? read_number(name + 3, &ret->id) : NULL;

	return rest && *rest == '-' && ret->id <= INT32_MAX && read_uuid(rest + 1, ret->uuid);
}

enum ledger_kind
ledger_leaf_read(uint32_t uid, const char *name, struct ipc_leaf *ret_vm)
{
	struct ipc_leaf vm = {.uid = uid};
	const char *rest = NULL;
	uint32_t n;

	if (strcmp(name, "worker") == 0 || strcmp(name, "view") == 0 || strcmp(name, "audit") == 0)
		return LEDGER_PROGRAM;
	if (strncmp(name, "tool-", 5) == 0)
		rest = read_number(name + 5, &n);
	if (rest && *rest == '\0')
		return LEDGER_PROGRAM;
	if (!read_vm(name, &vm))
		return LEDGER_FOREIGN;
	*ret_vm = vm;
	return LEDGER_VM;
}

bool
ledger_user_read(const char *name, uint32_t *ret_uid)
{
	const char *rest = name[0] == 'u' ? read_number(name + 1, ret_uid) : NULL;

	return rest && *rest == '\0' && *ret_uid != UINT32_MAX;
}
