/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memfd.c: only a sealed memfd of an allowed size is read, and it is read whole.
 */
#include "lib/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/take.h"
#include "tests/unit/test.h"

static void
travels(void)
{
	static const size_t sizes[] = {1, 2, 4095, 4096, 4097, MEMFD_TEXT_MAX};
	char sent[MEMFD_TEXT_MAX];

	for (size_t i = 0; i < sizeof sent; i++)
		sent[i] = (char)(i * 13);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		fd_auto int fd = memfd_make("test", sent, sizes[i]);
		free_auto char *data = NULL;
		free_auto char *again = NULL;
		size_t n = 0;

		CHECK(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
		CHECK(memfd_read(fd, MEMFD_TEXT_MAX, &data, &n) == 0);
		CHECK(n == sizes[i] && data && memcmp(data, sent, n) == 0 && data[n] == '\0');
		/* The offset, which the writer shares, is neither used nor moved. */
		CHECK(memfd_read(fd, sizes[i], &again, &n) == 0 && n == sizes[i]);
	}
}

static void
cannot_change(void)
{
	fd_auto int fd = memfd_make("test", "text", 4);

	CHECK(pwrite(fd, "X", 1, 0) < 0 && errno == EPERM);
	CHECK(ftruncate(fd, 2) < 0 && ftruncate(fd, 8) < 0);
	CHECK(mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	CHECK(fcntl(fd, F_ADD_SEALS, 0) < 0);
}

static int
read_it(int fd, size_t max)
{
	char *data = NULL;
	size_t n = 0;
	int r = memfd_read(fd, max, &data, &n);

	CHECK(r == 0 || !data);
	free(data);
	return r;
}

static void
wants_a_size(void)
{
	fd_auto int empty = memfd_make("test", "", 0);
	fd_auto int five = memfd_make("test", "12345", 5);

	CHECK(read_it(empty, 10) == MEMFD_E_SIZE);
	CHECK(read_it(five, 4) == MEMFD_E_SIZE);
	CHECK(read_it(five, 5) == 0);
}

static void
wants_every_seal(void)
{
	static const int all[] = {F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE};

	for (unsigned set = 0; set < 16; set++) {
		fd_auto int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		int seals = 0;

		CHECK(fd_write_all(fd, "text", 4) == 0);
		for (unsigned i = 0; i < 4; i++)
			if (set & 1u << i)
				seals |= all[i];
		CHECK(fcntl(fd, F_ADD_SEALS, seals) == 0);
		CHECK(read_it(fd, 10) == (set == 15 ? 0 : MEMFD_E_NOT_SEALED));
	}
}

static void
wants_a_memfd(void)
{
	fd_auto int good = memfd_make("test", "text", 4);
	fd_auto int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	fd_auto int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	fd_auto int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd_auto int pipe_rd = -1;
	fd_auto int pipe_wr = -1;
	fd_auto int path = -1;
	fd_auto int plain = memfd_create("test", MFD_CLOEXEC);
	char name[64];
	int fds[2];

	CHECK(pipe2(fds, O_CLOEXEC) == 0);
	pipe_rd = fds[0];
	pipe_wr = fds[1];
	(void)snprintf(name, sizeof name, "/proc/self/fd/%d", good);
	path = open(name, O_PATH | O_CLOEXEC);
	CHECK(path >= 0 && pipe_wr >= 0);
	CHECK(read_it(file, 1 << 30) == MEMFD_E_NOT_SEALED);
	CHECK(read_it(zero, 10) == MEMFD_E_NOT_SEALED);
	CHECK(read_it(dir, 10) == MEMFD_E_NOT_SEALED);
	CHECK(read_it(pipe_rd, 10) == MEMFD_E_NOT_SEALED); /* and does not wait */
	CHECK(read_it(path, 10) == MEMFD_E_NOT_SEALED);
	CHECK(read_it(plain, 10) == MEMFD_E_NOT_SEALED);
	CHECK(read_it(good, 10) == 0);
}

static void
wants_to_be_readable(void)
{
	fd_auto int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	fd_auto int write_only = -1;
	char name[64];

	CHECK(fd_write_all(fd, "text", 4) == 0);
	(void)snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	write_only = open(name, O_WRONLY | O_CLOEXEC);
	CHECK(write_only >= 0);
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) ==
		0);
	CHECK(read_it(write_only, 10) == MEMFD_E_NOT_SEALED);
	CHECK(read_it(fd, 10) == 0);
}

int
main(void)
{
	TEST("bytes travel whole, more than once", travels);
	TEST("nobody can change what was made", cannot_change);
	TEST("empty and too large are refused", wants_a_size);
	TEST("every one of the four seals is needed", wants_every_seal);
	TEST("what is no sealed memfd is refused, without waiting", wants_a_memfd);
	TEST("a descriptor that cannot be read is refused", wants_to_be_readable);
	return TEST_END();
}
