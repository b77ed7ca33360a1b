/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_box_plan.c: bytes as the text of a plan, and as the answer of a box.
 *
 * Oracle: what is read is written again to the same byte, so that nothing has two spellings; what
 * was read is within the bounds that a box relies on.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "worker/box/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_plan(const char *text, size_t size)
{
	static struct plan plan;
	char why[PLAN_WHY_MAX] = "", *again = NULL;
	size_t again_size = 0;

	if (plan_decode(text, size, &plan, why) != 0) {
		ASSERT(why[0] && memchr(why, '\0', sizeof why));
		return;
	}
	ASSERT(plan.n_fds <= PLAN_FDS_MAX && plan.n_args <= PLAN_ARGS_MAX);
	for (unsigned i = 0; i < plan.n_fds; i++)
		ASSERT(plan.fds[i] == 1 ||
			(plan.fds[i] >= PLAN_FD_MIN && plan.fds[i] <= PLAN_FD_MAX));
	ASSERT(plan_encode(&plan, &again, &again_size, why) == 0);
	ASSERT(again_size == size && memcmp(again, text, size) == 0);
	free(again);
}

static void
check_answer(const char *text, size_t size)
{
	struct plan_answer answer;
	char again[PLAN_ANSWER_MAX];

	if (plan_answer_decode(text, size, &answer) != 0)
		return;
	ASSERT(plan_answer_encode(&answer, again) == size);
	ASSERT(memcmp(again, text, size) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of exactly this size, so that a read behind it is found. */
	char *text = malloc(size ? size : 1);

	if (!text)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	check_plan(text, size);
	check_answer(text, size);
	free(text);
	return 0;
}
