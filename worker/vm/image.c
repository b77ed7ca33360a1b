/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image.c: how large a disk image is; see image.h.
 *
 * Runs in the worker, as the user. Format: QEMU's docs/interop/qcow2.txt.
 */
#include "worker/vm/image.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/take.h"
#include "worker/vm/open.h"

enum { BLOCK = 512 /* the unit of st_blocks */ };

/* The beginning of a qcow2 image: big endian. */
struct qcow2_header {
	char magic[4]; /* "QFI\xfb" */
	uint32_t version;
	uint64_t backing_file_offset;
	uint32_t backing_file_size, cluster_bits;
	uint64_t size;
};

static uint64_t
qcow2_capacity(int fd)
{
	struct qcow2_header header;
	ssize_t n = pread(fd, &header, sizeof(header), 0);

	if (n != (ssize_t)sizeof(header) || memcmp(header.magic, "QFI\xfb", 4) != 0)
		return 0;
	return be64toh(header.size);
}

int
image_read(const struct domain_disk *disk, struct image *ret)
{
	fd_auto int fd = -1;
	struct stat st;
	int r = vm_file_open(disk->source.path, O_RDONLY,
		disk->source.type == DOMAIN_LAYER_BLOCK ? S_IFBLK : S_IFREG, &fd, &st);

	*ret = (struct image){.capacity = 0};
	if (r)
		return r;
	ret->physical = (uint64_t)st.st_size;
	ret->allocation = (uint64_t)st.st_blocks * BLOCK;
	if (S_ISBLK(st.st_mode)) {
		off_t end = lseek(fd, 0, SEEK_END);

		if (end < 0)
			return -errno;
		ret->physical = ret->allocation = (uint64_t)end;
	}
	ret->capacity =
		disk->source.format == DOMAIN_DISK_QCOW2 ? qcow2_capacity(fd) : ret->physical;
	return 0;
}
