/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Nothing of a definition that is accepted is dropped: whatever the parser asks for is in the schema
 * (tests/golden/domain/schema/PATHS); all else is refused by its name; and each value of each path
 * is written as it was given, and told to whom the schema says.
 * test: timeout=600 heavy
 *
 * TEST_LONG: each value at each place of all definitions; else at one place of each sort, and with
 * AddressSanitizer, which is slow, none.
 */
#include <regex.h>

#include "tests/unit/schema_files.h"

#define SECRET "zq"

static const char *const probes[] = {"", "0", "1", "2", "7", "10", "1024", "4294967295",
	"4294967296", "18446744073709551615", "0x10", "-1", "on", "off", "yes", "no", SECRET,
	SECRET ",b", SECRET "=b", SECRET "\"b", SECRET "&b", SECRET " b", SECRET "%sb",
	SECRET "\\b", SECRET "<b", SECRET "\xc3\xa9", "/" SECRET, "/" SECRET ",b", "/" SECRET " b",
	"/" SECRET "%s\"b", "ua-" SECRET,
	"an-id-that-is-much-longer-than-whatever-anybody-would-ever-call-a-thing-of-a-machine-and-"
	"so-on-and-so-on"};

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#else
#define SANITIZED false
#endif

static bool is_long;
static unsigned n_places;
static xmlHashTable *sorts;

/* --- a place ------------------------------------------------------------------------------ */

/* An attribute of a node, its text, or the child that the path ends with. */
struct place {
	const char *file;
	xmlDoc *document;
	xmlNode *node;
	const char *attribute; /* or NULL */
	struct schema_path *path;
};

static xmlNode *
child_of(const xmlNode *node, const char *name)
{
	xmlNode *child = node->children;

	while (child && strcmp((const char *)child->name, name) != 0)
		child = child->next;
	return child;
}

/* The last part of the path. */
static const char *
element_of(const struct place *place)
{
	const char *slash = strrchr(place->path->name, '/');

	return slash ? slash + 1 : place->path->name;
}

static void
put_text(xmlNode *node, const char *value)
{
	for (xmlNode *n = node->children, *next; n; n = next) {
		next = n->next;
		xmlUnlinkNode(n);
		xmlFreeNode(n);
	}
	if (value)
		xmlNodeAddContent(node, (const xmlChar *)value);
}

static void
put(const struct place *place, const char *value)
{
	if (!place->attribute)
		put_text(place->node, value);
	else if (value)
		(void)xmlSetProp(
			place->node, (const xmlChar *)place->attribute, (const xmlChar *)value);
	else
		(void)xmlUnsetProp(place->node, (const xmlChar *)place->attribute);
}

static char *
value_at(const struct place *place)
{
	return place->attribute ? (char *)xmlGetProp(place->node, (const xmlChar *)place->attribute)
				: trial_text(place->node);
}

/* In a list of options a comma would end the value; in JSON and in a kernel's words it does not. */
static void
check_escaped(const struct place *place, const char *qemu)
{
	for (const char *at = qemu; (at = strstr(at, SECRET ",b")); at++) {
		const char *line = at;

		while (line > qemu && line[-1] != '\n')
			line--;
		if (*line == '{' || (line - qemu >= 8 && strncmp(line - 8, "-append\n", 8) == 0))
			continue;
		printf("# %s (%s): %.200s\n", place->path->name, place->file, line);
		CHECK(false && "a comma is escaped");
	}
}

/* The variants of one place, of which the last has nothing there. */
struct variants {
	struct trial trial[SCHEMA_VALUES_MAX + 1];
	unsigned n_values;
};

/* Is it a value that is kept as it is? */
static bool
is_plain(const struct schema_path *path, const struct variants *variants, unsigned i)
{
	const char *value = i < path->n_values ? path->values[i].text : "";

	return i < variants->n_values && *value && !schema_rule_find("drop", path->name, value) &&
	       !schema_rule_find("form", path->name, value);
}

