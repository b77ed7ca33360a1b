/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * policy_limits.c: each limit is the user's, else the largest of her groups', else everyone's, and
 * says which line it is from; networks are the union, and none takes them.
 *
 * Random policies about a small host, against the slow reading of their words. TEST_LONG: more.
 */
#include "policy/limits.h"

#include "policy/networks.h"
#include "tests/unit/policy_oracle.h"

static struct policy *policy;

static unsigned
policies(unsigned n)
{
	return getenv("TEST_LONG") ? n * 30 : n;
}

static const char *const keys[] = {[POLICY_VMS] = "vms",
	[POLICY_VCPUS] = "vcpus",
	[POLICY_MEMORY] = "memory",
	[POLICY_VM_VCPUS] = "vm-vcpus",
	[POLICY_VM_MEMORY] = "vm-memory",
	[POLICY_PIDS] = "pids",
	[POLICY_CPU_WEIGHT] = "cpu-weight"};

static const char *
draw_value(const char *key)
{
	if (strstr(key, "memory"))
		return DRAW("512M", "1G", "2G", "1048576K", "16G", "3T", "unlimited");
	if (same(key, "cpu-weight"))
		return DRAW("1", "50", "100", "10000");
	return DRAW("32", "33", "64", "100", "4096", "unlimited");
}

/* A number that orders values as they are meant. */
static uint64_t
value_of(const char *text)
{
	char *unit;
	uint64_t n = strtoull(text, &unit, 10);

	if (same(text, "unlimited"))
		return UINT64_MAX;
	return *unit == 'T' ? n << 30 : *unit == 'G' ? n << 20 : *unit == 'M' ? n << 10 : n;
}

/* Does an earlier line limit the same of the same? Such a policy does not load. */
static bool
is_repeated(const struct lines *lines, const struct line *line)
{
	for (unsigned i = 0; i < lines->n; i++) {
		const char *const *a = lines->of[i].words, *const *b = line->words;
		unsigned w = 1;

		while (w < 5 && a[w] && b[w] && same(a[w], b[w]))
			w++;
		/* The value is the last word, the key that before it. */
		if (a[w] && b[w] && !a[w + 1] && !b[w + 1])
			return true;
		if (!a[w] && !b[w])
			return true;
	}
	return false;
}

static struct lines
draw_limits(void)
{
	struct lines lines = {.n = 0};
	unsigned most = draw_below(20);

	for (unsigned i = 0; i < most; i++) {
		struct line line = {.words = {"limit"}};
		const char *key = keys[1 + draw_below(POLICY_N_KEYS - 1)];

		draw_subject(&line);
		put(&line, key);
		put(&line, draw_value(key));
		if (!is_repeated(&lines, &line))
			lines.of[lines.n++] = line;
	}
	/* Somebody may be somebody by this. */
	if (draw_below(2) > 0)
		lines.of[lines.n++] =
			(struct line){.words = {"allow", "user", draw_user(), "view", "own"}};
	return lines;
}

/* The best value of all lines of one kind ("user", "group", "everyone") for her; false: there is none. */
static bool
best_of(const struct lines *lines, const struct person *who, const char *key, const char *kind,
	uint64_t *ret)
{
	bool found = false;

	for (unsigned i = 0; i < lines->n; i++) {
		const char *const *words = lines->of[i].words;
		bool named = !same(words[1], "everyone");
		const char *subject = same(words[1], "uid") ? "user" : words[1];
		uint64_t value;

		if (!same(words[0], "limit") || !same(subject, kind) ||
			!same(words[named ? 3 : 2], key) || !is_for(lines, &words[1], who))
			continue;
		value = value_of(words[named ? 4 : 3]);
		if (!found || value > *ret)
			*ret = value;
		found = true;
	}
	return found;
}

static uint64_t
limit_of(const struct lines *lines, const struct person *who, const char *key)
{
	uint64_t value;

	if (best_of(lines, who, key, "user", &value) || best_of(lines, who, key, "group", &value) ||
		best_of(lines, who, key, "everyone", &value))
		return value;
	return same(key, "cpu-weight") ? 100 : UINT64_MAX;
}

