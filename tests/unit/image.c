/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A disk image is as large as its format says; what is no image, or no file, has no size.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/vm/open.h"
#include "worker/vm/image.h"

static char path[] = "/tmp/qemud-image-XXXXXX";

static void
put(const void *data, size_t size, off_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || ftruncate(fd, length) < 0)
		abort();
	(void)close(fd);
}

static void
test_raw(void)
{
	struct domain_disk disk = {.source = {.path = path, .format = DOMAIN_DISK_RAW}};
	struct image image;

	put("data", 4, 1 << 20);
	CHECK(image_read(&disk, &image) == 0);
	CHECK(image.capacity == 1 << 20 && image.physical == 1 << 20);
	CHECK(image.allocation > 0 && image.allocation < 1 << 20);
	put("", 0, 0);
	CHECK(image_read(&disk, &image) == 0 && image.capacity == 0 && image.allocation == 0);
}

static void
test_qcow2(void)
{
	static const uint8_t header[32] = {
		'Q', 'F', 'I', 0xfb, 0, 0, 0, 3, [24] = 0, 0, 0, 1, 2, 3, 4, 5};
	struct domain_disk disk = {.source = {.path = path, .format = DOMAIN_DISK_QCOW2}};
	uint8_t other[32];
	struct image image;

	put(header, sizeof(header), 4096);
	CHECK(image_read(&disk, &image) == 0);
	CHECK(image.capacity == UINT64_C(0x102030405) && image.physical == 4096);
	/* Too short, or no image: it has no capacity. */
	put(header, sizeof(header), 31);
	CHECK(image_read(&disk, &image) == 0 && image.capacity == 0 && image.physical == 31);
	memcpy(other, header, sizeof(other));
	other[3] = 0;
	put(other, sizeof(other), 4096);
	CHECK(image_read(&disk, &image) == 0 && image.capacity == 0);
}

static void
test_no_file(void)
{
	struct domain_disk disk = {.source = {.path = path, .format = DOMAIN_DISK_RAW}};
	struct image image;

	CHECK(unlink(path) == 0 && image_read(&disk, &image) == -ENOENT && image.physical == 0);
	CHECK(mkfifo(path, 0600) == 0 && image_read(&disk, &image) == VM_FILE_E_KIND);
	CHECK(unlink(path) == 0 && mkdir(path, 0700) == 0);
	CHECK(image_read(&disk, &image) == VM_FILE_E_KIND && image.physical == 0);
	CHECK(rmdir(path) == 0 && symlink("/proc/self/fd/0", path) == 0);
	CHECK(image_read(&disk, &image) != 0);
	CHECK(unlink(path) == 0);
}

int
main(void)
{
	if (mkstemp(path) < 0)
		return EXIT_FAILURE;
	TEST("raw: the file's length", test_raw);
	TEST("qcow2: what its header says, if it is one", test_qcow2);
	TEST("what is no file is not waited for", test_no_file);
	return TEST_END();
}
