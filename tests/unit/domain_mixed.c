/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Definitions mixed from parts of others are refused formally, or each of their parts is kept, what
 * is written is read and written the same, and a command line can be made of them.
 * test: timeout=600 heavy
 *
 * The seed is told; TEST_SEED sets another. TEST_LONG: twenty times as many.
 */
#include "tests/unit/schema_files.h"

enum { MIXTURES = 3000, CHANGES_MAX = 8, NODES_MAX = 4096 };

static uint64_t state;

/* xorshift64 (G. Marsaglia, "Xorshift RNGs", 2003): the same on every machine. */
static unsigned
any(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state % n);
}

struct nodes {
	unsigned n;
	xmlNode *node[NODES_MAX];
};

/* All elements but the root and what is in metadata; with a path: those at it. */
static void
collect(xmlNode *node, const char *path, struct nodes *nodes)
{
	char at[SCHEMA_PATH_MAX];

	schema_path_of(node, at);
	if (strcmp(at, "metadata") == 0 || nodes->n == NODES_MAX)
		return;
	if (path ? strcmp(at, path) == 0 : *at != '\0')
		nodes->node[nodes->n++] = node;
	for (xmlNode *n = xmlFirstElementChild(node); n; n = xmlNextElementSibling(n))
		collect(n, path, nodes);
}

static xmlNode *
any_of(xmlDoc *document, const char *path)
{
	static struct nodes nodes;

	nodes.n = 0;
	collect(xmlDocGetRootElement(document), path, &nodes);
	return nodes.n ? nodes.node[any(nodes.n)] : NULL;
}

/* A copy of an attribute onto an element of the same path. */
static void
give_attribute(xmlDoc *document, const xmlNode *from, const char *path)
{
	const xmlAttr *attribute = from->properties;
	xmlNode *to = any_of(document, path);
	xmlChar *value;

	if (!attribute || !to)
		return;
	while (attribute->next && any(2))
		attribute = attribute->next;
	value = xmlNodeGetContent((const xmlNode *)attribute);
	(void)xmlSetProp(to, attribute->name, value);
	xmlFree(value);
}

/* A copy of an element into one of its parent's path, beside another or in its place. */
static void
give_element(xmlDoc *document, const xmlNode *from)
{
	char parent[SCHEMA_PATH_MAX];
	xmlNode *to, *copy, *other;

	schema_path_of(from->parent, parent);
	to = any_of(document, parent);
	if (!to)
		return;
	other = to->children;
	while (other && strcmp((const char *)other->name, (const char *)from->name) != 0)
		other = other->next;
	copy = xmlDocCopyNode((xmlNode *)(uintptr_t)from, document, 1);
	if (!copy)
		abort();
	if (other && (strcmp(parent, "devices") != 0 || any(2) == 0)) {
		(void)xmlReplaceNode(other, copy);
		xmlFreeNode(other);
	} else {
		(void)xmlAddChild(to, copy);
	}
}

static void
change(xmlDoc *document)
{
	const struct schema_definition *donor = &schema_files[any(schema_n_files)];
	const xmlNode *from = any_of(donor->document, NULL);
	char path[SCHEMA_PATH_MAX];

	if (!from)
		return;
	schema_path_of(from, path);
	if (any(3) == 0)
		give_attribute(document, from, path);
	else
		give_element(document, from);
}

static void
mixtures(void)
{
	const char *seed = getenv("TEST_SEED");
	unsigned n = MIXTURES * (getenv("TEST_LONG") ? 20 : 1), n_accepted = 0;

	state = seed ? strtoull(seed, NULL, 0) : 20260101;
	state += state == 0;
	printf("# TEST_SEED=%ju\n", (uintmax_t)state);
	schema_load_all();
	for (unsigned i = 0; i < n && !test_this_failed; i++) {
		const struct schema_definition *base = &schema_files[any(schema_n_files)];
		trial_auto struct trial trial = {.accepted = false};
		xmlDoc *document = xmlCopyDoc(base->document, 1);

		for (unsigned changes = 1 + any(CHANGES_MAX); changes > 0; changes--)
			change(document);
		trial_of(document, &trial);
		if (trial.accepted) {
			n_accepted++;
			trial_check_kept(base->name, document, &trial);
		}
		if (test_this_failed) {
			printf("# mixture %u:\n", i);
			(void)fflush(stdout);
			(void)xmlDocDump(stdout, document);
		}
		xmlFreeDoc(document);
	}
	printf("# %u mixtures, %u accepted\n", n, n_accepted);
	CHECK(n_accepted > n / 20);
	schema_unload();
}

int
main(void)
{
	TEST("mixed definitions are refused formally, or nothing of them is dropped", mixtures);
	return TEST_END();
}
