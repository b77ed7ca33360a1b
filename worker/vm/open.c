/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * open.c: opens files by the names that a definition has; see open.h.
 *
 * Runs in the worker, as the user; never as root. Which files she names is her own matter: she gets
 * what she may open. What a path may never do is reach the worker's own descriptors
 * (/proc/self/fd), or be a fifo, a device or some switch of the kernel's, which could hold the worker
 * up. A file system of hers that does not answer holds it up all the same, and nobody else.
 */
#include "worker/vm/open.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/take.h"
#include "protocol/rpc/procedure.h"

/* statfs(2): file systems whose files are not what somebody has stored there. */
static const unsigned long kernels[] = {PROC_SUPER_MAGIC, SYSFS_MAGIC, CGROUP_SUPER_MAGIC,
	CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC, TRACEFS_MAGIC, SECURITYFS_MAGIC, SELINUX_MAGIC,
	BPF_FS_MAGIC, PSTOREFS_MAGIC, EFIVARFS_MAGIC};

static bool
is_kernels(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return true;
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++)
		if ((unsigned long)fs.f_type == kernels[i])
			return true;
	return false;
}

int
vm_file_open(const char *path, int flags, mode_t type, int *ret_fd, struct stat *ret_st)
{
	struct open_how how = {.flags = (unsigned)(flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC),
		.mode = flags & O_CREAT ? 0600 : 0,
		.resolve = RESOLVE_NO_MAGICLINKS};
	fd_auto int fd = -1;
	int status;

	/* Before it is opened: opening a device or a pipe can be an act. */
	if (stat(path, ret_st) < 0) {
		if (errno != ENOENT || !(flags & O_CREAT))
			return -errno;
	} else if ((ret_st->st_mode & S_IFMT) != type) {
		return VM_FILE_E_KIND;
	}
	fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	/* stat() found no circle of links: one of them is a descriptor's in /proc. */
	if (fd < 0 && errno == ELOOP)
		return VM_FILE_E_KIND;
	if (fd < 0 || fstat(fd, ret_st) < 0)
		return -errno;
	if ((ret_st->st_mode & S_IFMT) != type || is_kernels(fd))
		return VM_FILE_E_KIND;
	status = fcntl(fd, F_GETFL);
	if (status < 0 || fcntl(fd, F_SETFL, status & ~O_NONBLOCK) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

static int
refuse_kind(
	const struct domain_disk *disk, const struct domain_layer *layer, struct rpc_error *error)
{
	return rpc_error_set(error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_STORAGE,
		layer->type == DOMAIN_LAYER_BLOCK
			? "unsupported configuration: '%s' of disk '%s' is not a block device: "
			  "give an image file with <disk type='file'>"
			: "unsupported configuration: '%s' of disk '%s' is not a regular file "
			  "(nor is anything below /proc, /sys or /dev/fd): give an image file, or "
			  "a block device with <disk type='block'>",
		layer->path, disk->target);
}

int
vm_open_layer(const struct domain_disk *disk, size_t layer, bool readonly, struct rpc_error *error,
	int *ret_fd)
{
	const struct domain_layer *l = layer > 0 ? &disk->backing[layer - 1] : &disk->source;
	const struct domain_layer *above = layer > 1 ? &disk->backing[layer - 2] : &disk->source;
	struct stat st;
	int r = vm_file_open(l->path, readonly ? O_RDONLY : O_RDWR,
		l->type == DOMAIN_LAYER_BLOCK ? S_IFBLK : S_IFREG, ret_fd, &st);

	if (r == VM_FILE_E_KIND)
		return refuse_kind(disk, l, error);
	if (r < 0 && layer > 0)
		return rpc_error_set_errno(error, -r, VIR_FROM_STORAGE,
			"Cannot access backing file '%s' of storage file '%s'", l->path,
			above->path);
	if (r < 0)
		return rpc_error_set_errno(
			error, -r, VIR_FROM_STORAGE, "Cannot access storage file '%s'", l->path);
	return RPC_DONE;
}
