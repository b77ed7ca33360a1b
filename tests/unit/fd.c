/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fd.c: all bytes are written and read, limits hold, and nothing stays open.
 */
#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/take.h"
#include "tests/unit/test.h"

static int
file_of(size_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	for (size_t i = 0; i < size; i++) {
		char c = (char)('a' + i % 26);

		CHECK(fd_write_all(fd, &c, 1) == 0);
	}
	(void)lseek(fd, 0, SEEK_SET);
	return fd;
}

static void
closes(void)
{
	int fd = file_of(0), copy = fd;

	errno = ENOENT;
	fd_close(&fd);
	CHECK(fd == -1 && errno == ENOENT && fcntl(copy, F_GETFD) < 0);
	errno = ENOENT;
	fd_close(&fd);
	CHECK(fd == -1 && errno == ENOENT);
}

static void
reads(void)
{
	static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 8191, 8192, 8193, 20000};

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t n = 99;
		fd_auto int fd = file_of(sizes[i]);
		free_auto char *data = NULL;
		free_auto char *none = NULL;

		CHECK(fd_read_all(fd, sizes[i], &data, &n) == 0);
		CHECK(n == sizes[i] && data && data[n] == '\0' && strlen(data) == n);
		(void)lseek(fd, 0, SEEK_SET);
		if (sizes[i] > 0)
			CHECK(fd_read_all(fd, sizes[i] - 1, &none, &n) == -EFBIG);
		CHECK(!none);
	}
}

static void
fails(void)
{
	free_auto char *data = NULL;
	fd_auto int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd_auto int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	size_t n;

	CHECK(fd_read_all(-1, 10, &data, &n) == -EBADF);
	CHECK(fd_read_all(dir, 10, &data, &n) == -EISDIR);
	CHECK(fd_write_all(-1, "x", 1) == -EBADF);
	CHECK(fd_write_all(full, "x", 1) == -ENOSPC);
	CHECK(fd_write_all(-1, "x", 0) == 0);
	CHECK(!data);
}

static void
writes_through_a_pipe(void)
{
	enum { SIZE = 300000 };
	fd_auto int rd = -1;
	free_auto char *sent = malloc(SIZE);
	free_auto char *got = NULL;
	size_t n = 0;
	int fds[2], status;
	pid_t pid;

	for (size_t i = 0; i < SIZE; i++)
		sent[i] = (char)(i * 7);
	CHECK(pipe2(fds, O_CLOEXEC) == 0);
	rd = fds[0];
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(fd_write_all(fds[1], sent, SIZE) != 0);
	(void)close(fds[1]);
	CHECK(fd_read_all(rd, SIZE, &got, &n) == 0);
	CHECK(n == SIZE && memcmp(got, sent, SIZE) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void
raises_limit(void)
{
	struct rlimit limit;

	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHECK(limit.rlim_max >= 64);
	limit.rlim_cur = 32;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHECK(fd_limit_raise(16) == 0);
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 32);
	CHECK(fd_limit_raise(64) == 0);
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 64);
	/* Above what the kernel gives anybody: as much as there may be, and told. */
	CHECK(fd_limit_raise(1ul << 40) == -EPERM);
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == limit.rlim_max);
}

int
main(void)
{
	TEST("a descriptor is closed once, and errno is kept", closes);
	TEST("a file is read whole, or refused when it is longer than allowed", reads);
	TEST("errors come as they are, and leave no buffer", fails);
	TEST("more than a pipe holds is written and read whole", writes_through_a_pipe);
	TEST("the limit of descriptors is raised as far as it may be", raises_limit);
	return TEST_END();
}
