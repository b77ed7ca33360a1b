/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * policy_oracle.h: a small host, random policies about it, and what they mean, found slowly and
 * obviously from the words of their lines.
 *
 * Written from what policy.conf(5) promises. It knows nothing of policy/ but how to hand it a text.
 */
#ifndef TESTS_UNIT_POLICY_ORACLE_H
#define TESTS_UNIT_POLICY_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/match.h"
#include "policy/policy.h"
#include "protocol/verb.h"
#include "tests/unit/test.h"

/* --- the host ------------------------------------------------------------------------------- */

struct person {
	const char *name; /* of the account; NULL: none */
	uint32_t uid;
	const char *groups[4];
	bool is_nobody; /* by range, by /etc/subuid, or without an account */
	bool is_subordinate;
	bool is_system;
	const char *tls;
};

static const struct person people[] = {
	{"root", 0, {"root"}, false, false, false, NULL},
	{"alice", 1001, {"users", "staff"}, false, false, false, NULL},
	{"bob", 1002, {"users", "students"}, false, false, false, NULL},
	{"carol", 1003, {"users", "students", "tas"}, false, false, false, NULL},
	{"dave", 1004, {"dave"}, false, false, false, NULL},
	{"qemud-vm", 990, {"qemud-vm"}, false, false, true, NULL},
	{"sub", 100000, {"users", "students"}, true, true, false, NULL},
	{"nobody", 65534, {"nogroup"}, true, false, false, NULL},
	{"short", 61200, {"tas"}, true, false, false, NULL},
	{NULL, 2000, {NULL}, true, false, false, NULL},
	{NULL, 0, {NULL}, false, false, false, "CN=ops,O=Lab"},
	{NULL, 0, {NULL}, false, false, false, "CN=eve"},
};

static const struct {
	const char *name;
	uint32_t gid;
} groups[] = {{"root", 0}, {"staff", 50}, {"users", 100}, {"qemud-vm", 990}, {"dave", 1004},
	{"tas", 5001}, {"students", 5002}, {"nogroup", 65534}};

enum {
	N_PEOPLE = sizeof people / sizeof *people,
	N_OWNERS = N_PEOPLE - 2, /* a certificate owns nothing */
	N_GROUPS = sizeof groups / sizeof *groups
};

static inline struct account
account_of(const struct person *person)
{
	struct account account = {.uid = person->uid, .subordinate = person->is_subordinate};

	(void)snprintf(account.name, sizeof account.name, "%s", person->name);
	(void)snprintf(account.home, sizeof account.home, "/home/%s", person->name);
	/* Ascending, as groups[] is. */
	for (unsigned g = 0; g < N_GROUPS; g++)
		for (unsigned i = 0; i < 4 && person->groups[i]; i++)
			if (strcmp(groups[g].name, person->groups[i]) == 0)
				account.groups[account.n_groups++] = groups[g].gid;
	account.gid = account.groups[0];
	return account;
}

static inline bool
in_group(const struct person *person, const char *group)
{
	for (unsigned i = 0; i < 4 && person->groups[i]; i++)
		if (strcmp(person->groups[i], group) == 0)
			return true;
	return false;
}

static struct account accounts[N_PEOPLE];
static struct policy_who whos[N_PEOPLE];

static inline void
make_host(void)
{
	for (unsigned i = 0; i < N_PEOPLE; i++) {
		if (people[i].name)
			accounts[i] = account_of(&people[i]);
		whos[i] = (struct policy_who){.uid = people[i].uid,
			.account = people[i].name ? &accounts[i] : NULL,
			.tls = people[i].tls,
			.is_system = people[i].is_system};
	}
}

static inline bool
same(const char *a, const char *b)
{
	return a && strcmp(a, b) == 0;
}

/* By name of account or certificate; "": the uid without an account. */
static inline const struct policy_who *
who_is(const char *name)
{
	for (unsigned i = 0; i < N_PEOPLE; i++)
		if (same(people[i].name, name) || same(people[i].tls, name))
			return &whos[i];
	return &whos[9];
}

/* --- policies as lines of words ------------------------------------------------------------- */

enum { LINES_MAX = 40, WORDS_OF_LINE = 8 };

struct line {
	const char *
		words[WORDS_OF_LINE]; /* NULL behind the last; a certificate's name without marks */
};

