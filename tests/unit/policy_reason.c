/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * policy_reason.c: why somebody may not do everything names the lines that say so, and fits.
 */
#include "policy/reason.h"

#include <stdlib.h>
#include <string.h>

#include "policy/decide.h"
#include "tests/unit/test.h"

static struct policy *policy;
static char text[240];

static const char *
reason_for(const char *rules, size_t size)
{
	static const struct account alice = {
		.uid = 2001, .gid = 2001, .n_groups = 1, .groups = {2001}, .name = "alice"};
	struct policy_who who = {.uid = 2001, .account = &alice};
	uint32_t verbs;

	policy_clear(policy);
	CHECK(policy_parse(policy, "policy.conf", rules, strlen(rules)) == 0);
	for (unsigned i = 0; i < policy->n_names; i++)
		policy_bind(policy, i, 2001);
	verbs = policy_decide(policy, &who, IPC_SOCKET_RW, &who);
	return policy_reason(policy, &who, "alice", &who, verbs, text, size);
}

#define CHANGE "; root of this host can change that"

static void
test_words(void)
{
	CHECK_STR(reason_for("allow user alice view own\n", sizeof text),
		"policy gives alice view (policy.conf:1)" CHANGE);
	CHECK_STR(reason_for("allow user alice power own\n\nallow everyone console own\n",
			  sizeof text),
		"policy gives alice power (policy.conf:1), console (policy.conf:3)" CHANGE);
	CHECK_STR(reason_for("allow everyone manage own\n# not now\ndeny user alice console\n",
			  sizeof text),
		"policy gives alice power (policy.conf:1), by policy.conf:3" CHANGE);
	CHECK_STR(reason_for("allow everyone manage own\ndeny user alice console own\n"
			     "deny group g power\n",
			  sizeof text),
		"policy gives alice view (policy.conf:1), by policy.conf:2 and "
		"policy.conf:3" CHANGE);
	CHECK_STR(reason_for("allow everyone manage own\ndeny user alice\n", sizeof text),
		"policy gives alice nothing, by policy.conf:2" CHANGE);
	CHECK_STR(reason_for("", sizeof text), "policy gives alice nothing" CHANGE);
}

static void
test_fits(void)
{
	static const char rules[] = "allow everyone manage own\ndeny user alice console own\n";
	char whole[sizeof text];

	(void)strcpy(whole, reason_for(rules, sizeof text));
	for (size_t size = 1; size <= strlen(whole) + 1; size++) {
		memset(text, 'x', sizeof text);
		(void)reason_for(rules, size);
		CHECK(strlen(text) == size - 1 && strncmp(text, whole, size - 1) == 0);
		CHECK(size == sizeof text || text[size] == 'x');
	}
}

int
main(void)
{
	policy = policy_new();
	if (!policy)
		return EXIT_FAILURE;
	TEST("each line is named that gives or takes", test_words);
	TEST("what does not fit is cut", test_fits);
	policy_free(policy);
	return TEST_END();
}