static void
agree(void)
{
	for (unsigned i = 0; i < policies(10000); i++) {
		struct lines lines = draw_limits();

		load(policy, &lines);
		for (unsigned w = 0; w < N_OWNERS; w++) {
			struct policy_limits limits;

			policy_limits(policy, &whos[w], &limits);
			for (unsigned k = 1; k < POLICY_N_KEYS; k++) {
				const struct policy_rule *rule = limits.of[k].rule;

				CHECK(limits.of[k].value == limit_of(&lines, &people[w], keys[k]));
				/* And the line that it names says so. */
				CHECK(!rule ||
					(rule->key == k &&
						value_of(
							lines.of[rule->line - 1].words
								[rule->subject.kind == POLICY_EVERYONE
										? 3
										: 4]) ==
							limits.of[k].value));
			}
		}
		if (test_this_failed) {
			printf("# with\n%s", text_of(&lines));
			return;
		}
	}
}

static void
check_text(const char *who, enum policy_key key, const char *want)
{
	struct policy_limits limits;
	char text[POLICY_LIMIT_TEXT_MAX];

	if (same(who, "host"))
		policy_host_limits(policy, &limits);
	else
		policy_limits(policy, who_is(who), &limits);
	CHECK_STR(policy_limit_text(policy, &limits, key, text), want);
}

static void
by_hand(void)
{
	struct policy_limits limits;

	load_text(policy, "limit everyone vms 4 vcpus 8 memory 16G\n"
			  "limit group students vms 2\n"
			  "limit group tas vms 3 memory 4G\n"
			  "limit user carol vcpus unlimited\n"
			  "limit host memory 90% vms 50\n");
	check_text("alice", POLICY_VMS, "4 (policy.conf:1: limit everyone vms 4)");
	check_text("bob", POLICY_VMS, "2 (policy.conf:2: limit group students vms 2)");
	check_text("carol", POLICY_VMS, "3 (policy.conf:3: limit group tas vms 3)");
	check_text("carol", POLICY_VCPUS,
		"unlimited (policy.conf:4: limit user carol vcpus unlimited)");
	check_text("carol", POLICY_MEMORY, "4G (policy.conf:3: limit group tas memory 4G)");
	check_text("bob", POLICY_MEMORY, "16G (policy.conf:1: limit everyone memory 16G)");
	check_text("bob", POLICY_PIDS, "unlimited");
	check_text("bob", POLICY_CPU_WEIGHT, "100");
	/* Nobody is not everyone, nor in a group. */
	check_text("short", POLICY_VMS, "unlimited");
	check_text("sub", POLICY_VMS, "unlimited");
	check_text("qemud-vm", POLICY_VMS, "4 (policy.conf:1: limit everyone vms 4)");
	check_text("host", POLICY_MEMORY, "90% (policy.conf:5: limit host memory 90%)");
	check_text("host", POLICY_VMS, "50 (policy.conf:5: limit host vms 50)");
	check_text("host", POLICY_VCPUS, "unlimited");
	policy_host_limits(policy, &limits);
	CHECK(limits.of[POLICY_MEMORY].is_percent && limits.of[POLICY_MEMORY].value == 90);
	CHECK(!limits.of[POLICY_VMS].is_percent);
	policy_limits(policy, who_is("bob"), &limits);
	CHECK(limits.of[POLICY_MEMORY].value == 16u << 20);
	/* A name and a number of one account: the larger. */
	load_text(policy, "limit uid 1001 vms 7 vcpus 5\nlimit user alice vms 5 vcpus 7\n");
	check_text("alice", POLICY_VMS, "7 (policy.conf:1: limit uid 1001 vms 7)");
	check_text("alice", POLICY_VCPUS, "7 (policy.conf:2: limit user alice vcpus 7)");
	/* Nothing is limited without a file. */
	policy_limits(policy_builtin(), who_is("alice"), &limits);
	for (unsigned key = 1; key < POLICY_N_KEYS; key++)
		CHECK(!limits.of[key].rule &&
			limits.of[key].value ==
				(key == POLICY_CPU_WEIGHT ? 100 : POLICY_UNLIMITED));
}

/* --- networks ------------------------------------------------------------------------------- */

static struct lines
draw_networks(void)
{
	struct lines lines = {.n = draw_below(8)};

	for (unsigned i = 0; i < lines.n; i++) {
		lines.of[i] = (struct line){.words = {"network"}};
		draw_subject(&lines.of[i]);
		if (draw_below(5) == 0)
			put(&lines.of[i], "none");
		else if (draw_below(2) == 0)
			put(&lines.of[i], "user");
		else {
			put(&lines.of[i], "bridge");
			put(&lines.of[i], DRAW("br0", "br1", "br-lab"));
		}
	}
	if (draw_below(2) > 0)
		lines.of[lines.n++] =
			(struct line){.words = {"allow", "user", draw_user(), "view", "own"}};
	return lines;
}

