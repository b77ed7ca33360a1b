/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_quota.c: as much is granted as every limit allows and no more, in any order of grants and
 * ends, and a refusal says which limit, how much is used, how much was wanted, and by which rule.
 */
#include "broker/quota.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/test.h"

#define GIB (UINT64_C(1024) * 1024)

static struct quota_limits
limits_with(enum quota_key key, uint64_t max)
{
	struct quota_limits limits;

	quota_no_limits(&limits);
	limits.of[key].max = max;
	(void)snprintf(limits.of[key].rule, IPC_RULE_MAX, "policy.conf:9");
	return limits;
}

static void
test_grant(void)
{
	struct ipc_lease lease = {.memory_kib = 2 * GIB, .vcpus = 4};
	struct ipc_grant grant = quota_grant(&lease);
	struct quota_amounts amounts;

	CHECK(grant.memory_kib == 2 * GIB && grant.vcpus == 4);
	CHECK(grant.overhead_kib == (192 + 4 * 12 + 16) * 1024);
	lease.code_mib = 1024;
	CHECK(quota_grant(&lease).overhead_kib == grant.overhead_kib + GIB);
	amounts = quota_of(&grant);
	CHECK(amounts.of[QUOTA_VM_MEMORY] == 2 * GIB && amounts.of[QUOTA_MEMORY] == 2 * GIB);
	CHECK(amounts.of[QUOTA_HOST_MEMORY] == 2 * GIB + grant.overhead_kib);
	CHECK(amounts.of[QUOTA_VMS] == 1 && amounts.of[QUOTA_HOST_VMS] == 1);
	CHECK(amounts.of[QUOTA_VM_VCPUS] == 4 && amounts.of[QUOTA_VCPUS] == 4 &&
		amounts.of[QUOTA_HOST_VCPUS] == 4);
}

static void
test_each_key(void)
{
	for (enum quota_key key = 0; key < QUOTA_N; key++) {
		struct quota_limits limits = limits_with(key, 10);
		struct quota_amounts used = {.of = {0}}, more = {.of = {0}};

		for (used.of[key] = 0; used.of[key] <= 12; used.of[key]++)
			for (more.of[key] = 0; more.of[key] <= 12; more.of[key]++)
				CHECK(quota_decide(&limits, &used, &more) ==
					(more.of[key] != 0 && used.of[key] + more.of[key] > 10
							? key
							: QUOTA_N));
		/* No sum is large enough to be small again. */
		more.of[key] = UINT64_MAX;
		used.of[key] = 1;
		CHECK(quota_decide(&limits, &used, &more) == key);
		used.of[key] = UINT64_MAX;
		CHECK(quota_decide(&limits, &used, &more) == key);
		limits.of[key].max = 0;
		used.of[key] = 0;
		more.of[key] = 1;
		CHECK(quota_decide(&limits, &used, &more) == key);
		quota_no_limits(&limits);
		CHECK(quota_decide(&limits, &used, &more) == QUOTA_N);
	}
}

static void
test_words(void)
{
	static const struct {
		enum quota_key key;
		uint64_t max, used, more;
		const char *words;
		const char *told; /* to the client; NULL: the same */
		bool of_others;
	} cases[] = {
		{QUOTA_VMS, 4, 4, 1,
			"limit vms 4 (policy.conf:9): 4 in use, 1 more asked for; root of this "
			"host can change it",
			NULL, false},
		{QUOTA_VCPUS, 8, 6, 4,
			"limit vcpus 8 (policy.conf:9): 6 in use, 4 more asked for; root of this "
			"host can change it",
			NULL, false},
		{QUOTA_MEMORY, 16 * GIB, 12 * GIB + 512 * 1024, 8 * GIB,
			"limit memory 16 GiB (policy.conf:9): 12800 MiB in use, 8 GiB more asked "
			"for; root of this host can change it",
			NULL, false},
		{QUOTA_VM_MEMORY, GIB, 0, 1025 * 1024 + 1,
			"limit vm-memory 1 GiB (policy.conf:9): 0 KiB in use, 1049601 KiB more "
			"asked for; root of this host can change it",
			NULL, false},
		{QUOTA_HOST_MEMORY, 22650123, 22650123, 4096 * GIB,
			"limit host memory 22650123 KiB (policy.conf:9): 22650123 KiB in use, 4 "
			"TiB more asked for; root of this host can change it",
			"limit host memory 22650123 KiB (policy.conf:9): the host has no room for "
			"4 TiB more; root of this host can change it",
			false},
		{QUOTA_HOST_VMS, 40, 40, 1,
			"limit host vms 40 (policy.conf:9): 40 in use, 1 more asked for; root of "
			"this host can change it",
			"limit host vms 40 (policy.conf:9): the host has no room for 1 more; root "
			"of this host can change it",
			false},
		{QUOTA_VMS, 7, 7, 1,
			"limit vms 7 (policy.conf:9): 7 in use, 1 more asked for; root of this "
			"host can change it",
			"limit vms (policy.conf:9): 7 in use, 1 more asked for; root of this host "
			"can change it",
			true},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct quota_limits limits = limits_with(cases[i].key, cases[i].max);
		struct quota_amounts used = {.of = {0}}, more = {.of = {0}};
		struct quota_refusal refusal;

		limits.of[cases[i].key].of_others = cases[i].of_others;
		used.of[cases[i].key] = cases[i].used;
		more.of[cases[i].key] = cases[i].more;
		CHECK(quota_decide(&limits, &used, &more) == cases[i].key);
		quota_words(cases[i].key, &limits, &used, &more, &refusal);
		CHECK_STR(refusal.all, cases[i].words);
		CHECK_STR(refusal.why, cases[i].told ? cases[i].told : cases[i].words);
		CHECK_STR(refusal.rule, limits.of[cases[i].key].rule);
	}
}

