/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * policy.c: the rules of policy.conf(5) as one checked list, and the names that they wait for.
 *
 * Pure. Runs in the broker, as root, and in tools as anybody.
 */
#include "policy/policy.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "policy/grammar.h"
#include "policy/words.h"
#include "protocol/verb.h"

/* The same rules wherever they stand: root's, and those of a host without a policy file. */
#define ROOTS_RULE                                                                       \
	{                                                                                \
		.kind = POLICY_ALLOW, .verb = VERB_MANAGE, .is_builtin = true,           \
		.subject = {.kind = POLICY_UID, .n = 0}, .target = {.kind = POLICY_ALL}, \
	}

static struct policy_rule builtin_rules[] = {
	ROOTS_RULE,
	{
		.kind = POLICY_ALLOW,
		.verb = VERB_MANAGE,
		.is_builtin = true,
		.subject = {.kind = POLICY_EVERYONE},
		.target = {.kind = POLICY_OWN},
	},
};

static const struct policy builtin = {
	.rules = builtin_rules,
	.n_rules = sizeof builtin_rules / sizeof *builtin_rules,
};

enum {
	/* A word and its NUL are never more than the word and what stands behind it in its file. */
	POOL = POLICY_BYTES_MAX + POLICY_FILES_MAX * (POLICY_FILE_NAME_MAX + 1),
	N_HASHES = 4096
};

struct memory {
	struct policy policy;
	struct policy_rule rules[POLICY_RULES_MAX];
	struct policy_name names[POLICY_NAMES_MAX];
	struct policy_complaint complaints[POLICY_COMPLAINTS_MAX];
	uint16_t hashes[N_HASHES]; /* 1 + number in names of the first, 0: none */
	char pool[POOL];
};

const struct policy *
policy_builtin(void)
{
	return &builtin;
}

void
policy_clear(struct policy *policy)
{
	struct memory *memory = (struct memory *)(void *)policy;

	*policy = (struct policy){.rules = memory->rules,
		.names = memory->names,
		.complaints = memory->complaints,
		.pool = memory->pool,
		.hashes = memory->hashes};
	memset(memory->hashes, 0, sizeof memory->hashes);
	policy->rules[policy->n_rules++] = builtin_rules[0];
}

struct policy *
policy_new(void)
{
	struct memory *memory = calloc(1, sizeof *memory);

	if (!memory)
		return NULL;
	policy_clear(&memory->policy);
	return &memory->policy;
}

void
policy_free(struct policy *policy)
{
	free(policy);
}

/* --- what is kept --------------------------------------------------------------------------- */

uint32_t
policy_keep(struct policy *policy, const char *text, size_t len)
{
	size_t at = policy->n_pool;

	ASSERT(len < POOL - at);
	if (len > 0)
		memcpy(policy->pool + at, text, len);
	policy->pool[at + len] = '\0';
	policy->n_pool += len + 1;
	return (uint32_t)at;
}

static unsigned
hash(bool is_group, const char *text, size_t len)
{
	uint32_t h = 2166136261u ^ is_group;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)text[i]) * 16777619u;
	return (h ^ h >> 16) % N_HASHES;
}

int
policy_keep_name(struct policy *policy, bool is_group, const char *text, size_t len, uint32_t *ret)
{
	uint16_t *first = &policy->hashes[hash(is_group, text, len)];

	for (unsigned i = *first; i != 0; i = policy->names[i - 1].next) {
		const struct policy_name *name = &policy->names[i - 1];

		if (name->is_group == is_group && strlen(name->text) == len &&
			memcmp(name->text, text, len) == 0) {
			*ret = i - 1;
			return 0;
		}
	}
	if (policy->n_names == POLICY_NAMES_MAX)
		return POLICY_E_BAD;
	policy->names[policy->n_names] =
		(struct policy_name){.text = policy->pool + policy_keep(policy, text, len),
			.is_group = is_group,
			.next = *first};
	*ret = policy->n_names++;
	*first = (uint16_t)policy->n_names;
	return 0;
}

void
policy_complain(struct policy *policy, bool is_warning, uint32_t line, unsigned column,
	const char *fmt, ...)
{
	struct policy_complaint *complaint;
	va_list ap;

	*(is_warning ? &policy->n_warnings : &policy->n_errors) += 1;
	if (policy->n_complaints == POLICY_COMPLAINTS_MAX)
		return;
	complaint = &policy->complaints[policy->n_complaints++];
	*complaint = (struct policy_complaint){.is_warning = is_warning,
		.file = (uint16_t)(policy->n_files - 1),
		.line = line,
		.column = column};
	va_start(ap, fmt);
	(void)vsnprintf(complaint->text, sizeof complaint->text, fmt, ap);
	va_end(ap);
}

