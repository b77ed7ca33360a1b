/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * box_img.c: real qemu-img works in the box on the images it was given, and reaches no other.
 *
 * The test is the worker.
 */
#include "tests/unit/box_given.h"

enum { FD_OUT = 1, FD_DISK = 20 };

/* Run qemu-img with these arguments on what was given; its exit status. */
static int
tool(struct seed *seed, enum plan_profile profile)
{
	int status = -1;

	plan.program = PLAN_QEMU_IMG;
	plan.profile = profile;
	*seed = seed_start();
	CHECK(became(seed));
	CHECK(waitpid(seed->pid, &status, 0) == seed->pid);
	(void)close(seed->sock);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -status;
}

static void
images_are_worked_on(void)
{
	int out[2];
	char text[4096];
	ssize_t n;
	struct seed seed;

	plan_init(&plan);
	give(open_disk("new", O_RDWR), FD_DISK);
	ARGUMENTS("create", "-q", "-f", "qcow2", "/proc/self/fd/20", "64M");
	CHECK(tool(&seed, PLAN_TOOL) == 0);
	(void)close(seed.log_fd);

	/* Its output apart from its complaints. */
	if (pipe2(out, O_CLOEXEC) < 0)
		abort();
	plan_init(&plan);
	give(open_disk("new", O_RDONLY), FD_DISK);
	give(out[1], FD_OUT);
	ARGUMENTS("info", "--output=json", "/proc/self/fd/20");
	CHECK(tool(&seed, PLAN_PROBE) == 0);
	n = read(out[0], text, sizeof text - 1);
	text[n < 0 ? 0 : n] = '\0';
	CHECK(text[0] == '{' && strstr(text, "\"virtual-size\": 67108864"));
	CHECK_STR(seed_log(&seed), "");
	(void)close(seed.log_fd);
	(void)close(out[0]);

	plan_init(&plan);
	give(open_disk("new", O_RDONLY), FD_DISK);
	give(open_disk("copy", O_RDWR), FD_DISK + 1);
	ARGUMENTS("convert", "-f", "qcow2", "-O", "raw", "/proc/self/fd/20", "/proc/self/fd/21");
	CHECK(tool(&seed, PLAN_TOOL) == 0);
	CHECK_STR(seed_log(&seed), "");
	(void)close(seed.log_fd);
}

static void
images_lead_nowhere(void)
{
	struct seed seed;

	/* An image whose backing file is somebody's secret: opened by no tool in the box. */
	(void)close(open_disk("secret", O_RDWR));
	plan_init(&plan);
	give(open_disk("new", O_RDWR), FD_DISK);
	ARGUMENTS("create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", in_folder("secret"),
		"/proc/self/fd/20", "64M");
	CHECK(tool(&seed, PLAN_TOOL) == 0);
	(void)close(seed.log_fd);
	plan_init(&plan);
	give(open_disk("new", O_RDONLY), FD_DISK);
	ARGUMENTS("map", "/proc/self/fd/20");
	CHECK(tool(&seed, PLAN_TOOL) == 1);
	CHECK(strstr(seed_log(&seed), "Permission denied"));
	(void)close(seed.log_fd);

	/* What was given to read cannot be written. */
	plan_init(&plan);
	give(open_disk("new", O_RDONLY), FD_DISK);
	ARGUMENTS("resize", "-q", "/proc/self/fd/20", "128M");
	CHECK(tool(&seed, PLAN_TOOL) == 1);
	CHECK(strstr(seed_log(&seed), "Permission denied"));
	(void)close(seed.log_fd);
}

int
main(void)
{
	if (access("/usr/bin/qemu-img", X_OK) < 0) {
		printf("1..0 # SKIP qemu-img is not installed\n");
		return 0;
	}
	make_folder();
	TEST("qemu-img works on the images that it is given", images_are_worked_on);
	TEST("qemu-img follows no image to another, and writes none that it may read",
		images_lead_nowhere);
	remove_folder();
	return TEST_END();
}