/* Of as much as all machines of a host could ever have. */
static void
test_long_words(void)
{
	uint64_t most = (IPC_MEMORY_MAX_KIB * 2 << 16) + 1;
	struct quota_limits limits = limits_with(QUOTA_HOST_MEMORY, most);
	struct quota_amounts amounts = {.of = {0}};
	struct quota_refusal refusal;

	memset(limits.of[QUOTA_HOST_MEMORY].rule, 'x', IPC_RULE_MAX - 1);
	amounts.of[QUOTA_HOST_MEMORY] = most;
	quota_words(QUOTA_HOST_MEMORY, &limits, &amounts, &amounts, &refusal);
	CHECK(strstr(refusal.why, "root of this host can change it"));
	CHECK(strstr(refusal.all, "root of this host can change it"));
}

/* --- random sequences against what is obvious ---------------------------------------------- */

enum { USERS = 3, LEASES_MAX = 40, ROUNDS = 300, ACTS = 120 };

struct held {
	unsigned user;
	struct ipc_lease lease;
	bool is_held;
};

static struct held all[LEASES_MAX];

/* Add up everything, in numbers that cannot wrap. Returns whether it may be there. */
static bool
fits(const struct quota_limits *limits, unsigned user, const struct ipc_lease *more)
{
	unsigned __int128 sums[QUOTA_N] = {0};

	for (unsigned i = 0; i <= LEASES_MAX; i++) {
		const struct ipc_lease *lease = i < LEASES_MAX ? &all[i].lease : more;
		unsigned __int128 overhead = 192 * 1024 + lease->vcpus * 12 * 1024 +
					     lease->memory_kib / 128 +
					     (uint64_t)lease->code_mib * 1024;

		if (i < LEASES_MAX && !all[i].is_held)
			continue;
		sums[QUOTA_HOST_VMS] += 1;
		sums[QUOTA_HOST_VCPUS] += lease->vcpus;
		sums[QUOTA_HOST_MEMORY] += lease->memory_kib + overhead;
		if (i < LEASES_MAX && all[i].user != user)
			continue;
		sums[QUOTA_VMS] += 1;
		sums[QUOTA_VCPUS] += lease->vcpus;
		sums[QUOTA_MEMORY] += lease->memory_kib;
	}
	sums[QUOTA_VM_VCPUS] = more->vcpus;
	sums[QUOTA_VM_MEMORY] = more->memory_kib;
	for (unsigned key = 0; key < QUOTA_N; key++)
		if (sums[key] > limits->of[key].max)
			return false;
	return true;
}

static uint64_t
below(uint64_t n)
{
	return (uint64_t)random() % n;
}

static void
test_sequences(void)
{
	unsigned n_granted = 0, n_refused = 0;

	srandom(4);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct quota_amounts own[USERS] = {{{0}}}, host = {.of = {0}};
		struct quota_limits limits;

		memset(all, 0, sizeof all);
		quota_no_limits(&limits);
		for (enum quota_key key = 0; key < QUOTA_N; key++)
			if (below(2))
				limits.of[key].max =
					below(key == QUOTA_VM_MEMORY || key == QUOTA_MEMORY ||
								key == QUOTA_HOST_MEMORY
							? 40 * GIB
							: 24);
		for (unsigned act = 0; act < ACTS; act++) {
			struct held *held = &all[below(LEASES_MAX)];
			struct ipc_lease lease = {.memory_kib = 1 + below(6 * GIB),
				.vcpus = 1 + (uint32_t)below(6),
				.code_mib = (uint32_t)below(2) * 1024};
			struct ipc_grant grant = quota_grant(held->is_held ? &held->lease : &lease);
			struct quota_amounts used, more = quota_of(&grant);
			unsigned user = held->is_held ? held->user : (unsigned)below(USERS);
			bool granted = true;

			used = host;
			for (enum quota_key key = 0; key < QUOTA_HOST_VMS; key++)
				used.of[key] = own[user].of[key];
			if (!held->is_held)
				granted = quota_decide(&limits, &used, &more) == QUOTA_N;
			if (!held->is_held)
				CHECK(granted == fits(&limits, user, &lease));
			n_granted += granted && !held->is_held;
			n_refused += !granted;
			if (!granted)
				continue;
			for (enum quota_key key = QUOTA_VMS; key < QUOTA_N; key++) {
				uint64_t *sum =
					key < QUOTA_HOST_VMS ? &own[user].of[key] : &host.of[key];

				*sum += held->is_held ? -more.of[key] : more.of[key];
			}
			*held = (struct held){user, lease, !held->is_held};
		}
	}
	CHECK(n_granted > 1000 && n_refused > 1000);
}

int
main(void)
{
	TEST("a grant is what the guest has, and what QEMU takes for it", test_grant);
	TEST("each key is held to its limit, and to no other", test_each_key);
	TEST("a refusal says which limit, how much, by which rule, and who can change it",
		test_words);
	TEST("no words are too long", test_long_words);
	TEST("in any order of grants and ends the sums stay within the limits", test_sequences);
	return TEST_END();
}