static void
compare_variants(struct schema_path *path, const struct variants *variants)
{
	unsigned n_given = 0, given = 0, told = 0;

	for (unsigned i = 0; i <= variants->n_values; i++)
		for (unsigned j = 0; j < i; j++) {
			const struct trial *a = &variants->trial[i], *b = &variants->trial[j];
			unsigned mask;

			if (!a->accepted || !b->accepted)
				continue;
			path->is_choice = path->is_choice || (is_plain(path, variants, i) &&
								     is_plain(path, variants, j));
			mask = told_compare(&a->told, &b->told);
			told |= mask;
			if (mask && i < variants->n_values)
				path->apart[i] = true;
			if (mask)
				path->apart[j] = true;
			if (strcmp(a->xml, b->xml) == 0)
				continue;
			path->varies = true;
			given |= i < variants->n_values;
			n_given += i < variants->n_values;
		}
	path->found |= told;
	/* Two values that differ here, or an element that may be there or not. */
	if (!told && (n_given > 0 ||
			     (given == 0 && variants->n_values == 1 &&
				     variants->trial[0].accepted && variants->trial[1].accepted)))
		path->n_quiet++;
}

static void
try_one(const struct place *place, struct trial *trial, struct schema_value *value)
{
	trial_of(place->document, trial);
	if (!trial->accepted)
		return;
	trial_check_kept(place->file, place->document, trial);
	if (trial->told.text[0])
		check_escaped(place, trial->told.text[0]);
	if (value)
		value->accepted++;
	place->path->seen = place->path->seen || value;
}

static struct variants variants;

static void
begin(const struct place *place, unsigned n_values)
{
	memset(&variants, 0, sizeof(variants));
	variants.n_values = n_values;
	place->path->n_places++;
	n_places++;
}

static void
end(const struct place *place)
{
	compare_variants(place->path, &variants);
	for (unsigned i = 0; i <= variants.n_values; i++)
		trial_fini(&variants.trial[i]);
}

/* Each value, and none. */
static void
try_values(const struct place *place)
{
	struct schema_path *path = place->path;
	bool all = path->n_places == 0 || is_long;
	char *before = value_at(place);

	begin(place, path->n_values);
	for (unsigned i = 0; i < path->n_values; i++) {
		struct schema_value *value = &path->values[i];

		if (!all && !value->word && value->accepted > 1 &&
			(!before || strcmp(before, value->text) != 0))
			continue;
		put(place, value->text);
		try_one(place, &variants.trial[i], value);
	}
	put(place, NULL);
	try_one(place, &variants.trial[path->n_values], NULL);
	put(place, before);
	xmlFree(before);
	end(place);
}

/* The element, as it is or empty, and without it. */
static void
try_element(const struct place *place)
{
	struct schema_value there = {.accepted = 0};
	xmlNode *child = child_of(place->node, element_of(place)),
		*next = child ? child->next : NULL;
	bool was_there = child != NULL;

	begin(place, 1);
	if (!was_there)
		child = xmlNewChild(place->node, NULL, (const xmlChar *)element_of(place), NULL);
	try_one(place, &variants.trial[0], &there);
	xmlUnlinkNode(child);
	try_one(place, &variants.trial[1], NULL);
	if (!was_there)
		xmlFreeNode(child);
	else if (next)
		(void)xmlAddPrevSibling(next, child);
	else
		(void)xmlAddChild(place->node, child);
	end(place);
}

/* --- the walk ----------------------------------------------------------------------------- */

/* Of what sort a place is: whatever says what the device it belongs to is. */
static bool
is_new_sort(const xmlNode *node, const char *at)
{
	static const char *const telling[] = {
		"type", "model", "device", "bus", "mode", "name", "offset", "machine", "state"};
	const xmlNode *top = node;
	char text[1024];

	while (top->parent->type == XML_ELEMENT_NODE &&
		strcmp((const char *)top->parent->name, "devices") != 0)
		top = top->parent;
	if (top->parent->type != XML_ELEMENT_NODE)
		top = node;
	(void)snprintf(text, sizeof(text), "%s:", at);
	for (const xmlNode *n = top; n; n = n == top ? n->children : n->next)
		for (unsigned i = 0; i < sizeof(telling) / sizeof(telling[0]); i++) {
			xmlChar *value = n->type == XML_ELEMENT_NODE
						 ? xmlGetProp(n, (const xmlChar *)telling[i])
						 : NULL;

			if (value)
				(void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
					"%.24s,", (const char *)value);
			xmlFree(value);
		}
	if (!sorts)
		sorts = xmlHashCreate(1024);
	return xmlHashAddEntry(sorts, (const xmlChar *)text, &sorts) == 0;
}

