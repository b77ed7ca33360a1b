/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What QEMU 7.2 says of itself is understood; what no QEMU says is refused; what was understood is
 * kept for exactly that binary, and anything else that lies in the cache is as good as nothing.
 *
 * tests/golden/capabilities/qemu-7.2.22.qmp is what Debian's QEMU answered, with TCG; beside it the
 * text that is kept of it. REGENERATE=1 writes the latter anew.
 */
#include "worker/qemu/capabilities.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fd.h"
#include "tests/unit/test.h"
#include "worker/qemu/capabilities_cache.h"

#define GOLDEN "tests/golden/capabilities/qemu-7.2.22"

static const struct capabilities_stamp stamp = {.path = "/usr/bin/qemu-system-x86_64",
	.size = 123,
	.inode = 45,
	.mtime_ns = 1700000000123456789,
	.ctime_ns = 1700000001000000000};

static json_t *
value_of(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

	if (!value)
		abort();
	return value;
}

static char *
read_file(const char *path, size_t *ret_size)
{
	fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = NULL;

	if (fd < 0 || fd_read_all(fd, 1 << 20, &text, ret_size) < 0)
		abort();
	return text;
}

/* The capabilities out of the transcript: the greeting, then the answers in the probe's order. */
static struct capabilities *
from_transcript(void)
{
	capabilities_take_fn *const take[] = {NULL, NULL, capabilities_take_target,
		capabilities_take_machines, capabilities_take_models, capabilities_take_features,
		capabilities_take_kvm, NULL};
	struct capabilities *capabilities = capabilities_new();
	size_t size;
	free_auto char *text = read_file(GOLDEN ".qmp", &size);
	char *rest = text;

	for (size_t i = 0; i < sizeof(take) / sizeof(take[0]); i++) {
		json_t *message = value_of(strsep(&rest, "\n"));
		const json_t *greeting = json_object_get(message, "QMP");

		if (greeting)
			CHECK(capabilities_take_version(
				      capabilities, json_object_get(greeting, "version")) == 0);
		else if (take[i])
			CHECK(take[i](capabilities, json_object_get(message, "return")) == 0);
		json_decref(message);
	}
	return capabilities;
}

static const struct capabilities_machine *
machine(const struct capabilities *capabilities, const char *name)
{
	for (size_t i = 0; i < capabilities->n_machines; i++)
		if (strcmp(capabilities->machines[i].name, name) == 0)
			return &capabilities->machines[i];
	abort();
}

static const struct capabilities_model *
model(const struct capabilities *capabilities, const char *name)
{
	for (size_t i = 0; i < capabilities->n_models; i++)
		if (strcmp(capabilities->models[i].name, name) == 0)
			return &capabilities->models[i];
	abort();
}

static bool
has_feature(const struct capabilities *capabilities, const char *name)
{
	for (size_t i = 0; i < capabilities->n_features; i++)
		if (strcmp(capabilities->features[i].name, name) == 0)
			return true;
	return false;
}

/* --- answers ------------------------------------------------------------------------------ */

static void
real_answers(void)
{
	capabilities_auto struct capabilities *c = from_transcript();
	const struct capabilities_machine *pc = machine(c, "pc-i440fx-7.2");

	CHECK(c->version == 7002022 && !c->kvm);
	CHECK_STR(c->arch, "x86_64");
	CHECK(c->n_machines == 59 && c->n_models == 132 && c->n_features == 395);
	CHECK(has_feature(c, "avx2") && has_feature(c, "3dnow") && has_feature(c, "sse4.2"));
	CHECK(!has_feature(c, "realized") && !has_feature(c, "vendor"));
	CHECK_STR(pc->alias, "pc");
	CHECK_STR(pc->cpu, "qemu64");
	CHECK(pc->max_vcpus == 255 && pc->is_default && !pc->deprecated);
	CHECK_STR(machine(c, "pc-q35-7.2")->alias, "q35");
	CHECK(machine(c, "pc-q35-7.2")->max_vcpus == 288);
	CHECK(!machine(c, "pc-q35-7.2")->is_default && machine(c, "pc-i440fx-1.7")->deprecated);
	CHECK_STR(machine(c, "none")->cpu, "");
	CHECK_STR(machine(c, "isapc")->cpu, "486");
	CHECK(model(c, "max")->usable && model(c, "qemu64")->usable);
	CHECK(!model(c, "host")->usable && !model(c, "EPYC")->usable);
}

