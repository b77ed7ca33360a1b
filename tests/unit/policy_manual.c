/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * policy_manual.c: every example of policy.conf(5) is a policy, and does what is said of it there;
 * the manual has every word; the example that is installed changes nothing as it is.
 */
#include "lib/take.h"
#include "policy/choices.h"
#include "policy/decide.h"
#include "policy/explain.h"
#include "policy/limits.h"
#include "policy/networks.h"
#include "tests/unit/policy_oracle.h"

enum { EXAMPLES_MAX = 16, TEXT_MAX = 32768 };

static struct policy *policy;
static char manual[TEXT_MAX], installed[TEXT_MAX];
static char examples[EXAMPLES_MAX][2048];
static unsigned n_examples;

static void
read_whole(const char *path, char text[static TEXT_MAX])
{
	file_auto FILE *file = fopen(path, "re");
	size_t size = file ? fread(text, 1, TEXT_MAX - 1, file) : 0;

	text[size] = '\0';
	CHECK(size > 1000);
}

static void
find_examples(void)
{
	for (const char *at = manual; (at = strstr(at, "\n.Bd -literal")) != NULL; n_examples++) {
		const char *begin = strchr(at + 1, '\n') + 1, *end = strstr(begin, ".Ed\n");

		(void)snprintf(
			examples[n_examples], sizeof *examples, "%.*s", (int)(end - begin), begin);
		at = end;
	}
}

/* In this host lab-admins and the like are other names. */
static void
replace(char *text, const char *word, const char *by)
{
	for (char *at = text; (at = strstr(at, word)) != NULL; at += strlen(by)) {
		size_t rest = strlen(at + strlen(word)) + 1;

		memmove(at + strlen(by), at + strlen(word), rest);
		memcpy(at, by, strlen(by));
	}
}

static void
load_example(unsigned i)
{
	replace(examples[i], "lab-admins", "staff");
	replace(examples[i], "vm-team", "staff");
	replace(examples[i], "group hr", "group students");
	replace(examples[i], "prometheus", "dave");
	replace(examples[i], "guest", "sub");
	replace(examples[i], "batch", "bob");
	load_text(policy, examples[i]);
	CHECK(policy_check_names(policy) == 0 && policy->n_complaints == 0);
	for (unsigned c = 0; c < policy->n_complaints; c++)
		printf("# %s\n", policy->complaints[c].text);
}

static uint32_t
verbs(const char *who, const char *owner)
{
	return policy_decide(policy, who_is(who), IPC_SOCKET_RW, who_is(owner));
}

static uint64_t
limit(const char *who, enum policy_key key)
{
	struct policy_limits limits;

	policy_limits(policy, who_is(who), &limits);
	return limits.of[key].value;
}

static bool
network(const char *who, const char *bridge)
{
	const struct policy_rule *rule;

	return policy_network(policy, who_is(who), bridge, &rule);
}

