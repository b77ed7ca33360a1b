/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capabilities_text.c: capabilities as "key = value" text; see capabilities_text.h.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/qemu/capabilities_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/keyval.h"
#include "lib/take.h"

enum { FORMAT = 2, WORDS_MAX = 6 };

static const char none[] = "-";

bool
capabilities_stamp_same(
	const struct capabilities_stamp *one, const struct capabilities_stamp *other)
{
	return strcmp(one->path, other->path) == 0 && one->size == other->size &&
	       one->inode == other->inode && one->mtime_ns == other->mtime_ns &&
	       one->ctime_ns == other->ctime_ns && one->kvm_asked == other->kvm_asked &&
	       one->kvm_ctime_ns == other->kvm_ctime_ns;
}

/* --- writing ------------------------------------------------------------------------------ */

static const char *
yes_no(bool value)
{
	return value ? "yes" : "no";
}

static const char *
or_none(const char *name)
{
	return *name ? name : none;
}

static void
write_all(
	FILE *out, const struct capabilities *capabilities, const struct capabilities_stamp *stamp)
{
	(void)fprintf(out,
		"format = %d\n"
		"# What this QEMU said it can do; qemud asks again when this file is gone.\n"
		"path = %s\nsize = %" PRIu64 "\nmtime = %" PRIu64 "\nctime = %" PRIu64
		"\ninode = %" PRIu64 "\nkvm-asked = %s\nkvm-ctime = %" PRIu64 "\nversion = %" PRIu32
		"\narch = %s\nkvm = %s\n",
		FORMAT, stamp->path, stamp->size, stamp->mtime_ns, stamp->ctime_ns, stamp->inode,
		yes_no(stamp->kvm_asked), stamp->kvm_ctime_ns, capabilities->version,
		capabilities->arch, yes_no(capabilities->kvm));
	for (size_t i = 0; i < capabilities->n_machines; i++) {
		const struct capabilities_machine *machine = &capabilities->machines[i];

		(void)fprintf(out, "machine = %s %" PRIu32 " %s %s%s%s\n", machine->name,
			machine->max_vcpus, or_none(machine->cpu), or_none(machine->alias),
			machine->is_default ? " default" : "",
			machine->deprecated ? " deprecated" : "");
	}
	for (size_t i = 0; i < capabilities->n_models; i++) {
		const struct capabilities_model *model = &capabilities->models[i];

		(void)fprintf(out, "model = %s %s%s\n", model->name,
			model->usable ? "usable" : "unusable",
			model->deprecated ? " deprecated" : "");
	}
	for (size_t i = 0; i < capabilities->n_features; i++)
		(void)fprintf(out, "feature = %s\n", capabilities->features[i].name);
}

int
capabilities_format(const struct capabilities *capabilities, const struct capabilities_stamp *stamp,
	char **ret_text, size_t *ret_size)
{
	free_auto char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	bool failed;

	if (!out)
		return -ENOMEM;
	write_all(out, capabilities, stamp);
	failed = ferror(out);
	if (fclose(out) != 0 || failed)
		return -ENOMEM;
	*ret_text = take_ptr(text);
	*ret_size = size;
	return 0;
}

/* --- reading ------------------------------------------------------------------------------ */

/* Split a value at its blanks, in place. Returns how many words there are, WORDS_MAX + 1 for more.
 */
static unsigned
split(char *value, const char *words[static WORDS_MAX])
{
	char *rest = value, *word;
	unsigned n = 0;

	while ((word = strsep(&rest, " "))) {
		if (n == WORDS_MAX)
			return WORDS_MAX + 1;
		words[n++] = word;
	}
	return n;
}

static int
copy_name(const char *word, char ret[static CAPABILITIES_NAME_MAX])
{
	if (strcmp(word, none) == 0)
		return 0;
	return capabilities_name_set(ret, word) ? 0 : CAPABILITIES_E_BAD;
}

/* The last word, if it is this one. */
static bool
take_last(const char *const *words, unsigned *n, unsigned at_least, const char *word)
{
	if (*n <= at_least || strcmp(words[*n - 1], word) != 0)
		return false;
	(*n)--;
	return true;
}

static int
read_machine(struct capabilities *capabilities, char *value)
{
	struct capabilities_machine machine = {.max_vcpus = 0};
	const char *words[WORDS_MAX];
	unsigned n = split(value, words);
	uint64_t vcpus;

	if (n > WORDS_MAX)
		return CAPABILITIES_E_BAD;
	machine.deprecated = take_last(words, &n, 4, "deprecated");
	machine.is_default = take_last(words, &n, 4, "default");
	if (n != 4 || copy_name(words[0], machine.name) ||
		keyval_number(words[1], 1, CAPABILITIES_VCPUS_MAX, &vcpus) ||
		copy_name(words[2], machine.cpu) || copy_name(words[3], machine.alias))
		return CAPABILITIES_E_BAD;
	machine.max_vcpus = (uint32_t)vcpus;
	return capabilities_add_machine(capabilities, &machine);
}

static int
read_model(struct capabilities *capabilities, char *value)
{
	struct capabilities_model model = {.usable = false};
	const char *words[WORDS_MAX];
	unsigned n = split(value, words);

	if (n > WORDS_MAX)
		return CAPABILITIES_E_BAD;
	model.deprecated = take_last(words, &n, 2, "deprecated");
	if (n != 2 || copy_name(words[0], model.name))
		return CAPABILITIES_E_BAD;
	model.usable = strcmp(words[1], "usable") == 0;
	if (!model.usable && strcmp(words[1], "unusable") != 0)
		return CAPABILITIES_E_BAD;
	return capabilities_add_model(capabilities, &model);
}

