/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The worker's end of a seed sends what the box's own reader takes, however slowly, keeps no
 * descriptor that it has sent, and ends once whatever the box does.
 */
#include "worker/qemu/seed.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/packet.h"
#include "lib/take.h"
#include "tests/unit/test.h"
#include "worker/box/handover.h"

static struct loop loop;

static struct {
	struct seed_link seed;
	int box, log_fd;
	int fds[PLAN_FDS_MAX]; /* numbers that were given away */
	int n_ends;
	struct plan_answer answer;
} play;

static struct plan plan;

static void
seed_ended(struct seed_link *seed, const struct plan_answer *answer)
{
	CHECK(seed == &play.seed && seed->sock == -1);
	play.n_ends++;
	play.answer = *answer;
}

static const struct seed_link_ops ops = {.end = seed_ended};

static void
turn(int n)
{
	for (int i = 0; i < n; i++)
		CHECK(loop_once(&loop, 0) == 0);
}

/* A file that says which one it is by its size. */
static int
numbered(unsigned size)
{
	int fd = memfd_create("numbered", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, size) < 0)
		abort();
	return fd;
}

static unsigned
number_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? 0 : (unsigned)st.st_size;
}

static int
begin(unsigned n_fds)
{
	int pair[2];

	memset(&play, 0, sizeof(play));
	plan_init(&plan);
	plan.program = PLAN_QEMU_X86_64;
	plan.profile = PLAN_VM;
	plan.n_fds = n_fds;
	if (packet_pair(pair) != 0)
		abort();
	play.box = pair[1];
	play.log_fd = numbered(1000);
	for (unsigned i = 0; i < n_fds; i++) {
		plan.fds[i] = PLAN_FD_MIN + (int)i;
		play.fds[i] = numbered(i + 1);
	}
	plan.args[plan.n_args++] = "-S";
	(void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &(int){1}, sizeof(int));
	return seed_link_start(&play.seed, &loop, pair[0], &plan, play.log_fd, play.fds, &ops);
}

static bool
all_given_away(void)
{
	if (fcntl(play.log_fd, F_GETFD) >= 0)
		return false;
	for (unsigned i = 0; i < plan.n_fds; i++)
		if (fcntl(play.fds[i], F_GETFD) >= 0)
			return false;
	return true;
}

static void
finish(void)
{
	seed_link_stop(&play.seed);
	turn(2);
	CHECK(all_given_away() && play.n_ends <= 1);
	fd_close(&play.box);
}

/* --- to the box's reader ------------------------------------------------------------------ */

/* Packets from one socket to the next, so that a reader that waits finds all of them there. */
static void
relay(int to)
{
	for (bool end = false; !end;) {
		AUTO(packet_fini) struct packet packet;
		int r = packet_recv(play.box, &packet);

		if (r == PACKET_E_AGAIN) {
			turn(1);
			continue;
		}
		CHECK(r == 0);
		if (r != 0)
			return;
		end = packet.data[0] == PLAN_PACKET_END;
		CHECK(packet_send(to, packet.data, packet.size, packet.fds, packet.n_fds) == 0);
	}
}

static void
handed_over(void)
{
	static const unsigned counts[] = {0, 1, 3, 4, 5, 8, 63, PLAN_FDS_MAX};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		static struct handover handover;
		char why[PLAN_WHY_MAX] = "";
		int pair[2];

		CHECK(begin(counts[i]) == 0);
		if (packet_pair(pair) != 0)
			abort();
		relay(pair[0]);
		CHECK(all_given_away());
		CHECK(handover_receive(pair[1], &handover, why) == 0);
		CHECK_STR(why, "");
		CHECK(handover.n_fds == counts[i] + 1 && handover.plan.n_fds == counts[i]);
		CHECK(number_of(handover.fds[0]) == 1000);
		for (unsigned k = 0; k < counts[i]; k++)
			CHECK(number_of(handover.fds[k + 1]) == k + 1);
		CHECK(handover.plan.n_args == 1);
		CHECK_STR(handover.plan.args[0], "-S");
		handover_fini(&handover);
		(void)close(pair[0]);
		(void)close(pair[1]);
		CHECK(packet_send(play.box, "ok landlock 3", 13, NULL, 0) == 0);
		turn(2);
		CHECK(play.n_ends == 0);
		fd_close(&play.box);
		turn(2);
		CHECK(play.n_ends == 1 && play.answer.ok && play.answer.landlock == 3);
		finish();
	}
}

