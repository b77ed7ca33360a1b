/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What one worker wrote of a running VM, the next one reads the same; anything else is refused, and
 * never half taken.
 */
#include "worker/vm/status.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "lib/take.h"
#include "lib/uuid.h"
#include "tests/unit/domain_env.h"
#include "tests/unit/filtered.h"
#include "tests/unit/test.h"
#include "worker/domain/alias.h"
#include "worker/store/domains.h"
#include "worker/vm/rundir.h"

#define UUID "00112233-4455-6677-8899-aabbccddeeff"

static const uint8_t uuid[UUID_SIZE] = {0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99,
	0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};

static char root[] = "/tmp/qemud-status-XXXXXX";

static void
run(const char *command)
{
	CHECK(system(command) == 0);
}

/* --- the state ---------------------------------------------------------------------------- */

static bool
same(const struct vm_status *a, const struct vm_status *b)
{
	return a->id == b->id && a->state == b->state && a->reason == b->reason &&
	       a->landlock == b->landlock && a->since == b->since &&
	       a->autodestroy == b->autodestroy;
}

static const struct vm_status good = {.id = 7,
	.state = DOMAIN_STATE_RUNNING,
	.reason = DOMAIN_RUNNING_BOOTED,
	.landlock = 6,
	.since = 1700000000};

static void
test_status(void)
{
	const struct vm_status cases[] = {
		good,
		{1, DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_STARTING_UP, -1, 0, false},
		{INT32_MAX, DOMAIN_STATE_SHUTDOWN, 13, 0, INT64_MAX, false},
		{2, DOMAIN_STATE_PAUSED, 0, INT32_MAX, 1, false},
		{3, DOMAIN_STATE_PMSUSPENDED, 0, 7, 1, true},
	};
	struct vm_status got;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(&got, 0xff, sizeof(got));
		CHECK(vm_status_write(uuid, &cases[i]) == 0);
		CHECK(vm_status_read(uuid, &got) == 0 && same(&got, &cases[i]));
	}
}

static void
test_text_of_status(void)
{
	free_auto char *text = NULL;
	size_t size;

	CHECK(vm_status_write(uuid, &good) == 0);
	CHECK(rundir_read(uuid, "vm", &text, &size) == 0);
	CHECK_STR(text, "id = 7\nstate = 1\nreason = 1\nlandlock = 6\nsince = "
			"1700000000\nautodestroy = 0\n");
}

