/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * box_plan.c: a plan has one spelling, and whatever departs from it is refused with its reason.
 */
#include "worker/box/plan.h"

#include "lib/take.h"
#include "tests/unit/test.h"

static struct plan plan, again;
static char why[PLAN_WHY_MAX];

/* The text of a literal, with the NUL that ends its last record. */
#define DECODE(text) plan_decode((text), sizeof(text), &again, why)

static void
a_plan(void)
{
	plan_init(&plan);
	plan.program = PLAN_QEMU_X86_64;
	plan.profile = PLAN_VM;
	plan.limits[PLAN_NOFILE] = 1024;
	plan.limits[PLAN_MEMLOCK] = 0;
	plan.fds[plan.n_fds++] = 12;
	plan.fds[plan.n_fds++] = 10;
	plan.args[plan.n_args++] = "-name";
	plan.args[plan.n_args++] = "guest=a=b\n";
	plan.args[plan.n_args++] = "";
}

static void
one_spelling(void)
{
	static const char want[] = "plan=1\0program=qemu-system-x86_64\0profile=vm\0nofile=1024\0"
				   "memlock=0\0fd=12\0fd=10\0arg=-name\0arg=guest=a=b\n\0arg=";
	free_auto char *data = NULL;
	size_t size = 0;

	a_plan();
	CHECK(plan_encode(&plan, &data, &size, why) == 0);
	CHECK(size == sizeof want && memcmp(data, want, sizeof want) == 0);
	CHECK(plan_decode(data, size, &again, why) == 0);
	CHECK(again.program == PLAN_QEMU_X86_64 && again.profile == PLAN_VM);
	CHECK(memcmp(again.limits, plan.limits, sizeof plan.limits) == 0);
	CHECK(again.n_fds == 2 && again.fds[0] == 12 && again.fds[1] == 10);
	CHECK(again.n_args == 3);
	CHECK_STR(again.args[1], "guest=a=b\n");
	CHECK_STR(again.args[2], "");
}

#define HEAD "plan=1\0program=qemu-system-x86_64\0profile=vm\0"
#define ROW(text, reason)                  \
	{                                  \
		text, sizeof(text), reason \
	}

static void
refusals(void)
{
	static const struct {
		const char *text;
		size_t size;
		const char *why;
	} row[] = {
		ROW("", "it does not begin with plan=1"),
		ROW("plan=2", "it does not begin with plan=1"),
		ROW("program=qemu-img", "it does not begin with plan=1"),
		ROW("plan=1", "the program is none of the table"),
		ROW("plan=1\0program=sh", "the program is none of the table"),
		ROW("plan=1\0program=/bin/sh\0profile=vm", "the program is none of the table"),
		ROW("plan=1\0program=../../bin/sh\0profile=vm", "the program is none of the table"),
		ROW("plan=1\0program=qemu-img", "the profile is none of the table"),
		ROW("plan=1\0program=qemu-img\0profile=root", "the profile is none of the table"),
		ROW("plan=1\0program=qemu-img\0profile=vm", "profile vm is not for qemu-img"),
		ROW("plan=1\0program=qemu-system-x86_64\0profile=tool",
			"profile tool is not for qemu-system-x86_64"),
		ROW(HEAD "nofile=", "nofile is not a number"),
		ROW(HEAD "nofile=01", "nofile is not a number"),
		ROW(HEAD "cpu=-1", "cpu is not a number"),
		ROW(HEAD "cpu=18446744073709551615", "cpu is not a number"),
		ROW(HEAD "cpu=18446744073709551616", "cpu is not a number"),
		ROW(HEAD "cpu=1\0cpu=1", "record 5 is unknown, repeated or out of order"),
		ROW(HEAD "memlock=1\0nofile=1", "record 5 is unknown, repeated or out of order"),
		ROW(HEAD "seccomp=off", "record 4 is unknown, repeated or out of order"),
		ROW(HEAD "fd=10\0profile=vm", "record 5 is unknown, repeated or out of order"),
		ROW(HEAD "arg=a\0fd=10", "record 5 is unknown, repeated or out of order"),
		ROW(HEAD "fd=10\0", "record 5 is unknown, repeated or out of order"),
		ROW(HEAD "fd", "record 4 is unknown, repeated or out of order"),
		ROW(HEAD "fd=x", "record 4: the descriptor is not a number"),
		ROW(HEAD "fd=010", "record 4: the descriptor is not a number"),
		ROW(HEAD "fd=4294967306", "record 4: the descriptor is not a number"),
		ROW(HEAD "fd=0", "descriptor number 0 is neither 1 nor from 10 to 1023"),
		ROW(HEAD "fd=2", "descriptor number 2 is neither 1 nor from 10 to 1023"),
		ROW(HEAD "fd=3", "descriptor number 3 is neither 1 nor from 10 to 1023"),
		ROW(HEAD "fd=9", "descriptor number 9 is neither 1 nor from 10 to 1023"),
		ROW(HEAD "fd=1024", "descriptor number 1024 is neither 1 nor from 10 to 1023"),
		ROW(HEAD "fd=11\0fd=10\0fd=11", "descriptor number 11 is given twice"),
		ROW(HEAD "fd=1\0fd=1", "descriptor number 1 is given twice"),
		ROW(HEAD "nofile=64\0fd=64", "descriptor number 64 is not below nofile=64"),
	};

	for (unsigned i = 0; i < sizeof row / sizeof row[0]; i++) {
		why[0] = '\0';
		CHECK(plan_decode(row[i].text, row[i].size, &again, why) == PLAN_E_BAD);
		CHECK_STR(why, row[i].why);
	}
	CHECK(DECODE(HEAD "nofile=65\0fd=64\0fd=1\0arg=x") == 0);
}

