/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * policy_grammar.c: every line of policy.conf(5) is read as what it says, and written as it was
 * read; every mistake is told with file, line, column, what was found and what was expected.
 *
 * tests/golden/policy/NAME.conf -> NAME.out: the rules, a line each, or what is wrong.
 */
#include <glob.h>

#include "lib/take.h"
#include "policy/policy.h"
#include "tests/unit/test.h"

#define FOLDER "tests/golden/policy/"

static struct policy *policy;

/* --- golden files --------------------------------------------------------------------------- */

static char *
read_whole(const char *path, size_t *ret_size)
{
	file_auto FILE *file = fopen(path, "re");
	char *text = calloc(1, 65536);

	*ret_size = file && text ? fread(text, 1, 65535, file) : 0;
	return text;
}

static void
bind_names(void)
{
	static const struct {
		const char *name;
		bool is_group;
		uint32_t id;
	} known[] = {
		{"alice", false, 1001},
		{"bob", false, 1002},
		{"prometheus", false, 120},
		{"guest", false, 1003},
		{"staff", true, 50},
		{"tas", true, 5001},
		{"students", true, 5002},
		{"lab-admins", true, 5003},
	};

	for (unsigned i = 0; i < policy->n_names; i++)
		for (size_t j = 0; j < sizeof known / sizeof *known; j++)
			if (strcmp(policy->names[i].text, known[j].name) == 0 &&
				policy->names[i].is_group == known[j].is_group)
				policy_bind(policy, i, known[j].id);
}

/* What became of a file, as the golden file has it. */
static void
put_outcome(FILE *out)
{
	char where[POLICY_WHERE_MAX], text[POLICY_RULE_TEXT_MAX], complaint[512];

	for (unsigned i = 0; i < policy->n_complaints; i++)
		(void)fprintf(out, "%s\n",
			policy_complaint_text(
				policy, &policy->complaints[i], complaint, sizeof complaint));
	for (unsigned i = 1; policy->n_errors == 0 && i < policy->n_rules; i++)
		(void)fprintf(out, "%s: %s\n",
			policy_rule_where(policy, &policy->rules[i], where, sizeof where),
			policy_rule_text(policy, &policy->rules[i], text));
}

static void
one_file(const char *path)
{
	free_auto char *text = NULL, *want = NULL, *got = NULL;
	const char *name = path + strlen(FOLDER);
	char out_path[256];
	size_t size, want_size;
	FILE *out = open_memstream(&got, &size);
	int r;

	text = read_whole(path, &size);
	policy_clear(policy);
	r = policy_parse(policy, name, text, size);
	CHECK((r == 0) == (policy->n_errors == 0));
	if (r == 0) {
		bind_names();
		r = policy_check_names(policy);
		CHECK((r == 0) == (policy->n_errors == 0));
	}
	CHECK(policy->n_complaints == policy->n_errors + policy->n_warnings);
	put_outcome(out);
	(void)fclose(out);
	(void)snprintf(out_path, sizeof out_path, "%.*s.out", (int)(strlen(path) - 5), path);
	want = read_whole(out_path, &want_size);
	CHECK(strcmp(got, want) == 0);
	if (strcmp(got, want) == 0)
		return;
	printf("# %s:\n", out_path);
	for (const char *line = got; *line; line += strcspn(line, "\n") + 1)
		printf("#|%.*s\n", (int)strcspn(line, "\n"), line);
}

static void
golden(void)
{
	glob_t found;

	CHECK(glob(FOLDER "*.conf", 0, NULL, &found) == 0);
	for (size_t i = 0; i < found.gl_pathc; i++)
		one_file(found.gl_pathv[i]);
	CHECK(found.gl_pathc >= 10);
	globfree(&found);
}

/* --- what is written reads as the same ------------------------------------------------------ */

