/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * box.c: a box refuses by name whatever a hostile worker hands over, and ends.
 *
 * The test is the worker; the other end is the real qemud-box.
 */
#include "worker/box/box.h"

#include <sys/socket.h>

#include "lib/take.h"
#include "tests/unit/box_seed.h"

#define HEAD "plan=1\0program=qemu-img\0profile=tool\0"

static int null_fd, folder_fd, path_fd;

/* --- one hostile act each ----------------------------------------------------------------- */

static void
unsealed(const struct seed *seed)
{
	int fd = memfd_create("plan", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (write(fd, HEAD, sizeof HEAD - 1) < 0)
		abort();
	seed_send(seed, PLAN_PACKET_PLAN, &fd, 1);
	(void)close(fd);
}

static void
one_seal_missing(const struct seed *seed)
{
	int fd = memfd_create("plan", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (write(fd, HEAD, sizeof HEAD - 1) < 0 ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		abort();
	seed_send(seed, PLAN_PACKET_PLAN, &fd, 1);
	(void)close(fd);
}

static void
not_a_memfd(const struct seed *seed)
{
	seed_send(seed, PLAN_PACKET_PLAN, &null_fd, 1);
}

static void
too_large(const struct seed *seed)
{
	static char text[PLAN_SIZE_MAX + 1];

	seed_send_text(seed, text, sizeof text);
}

static void
cut(const struct seed *seed)
{
	seed_send_text(seed, HEAD "arg=x", sizeof(HEAD "arg=x") - 1);
}

static void
unknown_program(const struct seed *seed)
{
	seed_send_text(seed, "plan=1\0program=bash\0profile=tool",
		sizeof "plan=1\0program=bash\0profile=tool");
}

static void
path_as_program(const struct seed *seed)
{
	seed_send_text(seed, "plan=1\0program=/usr/bin/qemu-img\0profile=tool",
		sizeof "plan=1\0program=/usr/bin/qemu-img\0profile=tool");
}

static void
ten_thousand_arguments(const struct seed *seed)
{
	static char text[sizeof HEAD + 60000];
	size_t size = sizeof HEAD - 1;

	memcpy(text, HEAD, size);
	for (int i = 0; i < 10000; i++) {
		memcpy(text + size, "arg=x", 6);
		size += 6;
	}
	seed_send_text(seed, text, size);
}

static void
number_twice(const struct seed *seed)
{
	seed_send_text(seed, HEAD "fd=20\0fd=20", sizeof(HEAD "fd=20\0fd=20"));
}

static void
number_of_the_socket(const struct seed *seed)
{
	seed_send_text(seed, HEAD "fd=3", sizeof(HEAD "fd=3"));
}

static void
no_plan_descriptor(const struct seed *seed)
{
	seed_send(seed, PLAN_PACKET_PLAN, NULL, 0);
}

static void
two_plans(const struct seed *seed)
{
	seed_send_text(seed, HEAD, sizeof HEAD - 1);
	seed_send_text(seed, HEAD, sizeof HEAD - 1);
}

static void
descriptors_first(const struct seed *seed)
{
	seed_send(seed, PLAN_PACKET_FDS, &null_fd, 1);
}

static void
end_first(const struct seed *seed)
{
	seed_send(seed, PLAN_PACKET_END, NULL, 0);
}

static void
too_few(const struct seed *seed)
{
	seed_send_text(seed, HEAD "fd=20\0fd=21", sizeof(HEAD "fd=20\0fd=21"));
	seed_send_fds(seed, &null_fd, 1);
	seed_send(seed, PLAN_PACKET_END, NULL, 0);
}

static void
no_log(const struct seed *seed)
{
	seed_send_text(seed, HEAD, sizeof HEAD - 1);
	seed_send(seed, PLAN_PACKET_END, NULL, 0);
}

static void
too_many(const struct seed *seed)
{
	int fds[2] = {null_fd, null_fd};

	seed_send_text(seed, HEAD "fd=20", sizeof(HEAD "fd=20"));
	seed_send_fds(seed, fds, 2);
}

static void
five_in_a_packet(const struct seed *seed)
{
	union {
		char buf[CMSG_SPACE(5 * sizeof(int))];
		struct cmsghdr align;
	} control = {.buf = {0}};
	char kind = PLAN_PACKET_FDS;
	struct iovec iov = {&kind, 1};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof control.buf};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	seed_send_text(seed, HEAD "fd=20", sizeof(HEAD "fd=20"));
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(5 * sizeof(int));
	for (size_t i = 0; i < 5; i++)
		memcpy(CMSG_DATA(cmsg) + i * sizeof null_fd, &null_fd, sizeof null_fd);
	if (sendmsg(seed->sock, &msg, MSG_NOSIGNAL) < 0)
		abort();
}

static void
no_descriptor(const struct seed *seed)
{
	seed_send_text(seed, HEAD "fd=20", sizeof(HEAD "fd=20"));
	seed_send(seed, PLAN_PACKET_FDS, NULL, 0);
}

static void
end_with_descriptor(const struct seed *seed)
{
	seed_send_text(seed, HEAD, sizeof HEAD - 1);
	seed_send_fds(seed, NULL, 0);
	seed_send(seed, PLAN_PACKET_END, &null_fd, 1);
}

static void
a_folder(const struct seed *seed)
{
	seed_send_text(seed, HEAD "fd=20", sizeof(HEAD "fd=20"));
	seed_send_fds(seed, &folder_fd, 1);
}

static void
a_bare_path(const struct seed *seed)
{
	seed_send_text(seed, HEAD "fd=20", sizeof(HEAD "fd=20"));
	seed_send_fds(seed, &path_fd, 1);
}

static void
unknown_packet(const struct seed *seed)
{
	seed_send(seed, 'x', NULL, 0);
}

static void
long_packet(const struct seed *seed)
{
	static const char text[PACKET_SIZE_MAX + 1];

	(void)send(seed->sock, text, sizeof text, MSG_NOSIGNAL);
}

static void
closes(const struct seed *seed)
{
	seed_send_text(seed, HEAD, sizeof HEAD - 1);
	if (shutdown(seed->sock, SHUT_WR) < 0)
		abort();
}

static void
limit_above(const struct seed *seed)
{
	static const char text[] = HEAD "nofile=99999999999";

	seed_send_text(seed, text, sizeof text);
	seed_send_fds(seed, NULL, 0);
	seed_send(seed, PLAN_PACKET_END, NULL, 0);
}

#define DOES(act, answer)         \
	{                         \
#act, act, answer \
	}

static const struct {
	const char *name;
	void (*act)(const struct seed *seed);
	const char *why;
} hostile[] = {
	DOES(unsealed, "handover: the plan is not a memfd with all four seals"),
	DOES(one_seal_missing, "handover: the plan is not a memfd with all four seals"),
	DOES(not_a_memfd, "handover: the plan is not a memfd with all four seals"),
	DOES(too_large, "handover: the plan is not from 1 to 262144 bytes"),
	DOES(cut, "handover: the plan: the last record has no end"),
	DOES(unknown_program, "handover: the plan: the program is none of the table"),
	DOES(path_as_program, "handover: the plan: the program is none of the table"),
	DOES(ten_thousand_arguments, "handover: the plan: more than 3072 arguments"),
	DOES(number_twice, "handover: the plan: descriptor number 20 is given twice"),
	DOES(number_of_the_socket,
		"handover: the plan: descriptor number 3 is neither 1 nor from 10 to 1023"),
	DOES(no_plan_descriptor, "handover: the plan comes with 0 descriptors, not with 1"),
	DOES(two_plans, "handover: a second plan"),
	DOES(descriptors_first, "handover: descriptors before the plan"),
	DOES(end_first, "handover: the end before the plan"),
	DOES(too_few, "handover: 2 of 3 descriptors came"),
	DOES(no_log, "handover: 0 of 1 descriptors came"),
	DOES(too_many, "handover: more descriptors than the 1 of the plan and the log"),
	DOES(five_in_a_packet,
		"handover: a packet is too long, empty, or has more than 4 descriptors"),
	DOES(no_descriptor, "handover: a packet of descriptors without one"),
	DOES(end_with_descriptor, "handover: the end comes with a descriptor"),
	DOES(a_folder, "handover: descriptor 2 of 2 is a folder or a bare path"),
	DOES(a_bare_path, "handover: descriptor 2 of 2 is a folder or a bare path"),
	DOES(unknown_packet, "handover: a packet of no known kind"),
	DOES(long_packet, "handover: a packet is too long, empty, or has more than 4 descriptors"),
	DOES(closes, "handover: the worker closed before the end"),
	DOES(limit_above, "limits: nofile=99999999999: above what this user may have"),
};

static void
refused_by_name(void)
{
	for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
		struct seed seed = seed_start();
		struct plan_answer answer;
		int status;

		hostile[i].act(&seed);
		CHECK(seed_answer(&seed, &answer) && !answer.ok);
		if (strcmp(answer.why, hostile[i].why) != 0)
			printf("# %s:\n", hostile[i].name);
		CHECK_STR(answer.why, hostile[i].why);
		CHECK(!seed_answer(&seed, &answer));
		status = seed_end(&seed);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE);
	}
}

