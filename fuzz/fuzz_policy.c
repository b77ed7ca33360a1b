/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_policy.c: policy files, on anything, and what is decided by those that are read.
 *
 * Oracle: a mistake is told at a place that the file has; the same lines in two files are the same
 * rules; a rule that is written reads as itself; sets of verbs are closed, on the read-only socket
 * view alone; a verdict is what was decided, and what is said of it fits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "policy/decide.h"
#include "policy/explain.h"
#include "policy/limits.h"
#include "policy/networks.h"
#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct policy *policy, *again;

/* --- what is told --------------------------------------------------------------------------- */

/* How many bytes each line has: at most one line more than there are bytes. */
static uint32_t *line_sizes, n_lines;

static void
find_lines(const char *text, size_t size)
{
	n_lines = 0;
	line_sizes = malloc((size + 1) * sizeof *line_sizes);
	ASSERT(line_sizes);
	for (size_t at = 0; at <= size; at += line_sizes[n_lines++] + 1) {
		const char *end = memchr(text + at, '\n', size - at);

		line_sizes[n_lines] = (uint32_t)(end ? (size_t)(end - text) - at : size - at);
	}
}

static void
check_complaints(void)
{
	char line[512];

	ASSERT((policy->n_complaints < POLICY_COMPLAINTS_MAX
			       ? policy->n_complaints
			       : policy->n_errors + policy->n_warnings) ==
		policy->n_errors + policy->n_warnings);
	for (unsigned i = 0; i < policy->n_complaints; i++) {
		const struct policy_complaint *complaint = &policy->complaints[i];

		ASSERT(complaint->line >= 1 && complaint->line <= n_lines);
		ASSERT(complaint->column <= line_sizes[complaint->line - 1] + 1);
		ASSERT(complaint->text[0] != '\0');
		(void)policy_complaint_text(policy, complaint, line, sizeof line);
		for (const char *c = line; *c; c++)
			ASSERT((unsigned char)*c >= ' ' && *c != 0x7f);
	}
}

/* --- the same in two files, and written again ----------------------------------------------- */

static void
check_same_rules(void)
{
	char a[POLICY_RULE_TEXT_MAX], b[POLICY_RULE_TEXT_MAX];

	ASSERT(again->n_rules == policy->n_rules && again->n_names == policy->n_names);
	for (unsigned i = 0; i < policy->n_rules; i++)
		ASSERT(strcmp(policy_rule_text(policy, &policy->rules[i], a),
			       policy_rule_text(again, &again->rules[i], b)) == 0);
}

static void
check_two_files(const char *text, size_t size)
{
	const char *newline = size > 0 ? memchr(text + size / 2, '\n', size - size / 2) : NULL;
	size_t first = newline ? (size_t)(newline - text) + 1 : size;

	policy_clear(again);
	(void)policy_parse(again, "a", text, first);
	(void)policy_parse(again, "b", text + first, size - first);
	ASSERT(again->n_errors == policy->n_errors);
	check_same_rules();
}

static void
check_written(void)
{
	static char all[POLICY_BYTES_MAX];
	char text[POLICY_RULE_TEXT_MAX];
	size_t size = 0;

	for (unsigned i = 1; i < policy->n_rules; i++)
		size += (size_t)snprintf(all + size, sizeof all - size, "%s\n",
			policy_rule_text(policy, &policy->rules[i], text));
	/* Each key of a limit is a line of its own now. */
	if (size >= sizeof all)
		return;
	policy_clear(again);
	ASSERT(policy_parse(again, "again", all, size) == 0);
	check_same_rules();
}

/* --- what is decided ------------------------------------------------------------------------ */

static const struct account accounts[] = {
	{.uid = 990, .gid = 990, .n_groups = 1, .groups = {990}, .name = "qemud-vm"},
	{.uid = 1000, .gid = 1, .n_groups = 4, .groups = {0, 1, 2, 3}, .name = "a"},
	{.uid = 1001, .gid = 5, .n_groups = 2, .groups = {4, 5}, .name = "b"},
	{.uid = 100000, .gid = 1, .n_groups = 1, .groups = {1}, .name = "sub", .subordinate = true},
};

static const struct policy_who people[] = {
	{.uid = 990, .account = &accounts[0], .is_system = true},
	{.uid = 1000, .account = &accounts[1]},
	{.uid = 1001, .account = &accounts[2]},
	{.uid = 100000, .account = &accounts[3]},
	{.uid = 2000},
	{.uid = 0},
	{.tls = "CN=ops,O=Lab"},
};

enum { N_PEOPLE = sizeof people / sizeof *people };

static void
check_decision(const struct policy_who *who, const struct policy_who *owner)
{
	uint32_t verbs = policy_decide(policy, who, IPC_SOCKET_RW, owner);
	uint32_t ro = policy_decide(policy, who, IPC_SOCKET_RO, owner);
	char reason[IPC_REASON_MAX], chain[512];

	ASSERT((verbs & ~(uint32_t)VERBS_ALL) == 0 && (verbs == 0 || (verbs & VERB_VIEW)));
	ASSERT(!(verbs & VERB_MANAGE) || verbs == VERBS_ALL);
	ASSERT(ro == (verbs & VERB_VIEW));
	if (!match_owns(who, owner))
		ASSERT((verbs & ~policy_reach(policy, who, IPC_SOCKET_RW)) == 0);
	for (unsigned verb = VERB_VIEW; verb <= VERB_MANAGE; verb *= 2) {
		struct policy_verdict verdict =
			policy_verdict(policy, who, IPC_SOCKET_RW, owner, verb);

		ASSERT((verdict.outcome == POLICY_ALLOWED) == ((verbs & verb) != 0));
		(void)policy_refusal(policy, who, IPC_SOCKET_RW, owner, verb, reason);
		ASSERT(strnlen(reason, sizeof reason) < sizeof reason);
		ASSERT(policy_explain(policy, who, IPC_SOCKET_RO, owner, verb, chain,
			       sizeof chain) == strlen(chain));
	}
}

/* One of the people, whom the size of the input chooses. */
static void
check_decisions(const struct policy_who *who)
{
	struct policy_limits limits;
	const struct policy_rule *rule;
	char text[POLICY_LIMIT_TEXT_MAX];

	for (unsigned o = 0; o + 1 < N_PEOPLE; o++)
		check_decision(who, &people[o]);
	policy_limits(policy, who, &limits);
	for (unsigned key = 1; key < POLICY_N_KEYS; key++)
		(void)policy_limit_text(policy, &limits, key, text);
	(void)policy_network(policy, who, NULL, &rule);
	(void)policy_network(policy, who, "br0", &rule);
	policy_host_limits(policy, &limits);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of the exact size, so that a byte too many is seen. */
	char *text = malloc(size ? size : 1);
	int r;

	if (!policy) {
		policy = policy_new();
		again = policy_new();
	}
	ASSERT(text && policy && again);
	memcpy(text, data, size);
	find_lines(text, size);
	policy_clear(policy);
	r = policy_parse(policy, "policy.conf", text, size);
	ASSERT((r == 0) == (policy->n_errors == 0));
	check_complaints();
	check_two_files(text, size);
	if (r == 0) {
		check_written();
		for (unsigned i = 0; i < policy->n_names; i++)
			if (i % 3 != 2)
				policy_bind(policy, i,
					policy->names[i].is_group ? i % 7 : 1000 + i % 2);
		(void)policy_check_names(policy);
		check_complaints();
		check_decisions(&people[size % N_PEOPLE]);
	}
	free(line_sizes);
	free(text);
	return 0;
}