static void
round_trip(void)
{
	char texts[64][POLICY_RULE_TEXT_MAX], all[64 * POLICY_RULE_TEXT_MAX] = "";
	free_auto char *text = NULL;
	unsigned n_rules;
	size_t size;

	text = read_whole(FOLDER "forms.conf", &size);
	policy_clear(policy);
	CHECK(policy_parse(policy, "forms.conf", text, size) == 0);
	n_rules = policy->n_rules;
	CHECK(n_rules > 25 && n_rules < 64);
	for (unsigned i = 1; i < n_rules; i++) {
		(void)policy_rule_text(policy, &policy->rules[i], texts[i]);
		(void)strcat(strcat(all, texts[i]), "\n");
	}
	policy_clear(policy);
	CHECK(policy->n_rules == 1 && policy->n_files == 0);
	CHECK(policy_parse(policy, "again", all, strlen(all)) == 0);
	CHECK(policy->n_rules == n_rules);
	for (unsigned i = 1; i < n_rules; i++) {
		char again[POLICY_RULE_TEXT_MAX], where[32], line[32];

		CHECK_STR(policy_rule_text(policy, &policy->rules[i], again), texts[i]);
		(void)snprintf(line, sizeof line, "again:%u", i);
		CHECK_STR(policy_rule_where(policy, &policy->rules[i], where, sizeof where), line);
	}
}

/* --- several files -------------------------------------------------------------------------- */

static int
parse(const char *file, const char *text)
{
	return policy_parse(policy, file, text, strlen(text));
}

static const char *
told(unsigned i)
{
	static char text[512];

	return i < policy->n_complaints
		       ? policy_complaint_text(policy, &policy->complaints[i], text, sizeof text)
		       : "";
}

static void
several_files(void)
{
	policy_clear(policy);
	CHECK(parse("policy.conf", "allow user alice view all\nlimit user alice vms 1\n") == 0);
	CHECK(parse("policy.d/a.conf", "allow user alice power user bob") == 0);
	CHECK(parse("policy.d/b.conf", "") == 0);
	CHECK(policy->n_files == 3 && policy->n_rules == 4 && policy->n_names == 2);
	CHECK(policy->rules[3].file == 1 && policy->rules[3].line == 1);
	/* The same limit in two files. */
	CHECK(parse("policy.d/c.conf", "\nlimit user alice vcpus 1 vms 2\n") == POLICY_E_BAD);
	CHECK_STR(told(0), "policy.d/c.conf:2:26: error: vms of user alice has been limited in "
			   "policy.conf:2");
	/* Mistakes of further files are told, too. */
	CHECK(parse("policy.d/d.conf", "\n\nallow\n") == POLICY_E_BAD);
	CHECK(strncmp(told(1), "policy.d/d.conf:3:6: error: the line ends here", 40) == 0);
	CHECK(policy->n_errors == 2 && policy->n_warnings == 0);
	/* A file's own result does not depend on those before. */
	CHECK(parse("policy.d/e.conf", "allow everyone view own") == 0);
}

static void
warned_where_it_is(void)
{
	policy_clear(policy);
	CHECK(parse("a", "allow user ghost view all\nlimit user alice vms 1\n") == 0);
	CHECK(parse("b", "\nlimit user ghost vms 1 vcpus 2\n") == 0);
	bind_names();
	CHECK(policy_check_names(policy) == POLICY_E_BAD);
	CHECK(policy->n_errors == 1 && policy->n_warnings == 1);
	CHECK(strncmp(told(0), "a:1:12: warning: ", 17) == 0);
	CHECK(strncmp(told(1), "b:2:12: error: ", 15) == 0);
	/* Known later. */
	policy->n_errors = policy->n_warnings = policy->n_complaints = 0;
	policy_bind(policy, 0, 5);
	CHECK(policy_check_names(policy) == 0 && policy->n_complaints == 0);
	policy_bind_unknown(policy, 0);
	CHECK(policy_check_names(policy) == POLICY_E_BAD);
}

/* --- bounds --------------------------------------------------------------------------------- */

static void
too_many_files(void)
{
	char name[200];

	policy_clear(policy);
	memset(name, 'x', sizeof name);
	name[sizeof name - 1] = '\0';
	for (unsigned i = 0; i < POLICY_FILES_MAX; i++)
		CHECK(parse(name, "") == 0);
	CHECK(strlen(policy->files[3]) == POLICY_FILE_NAME_MAX - 1);
	CHECK(parse("one.conf", "") == POLICY_E_BAD);
	CHECK(strstr(told(0), "more than 64 files"));
}