/* The child of a text that the parser asks for and that is not there: with each of its values. */
static void
try_child_text(struct place *place, const char *name)
{
	xmlNode *node = place->node;

	if (child_of(node, name))
		return;
	place->node = xmlNewChild(node, NULL, (const xmlChar *)name, NULL);
	try_values(place);
	xmlUnlinkNode(place->node);
	xmlFreeNode(place->node);
	place->node = node;
}

static void
try_path(struct place place, const char *rest)
{
	const char *slash = strchr(rest, '/');
	char name[SCHEMA_PATH_MAX];

	if (*rest == '@') {
		place.attribute = rest + 1;
		try_values(&place);
	} else if (strcmp(rest, "text()") == 0) {
		if (!xmlFirstElementChild(place.node))
			try_values(&place);
	} else if (!slash && place.path->listed) {
		try_element(&place);
	} else if (slash && strcmp(slash, "/text()") == 0) {
		(void)snprintf(name, sizeof(name), "%.*s", (int)(slash - rest), rest);
		try_child_text(&place, name);
	}
}

static void
walk(const struct schema_definition *file, xmlNode *node)
{
	char at[SCHEMA_PATH_MAX];
	size_t length;

	schema_path_of(node, at);
	if (strcmp(at, "metadata") == 0)
		return;
	length = strlen(at);
	if (is_new_sort(node, at) || is_long)
		for (unsigned i = 0, n = schema_n_paths; i < n; i++) {
			struct schema_path *path = schema_paths[i];
			const char *rest = path->name + length;

			if (strncmp(path->name, at, length) != 0 || (*at && *rest++ != '/'))
				continue;
			try_path((struct place){.file = file->name,
					 .document = file->document,
					 .node = node,
					 .path = path},
				rest);
		}
	for (xmlNode *n = xmlFirstElementChild(node); n; n = xmlNextElementSibling(n))
		walk(file, n);
}

static void
every_value(void)
{
	for (unsigned i = 0; i < schema_n_paths; i++) {
		struct schema_path *path = schema_paths[i];
		bool has_words = path->n_values > 0 && path->values[0].word;

		for (unsigned p = 0; p < sizeof(probes) / sizeof(probes[0]) && !has_words; p++)
			(void)schema_value(path, probes[p]);
	}
	for (unsigned i = 0; i < schema_n_files; i++)
		walk(&schema_files[i], xmlDocGetRootElement(schema_files[i].document));
	printf("# %u places, %u definitions, %u of them accepted\n", n_places, trial_n,
		trial_n_accepted);
}

/* --- what goes only together -------------------------------------------------------------- */

/* The first element at that path. */
static xmlNode *
element_at(xmlNode *node, const char *path)
{
	char at[SCHEMA_PATH_MAX];
	xmlNode *found = NULL;

	schema_path_of(node, at);
	if (strcmp(at, path) == 0)
		return node;
	for (xmlNode *n = xmlFirstElementChild(node); n && !found; n = xmlNextElementSibling(n))
		found = element_at(n, path);
	return found;
}

/* It is accepted, and told: what is not is found when all is tried. */
static void
credit(struct schema_path *path, const char *value)
{
	int number = value ? schema_value(path, value) : -1;

	if (number < 0)
		return;
	path->values[number].accepted++;
	path->apart[number] = true;
	path->seen = true;
}

