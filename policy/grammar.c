/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grammar.c: a line of words as rules.
 *
 * Pure. Runs in the broker, as root, and in tools as anybody. A reader takes word after word; what
 * does not fit is told with what was found, what was expected, and what may have been meant.
 */
#include "policy/grammar.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/keyval.h"
#include "lib/log.h"
#include "policy/choices.h"
#include "policy/policy.h"
#include "policy/words.h"

struct reader {
	struct policy *policy;
	const struct words *words;
	unsigned at; /* the word that comes next */
};

enum { SHOWN_MAX = 64, LIST_MAX = 128 };

/* The next word, or NULL at the end of the line. */
static const struct word *
peek(const struct reader *reader)
{
	return reader->at < reader->words->n_words ? &reader->words->words[reader->at] : NULL;
}

static unsigned
column_of(const struct reader *reader)
{
	const struct word *word = peek(reader);

	return word ? word->column : reader->words->end_column;
}

/* The next word is not what was expected. guess: what may have been meant, or NULL. */
static bool
expected(const struct reader *reader, const char *what, const char *guess)
{
	const struct word *word = peek(reader);
	char shown[SHOWN_MAX];

	if (!word) {
		policy_complain(reader->policy, false, reader->words->line, column_of(reader),
			"the line ends here, expected %s", what);
		return false;
	}
	(void)log_escape(shown, sizeof shown, word->text, word->len);
	policy_complain(reader->policy, false, reader->words->line, word->column,
		"found %s%s%s, expected %s%s%s%s", word->is_quoted ? "\"" : "", shown,
		word->is_quoted ? "\"" : "", what, guess ? "; did you mean " : "",
		guess ? guess : "", guess ? "?" : "");
	return false;
}

/* One of the words of this use. */
static const struct choice *
choose(struct reader *reader, unsigned use)
{
	const struct word *word = peek(reader);
	const struct choice *choice = NULL;
	char list[LIST_MAX];

	if (word && !word->is_quoted)
		choice = choices_find(word->text, word->len, use);
	if (choice)
		reader->at++;
	else
		(void)expected(reader, choices_list(use, list, sizeof list),
			word ? choices_guess(word->text, word->len, use) : NULL);
	return choice;
}

/* A word as a string; false when it is longer. */
static bool
copy_word(const struct word *word, char *buf, size_t size)
{
	if (word->len >= size)
		return false;
	memcpy(buf, word->text, word->len);
	buf[word->len] = '\0';
	return true;
}

static bool
read_name(struct reader *reader, bool is_group, uint32_t *ret)
{
	const struct word *word = peek(reader);
	char name[ACCOUNT_NAME_MAX];

	if (!word || !copy_word(word, name, sizeof name) || !account_name_valid(name))
		return expected(
			reader, is_group ? "the name of a group" : "the name of a user", NULL);
	if (strspn(name, "0123456789") == word->len)
		return expected(reader,
			is_group ? "the name of a group, not a number"
				 : "the name of a user; a number stands behind uid",
			NULL);
	if (policy_keep_name(reader->policy, is_group, word->text, word->len, ret) != 0) {
		policy_complain(reader->policy, false, reader->words->line, word->column,
			"there are more than %d different names", POLICY_NAMES_MAX);
		return false;
	}
	reader->at++;
	return true;
}

static bool
read_uid(struct reader *reader, uint32_t *ret)
{
	const struct word *word = peek(reader);
	char number[16];
	uint64_t uid;

	if (!word || !copy_word(word, number, sizeof number) ||
		keyval_number(number, 0, UINT32_MAX - 1, &uid) != 0)
		return expected(reader, "a number from 0 to 4294967294", NULL);
	*ret = (uint32_t)uid;
	reader->at++;
	return true;
}

static bool
read_tls(struct reader *reader, uint32_t *ret)
{
	const struct word *word = peek(reader);

	if (!word || !word->is_quoted || word->len == 0 || word->len >= POLICY_TLS_MAX)
		return expected(reader,
			"the name of a certificate in quotation marks, of 1 to 255 bytes", NULL);
	*ret = policy_keep(reader->policy, word->text, word->len);
	reader->at++;
	return true;
}

static bool
read_party(struct reader *reader, unsigned use, struct policy_party *ret)
{
	const struct choice *choice = choose(reader, use);

	if (!choice)
		return false;
	ret->kind = choice->value;
	ret->column = (uint16_t)column_of(reader);
	if (choice->value == POLICY_USER || choice->value == POLICY_GROUP)
		return read_name(reader, choice->value == POLICY_GROUP, &ret->n);
	if (choice->value == POLICY_UID)
		return read_uid(reader, &ret->n);
	return choice->value != POLICY_TLS || read_tls(reader, &ret->n);
}

