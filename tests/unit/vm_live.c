/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The copy of a definition that a VM is started by is the same definition, of its own memory, with
 * an alias for every device.
 */
#include "worker/domain/def.h"

#include <errno.h>
#include <glob.h>

#include "tests/unit/domain_env.h"
#include "tests/unit/test.h"
#include "worker/domain/alias.h"

static struct domain_def *
parse(const char *xml)
{
	struct domain_def *def = NULL;
	struct rpc_error error = {0};

	if (domain_def_parse(xml, strlen(xml), 0, &domain_tcg, &error, &def) != 0)
		printf("# %s\n", error.message);
	return def;
}

static unsigned n_copied;

/* Copied, it is written as the original is; the original has not changed. */
static void
check_copy(const char *xml)
{
	domain_def_auto struct domain_def *config = NULL;
	domain_def_auto struct domain_def *live = NULL;
	free_auto char *before = NULL;
	free_auto char *after = NULL;
	free_auto char *started = NULL;
	free_auto char *copied = NULL;
	struct rpc_error error = {0};

	if (domain_def_parse(xml, strlen(xml), 0, &domain_tcg, &error, &config) != 0)
		return; /* for another emulator, or to be refused */
	n_copied++;
	CHECK(domain_def_format(config, 0, -1, &before) == 0);
	CHECK(domain_def_live(config, &domain_tcg, &live) == 0 && live);
	CHECK(domain_alias_check(live, &error) == 0);
	CHECK(domain_def_format(config, 0, -1, &after) == 0);
	CHECK_STR(after, before);
	/* The order in which it gets its vCPUs is known then. */
	domain_vcpus_start(config);
	CHECK(domain_def_format(config, 0, -1, &started) == 0);
	CHECK(domain_def_format(live, 0, -1, &copied) == 0);
	CHECK_STR(copied, started);
	CHECK(memcmp(live->uuid, config->uuid, sizeof(live->uuid)) == 0);
	CHECK(live->name != config->name);
	for (size_t i = 0; i < live->n_disks; i++)
		CHECK(live->disks[i].device.alias && live->disks[i].source.node > 0);
	for (size_t i = 0; i < live->n_serials; i++)
		CHECK(live->serials[i].chardev.device.alias != NULL);
	for (size_t i = 0; i < live->n_controllers; i++)
		CHECK(live->controllers[i].device.alias != NULL);
}

static void
test_golden(void)
{
	glob_t found;

	CHECK(glob("tests/golden/domain/*.xml", 0, NULL, &found) == 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		size_t size;
		free_auto char *xml = domain_read_file(found.gl_pathv[i], &size);
		int failed = test_this_failed;

		CHECK(xml != NULL);
		if (xml)
			check_copy(xml);
		if (test_this_failed && !failed)
			printf("# %s\n", found.gl_pathv[i]);
	}
	CHECK(n_copied > 20);
	printf("# %u of %zu\n", n_copied, found.gl_pathc);
	globfree(&found);
}

/* The user's own names stay, and none is given twice. */
static void
test_aliases(void)
{
	domain_def_auto struct domain_def *config = parse(
		"<domain type='qemu'><name>vm</name><memory>65536</memory><os><type>hvm</type>"
		"</os><devices><disk type='file'><driver name='qemu' type='raw'/>"
		"<source file='/a'/><target dev='vda'/><alias name='ua-mine'/></disk>"
		"<disk type='file'><driver name='qemu' type='raw'/><source file='/b'/>"
		"<target dev='vdb'/></disk></devices></domain>");
	domain_def_auto struct domain_def *live = NULL;

	CHECK(config && domain_def_live(config, &domain_tcg, &live) == 0);
	CHECK_STR(live ? live->disks[0].device.alias : NULL, "ua-mine");
	CHECK_STR(live ? live->disks[1].device.alias : NULL, "virtio-disk1");
}

/* A QEMU that is another now, without the machine: no memory is lost, and nothing is half made. */
static void
test_not_readable(void)
{
	static const struct domain_machine machines[] = {{"pc-i440fx-8.0", "pc", "qemu64", 255}};
	domain_def_auto struct domain_def *config =
		parse("<domain type='qemu'><name>vm</name><memory>65536</memory><os>"
		      "<type machine='pc-i440fx-7.2'>hvm</type></os></domain>");
	struct domain_def *live = NULL;
	struct domain_env other = domain_tcg;

	other.machines = machines;
	other.n_machines = 1;
	CHECK(config && domain_def_live(config, &other, &live) == -EINVAL && !live);
}

int
main(void)
{
	TEST("any definition is copied as it is, with aliases", test_golden);
	TEST("aliases of the user's are kept", test_aliases);
	TEST("what cannot be read back is no copy", test_not_readable);
	return TEST_END();
}