struct lines {
	struct line of[LINES_MAX];
	unsigned n;
};

static inline const char *
text_of(const struct lines *lines)
{
	static char text[LINES_MAX * 128];
	size_t at = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < lines->n; i++) {
		const char *const *words = lines->of[i].words;

		for (unsigned w = 0; w < WORDS_OF_LINE && words[w]; w++) {
			const char *mark = w > 0 && same(words[w - 1], "tls") ? "\"" : "";

			at += (size_t)snprintf(text + at, sizeof text - at, "%s%s%s%s",
				w > 0 ? " " : "", mark, words[w], mark);
		}
		at += (size_t)snprintf(text + at, sizeof text - at, "\n");
	}
	return text;
}

/* Bind names as the host has them. */
static inline void
bind_all(struct policy *policy)
{
	for (unsigned n = 0; n < policy->n_names; n++) {
		const struct policy_name *name = &policy->names[n];

		for (unsigned i = 0; name->is_group && i < N_GROUPS; i++)
			if (strcmp(groups[i].name, name->text) == 0)
				policy_bind(policy, n, groups[i].gid);
		for (unsigned i = 0; !name->is_group && i < N_PEOPLE; i++)
			if (same(people[i].name, name->text))
				policy_bind(policy, n, people[i].uid);
	}
}

static inline void
load_text(struct policy *policy, const char *text)
{
	policy_clear(policy);
	CHECK(policy_parse(policy, "policy.conf", text, strlen(text)) == 0);
	bind_all(policy);
}

static inline void
load(struct policy *policy, const struct lines *lines)
{
	load_text(policy, text_of(lines));
}

/* --- drawn ---------------------------------------------------------------------------------- */

static uint64_t draw_state = 88172645463325252;

static inline unsigned
draw_below(unsigned n)
{
	draw_state ^= draw_state << 13;
	draw_state ^= draw_state >> 7;
	draw_state ^= draw_state << 17;
	return (unsigned)((draw_state >> 20) % n);
}

static inline const char *
draw_of(const char *const *words, unsigned n)
{
	return words[draw_below(n)];
}