static bool
read_end(struct reader *reader)
{
	return !peek(reader) || expected(reader, "the end of the line", NULL);
}

static bool
add(struct reader *reader, const struct policy_rule *rule)
{
	struct policy *policy = reader->policy;

	if (policy->n_rules == POLICY_RULES_MAX) {
		policy_complain(policy, false, reader->words->line, 0,
			"there are more than %d rules", POLICY_RULES_MAX);
		return false;
	}
	policy->rules[policy->n_rules++] = *rule;
	return true;
}

/* --- allow, deny ---------------------------------------------------------------------------- */

static bool
read_verb(struct reader *reader, struct policy_rule *rule)
{
	const struct choice *verb = choose(reader, USE_VERB);

	if (verb)
		rule->verb = verb->value;
	return verb != NULL;
}

static bool
read_allow(struct reader *reader, struct policy_rule *rule)
{
	return read_party(reader, USE_SUBJECT, &rule->subject) && read_verb(reader, rule) &&
	       read_party(reader, USE_TARGET, &rule->target) && read_end(reader) &&
	       add(reader, rule);
}

static bool
read_deny(struct reader *reader, struct policy_rule *rule)
{
	return read_party(reader, USE_SUBJECT, &rule->subject) &&
	       (!peek(reader) || read_verb(reader, rule)) &&
	       (!peek(reader) || read_party(reader, USE_TARGET, &rule->target)) &&
	       read_end(reader) && add(reader, rule);
}

/* --- limit ---------------------------------------------------------------------------------- */

/* What the numbers of a key may be. */
static const struct {
	uint64_t min, max;
	const char *must;
} ranges[POLICY_N_KEYS] = {
	[POLICY_VMS] = {0, 65536, "a number from 0 to 65536, or unlimited"},
	[POLICY_VCPUS] = {0, 1000000, "a number from 0 to 1000000, or unlimited"},
	[POLICY_MEMORY] = {1024, UINT64_C(1) << 40,
		"a size from 1M to 1024T as 512M or 16G, or unlimited"},
	[POLICY_VM_VCPUS] = {1, 4096, "a number from 1 to 4096, or unlimited"},
	[POLICY_VM_MEMORY] = {1024, UINT64_C(1) << 40,
		"a size from 1M to 1024T as 512M or 16G, or unlimited"},
	[POLICY_PIDS] = {32, 4194304, "a number from 32 to 4194304, or unlimited"},
	[POLICY_CPU_WEIGHT] = {1, 10000, "a number from 1 to 10000"},
};

#define HOST_MEMORY_MUST \
	"a size from 1M to 1024T as 512M or 16G, a share from 1% to 1000%, or unlimited"

/* KiB from "16G" and the like. */
static bool
read_size(char *text, size_t len, uint64_t *ret)
{
	static const char units[] = "KMGT";
	const char *unit = len > 0 ? strchr(units, text[len - 1]) : NULL;
	uint64_t n;

	if (!unit)
		return false;
	text[len - 1] = '\0';
	if (keyval_number(text, 0, UINT64_C(1) << 40, &n) != 0)
		return false;
	return !__builtin_mul_overflow(n, UINT64_C(1) << 10 * (unit - units), ret);
}

static bool
scan_value(
	const struct word *word, const struct policy_rule *rule, uint64_t *ret, bool *ret_percent)
{
	char text[24];

	if (word_is(word, "unlimited") && rule->key != POLICY_CPU_WEIGHT) {
		*ret = POLICY_UNLIMITED;
		return true;
	}
	if (!copy_word(word, text, sizeof text))
		return false;
	if (rule->subject.kind == POLICY_HOST && rule->key == POLICY_MEMORY && word->len > 0 &&
		text[word->len - 1] == '%') {
		text[word->len - 1] = '\0';
		*ret_percent = true;
		return keyval_number(text, 1, 1000, ret) == 0;
	}
	if (policy_key_is_memory(rule->key)) {
		if (!read_size(text, word->len, ret))
			return false;
	} else if (keyval_number(text, 0, UINT32_MAX, ret) != 0) {
		return false;
	}
	return *ret >= ranges[rule->key].min && *ret <= ranges[rule->key].max;
}

