/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_fields.h: which arguments follow which fields of a definition.
 */
#ifndef TESTS_UNIT_COMMAND_FIELDS_H
#define TESTS_UNIT_COMMAND_FIELDS_H

#include "tests/unit/domain_env.h"
#include "tests/unit/test.h"
#include "worker/domain/alias.h"
#include "worker/qemu/command.h"

#define command_auto AUTO(qemu_command_fini)
#define N(array)     (sizeof(array) / sizeof((array)[0]))
/* A small definition, with more below <os> and <domain>. */
#define SMALL(type, os, more)                                                                 \
	"<domain type='" type "'><name>a</name><memory>65536</memory><os><type>hvm</type>" os \
	"</os>" more "</domain>"

static inline struct domain_def *
live_def(const char *xml, size_t size)
{
	struct domain_env env = domain_tcg;
	struct domain_def *def = NULL;
	struct rpc_error error;

	env.kvm = true;
	if (domain_def_parse(xml, size, 0, &env, &error, &def) != 0) {
		printf("# %s\n", error.message);
		abort();
	}
	if (domain_alias_assign(def) != 0)
		abort();
	return def;
}

/* All arguments, one a line; to be freed. */
static inline char *
text_of(const struct qemu_command *command)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		abort();
	for (unsigned i = 0; i < command->n_args; i++)
		(void)fprintf(f, "%s\n", command->args[i]);
	(void)fclose(f);
	return text;
}

static inline char *
text_for(const struct domain_def *def)
{
	command_auto struct qemu_command command = {.n_args = 0};

	CHECK(qemu_command_make(def, &command) == 0);
	return text_of(&command);
}

static inline char *
text_for_xml(const char *xml)
{
	domain_def_auto struct domain_def *def = live_def(xml, strlen(xml));

	return text_for(def);
}

enum follows { FOLLOWED, UNSEEN };

enum kind {
	NUMBER, /* set to `other`; also one byte of an array */
	TEXT,   /* made to be "other" */
	INSIDE  /* its fields have a table of their own */
};

struct field {
	const char *name;
	size_t offset, size;
	enum kind kind;
	uint64_t other;
	enum follows follows;
};

#define FIELD(type, member, kind, other, follows)                                   \
	{                                                                           \
#type "." #member, __builtin_offsetof(struct type, member),         \
			sizeof(((struct type *)NULL)->member), kind, other, follows \
	}

/* The fields are those of the struct: nothing lies between them but what aligns the next. */
static inline void
check_complete(const struct field *fields, size_t n, size_t size)
{
	size_t end = 0;

	for (size_t i = 0; i < n; i++) {
		if (fields[i].offset < end || fields[i].offset - end >= sizeof(void *)) {
			printf("# something stands before %s\n", fields[i].name);
			CHECK(false);
		}
		end = fields[i].offset + fields[i].size;
	}
	CHECK(size >= end && size - end < sizeof(void *));
}

static inline void
check_field(const struct domain_def *def, void *at, const struct field *field)
{
	static const char other[] = "other";
	const char *text = other;
	char saved[256];
	char *place = (char *)at + field->offset;
	free_auto char *before = text_for(def), *after = NULL;

	if (field->kind == INSIDE)
		return;
	memcpy(saved, place, field->size);
	if (field->kind == TEXT)
		memcpy(place, (const void *)&text, sizeof(text));
	else
		memcpy(place, &field->other, field->size < 8 ? field->size : 8);
	/* Another number, whatever it was. */
	if (memcmp(saved, place, field->size) == 0)
		*place ^= 1;
	after = text_for(def);
	memcpy(place, saved, field->size);
	if ((strcmp(before, after) != 0) != (field->follows == FOLLOWED)) {
		printf("# %s\n", field->name);
		CHECK(false);
	}
}

static inline void
check_fields(const struct domain_def *def, void *at, const struct field *fields, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check_field(def, at, &fields[i]);
}

#define CHECK_FIELDS(def, at, fields)                             \
	do {                                                      \
		check_complete(fields, N(fields), sizeof(*(at))); \
		check_fields(def, at, fields, N(fields));         \
	} while (0)

#endif
