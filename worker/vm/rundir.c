/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rundir.c: sockets and notes of the VMs that run; see rundir.h.
 *
 * Runs in the worker, as the user; never as root. The user can write here: nothing is opened
 * through a symbolic link, nothing that could make a reader wait, and what is not named as ours is
 * never touched.
 */
#include "worker/vm/rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/boot.h"
#include "lib/fd.h"
#include "lib/replace.h"
#include "lib/take.h"
#include "lib/uuid.h"

enum { BACKLOG = 8, UUID_LENGTH = UUID_TEXT_SIZE - 1 };

static const char kind_bytes[] = "abcdefghijklmnopqrstuvwxyz0123456789";

/* UUID.KIND: as long as a name can be, it fits into a socket's address. */
struct file_name {
	char text[UUID_LENGTH + 1 + RUNDIR_KIND_MAX + 1];
};

static bool
is_kind(const char *kind, size_t size)
{
	return size > 0 && size <= RUNDIR_KIND_MAX && strspn(kind, kind_bytes) >= size;
}

static int
make_name(const uint8_t uuid[static UUID_SIZE], const char *kind, struct file_name *ret)
{
	char text[UUID_TEXT_SIZE];

	if (!is_kind(kind, strlen(kind)))
		return -EINVAL;
	(void)snprintf(ret->text, sizeof(ret->text), "%s.%s", uuid_format(uuid, text), kind);
	return 0;
}

static bool
read_uuid(const char *text, uint8_t ret[static UUID_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	char again[UUID_TEXT_SIZE];
	unsigned n = 0;

	memset(ret, 0, UUID_SIZE);
	for (const char *p = text; *p && n < 2 * UUID_SIZE; p++) {
		const char *digit = strchr(digits, *p);

		if (*p == '-')
			continue;
		if (!digit)
			return false;
		ret[n / 2] = (uint8_t)(ret[n / 2] << 4 | (digit - digits));
		n++;
	}
	/* Only what uuid_format() writes is ours. */
	return n == 2 * UUID_SIZE && strncmp(text, uuid_format(ret, again), UUID_LENGTH) == 0;
}

/* Reads UUID.KIND, or .UUID.KIND.new, which a crash leaves (lib/replace.h). */
static bool
read_name(const char *name, uint8_t ret_uuid[static UUID_SIZE])
{
	bool temporary = *name == '.';
	const char *kind;
	size_t n;

	name += temporary;
	if (!read_uuid(name, ret_uuid) || name[UUID_LENGTH] != '.')
		return false;
	kind = name + UUID_LENGTH + 1;
	n = strspn(kind, kind_bytes);
	return is_kind(kind, n) && strcmp(kind + n, temporary ? ".new" : "") == 0;
}

int
rundir_enter(const char *path, const char **ret_why)
{
	fd_auto int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	*ret_why = NULL;
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid())
		*ret_why = "belongs to somebody else; the administrator removes it, and the "
			   "broker makes a new one";
	else if ((st.st_mode & 07777) != 0700)
		*ret_why = "must have mode 0700; look at what is in it, then chmod 0700";
	if (*ret_why)
		return -EPERM;
	return fchdir(fd) < 0 ? -errno : 0;
}

/* --- sockets ------------------------------------------------------------------------------ */

static int
make_address(const uint8_t uuid[static UUID_SIZE], const char *kind, struct sockaddr_un *ret)
{
	struct file_name name;
	int r = make_name(uuid, kind, &name);

	_Static_assert(sizeof(name.text) <= sizeof(ret->sun_path), "a name is an address");
	if (r < 0)
		return r;
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(ret->sun_path, name.text, sizeof(name.text));
	return 0;
}