#define DRAW(...)                                   \
	draw_of((const char *const[]){__VA_ARGS__}, \
		sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static inline void
put(struct line *line, const char *word)
{
	unsigned w = 0;

	while (line->words[w])
		w++;
	line->words[w] = word;
}

static inline const char *
draw_user(void)
{
	return DRAW("root", "alice", "bob", "carol", "dave", "qemud-vm", "sub", "nobody", "short",
		"phantom");
}

static inline const char *
draw_group(void)
{
	return DRAW(
		"users", "users", "students", "students", "tas", "staff", "nogroup", "phantoms");
}

static inline const char *
draw_uid(void)
{
	return DRAW("0", "1001", "1002", "990", "100000", "65534", "61200", "2000", "31337");
}

/* everyone, or somebody by a name. */
static inline void
draw_subject(struct line *line)
{
	switch (draw_below(8)) {
	case 0:
	case 1:
		put(line, "everyone");
		break;
	case 2:
	case 3:
		put(line, "user");
		put(line, draw_user());
		break;
	case 4:
		put(line, "uid");
		put(line, draw_uid());
		break;
	default:
		put(line, "group");
		put(line, draw_group());
		break;
	}
}

static inline void
draw_tls_or_subject(struct line *line)
{
	if (draw_below(8) > 0) {
		draw_subject(line);
		return;
	}
	put(line, "tls");
	put(line, DRAW("CN=ops,O=Lab", "CN=ops,O=Lab", "CN=eve", "CN=ops"));
}

static inline void
draw_target(struct line *line)
{
	switch (draw_below(7)) {
	case 0:
	case 1:
		put(line, DRAW("own", "all", "system"));
		break;
	case 2:
		put(line, "own");
		break;
	case 3:
		put(line, "user");
		put(line, draw_user());
		break;
	case 4:
		put(line, "uid");
		put(line, draw_uid());
		break;
	default:
		put(line, "group");
		put(line, draw_group());
		break;
	}
}

static inline const char *
draw_verb(void)
{
	return DRAW("view", "console", "power", "manage");
}

static inline struct line
draw_allow(void)
{
	struct line line = {.words = {"allow"}};

	draw_tls_or_subject(&line);
	put(&line, draw_verb());
	draw_target(&line);
	return line;
}

static inline struct line
draw_deny(void)
{
	struct line line = {.words = {"deny"}};
	unsigned form = draw_below(4);

	draw_tls_or_subject(&line);
	if (form > 0)
		put(&line, draw_verb());
	if (form > 1)
		draw_target(&line);
	return line;
}

/* --- what lines mean ------------------------------------------------------------------------ */

/* Is that uid written there: as a number, or as the name of its account? words: KIND NAME. */
static inline bool
says_uid(const char *const *words, uint32_t uid)
{
	char number[16];

	(void)snprintf(number, sizeof number, "%u", uid);
	if (same(words[0], "uid"))
		return same(words[1], number);
	if (!same(words[0], "user"))
		return false;
	for (unsigned i = 0; i < N_PEOPLE; i++)
		if (!people[i].tls && people[i].uid == uid && same(people[i].name, words[1]))
			return true;
	return false;
}

/* Nobody is somebody when a line that allows something has that very user. */
static inline bool
is_somebody(const struct lines *lines, const struct person *who)
{
	if (who->tls)
		return false;
	if (!who->is_nobody)
		return true;
	for (unsigned i = 0; i < lines->n; i++)
		if (same(lines->of[i].words[0], "allow") &&
			says_uid(&lines->of[i].words[1], who->uid))
			return true;
	return false;
}

/* words: from the subject on. */
static inline bool
is_for(const struct lines *lines, const char *const *words, const struct person *who)
{
	if (same(words[0], "tls"))
		return same(who->tls, words[1]);
	if (who->tls)
		return false;
	if (same(words[0], "everyone"))
		return is_somebody(lines, who);
	if (same(words[0], "group"))
		return is_somebody(lines, who) && in_group(who, words[1]);
	return says_uid(words, who->uid);
}

static inline bool
is_own(const struct person *who, const struct person *owner)
{
	if (who->tls || who->uid == 0)
		return owner->is_system;
	return who->name && who->uid == owner->uid;
}

/* words: from the target on. */
static inline bool
is_about(const char *const *words, const struct person *who, const struct person *owner)
{
	if (!words[0] || same(words[0], "all"))
		return true;
	if (same(words[0], "own"))
		return is_own(who, owner);
	if (same(words[0], "system"))
		return owner->is_system;
	if (same(words[0], "group"))
		return in_group(owner, words[1]);
	return says_uid(words, owner->uid);
}

/* Does whoever has the verb a also have the verb b? */
static inline bool
includes(const char *a, const char *b)
{
	return same(a, b) || same(a, "manage") || same(b, "view");
}

/* May she do that, by these lines? */
static inline bool
may(const struct lines *lines, const struct person *who, bool read_only, const char *verb,
	const struct person *owner)
{
	/* Root's own rule. */
	bool allowed = !who->tls && who->uid == 0;

	if (read_only && !same(verb, "view"))
		return false;
	for (unsigned i = 0; i < lines->n; i++) {
		const char *const *subject = &lines->of[i].words[1];
		const char *const *rest = subject + (same(subject[0], "everyone") ? 1 : 2);

		if (same(lines->of[i].words[0], "allow") && is_for(lines, subject, who) &&
			is_about(rest + 1, who, owner) && includes(rest[0], verb))
			allowed = true;
	}
	for (unsigned i = 0; i < lines->n; i++) {
		const char *const *subject = &lines->of[i].words[1];
		const char *const *rest = subject + (same(subject[0], "everyone") ? 1 : 2);

		if (same(lines->of[i].words[0], "deny") && is_for(lines, subject, who) &&
			(!rest[0] || (is_about(rest + 1, who, owner) && includes(verb, rest[0]))))
			allowed = false;
	}
	return allowed;
}

static inline uint32_t
verbs_of(const struct lines *lines, const struct person *who, bool read_only,
	const struct person *owner)
{
	return (may(lines, who, read_only, "view", owner) ? VERB_VIEW : 0u) |
	       (may(lines, who, read_only, "console", owner) ? VERB_CONSOLE : 0u) |
	       (may(lines, who, read_only, "power", owner) ? VERB_POWER : 0u) |
	       (may(lines, who, read_only, "manage", owner) ? VERB_MANAGE : 0u);
}

#endif