/* --- what a box does wrong ---------------------------------------------------------------- */

/* It stops listening after some packets, and says why, or not. */
static void
refused_anywhere(void)
{
	for (int n = 0; n < 5; n++)
		for (int says = 0; says < 2; says++) {
			CHECK(begin(9) == 0);
			for (int i = 0; i < n;) {
				AUTO(packet_fini) struct packet packet;

				if (packet_recv(play.box, &packet) == 0)
					i++;
				else
					turn(1);
			}
			if (says)
				CHECK(packet_send(play.box, "failed handover: no", 19, NULL, 0) ==
					0);
			fd_close(&play.box);
			turn(4);
			CHECK(play.n_ends == 1 && !play.answer.ok);
			CHECK_STR(play.answer.why,
				says ? "handover: no" : "the box ended without an answer");
			finish();
		}
}

static void
lies(void)
{
	static const char *const wrong[] = {"x", "ok", "ok landlock", "failed", "ok landlock 1 "};
	int fd = numbered(1);

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		CHECK(begin(0) == 0);
		CHECK(packet_send(play.box, wrong[i], strlen(wrong[i]), NULL, 0) == 0);
		turn(3);
		CHECK(play.n_ends == 1 && !play.answer.ok);
		CHECK_STR(play.answer.why, "the box answered what no box says");
		finish();
	}
	/* An answer with a descriptor; one before everything was sent. */
	CHECK(begin(0) == 0);
	CHECK(packet_send(play.box, "ok landlock 0", 13, &fd, 1) == 0);
	turn(3);
	CHECK_STR(play.answer.why, "the box answered what no box says");
	finish();
	CHECK(begin(PLAN_FDS_MAX) == 0);
	turn(3);
	CHECK(!play.seed.said_all);
	CHECK(packet_send(play.box, "ok landlock 0", 13, NULL, 0) == 0);
	turn(3);
	CHECK(play.n_ends == 1);
	CHECK_STR(play.answer.why, "the box answered what no box says");
	finish();
	(void)close(fd);
}

static void
stopped(void)
{
	struct seed_link never = {.sock = 0};

	seed_link_stop(&never);
	CHECK(begin(20) == 0);
	seed_link_stop(&play.seed);
	CHECK(all_given_away());
	finish();
	CHECK(begin(20) == 0);
	turn(1);
	finish();
	CHECK(play.n_ends == 0);
}

static void
plan_that_no_box_takes(void)
{
	int pair[2];

	CHECK(begin(2) == 0);
	finish();
	play.log_fd = numbered(1);
	play.fds[0] = numbered(2);
	play.fds[1] = numbered(3);
	plan.fds[1] = plan.fds[0];
	if (packet_pair(pair) != 0)
		abort();
	CHECK(seed_link_start(&play.seed, &loop, pair[0], &plan, play.log_fd, play.fds, &ops) ==
		PLAN_E_BAD);
	CHECK(all_given_away() && fcntl(pair[0], F_GETFD) < 0);
	(void)close(pair[1]);
}

int
main(void)
{
	if (loop_init(&loop) < 0)
		abort();
	TEST("the box's reader gets the plan and every descriptor in its place", handed_over);
	TEST("a box that ends after any packet ends it, with its reason if it gave one",
		refused_anywhere);
	TEST("an answer that no box gives ends it", lies);
	TEST("stopped at any time it holds nothing and says nothing", stopped);
	TEST("a plan that no box would take is not sent", plan_that_no_box_takes);
	loop_fini(&loop);
	return TEST_END();
}