static void
test_out_of_range(void)
{
	const struct vm_status cases[] = {
		{0, 1, 1, 1, 1, false},
		{-1, 1, 1, 1, 1, false},
		{1, 0, 1, 1, 1, false},
		{1, 5, 1, 1, 1, false},
		{1, -1, 1, 1, 1, false},
		{1, 1, -1, 1, 1, false},
		{1, 1, 14, 1, 1, false},
		{1, 1, 1, -2, 1, false},
		{1, 1, 1, 1, UINT64_MAX, false},
	};
	struct vm_status got;

	CHECK(vm_status_write(uuid, &good) == 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK(vm_status_write(uuid, &cases[i]) == -EINVAL || !printf("# case %zu\n", i));
	/* What was there is there. */
	CHECK(vm_status_read(uuid, &got) == 0 && same(&got, &good));
}

static int
read_text(const char *text, size_t size)
{
	struct vm_status got = good;
	int r;

	CHECK(rundir_write(uuid, "vm", text, size) == 0);
	r = vm_status_read(uuid, &got);
	CHECK(r == 0 || same(&got, &good));
	return r;
}

#define OWNED "autodestroy = 1\n"
#define LINES OWNED "id = 1\nstate = 3\nreason = 1\nlandlock = unknown\n"

static void
test_strict(void)
{
	static const char *const bad[] = {
		"",
		"\n",
		"garbage",
		LINES,
		LINES "since = 5\nautodestroy = 1\n",
		"id = 1\nstate = 3\nreason = 1\nlandlock = 1\nsince = 5\n",
		"id = 1\nstate = 3\nreason = 1\nlandlock = 1\nsince = 5\nautodestroy = 2\n",
		OWNED "id = 1\n",
		LINES "since = -5\n",
		LINES "since = yes\n",
		LINES "since =\n",
		LINES "since = 5\nid = 1\n",
		LINES "since = 5\nsince = 5\n",
		LINES "since = 5\ncolour = red\n",
		LINES "since = 5\nrubbish\n",
		LINES "since = 5\n= 1\n",
		OWNED "id = 01\nstate = 3\nreason = 1\nlandlock = unknown\nsince = 5\n",
		OWNED "id = -1\nstate = 3\nreason = 1\nlandlock = unknown\nsince = 5\n",
		OWNED "id = 2147483648\nstate = 3\nreason = 1\nlandlock = 1\nsince = 5\n",
		OWNED "id = unknown\nstate = 3\nreason = 1\nlandlock = 1\nsince = 5\n",
		OWNED "id = 1\nstate = 3\nreason = 1\nlandlock = -1\nsince = 5\n",
		OWNED "id = 1\nstate = 3\nreason = 1\nlandlock = 1\nsince = 9223372036854775808\n",
		OWNED "id = 1\nstate = 5\nreason = 1\nlandlock = 1\nsince = 5\n",
		OWNED "id = 1\nstate = 8\nreason = 1\nlandlock = 1\nsince = 5\n",
		OWNED "id = 1\nstate = 3\nreason = 99999999999999999999\nlandlock = 1\nsince = 5\n",
	};

	CHECK(read_text(LINES "since = 5\n", strlen(LINES "since = 5\n")) == 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(read_text(bad[i], strlen(bad[i])) == VM_STATUS_E_BAD ||
			!printf("# %s\n", bad[i]));
	CHECK(read_text(LINES "since = 5\n\0", sizeof(LINES "since = 5\n")) == VM_STATUS_E_BAD);
}

static void
test_what_is_no_file(void)
{
	struct domain_def *def = NULL;
	struct vm_status got;

	run("rm -rf " UUID ".*");
	CHECK(vm_status_read(uuid, &got) == -ENOENT);
	CHECK(vm_status_read_def(uuid, &domain_tcg, &def) == -ENOENT && !def);
	run("mkfifo " UUID ".vm " UUID ".xml");
	CHECK(vm_status_read(uuid, &got) == VM_STATUS_E_BAD);
	CHECK(vm_status_read_def(uuid, &domain_tcg, &def) == VM_STATUS_E_BAD && !def);
	run("rm -rf " UUID ".* && ln -s /etc/passwd " UUID ".vm && truncate -s 2M " UUID ".xml");
	CHECK(vm_status_read(uuid, &got) == VM_STATUS_E_BAD);
	CHECK(vm_status_read_def(uuid, &domain_tcg, &def) == VM_STATUS_E_BAD && !def);
	run("rm -rf " UUID ".*");
}

/* --- the definition ----------------------------------------------------------------------- */

#define BEGIN   "<domain type='qemu' id='7'><name>vm</name><uuid>" UUID "</uuid>"
#define MEMORY  "<memory unit='MiB'>64</memory><os><type>hvm</type></os>"
#define DISK(n) "<disk type='file'><driver name='qemu' type='raw'/><source file='/x" #n "'/>"
#define END     "</devices></domain>"

static const char rich[] = BEGIN MEMORY "<devices>" DISK(0) "<target dev='vda'/></disk>" DISK(
	1) "<target dev='vdb'/><alias name='ua-mine'/></disk>"
	   "<serial type='pty'/><rng model='virtio'><backend model='random'>/dev/urandom</backend>"
	   "</rng>" END;

static struct domain_def *
parse(const char *xml)
{
	struct domain_def *def = NULL;
	struct rpc_error error = {0};

	if (domain_def_parse(xml, strlen(xml), 0, &domain_tcg, &error, &def) != 0)
		printf("# %s\n", error.message);
	return def;
}

static void
test_def(void)
{
	domain_def_auto struct domain_def *live = parse(rich);
	domain_def_auto struct domain_def *got = NULL;
	free_auto char *want = NULL;
	free_auto char *have = NULL;

	CHECK(live && domain_alias_assign(live) == 0);
	CHECK(vm_status_write_def(live, 7) == 0);
	CHECK(vm_status_read_def(uuid, &domain_tcg, &got) == 0 && got);
	CHECK(domain_def_format(live, DOMAIN_DEF_LIVE, 7, &want) == 0);
	CHECK(domain_def_format(got, DOMAIN_DEF_LIVE, 7, &have) == 0);
	CHECK_STR(have, want);
	CHECK_STR(got->disks[0].device.alias, "virtio-disk0");
	CHECK_STR(got->disks[1].device.alias, "ua-mine");
	CHECK(strstr(want, "<domain type='qemu' id='7'>") && strstr(want, "serial0"));
}

/* A definition that was not written by vm_status_write_def(). */
static int
read_def(const char *xml, struct domain_def **ret)
{
	CHECK(rundir_write(uuid, "xml", xml, strlen(xml)) == 0);
	return vm_status_read_def(uuid, &domain_tcg, ret);
}

static void
test_missing_aliases(void)
{
	domain_def_auto struct domain_def *got = NULL;

	CHECK(read_def(rich, &got) == 0 && got);
	CHECK_STR(got->disks[0].device.alias, "virtio-disk0");
	CHECK_STR(got->serials[0].chardev.device.alias, "serial0");
	CHECK(got->memballoon.device.alias && got->rngs[0].device.alias);
}

static void
test_bad_defs(void)
{
	static const char *const bad[] = {
		"",
		"<domain",
		"<domain/>",
		/* of another VM */
		"<domain type='qemu'><name>vm</name><uuid>10112233-4455-6677-8899-aabbccddeeff"
		"</uuid>" MEMORY "</domain>",
		"<domain type='qemu'><name>../vm</name><uuid>" UUID "</uuid>" MEMORY "</domain>",
		/* the alias that the other disk gets */
		BEGIN MEMORY "<devices>" DISK(0) "<target dev='vda'/></disk>" DISK(
			1) "<target dev='vdb'/><alias name='virtio-disk0'/></disk>" END,
		BEGIN MEMORY "<devices><what/>" END,
	};
	struct domain_def *got = NULL;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK((read_def(bad[i], &got) == VM_STATUS_E_BAD && !got) ||
			!printf("# %s\n", bad[i]));
}

/* With its aliases it is larger than what can be read: told at once, not to the next worker. */
static void
test_too_large(void)
{
	static char xml[2 * 1024 * 1024];
	domain_def_auto struct domain_def *live = NULL;
	domain_def_auto struct domain_def *got = NULL;
	const char *head = BEGIN "<description>", *tail = "</description>" MEMORY "</domain>";
	size_t n = strlen(head), most = 1024 * 1024 - n - strlen(tail);

	(void)strcpy(xml, head);
	memset(xml + n, 'd', most);
	(void)strcpy(xml + n + most, tail);
	live = parse(xml);
	CHECK(live && domain_alias_assign(live) == 0);
	CHECK(live && vm_status_write_def(live, 7) == -EFBIG);
	if (live)
		live->description[most - 10000] = '\0';
	CHECK(live && vm_status_write_def(live, 7) == 0);
	CHECK(vm_status_read_def(uuid, &domain_tcg, &got) == 0 && got);
}

/* --- as the worker runs ------------------------------------------------------------------- */

static void
behind_the_filter(void)
{
	test_status();
	test_def();
	rundir_remove(uuid);
}

static void
test_filtered(void)
{
	filtered(behind_the_filter);
}

int
main(void)
{
	if (!mkdtemp(root) || chdir(root) < 0)
		return EXIT_FAILURE;
	TEST("a state is read as it was written", test_status);
	TEST("the file is for people too", test_text_of_status);
	TEST("what could not be read again is not written", test_out_of_range);
	TEST("each key is there once, in its range, and no other", test_strict);
	TEST("a pipe, a link and what is too long are no status", test_what_is_no_file);
	TEST("a definition is read as it was written, with its aliases", test_def);
	TEST("aliases that are missing are given again", test_missing_aliases);
	TEST("another VM's definition, a broken one or one with clashes is refused", test_bad_defs);
	TEST("a definition that could not be read again is not written", test_too_large);
	TEST("it works behind the worker's system call list", test_filtered);
	run("rm -rf " UUID ".* ." UUID ".*");
	CHECK(chdir("/") == 0 && rmdir(root) == 0);
	return TEST_END();
}