static void
too_many_bytes(void)
{
	free_auto char *text = malloc(POLICY_BYTES_MAX);

	/* Names as long and as many as there is room for. */
	for (size_t at = 0; at < POLICY_BYTES_MAX; at++)
		text[at] = at % 1000 == 999 ? '\n' : '#';
	policy_clear(policy);
	CHECK(policy_parse(policy, "a", text, POLICY_BYTES_MAX) == 0);
	CHECK(parse("b", "") == 0);
	CHECK(parse("c", "#") == POLICY_E_BAD);
	CHECK_STR(told(0), "c: error: with this file there are more than 262144 bytes of policy");
	policy_clear(policy);
	CHECK(policy_parse(policy, "a", text, POLICY_BYTES_MAX + 1UL) == POLICY_E_BAD);
}

/* Lines until there is no room for one more, of as many different names as asked for. */
static unsigned
fill(const char *begin, unsigned most)
{
	char line[64];
	unsigned n = 0;

	policy_clear(policy);
	while (n < most) {
		(void)snprintf(line, sizeof line, "%s%u", begin, n);
		if (parse("fill", line) != 0)
			break;
		policy->n_files = 0; /* one file, as it were */
		n++;
	}
	return n;
}

static void
too_many_rules(void)
{
	CHECK(fill("deny uid ", 10000) == POLICY_RULES_MAX - 1);
	CHECK_STR(told(0), "fill:1: error: there are more than 8192 rules");
	CHECK(fill("deny user u", 10000) == POLICY_NAMES_MAX);
	CHECK_STR(told(0), "fill:1:11: error: there are more than 4096 different names");
	/* Those that are there stay good. */
	for (unsigned i = 0; i < POLICY_NAMES_MAX; i++) {
		char name[16];

		(void)snprintf(name, sizeof name, "u%u", i);
		CHECK_STR(policy->names[i].text, name);
	}
	policy->n_files = 0;
	CHECK(parse("more", "deny user u4095\ndeny user u0") == 0);
	CHECK(policy->n_names == POLICY_NAMES_MAX);
	CHECK(policy->rules[policy->n_rules - 1].subject.n == 0);
	CHECK(policy->rules[policy->n_rules - 2].subject.n == 4095);
	/* A user and a group of one name are two. */
	policy_clear(policy);
	CHECK(parse("more", "deny user a\ndeny group a") == 0);
	CHECK(policy->n_names == 2);
}

static void
too_many_mistakes(void)
{
	char text[1024];

	memset(text, '\n', sizeof text);
	for (size_t i = 0; i < sizeof text; i += 8)
		text[i] = 'x';
	policy_clear(policy);
	CHECK(policy_parse(policy, "bad", text, sizeof text) == POLICY_E_BAD);
	CHECK(policy->n_errors == 128 && policy->n_complaints == POLICY_COMPLAINTS_MAX);
	CHECK(strstr(told(31), "bad:218:1: error: found x, expected allow"));
}

/* A file full of words that are kept: all have room. */
static void
room_for_all(void)
{
	free_auto char *text = malloc(POLICY_BYTES_MAX);
	size_t size = 0;
	unsigned n = 0;

	while (POLICY_BYTES_MAX - size > 40 && n < POLICY_NAMES_MAX) {
		int len =
			snprintf(text + size, 40, "deny user %u%s\n", n, "x-long-name-of-a-user-x");

		size += (size_t)len;
		n++;
	}
	policy_clear(policy);
	CHECK(policy_parse(policy, "full", text, size) == 0);
	CHECK(policy->n_names == n);
	size = 0;
	for (n = 0; POLICY_BYTES_MAX - size > 20 && n < POLICY_RULES_MAX - 1; n++)
		size += (size_t)snprintf(text + size, 20, "deny tls \"%u\"\n", n);
	policy_clear(policy);
	CHECK(policy_parse(policy, "full", text, size) == 0);
	CHECK(policy->n_rules == n + 1);
}

int
main(void)
{
	policy = policy_new();
	if (!policy)
		return 1;
	TEST("each golden file gives its rules, or its mistakes", golden);
	TEST("what is written of a rule reads as the same rule", round_trip);
	TEST("several files make one policy", several_files);
	TEST("names that nobody knows are told at their place", warned_where_it_is);
	TEST("files are counted", too_many_files);
	TEST("bytes are counted", too_many_bytes);
	TEST("rules and names are counted", too_many_rules);
	TEST("many mistakes are counted, the first ones kept", too_many_mistakes);
	TEST("whatever stands in as many bytes as there may be has room", room_for_all);
	policy_free(policy);
	return TEST_END();
}