static void
each_example(void)
{
	struct policy_limits host;
	unsigned i = 0;

	CHECK(n_examples == 7);
	/* Without a policy file. */
	load_example(i++);
	CHECK(policy->n_rules == 2);
	for (unsigned w = 0; w < N_PEOPLE; w++)
		for (unsigned o = 0; o < N_OWNERS; o++)
			CHECK(policy_decide(policy, &whos[w], IPC_SOCKET_RW, &whos[o]) ==
				policy_decide(policy_builtin(), &whos[w], IPC_SOCKET_RW, &whos[o]));
	/* A teaching lab. */
	load_example(i++);
	CHECK(verbs("alice", "bob") == VERBS_ALL && verbs("alice", "qemud-vm") == VERBS_ALL);
	CHECK(verbs("carol", "bob") == (VERB_VIEW | VERB_POWER) && verbs("carol", "alice") == 0);
	CHECK(verbs("dave", "bob") == VERB_VIEW && verbs("dave", "dave") == VERBS_ALL);
	CHECK(verbs("sub", "sub") == 0 && verbs("bob", "bob") == VERBS_ALL);
	CHECK(limit("bob", POLICY_VMS) == 2 && limit("dave", POLICY_VMS) == 4);
	CHECK(limit("bob", POLICY_MEMORY) == 8u << 20);
	policy_host_limits(policy, &host);
	CHECK(host.of[POLICY_MEMORY].is_percent && host.of[POLICY_MEMORY].value == 90);
	CHECK(network("alice", "br-lab") && network("alice", NULL) && !network("bob", "br-lab"));
	/* VMs are given out. */
	load_example(i++);
	CHECK(verbs("bob", "bob") == (VERB_VIEW | VERB_POWER | VERB_CONSOLE));
	CHECK(verbs("alice", "bob") == VERBS_ALL && network("bob", NULL));
	/* By certificate. */
	load_example(i++);
	CHECK(verbs("CN=ops,O=Lab", "alice") == VERBS_ALL && verbs("CN=ops,O=Lab", "bob") == 0);
	CHECK(verbs("CN=eve", "alice") == 0 && verbs("alice", "alice") == 0);
	/* Root may not read screens. */
	load_example(i++);
	CHECK(verbs("root", "bob") == (VERB_VIEW | VERB_POWER));
	CHECK(verbs("bob", "bob") == VERBS_ALL);
	/* A service by number. */
	load_example(i++);
	CHECK(verbs("short", "bob") == VERB_VIEW);
	CHECK(limit("alice", POLICY_MEMORY) == POLICY_UNLIMITED);
	CHECK(limit("alice", POLICY_VM_MEMORY) == 8u << 20 && limit("dave", POLICY_PIDS) == 2000);
	CHECK(limit("bob", POLICY_CPU_WEIGHT) == 10 && limit("dave", POLICY_CPU_WEIGHT) == 100);
	/* During an examination, beside the lab's. */
	load_example(i);
	CHECK(policy_parse(policy, "lab", examples[1], strlen(examples[1])) == 0);
	bind_all(policy);
	CHECK(verbs("bob", "bob") == (VERB_VIEW | VERB_POWER) && !network("bob", NULL));
	CHECK(verbs("alice", "bob") == VERBS_ALL && network("alice", NULL));
}

static void
has_every_word(void)
{
	for (unsigned use = USE_LINE; use <= USE_NETWORK; use *= 2)
		for (unsigned value = 0; value < 64; value++) {
			const char *word = choices_word(value, use);
			char item[64];

			if (!word)
				continue;
			(void)snprintf(item, sizeof item,
				use == USE_LINE ? "\n.Dl Cm %s Ar" : "\n.It Cm %s", word);
			if (!strstr(manual, item))
				printf("# the manual has no %s\n", word);
			CHECK(strstr(manual, item));
		}
}

/* As it is: what holds without a file. With what is commented out: a policy, too. */
static void
installed_example(void)
{
	load_text(policy, installed);
	CHECK(policy->n_rules == policy_builtin()->n_rules && policy->n_names == 0);
	for (unsigned w = 0; w < N_PEOPLE; w++) {
		struct policy_limits limits;

		for (unsigned o = 0; o < N_OWNERS; o++)
			CHECK(policy_decide(policy, &whos[w], IPC_SOCKET_RW, &whos[o]) ==
				policy_decide(policy_builtin(), &whos[w], IPC_SOCKET_RW, &whos[o]));
		policy_limits(policy, &whos[w], &limits);
		CHECK(limits.of[POLICY_VMS].value == POLICY_UNLIMITED);
		CHECK(network(people[w].name ? people[w].name : "", NULL) ==
			(people[w].name && !people[w].is_nobody));
	}
	for (char *at = installed; (at = strchr(at, '#')) != NULL; at++)
		if (at[1] >= 'a' && at[1] <= 'z')
			*at = ' ';
	load_text(policy, installed);
	CHECK(policy->n_rules == 15);
}

int
main(void)
{
	policy = policy_new();
	if (!policy)
		return 1;
	make_host();
	read_whole("man/policy.conf.5", manual);
	read_whole("packaging/policy.conf", installed);
	find_examples();
	TEST("each example of the manual does what is said of it", each_example);
	TEST("the manual has every word", has_every_word);
	TEST("the example that is installed changes nothing as it is", installed_example);
	policy_free(policy);
	return TEST_END();
}
