/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files.c: what is opened for a VM; see files.h.
 *
 * Runs in the worker, as the user; never as root.
 */
#include "worker/vm/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/memfd.h"
#include "lib/take.h"
#include "protocol/rpc/procedure.h"
#include "worker/vm/chardev.h"
#include "worker/vm/open.h"
#include "worker/vm/rundir.h"

enum { BUFFER = 32 * 1024 };

/* --- disks and listeners ------------------------------------------------------------------ */

static int
open_disk(const struct domain_def *live, const struct qemu_command_fd *fd, struct rpc_error *error,
	int *ret_fd)
{
	const struct domain_disk *disk = &live->disks[fd->index];

	return vm_open_layer(disk, fd->layer, disk->readonly || fd->layer > 0, error, ret_fd);
}

static int
open_monitor(const struct domain_def *live, const struct qemu_command_fd *fd,
	struct rpc_error *error, int *ret_fd)
{
	(void)fd;
	return vm_chardev_listen(live->uuid, "qmp", error, ret_fd);
}

/* What is not here is a copy, and comes with vm_files_copy(), or an interface (interfaces.h). */
static int (*const openers[])(const struct domain_def *live, const struct qemu_command_fd *fd,
	struct rpc_error *error, int *ret_fd) = {
	[QEMU_FILE_MONITOR] = open_monitor,
	[QEMU_FILE_CHARDEV] = vm_chardev_open,
	[QEMU_FILE_CHARDEV_LOG] = vm_chardev_open_log,
	[QEMU_FILE_DISK] = open_disk,
	[QEMU_FILE_KERNEL] = NULL,
	[QEMU_FILE_INITRD] = NULL,
};

/* The next one from this index on that has to be copied; n_fds: none. */
static unsigned
next_copy(const struct qemu_command *command, unsigned from)
{
	while (from < command->n_fds && command->fds[from].file != QEMU_FILE_KERNEL &&
		command->fds[from].file != QEMU_FILE_INITRD)
		from++;
	return from;
}

void
vm_files_init(struct vm_files *files)
{
	*files = (struct vm_files){.source_fd = -1};
}

static int
open_one(const struct domain_def *live, const struct qemu_command_fd *fd, struct rpc_error *error,
	int *ret_fd)
{
	if (!openers[fd->file])
		return RPC_DONE;
	return openers[fd->file](live, fd, error, ret_fd);
}

int
vm_files_open(struct vm_files *files, const struct domain_def *live,
	const struct qemu_command *command, struct rpc_error *error)
{
	int r = RPC_DONE;

	ASSERT(files->n == 0 && command->n_fds <= PLAN_FDS_MAX);
	files->n = command->n_fds;
	files->copying = next_copy(command, 0);
	for (unsigned i = 0; i < files->n; i++)
		files->fds[i] = -1;
	for (unsigned i = 0; i < files->n && r == RPC_DONE; i++)
		r = open_one(live, &command->fds[i], error, &files->fds[i]);
	return r;
}

/* --- copies ------------------------------------------------------------------------------- */

/* What is being copied, for people. */
struct copy {
	const char *what, *path;
	int fd; /* the memfd; as large as the source was when it was opened */
};

static struct copy
copy_of(const struct vm_files *files, const struct domain_def *live,
	const struct qemu_command *command)
{
	bool kernel = command->fds[files->copying].file == QEMU_FILE_KERNEL;

	return (struct copy){.what = kernel ? "kernel" : "initrd",
		.path = kernel ? live->os.kernel : live->os.initrd,
		.fd = files->fds[files->copying]};
}

static int
refuse_copy(const struct copy *copy, struct rpc_error *error, const char *why)
{
	return rpc_error_set(error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_QEMU,
		"unsupported configuration: %s '%s' %s", copy->what, copy->path, why);
}