static void
cut_anywhere(void)
{
	static const char whole[] = HEAD "nofile=64\0fd=10\0arg=a\0arg=b";

	/* Ends of records are the ends of plans, from the first three on; nothing else is. */
	for (size_t size = 0; size <= sizeof whole; size++) {
		bool at_end = size > 0 && whole[size - 1] == '\0' && size >= sizeof HEAD - 1;

		CHECK((plan_decode(whole, size, &again, why) == 0) == at_end);
	}
}

static void
bounds(void)
{
	static char big[PLAN_SIZE_MAX + 1];
	size_t size = sizeof HEAD - 1;

	memcpy(big, HEAD, size);
	for (unsigned i = 0; i <= PLAN_ARGS_MAX; i++) {
		memcpy(big + size, "arg=", 5);
		size += 5;
	}
	CHECK(plan_decode(big, size, &again, why) == PLAN_E_BAD);
	CHECK_STR(why, "more than 3072 arguments");
	CHECK(plan_decode(big, size - 5, &again, why) == 0);

	size = sizeof HEAD - 1;
	for (unsigned i = 0; i <= PLAN_FDS_MAX; i++)
		size += (size_t)snprintf(big + size, 16, "fd=%u", 10 + i) + 1;
	CHECK(plan_decode(big, size, &again, why) == PLAN_E_BAD);
	CHECK_STR(why, "more than 256 descriptors");
	CHECK(plan_decode(big, size - 7, &again, why) == 0);

	size = sizeof HEAD - 1;
	memcpy(big + size, "arg=", 4);
	memset(big + size + 4, 'x', PLAN_ARG_MAX + 1);
	size += 4 + PLAN_ARG_MAX + 2;
	big[size - 1] = '\0';
	CHECK(plan_decode(big, size, &again, why) == PLAN_E_BAD);
	CHECK_STR(why, "record 4: an argument of more than 65536 bytes");

	CHECK(plan_decode(big, PLAN_SIZE_MAX + 1, &again, why) == PLAN_E_BAD);
	CHECK_STR(why, "262145 bytes are not from 1 to 262144");
}

static void
encoder_refuses(void)
{
	static char text[PLAN_ARG_MAX + 1];
	free_auto char *data = NULL;
	size_t size;

	a_plan();
	plan.fds[1] = 12;
	CHECK(plan_encode(&plan, &data, &size, why) == PLAN_E_BAD);
	CHECK_STR(why, "descriptor number 12 is given twice");
	a_plan();
	plan.profile = PLAN_TOOL;
	CHECK(plan_encode(&plan, &data, &size, why) == PLAN_E_BAD);
	a_plan();
	memset(text, 'x', PLAN_ARG_MAX);
	for (int i = 0; i < 5; i++)
		plan.args[plan.n_args++] = text;
	CHECK(plan_encode(&plan, &data, &size, why) == PLAN_E_BAD);
	CHECK_STR(why, "more than 262144 bytes");
	CHECK(!data);
}

static void
answers(void)
{
	struct plan_answer answer = {.ok = true, .landlock = 7}, got;
	char text[PLAN_ANSWER_MAX];
	size_t size = plan_answer_encode(&answer, text);

	CHECK(size == strlen("ok landlock 7") && memcmp(text, "ok landlock 7", size) == 0);
	CHECK(plan_answer_decode(text, size, &got) == 0);
	CHECK(got.ok && got.landlock == 7);
	answer = (struct plan_answer){.ok = false};
	memset(answer.why, 'x', sizeof answer.why - 1);
	size = plan_answer_encode(&answer, text);
	CHECK(size == PLAN_ANSWER_MAX - 1);
	CHECK(plan_answer_decode(text, size, &got) == 0);
	CHECK(!got.ok);
	CHECK_STR(got.why, answer.why);
	CHECK(plan_answer_decode("ok", 2, &got) == PLAN_E_BAD);
	CHECK(plan_answer_decode("ok landlock -1", 14, &got) == PLAN_E_BAD);
	CHECK(plan_answer_decode("failed \0", 8, &got) == PLAN_E_BAD);
	CHECK(plan_answer_decode(text, 0, &got) == PLAN_E_BAD);
}

int
main(void)
{
	TEST("what is encoded has the one spelling and is decoded to the same", one_spelling);
	TEST("each departure is refused with its reason", refusals);
	TEST("a text that is cut is refused, except between records", cut_anywhere);
	TEST("counts and sizes are bounded", bounds);
	TEST("the encoder writes nothing that the decoder refuses", encoder_refuses);
	TEST("an answer is read as it was written", answers);
	return TEST_END();
}