static int
read_feature(struct capabilities *capabilities, const char *value)
{
	struct capabilities_feature feature = {.name = ""};

	return copy_name(value, feature.name) ? CAPABILITIES_E_BAD
					      : capabilities_add_feature(capabilities, &feature);
}

enum key {
	KEY_FORMAT,
	KEY_PATH,
	KEY_SIZE,
	KEY_MTIME,
	KEY_CTIME,
	KEY_INODE,
	KEY_KVM_ASKED,
	KEY_KVM_CTIME,
	KEY_VERSION,
	KEY_ARCH,
	KEY_KVM,
	KEY_MACHINE, /* this and the next two as often as there are any, the others once */
	KEY_MODEL,
	KEY_FEATURE,
	N_KEYS
};

static const char *const keys[N_KEYS] = {
	[KEY_FORMAT] = "format",
	[KEY_PATH] = "path",
	[KEY_SIZE] = "size",
	[KEY_MTIME] = "mtime",
	[KEY_CTIME] = "ctime",
	[KEY_INODE] = "inode",
	[KEY_KVM_ASKED] = "kvm-asked",
	[KEY_KVM_CTIME] = "kvm-ctime",
	[KEY_VERSION] = "version",
	[KEY_ARCH] = "arch",
	[KEY_KVM] = "kvm",
	[KEY_MACHINE] = "machine",
	[KEY_MODEL] = "model",
	[KEY_FEATURE] = "feature",
};

static enum key
find_key(const char *key)
{
	enum key i = 0;

	while (i < N_KEYS && strcmp(keys[i], key) != 0)
		i++;
	return i;
}

static int
read_number(const char *value, uint64_t min, uint64_t max, uint64_t *ret)
{
	return keyval_number(value, min, max, ret) ? CAPABILITIES_E_BAD : 0;
}

static int
read_bool(const char *value, bool *ret)
{
	int yes;

	if (keyval_bool(value, &yes))
		return CAPABILITIES_E_BAD;
	*ret = yes;
	return 0;
}

static int
read_pair(enum key key, char *value, struct capabilities_stamp *stamp,
	struct capabilities *capabilities)
{
	uint64_t number = 0;
	int r = 0;

	switch (key) {
	case KEY_FORMAT:
		return read_number(value, FORMAT, FORMAT, &number);
	case KEY_PATH:
		if (*value != '/' || strlen(value) >= sizeof(stamp->path))
			return CAPABILITIES_E_BAD;
		(void)snprintf(stamp->path, sizeof(stamp->path), "%s", value);
		return 0;
	case KEY_SIZE:
		return read_number(value, 0, UINT64_MAX, &stamp->size);
	case KEY_MTIME:
		return read_number(value, 0, UINT64_MAX, &stamp->mtime_ns);
	case KEY_CTIME:
		return read_number(value, 0, UINT64_MAX, &stamp->ctime_ns);
	case KEY_INODE:
		return read_number(value, 0, UINT64_MAX, &stamp->inode);
	case KEY_KVM_ASKED:
		return read_bool(value, &stamp->kvm_asked);
	case KEY_KVM_CTIME:
		return read_number(value, 0, UINT64_MAX, &stamp->kvm_ctime_ns);
	case KEY_VERSION:
		r = read_number(value, 1, UINT32_MAX, &number);
		capabilities->version = (uint32_t)number;
		return r;
	case KEY_ARCH:
		return strcmp(value, none) == 0 ? CAPABILITIES_E_BAD
						: copy_name(value, capabilities->arch);
	case KEY_KVM:
		return read_bool(value, &capabilities->kvm);
	case KEY_MACHINE:
		return read_machine(capabilities, value);
	case KEY_MODEL:
		return read_model(capabilities, value);
	case KEY_FEATURE:
		return read_feature(capabilities, value);
	case N_KEYS:
		break;
	}
	return CAPABILITIES_E_BAD;
}

static int
read_all(struct keyval *kv, struct capabilities_stamp *stamp, struct capabilities *capabilities)
{
	unsigned seen = 0;
	enum keyval_result result;

	while ((result = keyval_next(kv)) != KEYVAL_END) {
		enum key key = result == KEYVAL_PAIR ? find_key(kv->key) : N_KEYS;
		int r;

		if ((key != KEY_FORMAT && !seen) || (key < KEY_MACHINE && seen & 1u << key))
			return CAPABILITIES_E_BAD;
		r = read_pair(key, kv->value, stamp, capabilities);
		if (r)
			return r;
		seen |= 1u << key;
	}
	return (seen | 1u << KEY_MACHINE | 1u << KEY_MODEL | 1u << KEY_FEATURE) ==
			       (1u << N_KEYS) - 1
		       ? 0
		       : CAPABILITIES_E_BAD;
}

int
capabilities_read(const char *text, size_t size, struct capabilities_stamp *ret_stamp,
	struct capabilities **ret_capabilities)
{
	capabilities_auto struct capabilities *capabilities = capabilities_new();
	free_auto struct keyval *kv = malloc(sizeof(*kv));
	int r;

	if (!capabilities || !kv)
		return -ENOMEM;
	memset(ret_stamp, 0, sizeof(*ret_stamp));
	keyval_init(kv, text, size);
	r = read_all(kv, ret_stamp, capabilities);
	if (r == 0)
		*ret_capabilities = take_ptr(capabilities);
	return r;
}