/* "devices/disk/@type=block": its path, whose element has the value then; NULL: there is none. */
static struct schema_path *
assign(const struct schema_definition *file, char *assignment)
{
	struct place place = {.file = file->name, .document = file->document};
	char *value = strchr(assignment, '='), *last, *before;

	if (!value)
		return NULL;
	*value++ = '\0';
	place.path = schema_find(assignment);
	last = strrchr(assignment, '/');
	if (!place.path || !last)
		return NULL;
	*last = '\0';
	place.attribute = last[1] == '@' ? last + 2 : NULL;
	place.node = element_at(xmlDocGetRootElement(file->document), assignment);
	if (!place.node)
		return NULL;
	before = value_at(&place);
	credit(place.path, before);
	xmlFree(before);
	put(&place, strcmp(value, "(none)") == 0 ? NULL : value);
	credit(place.path, strcmp(value, "(none)") == 0 ? NULL : value);
	return place.path;
}

static bool
try_together(const struct schema_definition *file, char *rest)
{
	trial_auto struct trial before = {.accepted = false}, after = {.accepted = false};
	struct schema_definition changed = {.document = xmlCopyDoc(file->document, 1)};
	struct schema_path *paths[16];
	unsigned n = 0, told = 0;
	bool ok = true;
	char *word;

	(void)snprintf(changed.name, sizeof(changed.name), "%s", file->name);
	while (ok && n < 16 && (word = strtok_r(NULL, "|;", &rest)))
		ok = (paths[n++] = assign(&changed, word)) != NULL;
	trial_of(file->document, &before);
	trial_of(changed.document, &after);
	if (ok && !after.accepted)
		printf("# %s\n", after.error.message);
	ok = ok && after.accepted && strcmp(before.xml, after.xml) != 0 &&
	     told_compare(&before.told, &after.told) != 0;
	if (ok) {
		trial_check_kept(file->name, changed.document, &after);
		told = told_compare(&before.told, &after.told);
	}
	for (unsigned i = 0; ok && i < n; i++) {
		paths[i]->found |= told & paths[i]->effects;
		paths[i]->varies = true;
	}
	xmlFreeDoc(changed.document);
	return ok;
}

static void
together(void)
{
	for (unsigned i = 0; i < schema_n_rules; i++) {
		struct schema_rule *rule = &schema_rules[i];
		const struct schema_definition *file = NULL;
		free_auto char *values = strdup(rule->values);

		if (strcmp(rule->kind, "with") != 0)
			continue;
		for (unsigned f = 0; f < schema_n_files && !file; f++)
			if (strcmp(schema_files[f].name, rule->path) == 0)
				file = &schema_files[f];
		rule->used = file && values && try_together(file, values);
		if (!rule->used)
			printf("# line %u: not accepted, or nothing follows it\n", rule->line);
		CHECK(rule->used);
	}
}

/* --- the schema is the parser's ----------------------------------------------------------- */

static bool
is_leaf(const char *name)
{
	return strchr(name, '@') || strstr(name, "text()");
}

static void
say(bool ok, const char *what, const char *path, const char *value)
{
	if (!ok)
		printf("# %s: %s %s\n", path, what, value);
	CHECK(ok);
}

static void
check_words(const struct schema_path *path)
{
	for (unsigned i = 0; i < path->n_values; i++) {
		const struct schema_value *value = &path->values[i];

		if (!value->word)
			continue;
		if (!schema_rule_for("never", path->name, value->text))
			say(value->accepted > 0, "accepted nowhere:", path->name, value->text);
		else
			say(value->accepted == 0, "accepted, and PATHS says never:", path->name,
				value->text);
		if (value->accepted > 0 && !(path->effects & TOLD_XML) && !path->apart[i] &&
			!schema_rule_for("alike", path->name, value->text))
			say(false, "makes no difference:", path->name, value->text);
	}
}

