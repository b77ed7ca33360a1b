/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chardev.c: the files and sockets that are the host's ends of a VM's character devices.
 *
 * Runs in the worker, as the user; never as root. Removes nothing but sockets, and those only where
 * nobody listens.
 */
#include "worker/vm/chardev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/take.h"
#include "protocol/rpc/procedure.h"
#include "worker/domain/devices.h"
#include "worker/vm/log.h"
#include "worker/vm/open.h"

enum { BACKLOG = 8 };

void
vm_chardev_kind(unsigned index, char out[static RUNDIR_KIND_MAX + 1])
{
	(void)snprintf(out, RUNDIR_KIND_MAX + 1, "char%u", index);
}

int
vm_chardev_listen(
	const uint8_t uuid[static 16], const char *kind, struct rpc_error *error, int *ret_fd)
{
	int r = rundir_listen(uuid, kind, SOCK_STREAM, ret_fd);

	if (r < 0)
		return rpc_error_set_errno(error, -r, VIR_FROM_QEMU,
			"cannot make the socket \"%s\" in the run-time folder of your VMs", kind);
	return RPC_DONE;
}

/* --- sockets at paths of the user's ------------------------------------------------------- */

static int
make_socket(const char *path, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	ASSERT(strlen(path) <= DOMAIN_SOCKET_PATH_MAX);
	memcpy(ret->sun_path, path, strlen(path));
	return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* Returns 0 or a negative errno; -ECONNREFUSED when nobody listens. */
static int
connect_at(const char *path, int *ret_fd)
{
	struct sockaddr_un address;
	fd_auto int fd = make_socket(path, &address);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

/* What a VM before has left there goes; nothing else does. Returns 0 or a negative errno. */
static int
clear_way(const char *path)
{
	fd_auto int fd = -1;
	struct stat st;
	int r;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	r = connect_at(path, &fd);
	if (r == 0 || r == -EAGAIN)
		return -EADDRINUSE;
	if (r != -ECONNREFUSED)
		return r;
	return unlinkat(AT_FDCWD, path, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int
listen_at(const char *path, int *ret_fd)
{
	struct sockaddr_un address;
	fd_auto int fd = -1;
	int r = clear_way(path);

	if (r < 0)
		return r;
	fd = make_socket(path, &address);
	/* The file that is made has the mode of the socket. */
	if (fd < 0 || fchmod(fd, 0600) < 0 ||
		bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, BACKLOG) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

static int
open_socket(const struct domain_chardev *chardev, struct rpc_error *error, int *ret_fd)
{
	const char *path = chardev->path;
	int r = chardev->connect ? connect_at(path, ret_fd) : listen_at(path, ret_fd);

	if (r == 0)
		return RPC_DONE;
	if (chardev->connect)
		return rpc_error_set_errno(
			error, -r, VIR_FROM_QEMU, "Failed to connect to '%s'", path);
	if (r == -EEXIST)
		return rpc_error_set(error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
			"operation failed: '%s' is there already, and is no socket", path);
	return rpc_error_set_errno(error, -r, VIR_FROM_QEMU, "Failed to bind socket to '%s'", path);
}

int
vm_chardev_connect(const struct domain_chardev *chardev, struct rpc_error *error, int *ret_fd)
{
	int r;

	ASSERT(chardev->type == DOMAIN_CHARDEV_UNIX && !chardev->connect);
	r = connect_at(chardev->path, ret_fd);
	return r == 0 ? RPC_DONE
		      : rpc_error_set_errno(error, -r, VIR_FROM_QEMU, "Failed to connect to '%s'",
				chardev->path);
}

/* --- files -------------------------------------------------------------------------------- */

/* QEMU appends to what is there, or to nothing. */
static int
open_file(const char *path, enum domain_switch append, struct rpc_error *error, int *ret_fd)
{
	fd_auto int fd = -1;
	struct stat st;
	int r = vm_file_open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, S_IFREG, &fd, &st);

	if (r == VM_FILE_E_KIND || r == -ELOOP)
		return rpc_error_set(error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_QEMU,
			"unsupported configuration: '%s' of a character device is no regular file "
			"(nor is anything below /proc, /sys or /dev/fd, or a symbolic link)",
			path);
	if (r == 0 && append != DOMAIN_ON && ftruncate(fd, 0) < 0)
		r = -errno;
	if (r < 0)
		return rpc_error_set_errno(
			error, -r, VIR_FROM_QEMU, "cannot open '%s' of a character device", path);
	*ret_fd = take_fd(&fd);
	return RPC_DONE;
}

int
vm_chardev_open(const struct domain_def *live, const struct qemu_command_fd *fd,
	struct rpc_error *error, int *ret_fd)
{
	const struct domain_chardev *chardev = domain_chardev_at(live, fd->index);
	char kind[RUNDIR_KIND_MAX + 1];

	ASSERT(chardev && chardev->type != DOMAIN_CHARDEV_NULL);
	if (chardev->type == DOMAIN_CHARDEV_UNIX)
		return open_socket(chardev, error, ret_fd);
	if (chardev->type == DOMAIN_CHARDEV_FILE)
		return open_file(chardev->path, chardev->append, error, ret_fd);
	vm_chardev_kind(fd->index, kind);
	return vm_chardev_listen(live->uuid, kind, error, ret_fd);
}

int
vm_chardev_open_log(const struct domain_def *live, const struct qemu_command_fd *fd,
	struct rpc_error *error, int *ret_fd)
{
	const struct domain_chardev *chardev = domain_chardev_at(live, fd->index);

	ASSERT(chardev && chardev->log);
	return open_file(chardev->log, chardev->log_append, error, ret_fd);
}

/* --- while it runs, and when it has ended ------------------------------------------------- */

void
vm_chardev_trim(const struct domain_def *live)
{
	struct domain_cursor at = {0};
	const struct domain_chardev *chardev;

	while ((chardev = domain_chardev_next(live, &at))) {
		if (chardev->type == DOMAIN_CHARDEV_FILE)
			vm_log_trim_file(chardev->path, VM_CHARDEV_FILE_MAX);
		if (chardev->log)
			vm_log_trim_file(chardev->log, VM_CHARDEV_FILE_MAX);
	}
}

void
vm_chardev_remove(const struct domain_def *live)
{
	struct domain_cursor at = {0};
	const struct domain_chardev *chardev;

	while ((chardev = domain_chardev_next(live, &at)))
		if (chardev->type == DOMAIN_CHARDEV_UNIX && !chardev->connect && chardev->path)
			(void)clear_way(chardev->path);
}