/* "16", "16g", "16GB" and "16GiB" are meant as "16G"; of the host, "16" may be a share. */
static const char *
guess_value(const struct word *word, const struct policy_rule *rule, char buf[static 24])
{
	struct word meant = {.text = buf}, rest;
	size_t n = 0;
	uint64_t value;
	bool percent = false;

	if (!word || !policy_key_is_memory(rule->key))
		return NULL;
	while (n < word->len && n < 16 && word->text[n] >= '0' && word->text[n] <= '9')
		n++;
	rest = (struct word){.text = word->text + n, .len = word->len - n};
	memcpy(buf, word->text, n);
	buf[n] = 'G';
	if (rest.len > 0) {
		buf[n] = (char)(*rest.text & ~0x20);
		rest.text++;
		rest.len--;
	} else if (rule->subject.kind == POLICY_HOST) {
		return NULL;
	}
	if (rest.len > 0 && !word_is(&rest, "B") && !word_is(&rest, "iB") && !word_is(&rest, "b"))
		return NULL;
	buf[n + 1] = '\0';
	meant.len = n + 1;
	return scan_value(&meant, rule, &value, &percent) ? buf : NULL;
}

static bool
read_value(struct reader *reader, struct policy_rule *rule)
{
	const struct word *word = peek(reader);
	char meant[24];

	rule->is_percent = false;
	if (word && scan_value(word, rule, &rule->value, &rule->is_percent)) {
		reader->at++;
		return true;
	}
	return expected(reader,
		rule->subject.kind == POLICY_HOST && rule->key == POLICY_MEMORY
			? HOST_MEMORY_MUST
			: ranges[rule->key].must,
		guess_value(word, rule, meant));
}

static bool
is_new(struct reader *reader, const struct policy_rule *rule, unsigned column)
{
	const struct policy *policy = reader->policy;
	char where[POLICY_WHERE_MAX], whose[96];

	for (unsigned i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *other = &policy->rules[i];

		if (other->kind != POLICY_LIMIT || other->key != rule->key ||
			other->subject.kind != rule->subject.kind ||
			other->subject.n != rule->subject.n)
			continue;
		policy_complain(reader->policy, false, reader->words->line, column,
			"%s of %s has been limited in %s", policy_key_word(rule->key),
			policy_party_text(policy, &rule->subject, whose, sizeof whose),
			policy_rule_where(policy, other, where, sizeof where));
		return false;
	}
	return true;
}

static bool
read_limit(struct reader *reader, struct policy_rule *rule)
{
	const struct choice *key;
	unsigned column;

	if (!read_party(reader, USE_LIMIT_SUBJECT, &rule->subject))
		return false;
	do {
		column = column_of(reader);
		key = choose(reader, rule->subject.kind == POLICY_HOST ? USE_HOST_KEY : USE_KEY);
		if (!key)
			return false;
		rule->key = key->value;
		if (!read_value(reader, rule) || !is_new(reader, rule, column) ||
			!add(reader, rule))
			return false;
	} while (peek(reader));
	return true;
}

/* --- network -------------------------------------------------------------------------------- */

/* As the kernel takes the name of an interface. */
static bool
read_bridge(struct reader *reader, uint32_t *ret)
{
	const struct word *word = peek(reader);
	char name[POLICY_BRIDGE_MAX];

	if (!word || !copy_word(word, name, sizeof name) || word->len == 0 ||
		strcspn(name, "/: \t\"") != word->len || strcmp(name, ".") == 0 ||
		strcmp(name, "..") == 0)
		return expected(reader, "the name of a bridge, of 1 to 15 bytes", NULL);
	*ret = policy_keep(reader->policy, word->text, word->len);
	reader->at++;
	return true;
}

static bool
read_network(struct reader *reader, struct policy_rule *rule)
{
	const struct choice *network;

	if (!read_party(reader, USE_NETWORK_SUBJECT, &rule->subject))
		return false;
	network = choose(reader, USE_NETWORK);
	if (!network)
		return false;
	rule->network = network->value;
	if (rule->network == POLICY_NETWORK_BRIDGE && !read_bridge(reader, &rule->bridge))
		return false;
	if (!read_end(reader) || !add(reader, rule))
		return false;
	reader->policy->has_networks = true;
	return true;
}

void
grammar_line(struct policy *policy, const struct words *words)
{
	static bool (*const readers[])(struct reader * reader, struct policy_rule * rule) = {
		[POLICY_ALLOW] = read_allow,
		[POLICY_DENY] = read_deny,
		[POLICY_LIMIT] = read_limit,
		[POLICY_NETWORK] = read_network,
	};
	struct reader reader = {.policy = policy, .words = words};
	const struct choice *kind = choose(&reader, USE_LINE);
	struct policy_rule rule;

	if (!kind)
		return;
	rule = (struct policy_rule){
		.kind = kind->value, .file = (uint16_t)(policy->n_files - 1), .line = words->line};
	(void)readers[kind->value](&reader, &rule);
}