static void
what_definitions_need(void)
{
	capabilities_auto struct capabilities *c = from_transcript();
	free_auto void *arrays = NULL;
	struct domain_env env = {.kvm = true};
	bool has_pc = false;

	CHECK(capabilities_env(c, "/usr/bin/qemu", &env, &arrays) == 0);
	CHECK_STR(env.emulator, "/usr/bin/qemu");
	CHECK_STR(env.machine, "pc-i440fx-7.2");
	CHECK(!env.kvm && env.machines == arrays);
	/* None and x-remote have no default CPU. */
	CHECK(env.n_machines == c->n_machines - 2);
	for (size_t i = 0; i < env.n_machines; i++) {
		const struct domain_machine *m = &env.machines[i];

		CHECK(m->name && m->cpu && m->max_vcpus > 0 && (!m->alias || *m->alias));
		has_pc |= m->alias && strcmp(m->alias, "pc") == 0 && m->max_vcpus == 255 &&
			  strcmp(m->cpu, "qemu64") == 0;
	}
	CHECK(has_pc);
	CHECK(env.n_cpu_models == c->n_models && env.n_cpu_features == c->n_features);
	CHECK_STR(env.cpu_models[c->n_models - 1], c->models[c->n_models - 1].name);
	CHECK_STR(env.cpu_features[c->n_features - 1], c->features[c->n_features - 1].name);
}

static void
nothing_to_define_with(void)
{
	capabilities_auto struct capabilities *c = capabilities_new();
	free_auto void *arrays = NULL;
	struct domain_env env = {.kvm = true};

	CHECK(capabilities_env(c, "/x", &env, &arrays) == 0 && env.n_machines == 0);
	CHECK_STR(env.machine, "pc");
}

