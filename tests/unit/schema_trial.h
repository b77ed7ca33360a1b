/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * schema_trial.h: one document, put to the parser: what became of it, whether each of its parts is
 * in what is written of it, and what is told of it.
 */
#ifndef TESTS_UNIT_SCHEMA_TRIAL_H
#define TESTS_UNIT_SCHEMA_TRIAL_H

#include <ctype.h>

#include "tests/unit/schema_file.h"

enum { TRIAL_PARTS_MAX = 4096 };

/* "PATH=VALUE" of each attribute and text of a document, sorted. */
struct trial_parts {
	char *part[TRIAL_PARTS_MAX];
	unsigned n;
};

struct trial {
	bool accepted;
	struct rpc_error error;
	char *xml; /* as it is written */
	struct told_texts told;
};

static unsigned trial_n, trial_n_accepted;
static xmlHashTable *trial_reported;

/* Is it said for the first time? One mistake shows at many places. */
static inline bool
trial_is_news(const char *text)
{
	if (!trial_reported)
		trial_reported = xmlHashCreate(256);
	return xmlHashAddEntry(trial_reported, (const xmlChar *)text, &trial_reported) == 0;
}

static inline void
trial_fini(struct trial *trial)
{
	free(trial->xml);
	told_fini(&trial->told);
	trial->xml = NULL;
}
#define trial_auto AUTO(trial_fini)

/* --- parts -------------------------------------------------------------------------------- */

static inline bool
trial_is_blank(const char *text)
{
	return text[strspn(text, " \t\r\n")] == '\0';
}

static inline void
trial_add(struct trial_parts *parts, const char *path, const char *value)
{
	char number[32], *end;

	if (*value && strspn(value, "0123456789abcdefABCDEFx") == strlen(value)) {
		unsigned long long n =
			strtoull(value, &end, value[0] == '0' && value[1] == 'x' ? 16 : 10);

		(void)snprintf(number, sizeof(number), "%llu", n);
		if (!*end)
			value = number;
	}
	if (parts->n == TRIAL_PARTS_MAX ||
		asprintf(&parts->part[parts->n++], "%s=%s", path, value) < 0)
		abort();
}

/* The text of an element that has nothing else in it, to be freed with xmlFree(); or NULL. */
static inline char *
trial_text(xmlNode *node)
{
	if (!node->children || xmlFirstElementChild(node))
		return NULL;
	return (char *)xmlNodeGetContent(node);
}

static inline void
trial_collect(xmlNode *node, struct trial_parts *parts)
{
	char path[SCHEMA_PATH_MAX], at[SCHEMA_PATH_MAX + 64];
	char *text = trial_text(node);

	schema_path_of(node, path);
	if (strcmp(path, "metadata") == 0) {
		xmlFree(text);
		return;
	}
	for (const xmlAttr *a = node->properties; a; a = a->next) {
		xmlChar *value = xmlNodeGetContent((const xmlNode *)a);

		(void)snprintf(
			at, sizeof(at), "%s%s@%s", path, *path ? "/" : "", (const char *)a->name);
		trial_add(parts, at, (const char *)value);
		xmlFree(value);
	}
	if (text && !trial_is_blank(text)) {
		(void)snprintf(at, sizeof(at), "%s/text()", path);
		trial_add(parts, at, text);
	} else if (!node->properties && !xmlFirstElementChild(node)) {
		trial_add(parts, path, "");
	}
	xmlFree(text);
	for (xmlNode *n = xmlFirstElementChild(node); n; n = xmlNextElementSibling(n))
		trial_collect(n, parts);
}

static inline int
trial_by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline void
trial_parts_of(xmlDoc *document, struct trial_parts *parts)
{
	parts->n = 0;
	trial_collect(xmlDocGetRootElement(document), parts);
	qsort(parts->part, parts->n, sizeof(parts->part[0]), trial_by_text);
}

static inline void
trial_parts_fini(struct trial_parts *parts)
{
	while (parts->n > 0)
		free(parts->part[--parts->n]);
}

/* --- trying ------------------------------------------------------------------------------- */

static inline struct domain_env
trial_env(void)
{
	struct domain_env env = domain_tcg;

	env.kvm = true;
	env.run = "/run/qemud/users/1000";
	return env;
}

static inline char *
trial_format(const char *xml, struct rpc_error *error)
{
	domain_def_auto struct domain_def *def = NULL;
	struct domain_env env = trial_env();
	char *out = NULL;

	if (domain_def_parse(xml, strlen(xml), 0, &env, error, &def) != 0 ||
		domain_def_format(def, DOMAIN_DEF_SECURE, -1, &out) != 0)
		return NULL;
	return out;
}

