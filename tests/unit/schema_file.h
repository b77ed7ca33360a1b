/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * schema_file.h: tests/golden/domain/schema/PATHS, which says of each path of a definition who is
 * told of it, and of what is not kept as it is given why. Its head says how to read it.
 */
#ifndef TESTS_UNIT_SCHEMA_FILE_H
#define TESTS_UNIT_SCHEMA_FILE_H

#include <fnmatch.h>

#include "tests/unit/domain_env.h"
#include "tests/unit/schema_asked.h"
#include "tests/unit/schema_told.h"

#define SCHEMA_FOLDER "tests/golden/domain/schema/"

enum { SCHEMA_RULES_MAX = 512, SCHEMA_RULE_VALUES_MAX = 1024 };

/* What is not as usual of a path, or of all that a pattern matches, with that value ("*": any). */
struct schema_rule {
	char kind[8]; /* "drop", "form", "alike", "never", "with" */
	char path[2 * SCHEMA_PATH_MAX];
	char values[SCHEMA_RULE_VALUES_MAX]; /* "|a|b|" */
	unsigned line;
	bool used;
};

static struct schema_rule schema_rules[SCHEMA_RULES_MAX];
static unsigned schema_n_rules;

/* Is the value one of "|a|b|"? "(empty)" stands for none, the others are patterns. */
static inline bool
schema_rule_has(const struct schema_rule *rule, const char *value)
{
	char values[SCHEMA_RULE_VALUES_MAX], *rest = values, *word;

	(void)snprintf(values, sizeof(values), "%s", rule->values);
	while ((word = strtok_r(NULL, "|", &rest)))
		if (strcmp(word, "(empty)") == 0 ? !*value
						 : fnmatch(word, value, FNM_EXTMATCH) == 0)
			return true;
	return false;
}

/* The first rule of that kind for a value of a path, or NULL. */
static inline struct schema_rule *
schema_rule_find(const char *kind, const char *path, const char *value)
{
	for (unsigned i = 0; i < schema_n_rules; i++) {
		struct schema_rule *rule = &schema_rules[i];

		if (strcmp(rule->kind, kind) == 0 && fnmatch(rule->path, path, FNM_EXTMATCH) == 0 &&
			schema_rule_has(rule, value))
			return rule;
	}
	return NULL;
}

/* Is there one? It was needed, then. */
static inline bool
schema_rule_for(const char *kind, const char *path, const char *value)
{
	struct schema_rule *rule = schema_rule_find(kind, path, value);

	if (rule)
		rule->used = true;
	return rule != NULL;
}

static inline void
schema_read_rule(char *kind, char *rest, unsigned line)
{
	struct schema_rule *rule = &schema_rules[schema_n_rules++];
	char *path = strtok_r(NULL, " ", &rest), *values = strtok_r(NULL, " ", &rest);

	if (schema_n_rules == SCHEMA_RULES_MAX || !values || rest[strspn(rest, " ")] == '\0' ||
		strlen(values) + 3 > sizeof(rule->values) || strlen(path) >= sizeof(rule->path)) {
		printf("# line %u has no path, values and reason\n", line);
		abort();
	}
	(void)snprintf(rule->kind, sizeof(rule->kind), "%s", kind);
	(void)snprintf(rule->path, sizeof(rule->path), "%s", path);
	(void)snprintf(rule->values, sizeof(rule->values), "|%s|", values);
	rule->line = line;
}

/* "qemu,worker?" into the path. */
static inline bool
schema_read_effects(struct schema_path *path, char *words)
{
	char *mark = strchr(words, '?'), *rest = words, *word;

	path->sometimes = mark != NULL;
	if (mark)
		*mark = '\0';
	while ((word = strtok_r(NULL, ",", &rest))) {
		unsigned i = 0;

		while (i < sizeof(told_words) / sizeof(told_words[0]) &&
			strcmp(told_words[i], word) != 0)
			i++;
		if (i == sizeof(told_words) / sizeof(told_words[0]))
			return false;
		path->effects |= 1U << i;
	}
	return path->effects != 0;
}

static inline void
schema_read_path(char *name, char *rest, unsigned line)
{
	struct schema_path *path = schema_note(name);
	char *effects = strtok_r(NULL, " ", &rest);
	bool ok = effects && !path->listed && schema_read_effects(path, effects);

	path->listed = true;
	/* What is less than usual has a reason. */
	if (ok && (path->effects & TOLD_XML || path->sometimes))
		ok = rest[strspn(rest, " ")] != '\0';
	if (!ok)
		printf("# line %u is no path with effects and, where needed, a reason: %s\n", line,
			name);
	CHECK(ok);
}

static inline void
schema_read(void)
{
	static const char *const kinds[] = {"drop", "form", "alike", "never", "with"};
	FILE *f = fopen(SCHEMA_FOLDER "PATHS", "re");
	char text[2048];

	CHECK(f);
	for (unsigned line = 1; f && fgets(text, sizeof(text), f); line++) {
		char *rest = text, *word;
		bool is_rule = false;

		text[strcspn(text, "\n")] = '\0';
		word = strtok_r(NULL, " ", &rest);
		if (!word || *word == '#')
			continue;
		for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
			is_rule = is_rule || strcmp(word, kinds[i]) == 0;
		if (is_rule)
			schema_read_rule(word, rest, line);
		else
			schema_read_path(word, rest, line);
	}
	if (f)
		(void)fclose(f);
}

#endif