static int
make_socket(int type)
{
	return socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int
rundir_listen(const uint8_t uuid[static UUID_SIZE], const char *kind, int type, int *ret_fd)
{
	fd_auto int fd = -1;
	struct sockaddr_un address;
	int r = make_address(uuid, kind, &address);

	if (r < 0)
		return r;
	if (unlinkat(AT_FDCWD, address.sun_path, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = make_socket(type);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, BACKLOG) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

int
rundir_connect(const uint8_t uuid[static UUID_SIZE], const char *kind, int type, int *ret_fd)
{
	fd_auto int fd = -1;
	struct sockaddr_un address;
	struct stat st;
	int r = make_address(uuid, kind, &address);

	if (r < 0)
		return r;
	if (fstatat(AT_FDCWD, address.sun_path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	/* connect() would follow a link to whoever listens there. */
	if (!S_ISSOCK(st.st_mode))
		return -ECONNREFUSED;
	fd = make_socket(type);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

/* --- files -------------------------------------------------------------------------------- */

static int
open_folder(void)
{
	return open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int
rundir_write(const uint8_t uuid[static UUID_SIZE], const char *kind, const char *text, size_t size)
{
	fd_auto int dir_fd = -1;
	struct file_name name;
	int r = make_name(uuid, kind, &name);

	if (r < 0)
		return r;
	if (size > RUNDIR_FILE_MAX)
		return -EFBIG;
	dir_fd = open_folder();
	if (dir_fd < 0)
		return -errno;
	r = replace_file(dir_fd, name.text, text, size, 0600);
	/* Better none than one that has become untrue. */
	if (r < 0)
		(void)unlinkat(dir_fd, name.text, 0);
	return r;
}

int
rundir_read(
	const uint8_t uuid[static UUID_SIZE], const char *kind, char **ret_text, size_t *ret_size)
{
	fd_auto int fd = -1;
	struct file_name name;
	struct stat st;
	int r = make_name(uuid, kind, &name);

	if (r < 0)
		return r;
	fd = open(name.text, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	/* A symbolic link, a socket. */
	if (fd < 0 && (errno == ELOOP || errno == ENXIO))
		return -EPERM;
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return -EPERM;
	return fd_read_all(fd, RUNDIR_FILE_MAX, ret_text, ret_size);
}

/* --- the end of a VM ---------------------------------------------------------------------- */

typedef bool keep_fn(void *arg, const uint8_t uuid[static UUID_SIZE]);

static void
take_cleanup_dir(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

/* Removes what is ours and is not kept. A folder of such a name stays: we make none. */
static int
remove_all_but(keep_fn *keep, void *arg)
{
	fd_auto int fd = open_folder();
	AUTO(take_cleanup_dir) DIR *dir = NULL;
	struct dirent *entry;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	(void)take_fd(&fd);
	while (errno = 0, (entry = readdir(dir)) != NULL) {
		uint8_t uuid[UUID_SIZE];

		if (read_name(entry->d_name, uuid) && !keep(arg, uuid))
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	}
	return -errno;
}

static bool
is_another(void *arg, const uint8_t uuid[static UUID_SIZE])
{
	return memcmp(arg, uuid, UUID_SIZE) != 0;
}

void
rundir_remove(const uint8_t uuid[static UUID_SIZE])
{
	uint8_t which[UUID_SIZE];

	memcpy(which, uuid, sizeof(which));
	(void)remove_all_but(is_another, which);
}

/* Is there a mark of that name with that text? A link, or what is no file, is none, and is replaced. */
static bool
is_marked(int dir_fd, const char *name, const char *want)
{
	fd_auto int fd =
		openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	char text[BOOT_ID_SIZE] = "";

	/* As long as it may be, so that more shows. */
	return fd >= 0 && read(fd, text, sizeof(text)) == (ssize_t)strlen(want) &&
	       memcmp(text, want, strlen(want)) == 0;
}

int
rundir_mark(const char *name)
{
	fd_auto int dir_fd = open_folder();
	char boot[BOOT_ID_SIZE];
	int r = dir_fd < 0 ? -errno : boot_id(boot);

	if (r < 0)
		return r;
	if (is_marked(dir_fd, name, boot))
		return -EEXIST;
	return replace_file(dir_fd, name, boot, strlen(boot), 0600);
}

int
rundir_sweep(bool (*is_running)(void *arg, const uint8_t uuid[static 16]), void *arg)
{
	return remove_all_but(is_running, arg);
}