static inline void
trial_tell(const struct domain_def *def, struct told_texts *ret)
{
	domain_def_auto struct domain_def *live = NULL;
	AUTO(qemu_command_fini) struct qemu_command command = {.n_args = 0};
	struct domain_env env = trial_env();

	CHECK(domain_def_live(def, &env, &live) == 0);
	if (!live)
		return;
	CHECK(qemu_command_make(live, &command) == 0);
	told_make(live, &command, ret);
}

static inline void
trial_text_of(const char *xml, struct trial *ret)
{
	domain_def_auto struct domain_def *def = NULL;
	struct domain_env env = trial_env();
	struct rpc_error error;
	int r;

	memset(ret, 0, sizeof(*ret));
	trial_n++;
	r = domain_def_parse(xml, strlen(xml), 0, &env, &ret->error, &def);
	ret->accepted = r == 0;
	CHECK(r == 0 || (r == DOMAIN_E_REFUSED && ret->error.code != 0 && ret->error.message[0]));
	if (r != 0)
		return;
	trial_n_accepted++;
	CHECK(domain_def_format(def, DOMAIN_DEF_SECURE, -1, &ret->xml) == 0);
	{
		free_auto char *again = trial_format(ret->xml, &error);

		if (!again)
			printf("# its own dump is refused: %s\n# %s\n", error.message, xml);
		CHECK(again);
		if (again)
			CHECK_STR(again, ret->xml);
	}
	trial_tell(def, &ret->told);
}

static inline void
trial_of(xmlDoc *document, struct trial *ret)
{
	xmlChar *text = NULL;
	int size = 0;

	xmlDocDumpMemoryEnc(document, &text, &size, "UTF-8");
	trial_text_of((const char *)text, ret);
	xmlFree(text);
}

/* --- what is kept ------------------------------------------------------------------------- */

/* Does the schema have it? An element that only holds others is in it when they are. */
static inline bool
trial_is_known(const char *path)
{
	const struct schema_path *listed = schema_find(path);
	size_t length = strlen(path);

	if (listed && listed->listed)
		return true;
	for (unsigned i = 0; i < schema_n_paths; i++)
		if (schema_paths[i]->listed && strncmp(schema_paths[i]->name, path, length) == 0 &&
			schema_paths[i]->name[length] == '/' && !strstr(path, "@"))
			return true;
	return false;
}

/* It is not in what was written: is there a reason? */
static inline bool
trial_may_miss(const char *path, const char *value)
{
	const struct schema_path *listed = schema_find(path);

	if (schema_rule_for("drop", path, value) || schema_rule_for("form", path, value))
		return true;
	/* An element that could hold something, and does not. */
	return !*value && !strstr(path, "@") && !(listed && listed->listed) && trial_is_known(path);
}

static inline void
trial_miss(const char *where, char *part)
{
	char *value = strchr(part, '=');

	*value++ = '\0';
	if (trial_may_miss(part, value))
		return;
	value[-1] = '=';
	if (trial_is_news(part))
		printf("# accepted and dropped: %s (%s)\n", part, where);
	CHECK(false && "something is dropped");
}

/* Each part of an accepted document is in the schema, and in what was written. */
static inline void
trial_check_kept(const char *where, xmlDoc *document, const struct trial *trial)
{
	static struct trial_parts in, out;
	xmlDoc *written = xmlReadMemory(trial->xml, (int)strlen(trial->xml), NULL, NULL, 0);
	unsigned j = 0;

	trial_parts_of(document, &in);
	trial_parts_of(written, &out);
	for (unsigned i = 0; i < in.n; i++) {
		size_t length = strcspn(in.part[i], "=");
		char path[SCHEMA_PATH_MAX];

		(void)snprintf(path, sizeof(path), "%.*s", (int)length, in.part[i]);
		if (!trial_is_known(path)) {
			if (trial_is_news(path))
				printf("# accepted, and not in PATHS: %s (%s)\n", path, where);
			CHECK(false && "the schema is complete");
		}
		while (j < out.n && strcmp(out.part[j], in.part[i]) < 0)
			j++;
		if (j < out.n && strcmp(out.part[j], in.part[i]) == 0)
			j++;
		else
			trial_miss(where, in.part[i]);
	}
	trial_parts_fini(&in);
	trial_parts_fini(&out);
	xmlFreeDoc(written);
}

#endif