static void
check_path(const struct schema_path *path)
{
	char found[64] = "";

	if (!path->listed) {
		for (unsigned i = 0; i < TOLD_N; i++) {
			if (path->found & 1U << i)
				(void)snprintf(found + strlen(found), sizeof(found) - strlen(found),
					"%s%s", *found ? "," : "", told_words[i]);
		}
		if (getenv("DRAFT") && path->asked && is_leaf(path->name))
			printf("DRAFT %s %s %u/%u %d\n", path->name, *found ? found : "xml",
				path->n_quiet, path->n_places, path->seen);
		say(!path->asked || !is_leaf(path->name), "asked for, and not in PATHS", path->name,
			"");
		return;
	}
	say(path->asked, "nobody asks for it", path->name, "");
	if (schema_rule_for("never", path->name, "*")) {
		say(!path->seen, "accepted, and PATHS says never", path->name, "");
		return;
	}
	say(path->seen, "accepted nowhere", path->name, "");
	for (unsigned i = 0; i < TOLD_N; i++)
		if (path->found & 1U << i)
			(void)snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s",
				*found ? "," : "", told_words[i]);
	say((path->effects & ~(unsigned)TOLD_XML) == path->found, "who is told:", path->name,
		found);
	say(path->n_quiet == 0 || path->sometimes || path->effects & TOLD_XML,
		"there are places where nobody is told", path->name, "");
	say(path->varies || !path->is_choice, "what is written does not follow it", path->name, "");
	check_words(path);
}

/*
 * Is it an exception of this set? In the long one each value stands in every place: more of them are
 * kept in another form somewhere, and fewer make no difference anywhere.
 */
static bool
is_due(const struct schema_rule *rule)
{
	if (strcmp(rule->kind, "drop") == 0 || strcmp(rule->kind, "form") == 0)
		return is_long;
	return !is_long || strcmp(rule->kind, "alike") != 0;
}

static void
complete(void)
{
	unsigned n_listed = 0, n_values = 0;

	for (unsigned i = 0; i < schema_n_paths; i++) {
		check_path(schema_paths[i]);
		n_listed += schema_paths[i]->listed;
		for (unsigned v = 0; v < schema_paths[i]->n_values; v++)
			n_values += schema_paths[i]->values[v].accepted > 0;
	}
	for (unsigned i = 0; i < schema_n_rules; i++)
		if (!schema_rules[i].used && is_due(&schema_rules[i])) {
			printf("# line %u: %s %s is not needed\n", schema_rules[i].line,
				schema_rules[i].kind, schema_rules[i].path);
			CHECK(schema_rules[i].used);
		}
	printf("# %u paths, %u values that are accepted, %u exceptions\n", n_listed, n_values,
		schema_n_rules);
}

/* --- all else is refused ------------------------------------------------------------------ */

static unsigned n_strangers;

static void
expect_refusal(const struct schema_definition *file, const char *name, const char *at)
{
	domain_def_auto struct domain_def *def = NULL;
	struct domain_env env = trial_env();
	struct rpc_error error;
	xmlChar *text = NULL;
	int size = 0, r;

	xmlDocDumpMemoryEnc(file->document, &text, &size, "UTF-8");
	r = domain_def_parse((const char *)text, (size_t)size, 0, &env, &error, &def);
	xmlFree(text);
	n_strangers++;
	if (r != DOMAIN_E_REFUSED ||
		!(strstr(error.message, name) || strstr(error.message, "zebra"))) {
		if (trial_is_news(at))
			printf("# %s below \"%s\" (%s): %s\n", name, at, file->name,
				r ? error.message : "accepted");
		CHECK(false && "what nobody knows is refused by name");
	}
}

static void
add_strangers(const struct schema_definition *file, xmlNode *node)
{
	char at[SCHEMA_PATH_MAX];
	xmlNode *stranger;

	schema_path_of(node, at);
	if (strcmp(at, "metadata") == 0)
		return;
	(void)xmlSetProp(node, (const xmlChar *)"zebra", (const xmlChar *)"1");
	expect_refusal(file, "zebra", at);
	(void)xmlUnsetProp(node, (const xmlChar *)"zebra");
	stranger = xmlNewChild(node, NULL, (const xmlChar *)"zebra", NULL);
	expect_refusal(file, "zebra", at);
	xmlUnlinkNode(stranger);
	xmlFreeNode(stranger);
	/* Where a text is taken, any text is: what it says is another matter. */
	if (xmlFirstElementChild(node) || !node->children) {
		char path[SCHEMA_PATH_MAX + 16];

		(void)snprintf(path, sizeof(path), "%s%stext()", at, *at ? "/" : "");
		if (!schema_find(path) || !schema_find(path)->listed) {
			stranger = xmlNewText((const xmlChar *)"zebra");
			(void)xmlAddChild(node, stranger);
			expect_refusal(file, (const char *)node->name, at);
			xmlUnlinkNode(stranger);
			xmlFreeNode(stranger);
		}
	}
	for (xmlNode *n = xmlFirstElementChild(node); n; n = xmlNextElementSibling(n))
		add_strangers(file, n);
}