static int
no_memory(const struct copy *copy, struct rpc_error *error, int err)
{
	return rpc_error_set_errno(error, err, VIR_FROM_QEMU,
		"cannot hold %s '%s' in memory; stop what you do not need, or give a smaller one",
		copy->what, copy->path);
}

static int
begin_copy(struct vm_files *files, const struct copy *copy, struct rpc_error *error)
{
	char why[100];
	struct stat st;
	int r = vm_file_open(copy->path, O_RDONLY, S_IFREG, &files->source_fd, &st);

	if (r == VM_FILE_E_KIND)
		return refuse_copy(copy, error, "is not a regular file: give the file itself");
	if (r < 0)
		return rpc_error_set_errno(error, -r, VIR_FROM_QEMU,
			"cannot open %s '%s'; give a file that you can read", copy->what,
			copy->path);
	if (st.st_size == 0)
		return refuse_copy(copy, error, "is empty: write it anew");
	if (st.st_size > VM_FILES_COPY_MAX) {
		(void)snprintf(why, sizeof(why), "has %jd bytes, %d are as many as it may have",
			(intmax_t)st.st_size, VM_FILES_COPY_MAX);
		return refuse_copy(copy, error, why);
	}
	files->copied = 0;
	r = memfd_begin(copy->what);
	if (r < 0)
		return no_memory(copy, error, -r);
	files->fds[files->copying] = r;
	return ftruncate(r, st.st_size) < 0 ? no_memory(copy, error, errno) : RPC_DONE;
}

static int
changed(const struct copy *copy, struct rpc_error *error)
{
	return rpc_error_set(error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
		"operation failed: %s '%s' changed while it was read; start again when it is whole",
		copy->what, copy->path);
}

/* Returns RPC_DONE when the copy is whole and sealed. */
static int
copy_piece(struct vm_files *files, const struct copy *copy, struct rpc_error *error)
{
	char buffer[BUFFER];
	uint64_t size, end;
	struct stat st;
	ssize_t n;
	int r;

	if (fstat(copy->fd, &st) < 0)
		return no_memory(copy, error, errno);
	size = (uint64_t)st.st_size;
	end = size - files->copied > VM_FILES_PIECE ? files->copied + VM_FILES_PIECE : size;
	while (files->copied < end) {
		uint64_t left = end - files->copied;

		n = pread(files->source_fd, buffer, left < BUFFER ? left : BUFFER,
			(off_t)files->copied);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return rpc_error_set_errno(error, errno, VIR_FROM_QEMU,
				"cannot read %s '%s'", copy->what, copy->path);
		if (n == 0)
			return changed(copy, error);
		r = fd_write_all(copy->fd, buffer, (size_t)n);
		if (r < 0)
			return no_memory(copy, error, -r);
		files->copied += (uint64_t)n;
	}
	if (end < size)
		return RPC_LATER;
	/* Nor may it have grown. */
	if (pread(files->source_fd, buffer, 1, (off_t)size) != 0)
		return changed(copy, error);
	r = memfd_seal(copy->fd);
	return r < 0 ? no_memory(copy, error, -r) : RPC_DONE;
}

int
vm_files_copy(struct vm_files *files, const struct domain_def *live,
	const struct qemu_command *command, struct rpc_error *error)
{
	struct copy copy;
	int r = RPC_DONE;

	if (files->copying == files->n)
		return RPC_DONE;
	copy = copy_of(files, live, command);
	if (files->source_fd < 0) {
		r = begin_copy(files, &copy, error);
		copy.fd = files->fds[files->copying];
	}
	if (r == RPC_DONE)
		r = copy_piece(files, &copy, error);
	if (r != RPC_DONE)
		return r;
	fd_close(&files->source_fd);
	files->copying = next_copy(command, files->copying + 1);
	return files->copying < files->n ? RPC_LATER : RPC_DONE;
}

void
vm_files_close(struct vm_files *files)
{
	for (unsigned i = 0; i < files->n; i++)
		fd_close(&files->fds[i]);
	fd_close(&files->source_fd);
	vm_files_init(files);
}