static bool
may_use(const struct lines *lines, const struct person *who, const char *bridge)
{
	bool any = false, given = false, none = false;

	for (unsigned i = 0; i < lines->n; i++) {
		const char *const *words = lines->of[i].words;
		const char *const *network = words + (same(words[1], "everyone") ? 2 : 3);

		if (!same(words[0], "network"))
			continue;
		any = true;
		if (!is_for(lines, &words[1], who))
			continue;
		none |= same(network[0], "none");
		given |= bridge ? same(network[0], "bridge") && same(network[1], bridge)
				: same(network[0], "user");
	}
	if (!any)
		return !bridge && is_somebody(lines, who);
	return given && !none;
}

/* Names that vanish change no limit, and give no network. */
static void
vanished_names_limit(void)
{
	for (unsigned i = 0; i < policies(4000); i++) {
		struct lines lines = i % 2 ? draw_networks() : draw_limits();
		struct policy_limits before[N_OWNERS], after;
		bool had[N_OWNERS];
		const struct policy_rule *rule;

		load(policy, &lines);
		for (unsigned w = 0; w < N_OWNERS; w++) {
			policy_limits(policy, &whos[w], &before[w]);
			had[w] = policy_network(policy, &whos[w], NULL, &rule);
		}
		for (unsigned n = 0; n < policy->n_names; n++)
			policy_bind_unknown(policy, n);
		for (unsigned w = 0; w < N_OWNERS; w++) {
			policy_limits(policy, &whos[w], &after);
			for (unsigned k = 1; k < POLICY_N_KEYS; k++)
				CHECK(after.of[k].value == before[w].of[k].value &&
					after.of[k].rule == before[w].of[k].rule);
			CHECK(had[w] || !policy_network(policy, &whos[w], NULL, &rule));
		}
	}
}

static void
networks_agree(void)
{
	static const char *const bridges[] = {NULL, "br0", "br1", "br-lab", "br"};

	for (unsigned i = 0; i < policies(5000); i++) {
		struct lines lines = draw_networks();

		load(policy, &lines);
		for (unsigned w = 0; w < N_OWNERS; w++)
			for (unsigned b = 0; b < sizeof bridges / sizeof *bridges; b++) {
				const struct policy_rule *rule;
				bool may = policy_network(policy, &whos[w], bridges[b], &rule);

				CHECK(may == may_use(&lines, &people[w], bridges[b]));
				CHECK(!rule || may == (rule->network != POLICY_NETWORK_NONE));
			}
		if (test_this_failed) {
			printf("# with\n%s", text_of(&lines));
			return;
		}
	}
}

static void
networks_by_hand(void)
{
	const struct policy_rule *rule;

	load_text(policy, "network everyone user\nnetwork group tas bridge br0\n"
			  "network user dave none\nnetwork user dave bridge br0\n");
	CHECK(policy_network(policy, who_is("alice"), NULL, &rule) && rule->line == 1);
	CHECK(!policy_network(policy, who_is("alice"), "br0", &rule) && !rule);
	CHECK(policy_network(policy, who_is("carol"), "br0", &rule) && rule->line == 2);
	CHECK(policy_network(policy, who_is("carol"), NULL, &rule) && rule->line == 1);
	CHECK(!policy_network(policy, who_is("dave"), NULL, &rule) && rule->line == 3);
	CHECK(!policy_network(policy, who_is("dave"), "br0", &rule) && rule->line == 3);
	CHECK(policy_network(policy_builtin(), who_is("dave"), NULL, &rule) && !rule);
	CHECK(!policy_network(policy_builtin(), who_is("dave"), "br0", &rule));
	CHECK(!policy_network(policy_builtin(), who_is("sub"), NULL, &rule));
	/* A policy that does not speak of networks changes nothing of them. */
	load_text(policy, "allow everyone manage own\n");
	CHECK(policy_network(policy, who_is("dave"), NULL, &rule) && !rule);
}

int
main(void)
{
	policy = policy_new();
	if (!policy)
		return 1;
	make_host();
	TEST("limits by hand, with the line that each is from", by_hand);
	TEST("limits of random policies are what they read", agree);
	TEST("names that vanish lift no limit, and give no network", vanished_names_limit);
	TEST("networks by hand", networks_by_hand);
	TEST("networks of random policies are what they read", networks_agree);
	policy_free(policy);
	return TEST_END();
}
