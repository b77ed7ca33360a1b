/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * schema_files.h: the definitions that are walked: the golden ones, and those in the schema's own
 * folder, which have what the golden ones do not (KVM, and what is rare).
 */
#ifndef TESTS_UNIT_SCHEMA_FILES_H
#define TESTS_UNIT_SCHEMA_FILES_H

#include <glob.h>
#include <libxml/parser.h>

#include "tests/unit/schema_trial.h"

enum { SCHEMA_FILES_MAX = 512 };

struct schema_definition {
	char name[128];
	xmlDoc *document;
};

static struct schema_definition schema_files[SCHEMA_FILES_MAX];
static unsigned schema_n_files;

/* Its values are among those that are tried elsewhere; so the parser has been asked, too. */
static inline void
schema_learn(xmlDoc *document)
{
	static struct trial_parts parts;

	trial_parts_of(document, &parts);
	for (unsigned i = 0; i < parts.n; i++) {
		char *value = strchr(parts.part[i], '=');
		struct schema_path *path;

		*value++ = '\0';
		path = schema_find(parts.part[i]);
		if (path && *value && path->n_values < SCHEMA_LEARNT_MAX)
			(void)schema_value(path, value);
	}
	trial_parts_fini(&parts);
}

static inline void
schema_load(const char *pattern, bool accepted)
{
	glob_t files;

	CHECK(glob(pattern, 0, NULL, &files) == 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		trial_auto struct trial trial = {.accepted = false};
		struct schema_definition *file = &schema_files[schema_n_files];
		free_auto char *xml = NULL;
		size_t size;

		if (strstr(files.gl_pathv[i], ".out.xml"))
			continue;
		xml = domain_read_file(files.gl_pathv[i], &size);
		trial_text_of(xml, &trial);
		if (!accepted)
			continue;
		if (!trial.accepted)
			printf("# %s: %s\n", files.gl_pathv[i], trial.error.message);
		CHECK(trial.accepted && schema_n_files < SCHEMA_FILES_MAX);
		(void)snprintf(
			file->name, sizeof(file->name), "%s", strrchr(files.gl_pathv[i], '/') + 1);
		file->document =
			xmlReadMemory(xml, (int)strlen(xml), NULL, "UTF-8", XML_PARSE_NOBLANKS);
		if (!file->document || !trial.accepted)
			abort();
		schema_learn(file->document);
		schema_n_files++;
	}
	globfree(&files);
}

static inline void
schema_load_all(void)
{
	schema_read();
	schema_load(SCHEMA_FOLDER "*.xml", true);
	schema_load("tests/golden/domain/*.xml", true);
	/* What is refused was asked for, too. */
	schema_load("tests/golden/domain/bad/*.xml", false);
}

static inline void
schema_unload(void)
{
	while (schema_n_files > 0)
		xmlFreeDoc(schema_files[--schema_n_files].document);
	for (unsigned i = 0; i < schema_n_paths; i++) {
		for (unsigned v = 0; v < schema_paths[i]->n_values; v++)
			free(schema_paths[i]->values[v].text);
		free(schema_paths[i]);
	}
	xmlHashFree(schema_index, NULL);
	xmlHashFree(trial_reported, NULL);
}

#endif
