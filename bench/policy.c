/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * policy.c: decisions by a policy of 1,000 rules, and the floor of that: a loop over as many rows
 * that compares two numbers in each.
 *
 * A benchmark program, never installed. `policy decide|floor|parse SECONDS` prints how often it was
 * done, seconds, and its own CPU nanoseconds. Users 0 to 99 are students, 100 to 119 assistants; the
 * rules are 300 allows and 200 denies of users and groups, and limits. parse reads those rules from
 * their text, and binds their names.
 */
#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/decide.h"

enum { RULES = 1000, USERS = 120, BATCH = 256, TEXT_MAX = 64 * 1024, FIRST_UID = 1000 };

static struct policy *policy;
static struct account accounts[USERS];
static char text[TEXT_MAX];
static struct row {
	uint32_t subject, target, given, taken;
} rows[RULES];

static double
seconds_of(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
write_rules(void)
{
	size_t at = (size_t)snprintf(text, sizeof text,
		"allow everyone manage own\nallow group tas power group students\n"
		"allow group admins manage all\n");

	/* A limit of two keys is two rules; root's is there. */
	for (unsigned i = 0; i < 297; i++)
		at += (size_t)snprintf(text + at, sizeof text - at,
			"allow user u%u view user u%u\n", i % USERS, (i * 7 + 1) % USERS);
	for (unsigned i = 0; i < 199; i++)
		at += (size_t)snprintf(text + at, sizeof text - at,
			"deny user u%u console group g%u\n", i % USERS, i % 40);
	for (unsigned i = 0; i < 250; i++)
		at += (size_t)snprintf(
			text + at, sizeof text - at, "limit user v%u vms 4 memory 8G\n", i);
}

static void
parse(void)
{
	policy_clear(policy);
	if (policy_parse(policy, "policy.conf", text, strlen(text)) != 0 ||
		policy->n_rules != RULES)
		exit(1);
	for (unsigned i = 0; i < policy->n_names; i++) {
		const char *name = policy->names[i].text;
		unsigned long n = strtoul(name + 1, NULL, 10);

		policy_bind(policy, i,
			(uint32_t)(policy->names[i].is_group
					   ? (name[0] == 'g'          ? 5000 + n
						     : name[0] == 't' ? 101u
								      : 100u)
					   : FIRST_UID + n + (name[0] == 'v' ? USERS : 0)));
	}
}

static void
make_accounts(void)
{
	for (unsigned u = 0; u < USERS; u++) {
		struct account *account = &accounts[u];

		account->uid = FIRST_UID + u;
		account->groups[account->n_groups++] = u < 100 ? 100 : 101;
		for (unsigned g = 0; g < 15; g++)
			account->groups[account->n_groups++] = 5000 + u % 20 + g;
	}
}

static uint32_t
decide(unsigned i)
{
	struct policy_who who = {.uid = FIRST_UID + i % USERS, .account = &accounts[i % USERS]};
	unsigned o = i / USERS % USERS;
	struct policy_who owner = {.uid = FIRST_UID + o, .account = &accounts[o]};

	return policy_decide(policy, &who, IPC_SOCKET_RW, &owner);
}

static uint32_t
look_up(unsigned i)
{
	uint32_t uid = FIRST_UID + i % USERS, owner = FIRST_UID + i / USERS % USERS;
	uint32_t given = 0, taken = 0;

	for (unsigned r = 0; r < RULES; r++) {
		if (rows[r].subject != uid || rows[r].target != owner)
			continue;
		given |= rows[r].given;
		taken |= rows[r].taken;
	}
	return given & ~taken;
}

int
main(int argc, char **argv)
{
	double start, limit, cpu;
	unsigned n = 0, sum = 0;

	if (argc != 3)
		return 2;
	policy = policy_new();
	if (!policy)
		return 1;
	write_rules();
	parse();
	make_accounts();
	for (unsigned r = 0; r < RULES; r++)
		rows[r] = (struct row){
			FIRST_UID + r % USERS, FIRST_UID + r * 7 % USERS, r & 15, r & 1};
	limit = strtod(argv[2], NULL);
	cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	start = seconds_of(CLOCK_MONOTONIC);
	while (seconds_of(CLOCK_MONOTONIC) - start < limit) {
		if (argv[1][0] == 'p') {
			parse();
			n++;
			continue;
		}
		for (unsigned i = 0; i < BATCH; i++, n++)
			sum += argv[1][0] == 'd' ? decide(n) : look_up(n);
	}
	(void)printf("%u %.6f %.0f\n", n, seconds_of(CLOCK_MONOTONIC) - start,
		(seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e9);
	policy_free(policy);
	/* So that nobody leaves out what nobody looks at. */
	return sum == 1;
}
