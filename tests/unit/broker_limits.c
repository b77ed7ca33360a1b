/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_limits.c: what policy.conf says of somebody is what she is held to, with the line that says
 * so; of memory of the host, a percentage of what it has.
 */
#include "broker/limits.h"

#include <inttypes.h>
#include <string.h>

#include "tests/unit/test.h"

#define GIB (UINT64_C(1024) * 1024)

static const struct account alice = {
	.uid = 1001, .gid = 1001, .n_groups = 2, .groups = {1001, 2000}, .name = "alice"};
static const struct account bob = {
	.uid = 1002, .gid = 1002, .n_groups = 1, .groups = {1002}, .name = "bob"};

static struct policy *
policy_of(const char *text)
{
	struct policy *policy = policy_new();

	CHECK(policy && policy_parse(policy, "policy.conf", text, strlen(text)) == 0);
	for (unsigned i = 0; policy && i < policy->n_names; i++)
		policy_bind(policy, i,
			policy->names[i].is_group                     ? 2000
			: strcmp(policy->names[i].text, "alice") == 0 ? 1001
								      : 1002);
	return policy;
}

static struct quota_limits
limits_for(const struct policy *policy, const struct account *account, uint64_t host_kib)
{
	struct policy_who who = {.uid = account->uid, .account = account};
	struct quota_limits limits;

	limits_read(policy, &who, host_kib, &limits);
	return limits;
}

static void
is_limit(const struct quota_limits *limits, enum quota_key key, uint64_t max, const char *rule)
{
	CHECK(limits->of[key].max == max ||
		!printf("# %d: %" PRIu64 "\n", key, limits->of[key].max));
	CHECK_STR(limits->of[key].rule, rule);
}

static void
test_none(void)
{
	struct quota_limits limits = limits_for(policy_builtin(), &alice, 8 * GIB);

	for (enum quota_key key = 0; key < QUOTA_N; key++)
		is_limit(&limits, key, UINT64_MAX, "");
}

static void
test_said(void)
{
	struct policy *policy = policy_of("limit everyone vms 4 vcpus 8 memory 16G\n"
					  "limit group students vms 2 vm-vcpus 3\n"
					  "\n"
					  "limit user alice memory 24G vm-memory 6G\n"
					  "limit host memory 90% vcpus 64 vms 100\n");
	struct quota_limits limits = limits_for(policy, &alice, 32 * GIB);

	is_limit(&limits, QUOTA_VMS, 2, "policy.conf:2");
	is_limit(&limits, QUOTA_VCPUS, 8, "policy.conf:1");
	is_limit(&limits, QUOTA_MEMORY, 24 * GIB, "policy.conf:4");
	is_limit(&limits, QUOTA_VM_VCPUS, 3, "policy.conf:2");
	is_limit(&limits, QUOTA_VM_MEMORY, 6 * GIB, "policy.conf:4");
	is_limit(&limits, QUOTA_HOST_MEMORY, 32 * GIB * 9 / 10, "policy.conf:5");
	is_limit(&limits, QUOTA_HOST_VCPUS, 64, "policy.conf:5");
	is_limit(&limits, QUOTA_HOST_VMS, 100, "policy.conf:5");
	limits = limits_for(policy, &bob, 32 * GIB);
	is_limit(&limits, QUOTA_VMS, 4, "policy.conf:1");
	is_limit(&limits, QUOTA_MEMORY, 16 * GIB, "policy.conf:1");
	is_limit(&limits, QUOTA_VM_VCPUS, UINT64_MAX, "");
	policy_free(policy);
}

static void
test_percent(void)
{
	struct policy *policy = policy_of("limit host memory 50%\n");
	struct quota_limits limits = limits_for(policy, &alice, 24684163);

	is_limit(&limits, QUOTA_HOST_MEMORY, 12342081, "policy.conf:1");
	/* No product is large enough to be small again. */
	limits = limits_for(policy, &alice, UINT64_MAX);
	CHECK(limits.of[QUOTA_HOST_MEMORY].max >= UINT64_MAX / 2 - 1 &&
		limits.of[QUOTA_HOST_MEMORY].max <= UINT64_MAX / 2);
	policy_free(policy);
}

int
main(void)
{
	TEST("without a policy file there is no limit", test_none);
	TEST("each key is held to the line that counts, and to its words", test_said);
	TEST("a percentage is of the host's memory", test_percent);
	return TEST_END();
}