const char *
policy_complaint_text(const struct policy *policy, const struct policy_complaint *complaint,
	char *buf, size_t size)
{
	char at[32] = "";

	if (complaint->column > 0)
		(void)snprintf(
			at, sizeof at, ":%" PRIu32 ":%u", complaint->line, complaint->column);
	else if (complaint->line > 0)
		(void)snprintf(at, sizeof at, ":%" PRIu32, complaint->line);
	(void)snprintf(buf, size, "%s%s: %s: %s", policy->files[complaint->file], at,
		complaint->is_warning ? "warning" : "error", complaint->text);
	return buf;
}

/* --- files ---------------------------------------------------------------------------------- */

int
policy_parse(struct policy *policy, const char *file, const char *text, size_t size)
{
	unsigned n_errors = policy->n_errors;
	enum words_result result;
	struct words words;

	if (policy->n_files == POLICY_FILES_MAX) {
		policy_complain(
			policy, false, 0, 0, "there are more than %d files", POLICY_FILES_MAX);
		return POLICY_E_BAD;
	}
	policy->files[policy->n_files++] =
		policy->pool + policy_keep(policy, file, strnlen(file, POLICY_FILE_NAME_MAX - 1));
	if (size > POLICY_BYTES_MAX - policy->n_bytes) {
		policy_complain(policy, false, 0, 0,
			"with this file there are more than %d bytes of policy", POLICY_BYTES_MAX);
		return POLICY_E_BAD;
	}
	policy->n_bytes += size;
	words_init(&words, text, size);
	while ((result = words_next(&words)) != WORDS_END)
		if (result == WORDS_BAD)
			policy_complain(
				policy, false, words.line, words.error_column, "%s", words.error);
		else
			grammar_line(policy, &words);
	return policy->n_errors == n_errors ? 0 : POLICY_E_BAD;
}

/* --- names ---------------------------------------------------------------------------------- */

void
policy_bind(struct policy *policy, unsigned i, uint32_t id)
{
	struct policy_name *name = &policy->names[i];

	ASSERT(i < policy->n_names);
	name->changed |= name->held;
	name->held = false;
	name->known = true;
	name->id = id;
}

void
policy_bind_unknown(struct policy *policy, unsigned i)
{
	struct policy_name *name = &policy->names[i];

	ASSERT(i < policy->n_names);
	name->changed |= name->known;
	name->held |= name->known;
	name->known = false;
}

bool
policy_takes(const struct policy_rule *rule)
{
	return rule->kind == POLICY_DENY || rule->kind == POLICY_LIMIT ||
	       (rule->kind == POLICY_NETWORK && rule->network == POLICY_NETWORK_NONE);
}

static void
check_party(struct policy *policy, const struct policy_rule *rule, const struct policy_party *party)
{
	const struct policy_name *name;
	bool is_error = policy_takes(rule);
	unsigned n = policy->n_complaints;

	if (party->kind != POLICY_USER && party->kind != POLICY_GROUP)
		return;
	name = &policy->names[party->n];
	if (name->known)
		return;
	policy_complain(policy, !is_error, rule->line, party->column,
		"this host knows no %s %s: %s", name->is_group ? "group" : "user", name->text,
		is_error ? "what this line takes away would stay"
			 : "this line gives nothing to anybody");
	if (policy->n_complaints > n)
		policy->complaints[n].file = rule->file;
}

int
policy_check_names(struct policy *policy)
{
	unsigned n_errors = policy->n_errors;

	for (unsigned i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i], *last = rule - 1;

		/* A limit of several keys is several rules of one line. */
		if (rule->kind != POLICY_LIMIT || last->kind != POLICY_LIMIT ||
			last->line != rule->line || last->file != rule->file)
			check_party(policy, rule, &rule->subject);
		check_party(policy, rule, &rule->target);
	}
	return policy->n_errors == n_errors ? 0 : POLICY_E_BAD;
}

const struct policy_name *
policy_changed(struct policy *policy, unsigned *at)
{
	for (; *at < policy->n_names; *at += 1)
		if (policy->names[*at].changed) {
			policy->names[*at].changed = false;
			return &policy->names[*at];
		}
	return NULL;
}

static bool
is_name(const struct policy *policy, const struct policy_party *party,
	const struct policy_name *name)
{
	return (party->kind == POLICY_USER || party->kind == POLICY_GROUP) &&
	       &policy->names[party->n] == name;
}

const struct policy_rule *
policy_speaks_of(
	const struct policy *policy, const struct policy_name *name, bool takes, unsigned *ret_n)
{
	const struct policy_rule *first = NULL, *last = NULL;

	*ret_n = 0;
	for (unsigned i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (policy_takes(rule) != takes || (!is_name(policy, &rule->subject, name) &&
							   !is_name(policy, &rule->target, name)))
			continue;
		first = first ? first : rule;
		/* A limit of several keys is several rules of one line. */
		*ret_n += !last || last->line != rule->line || last->file != rule->file;
		last = rule;
	}
	return first;
}
