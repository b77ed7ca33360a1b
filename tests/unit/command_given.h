/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_given.h: what a machine works with when its command is tried: images, kernels, files and
 * sockets in a folder of the test's own (box_given.h).
 */
#ifndef TESTS_UNIT_COMMAND_GIVEN_H
#define TESTS_UNIT_COMMAND_GIVEN_H

#include <dirent.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "lib/take.h"
#include "tests/unit/box_given.h"
#include "worker/domain/def.h"
#include "worker/qemu/command.h"

enum { DISK_SIZE = 1 << 20, FLOPPY_SIZE = 1440 * 1024, KERNEL_SIZE = 32 * 1024 };

static bool has_backing; /* of the qcow2 images that are made */

static inline struct sockaddr_un
address(const char *name)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", in_folder(name));
	return at;
}

static inline int
listener(const char *name)
{
	struct sockaddr_un at = address(name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)unlink(at.sun_path);
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 4) < 0)
		abort();
	return fd;
}

/* Connected, and nobody waits for ever. */
static inline int
client(const char *name)
{
	struct sockaddr_un at = address(name);
	struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
		connect(fd, (const struct sockaddr *)&at, sizeof(at)) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* Says '!' on the first serial port and switches the machine off: ports of every PC with SeaBIOS. */
static const uint8_t boot_sector[] = {
	0xba, 0xf8, 0x03, /* mov dx, 0x3f8: the serial port */
	0xb0, '!',        /* mov al, '!' */
	0xee,             /* out dx, al */
	0xba, 0x04, 0x06, /* mov dx, 0x604: ACPI's control of power */
	0xb8, 0x00, 0x20, /* mov ax, 0x2000: sleep, and do not wake */
	0xef,             /* out dx, ax */
	0xf4, 0xeb, 0xfd, /* hlt, for ever */
};

/* backing: of raw format; or NULL. */
static inline void
make_qcow2(const char *path, const char *backing)
{
	char command[256];
	int n = snprintf(command, sizeof(command), "qemu-img create -q -f qcow2 %s%s %s 1M",
		backing ? "-F raw -b " : "", backing ? backing : "", path);

	/* The names are the test's own. */
	CHECK(n > 0 && system(command) == 0);
}

static inline int
make_disk(const struct domain_disk *disk, unsigned layer, bool bootable)
{
	static const uint8_t signature[] = {0x55, 0xaa};
	const struct domain_layer *l = layer > 0 ? &disk->backing[layer - 1] : &disk->source;
	bool readonly = layer > 0 || disk->readonly;
	char path[96], name[32];
	fd_auto int fd = -1;

	(void)snprintf(name, sizeof(name), "%s-%u", disk->target, layer);
	(void)snprintf(path, sizeof(path), "%s", in_folder(name));
	(void)unlink(path);
	if (l->format == DOMAIN_DISK_QCOW2)
		make_qcow2(path, has_backing ? in_folder("base") : NULL);
	else
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0 && ftruncate(fd, disk->what == DOMAIN_FLOPPY ? FLOPPY_SIZE : DISK_SIZE) < 0)
		abort();
	if (fd >= 0 && bootable &&
		(pwrite(fd, boot_sector, sizeof(boot_sector), 0) < 0 ||
			pwrite(fd, signature, sizeof(signature), 510) < 0))
		abort();
	return open(path, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
}

/* As much of Linux as QEMU looks at (Documentation/x86/boot.rst); no machine here runs it. */
static inline int
make_kernel(void)
{
	static uint8_t image[KERNEL_SIZE];

	image[0x1f1] = 4; /* sectors of its first part */
	image[0x1fe] = 0x55;
	image[0x1ff] = 0xaa;
	memcpy(image + 0x202, "HdrS", 4);
	image[0x206] = 0x0c; /* protocol 2.12 */
	image[0x207] = 0x02;
	image[0x211] = 0x01;                          /* loaded high */
	memcpy(image + 0x22c, "\xff\xff\xff\x7f", 4); /* where an initrd ends at most */
	return memfd_make("kernel", (const char *)image, sizeof(image));
}

static inline int
make_file(unsigned index, const char *kind)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "%s%u", kind, index);
	return open(in_folder(name), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* Nobody is at the other end of a socket that is connected already. */
static inline int
make_connected(void)
{
	int pair[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	(void)close(pair[1]);
	return pair[0];
}

static inline int
open_chardev(const struct domain_def *def, unsigned index)
{
	const struct domain_chardev *chardev = domain_chardev_at(def, index);
	char name[32];

	if (chardev->type == DOMAIN_CHARDEV_FILE)
		return make_file(index, "file");
	if (chardev->connect)
		return make_connected();
	(void)snprintf(name, sizeof(name), "serial%u", index);
	return listener(name);
}

/* The boot sector goes to the disk with order 1. */
static inline int
open_file(const struct domain_def *def, const struct qemu_command_fd *file)
{
	switch (file->file) {
	case QEMU_FILE_MONITOR:
		return listener("qmp");
	case QEMU_FILE_CHARDEV:
		return open_chardev(def, file->index);
	case QEMU_FILE_CHARDEV_LOG:
		return make_file(file->index, "log");
	case QEMU_FILE_DISK:
		return make_disk(&def->disks[file->index], file->layer,
			def->disks[file->index].device.boot_order == 1);
	case QEMU_FILE_INTERFACE:
		return make_connected();
	case QEMU_FILE_KERNEL:
		return make_kernel();
	case QEMU_FILE_INITRD:
		return memfd_make("initrd", "initrd", 6);
	}
	abort();
}

static inline void
empty_folder(void)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		(void)closedir(dir);
}

#endif