static void
wrong_answers(void)
{
	static const struct {
		capabilities_take_fn *take;
		const char *value;
	} wrong[] = {
		{capabilities_take_version, "null"},
		{capabilities_take_version, "{}"},
		{capabilities_take_version, "{\"qemu\": {\"major\": 7, \"minor\": 2}}"},
		{capabilities_take_version,
			"{\"qemu\": {\"major\": 7, \"minor\": 2, \"micro\": 1000}}"},
		{capabilities_take_version,
			"{\"qemu\": {\"major\": 0, \"minor\": 2, \"micro\": 1}}"},
		{capabilities_take_version,
			"{\"qemu\": {\"major\": 7, \"minor\": -1, \"micro\": 1}}"},
		{capabilities_take_version,
			"{\"qemu\": {\"major\": \"7\", \"minor\": 2, \"micro\": 1}}"},
		{capabilities_take_target, "[]"},
		{capabilities_take_target, "{\"arch\": \"\"}"},
		{capabilities_take_target, "{\"arch\": \"x86 64\"}"},
		{capabilities_take_target, "{\"arch\": 86}"},
		{capabilities_take_kvm, "true"},
		{capabilities_take_kvm, "{\"enabled\": \"yes\"}"},
		{capabilities_take_machines, "{}"},
		{capabilities_take_machines, "[1]"},
		{capabilities_take_machines, "[{\"name\": \"a\"}]"},
		{capabilities_take_machines, "[{\"name\": \"a\", \"cpu-max\": 0}]"},
		{capabilities_take_machines, "[{\"name\": \"a\", \"cpu-max\": 65536}]"},
		{capabilities_take_machines, "[{\"name\": \"a\", \"cpu-max\": 1.5}]"},
		{capabilities_take_machines, "[{\"cpu-max\": 1}]"},
		{capabilities_take_machines, "[{\"name\": \"a,accel=kvm\", \"cpu-max\": 1}]"},
		{capabilities_take_machines, "[{\"name\": \"-a\", \"cpu-max\": 1}]"},
		{capabilities_take_machines,
			"[{\"name\": \"a\", \"cpu-max\": 1, \"alias\": \"\"}]"},
		{capabilities_take_machines,
			"[{\"name\": \"a\", \"cpu-max\": 1, \"alias\": null}]"},
		{capabilities_take_machines,
			"[{\"name\": \"a\", \"cpu-max\": 1, \"is-default\": 1}]"},
		{capabilities_take_machines, "[{\"name\": \"a\", \"cpu-max\": 1, "
					     "\"default-cpu-type\": \"-x86_64-cpu\"}]"},
		{capabilities_take_machines, "[{\"name\": \"a\", \"cpu-max\": 1, "
					     "\"default-cpu-type\": \"a-i386-cpu\"}]"},
		{capabilities_take_machines,
			"[{\"name\": \"a\", \"cpu-max\": 1, \"default-cpu-type\": \"cpu\"}]"},
		{capabilities_take_models, "[[]]"},
		{capabilities_take_models, "[{}]"},
		{capabilities_take_models, "[{\"name\": \"a<b\"}]"},
		{capabilities_take_models, "[{\"name\": \"a\", \"unavailable-features\": {}}]"},
		{capabilities_take_models, "[{\"name\": \"a\", \"deprecated\": \"no\"}]"},
		{capabilities_take_features, "{}"},
		{capabilities_take_features, "[{\"name\": \"a\"}]"},
		{capabilities_take_features, "[{\"type\": \"bool\"}]"},
		{capabilities_take_features, "[{\"name\": \"a,b\", \"type\": \"bool\"}]"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		capabilities_auto struct capabilities *c = capabilities_new();
		json_t *value = value_of(wrong[i].value),
		       *arch = value_of("{\"arch\": \"x86_64\"}");

		CHECK(capabilities_take_target(c, arch) == 0);
		CHECK(wrong[i].take(c, value) == CAPABILITIES_E_BAD);
		if (test_this_failed)
			printf("# %s\n", wrong[i].value);
		CHECK(c->n_machines == 0 && c->n_models == 0);
		json_decref(value);
		json_decref(arch);
	}
}

static void
names_and_counts(void)
{
	capabilities_auto struct capabilities *c = capabilities_new();
	struct capabilities_machine machine_x = {.name = "x", .max_vcpus = 1};
	struct capabilities_model model_x = {.name = "x"};
	char name[CAPABILITIES_NAME_MAX], text[CAPABILITIES_NAME_MAX + 1];

	memset(text, 'a', sizeof(text));
	text[CAPABILITIES_NAME_MAX] = '\0';
	CHECK(!capabilities_name_set(name, text));
	text[CAPABILITIES_NAME_MAX - 1] = '\0';
	CHECK(capabilities_name_set(name, text));
	CHECK_STR(name, text);
	/* A model that QEMU says nothing about is not known to be usable. */
	for (int i = 0; i < CAPABILITIES_MACHINES_MAX; i++)
		CHECK(capabilities_add_machine(c, &machine_x) == 0);
	CHECK(capabilities_add_machine(c, &machine_x) == CAPABILITIES_E_BAD);
	for (int i = 0; i < CAPABILITIES_MODELS_MAX; i++)
		CHECK(capabilities_add_model(c, &model_x) == 0);
	CHECK(capabilities_add_model(c, &model_x) == CAPABILITIES_E_BAD);
	CHECK(c->n_machines == CAPABILITIES_MACHINES_MAX && c->n_models == CAPABILITIES_MODELS_MAX);
}

/* --- text --------------------------------------------------------------------------------- */

static void
golden_text(void)
{
	capabilities_auto struct capabilities *c = from_transcript();
	free_auto char *text = NULL, *want = NULL;
	size_t size, want_size;

	CHECK(capabilities_format(c, &stamp, &text, &size) == 0 && strlen(text) == size);
	if (getenv("REGENERATE")) {
		fd_auto int fd = open(
			GOLDEN ".capabilities", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

		CHECK(fd >= 0 && fd_write_all(fd, text, size) == 0);
	}
	want = read_file(GOLDEN ".capabilities", &want_size);
	CHECK_STR(text, want);
}

static void
same_when_read(void)
{
	capabilities_auto struct capabilities *c = from_transcript(), *again = NULL;
	free_auto char *text = NULL, *second = NULL;
	struct capabilities_stamp found;
	size_t size, second_size;

	c->kvm = true;
	CHECK(capabilities_format(c, &stamp, &text, &size) == 0);
	CHECK(capabilities_read(text, size, &found, &again) == 0);
	CHECK(capabilities_stamp_same(&found, &stamp));
	CHECK(again->version == c->version && again->kvm && strcmp(again->arch, c->arch) == 0);
	CHECK(again->n_machines == c->n_machines && again->n_models == c->n_models &&
		again->n_features == c->n_features);
	CHECK(capabilities_format(again, &found, &second, &second_size) == 0);
	CHECK_STR(second, text);
}

#define STAMP                                                                            \
	"format = 2\npath = /q\nsize = 1\nmtime = 2\nctime = 3\ninode = 4\nkvm-asked = " \
	"no\nkvm-ctime = 0\n"
#define HEAD STAMP "version = 7002022\narch = x86_64\nkvm = no\n"

static void
wrong_text(void)
{
	static const char *const right[] = {HEAD, HEAD "machine = a 1 - -\n",
		HEAD
		"machine = a 1 b c default deprecated\nmodel = m usable deprecated\nfeature = f\n"};
	static const char *const wrong[] = {"", "x", STAMP, HEAD "format = 2\n", HEAD "kvm = no\n",
		"format = 1\n" HEAD, "path = /q\n" HEAD, HEAD "more = 1\n", HEAD "\x01 = 1\n",
		HEAD "machine = a\n", HEAD "machine = a 1 -\n", HEAD "machine = - 1 - -\n",
		HEAD "machine = a 0 - -\n", HEAD "machine = a 1 - - deprecated default\n",
		HEAD "machine = a 1 - - default default\n", HEAD "machine = a 1 - - x\n",
		HEAD "machine = a 1 - - - - - - - - -\n", HEAD "machine = a  1 - -\n",
		HEAD "machine = a 1 b,c -\n", HEAD "feature = -\n", HEAD "feature = a b\n",
		HEAD "model = m\n", HEAD "model = m yes\n", HEAD "model = - usable\n",
		HEAD "model = m usable x\n", HEAD "model = m usable deprecated deprecated\n",
		HEAD "machine = a 1 - \n"};

	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		capabilities_auto struct capabilities *c = NULL;
		struct capabilities_stamp found;

		CHECK(capabilities_read(right[i], strlen(right[i]), &found, &c) == 0);
		CHECK(c && c->n_machines == (i > 0));
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		capabilities_auto struct capabilities *c = NULL;
		struct capabilities_stamp found;

		CHECK(capabilities_read(wrong[i], strlen(wrong[i]), &found, &c) ==
			CAPABILITIES_E_BAD);
		if (test_this_failed)
			printf("# %s\n", wrong[i]);
		CHECK(!c);
	}
}

/* --- cache -------------------------------------------------------------------------------- */

static char folder[] = "/tmp/capabilities-XXXXXX";
static int folder_fd = -1;
static const char file[] = "qemu-system-x86_64.capabilities";

static void
put(const char *text)
{
	fd_auto int fd = -1;

	(void)unlinkat(folder_fd, file, 0);
	fd = openat(folder_fd, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0)
		abort();
}

static bool
cached(const struct capabilities_stamp *wanted)
{
	capabilities_auto struct capabilities *c = NULL;
	int r = capabilities_cache_load(folder_fd, wanted, &c);

	CHECK(r == 0 || r == CAPABILITIES_CACHE_E_NONE);
	CHECK((r == 0) == (c != NULL));
	return r == 0;
}

static void
kept_for_one_binary(void)
{
	capabilities_auto struct capabilities *c = from_transcript();
	struct capabilities_stamp other;
	struct stat st;

	CHECK(!cached(&stamp));
	CHECK(capabilities_cache_store(folder_fd, &stamp, c) == 0);
	CHECK(cached(&stamp));
	CHECK(fstatat(folder_fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0);
	CHECK((st.st_mode & 07777) == 0600);
	for (int i = 0; i < 6; i++) {
		other = stamp;
		other.size += i == 0;
		other.inode += i == 1;
		other.mtime_ns += i == 2;
		other.ctime_ns += i == 3;
		other.kvm_asked = i == 4;
		if (i == 5)
			(void)strcpy(other.path, "/opt/bin/qemu-system-x86_64");
		CHECK(!cached(&other));
	}
	/* The binary was replaced: what is known now replaces what was known. */
	other = stamp;
	other.mtime_ns++;
	CHECK(capabilities_cache_store(folder_fd, &other, c) == 0);
	CHECK(cached(&other) && !cached(&stamp));
}

static void
spoilt_cache(void)
{
	capabilities_auto struct capabilities *c = from_transcript();
	free_auto char *large = malloc(CAPABILITIES_TEXT_MAX + 2);

	put("");
	CHECK(!cached(&stamp));
	put(HEAD);
	CHECK(!cached(&stamp));
	memset(large, '#', CAPABILITIES_TEXT_MAX + 1);
	large[CAPABILITIES_TEXT_MAX + 1] = '\0';
	put(large);
	CHECK(!cached(&stamp));
	(void)unlinkat(folder_fd, file, 0);
	/* A link is not followed, not even to what would do. */
	CHECK(capabilities_cache_store(folder_fd, &stamp, c) == 0 && cached(&stamp));
	CHECK(renameat(folder_fd, file, folder_fd, "elsewhere") == 0);
	CHECK(symlinkat("elsewhere", folder_fd, file) == 0 && !cached(&stamp));
	CHECK(unlinkat(folder_fd, file, 0) == 0 && unlinkat(folder_fd, "elsewhere", 0) == 0);
	/* A FIFO without a writer would hold up a reader that waits. */
	CHECK(mkfifoat(folder_fd, file, 0600) == 0 && !cached(&stamp));
	(void)unlinkat(folder_fd, file, 0);
	CHECK(mkdirat(folder_fd, file, 0700) == 0 && !cached(&stamp));
	CHECK(unlinkat(folder_fd, file, AT_REMOVEDIR) == 0);
}

static void
stamps(void)
{
	struct capabilities_stamp one, other;
	char path[64];

	(void)snprintf(path, sizeof(path), "%s/binary", folder);
	CHECK(capabilities_stamp_read(path, NULL, &one) == -ENOENT);
	put("");
	CHECK(renameat(folder_fd, file, folder_fd, "binary") == 0);
	CHECK(capabilities_stamp_read(path, NULL, &one) == 0);
	CHECK(capabilities_stamp_read(path, NULL, &other) == 0);
	CHECK(capabilities_stamp_same(&one, &other));
	CHECK(capabilities_stamp_read(path, "/dev/null", &other) == 0);
	CHECK(!capabilities_stamp_same(&one, &other));
	/* A device whose rights have changed is asked again; one that cannot be opened is not. */
	one = other;
	one.kvm_ctime_ns++;
	CHECK(one.kvm_asked && !capabilities_stamp_same(&one, &other));
	CHECK(capabilities_stamp_read(path, "/nonexistent", &other) == 0 && !other.kvm_asked);
	CHECK(capabilities_stamp_read(path, NULL, &one) == 0);
	put("x");
	CHECK(renameat(folder_fd, file, folder_fd, "binary") == 0);
	CHECK(capabilities_stamp_read(path, NULL, &other) == 0);
	CHECK(!capabilities_stamp_same(&one, &other));
	CHECK(unlinkat(folder_fd, "binary", 0) == 0);
}

int
main(void)
{
	if (!mkdtemp(folder) || (folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		abort();
	TEST("QEMU 7.2's answers are understood", real_answers);
	TEST("definitions find their machines and default CPUs", what_definitions_need);
	TEST("a QEMU without machines lends none", nothing_to_define_with);
	TEST("what no QEMU says is refused", wrong_answers);
	TEST("names and counts are bounded", names_and_counts);
	TEST("the text that is kept", golden_text);
	TEST("what is read back is what was written", same_when_read);
	TEST("a text with a mistake is refused", wrong_text);
	TEST("the cache holds for exactly one binary", kept_for_one_binary);
	TEST("a spoilt cache is none", spoilt_cache);
	TEST("a binary that was replaced has another stamp", stamps);
	(void)close(folder_fd);
	(void)unlinkat(AT_FDCWD, folder, AT_REMOVEDIR);
	return TEST_END();
}