/* The second of the two says nothing: it has a deadline of its own, which is part of the test. */
static void
silence_has_an_end(void)
{
	struct seed seed = seed_start(), halfway = seed_start();
	struct plan_answer answer;

	seed_send_text(&halfway, HEAD, sizeof HEAD - 1);
	CHECK(seed_answer(&seed, &answer) && !answer.ok);
	CHECK_STR(answer.why, "handover: the end did not come within 10 seconds");
	CHECK(seed_answer(&halfway, &answer) && !answer.ok);
	CHECK_STR(answer.why, "handover: the end did not come within 10 seconds");
	CHECK(seed_end(&seed) != 0);
	CHECK(seed_end(&halfway) != 0);
}

static void
worker_gone(void)
{
	struct seed seed = seed_start();
	int status;

	(void)close(seed.sock);
	seed.sock = open("/dev/null", O_RDONLY | O_CLOEXEC);
	status = seed_end(&seed);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE);
}

static void
no_privilege(void)
{
	struct seed seed = seed_start_as(false);
	struct plan_answer answer;

	CHECK(seed_answer(&seed, &answer) && !answer.ok);
	CHECK_STR(answer.why, "seed: runs with uids 0, 0, 0, not as one user other than root");
	CHECK(seed_end(&seed) != 0);
}

int
main(void)
{
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	folder_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	path_fd = open("/etc/passwd", O_PATH | O_CLOEXEC);
	TEST("whatever is wrong with a handover, its answer says what", refused_by_name);
	TEST("a worker that says nothing is waited for, but not for ever", silence_has_an_end);
	TEST("a box whose worker has gone ends", worker_gone);
	if (getuid() == 0)
		TEST("a box that is started as root refuses to be one", no_privilege);
	else
		printf("ok %d - a box that is started as root # SKIP needs root\n", ++test_n);
	return TEST_END();
}