static void
strangers(void)
{
	for (unsigned i = 0; i < schema_n_files; i++)
		add_strangers(&schema_files[i], xmlDocGetRootElement(schema_files[i].document));
	printf("# %u times\n", n_strangers);
}

/* --- names in the parser's source --------------------------------------------------------- */

static bool
is_part_of_a_path(const char *name)
{
	size_t length = strlen(name);

	for (unsigned i = 0; i < schema_n_paths; i++)
		for (const char *at = schema_paths[i]->name; (at = strstr(at, name)); at++)
			if (schema_paths[i]->listed && strchr("/", at[length]) &&
				(at == schema_paths[i]->name || strchr("/@", at[-1])))
				return true;
	return false;
}

static unsigned
check_source(const char *path)
{
	free_auto char *text = NULL;
	regmatch_t match[3];
	unsigned n = 0;
	size_t size;
	regex_t call;

	text = domain_read_file(path, &size);
	CHECK(text &&
		regcomp(&call,
			"xml_(child|each|attr[a-z0-9_]*|child_text|is)\\([^;\"]*\"([A-Za-z_-]+)\"",
			REG_EXTENDED) == 0);
	for (const char *at = text; regexec(&call, at, 3, match, 0) == 0; at += match[0].rm_eo) {
		char name[64];

		(void)snprintf(name, sizeof(name), "%.*s", (int)(match[2].rm_eo - match[2].rm_so),
			at + match[2].rm_so);
		n++;
		say(strcmp(name, "domain") == 0 || is_part_of_a_path(name),
			"names what PATHS has not:", path, name);
	}
	regfree(&call);
	return n;
}

static void
sources(void)
{
	unsigned n = 0;
	glob_t files;

	CHECK(glob("worker/domain/*.c", 0, NULL, &files) == 0);
	for (size_t i = 0; i < files.gl_pathc; i++)
		if (!strstr(files.gl_pathv[i], "/xml"))
			n += check_source(files.gl_pathv[i]);
	globfree(&files);
	printf("# %u names\n", n);
	CHECK(n > 200);
	for (size_t i = 0; i < sizeof(told_readers) / sizeof(told_readers[0]); i++) {
		free_auto char *text = NULL;
		size_t size;

		text = domain_read_file(told_readers[i].file, &size);
		say(text && strstr(text, told_readers[i].word), "does not read",
			told_readers[i].file, told_readers[i].word);
	}
}

static void
loaded(void)
{
	schema_load_all();
	for (unsigned i = 0; i < schema_n_files; i++) {
		trial_auto struct trial trial = {.accepted = false};

		trial_of(schema_files[i].document, &trial);
		CHECK(trial.accepted);
		trial_check_kept(schema_files[i].name, schema_files[i].document, &trial);
	}
}

int
main(void)
{
	is_long = getenv("TEST_LONG") != NULL;
	TEST("whatever stands in a golden definition is in the schema, and is kept", loaded);
	if (is_long || !SANITIZED)
		TEST("each value of each path is kept, or refused", every_value);
	TEST("what goes only together is kept and told, too", together);
	if (is_long || !SANITIZED)
		TEST("the schema is what the parser asks for, and says who is told", complete);
	TEST("what nobody knows is refused by its name, wherever it stands", strangers);
	TEST("each name in the parser's source is in the schema", sources);
	xmlHashFree(sorts, NULL);
	schema_unload();
	return TEST_END();
}
