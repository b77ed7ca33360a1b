/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The VMs in memory and those on disk are the same ones: what was told is kept, what could not be
 * written has not happened, and nobody's file is lost.
 *
 * test: heavy
 */
#include "worker/store/domains.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "protocol/rpc/procedure.h"
#include "tests/unit/folder_rig.h"
#include "worker/store/definitions.h"

enum { MANY = 3000 };

static struct rpc_error error;
static struct domain *domain; /* that was defined last */
static bool is_new;

static int
define(const char *xml)
{
	memset(&error, 0, sizeof(error));
	return domains_define(&domains, xml, NULL, &error, &domain, &is_new);
}

static void
defined(const char *name, unsigned number)
{
	CHECK(define(xml_of(name, number, "")) == RPC_DONE && is_new);
	CHECK(domain == domains_find_name(&domains, name));
	CHECK(domain && domains_find_uuid(&domains, domain->config->uuid) == domain);
}

static void
refused(const char *xml, int code, const char *text)
{
	unsigned n = domains.n;

	CHECK(define(xml) == RPC_FAILED);
	CHECK(error.code == code);
	if (!strstr(error.message, text))
		CHECK_STR(error.message, text);
	CHECK(domains.n == n);
}

/* The names in their order, with a blank behind each. */
static const char *
names(void)
{
	static char text[1024];
	const struct domain *d;
	size_t at = 0;

	*text = '\0';
	TAILQ_FOREACH (d, &domains.all, entry)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s ", d->config->name);
	return text;
}

/* --- define ------------------------------------------------------------------------------- */

static void
test_define(void)
{
	begin();
	defined("one", 1);
	CHECK(domain->id == -1 && domain->state == DOMAIN_STATE_SHUTOFF && !domain->autostart);
	defined("two", 2);
	CHECK(domains.n == 2);
	CHECK(domains_find_id(&domains, -1) == NULL && domains_find_id(&domains, 1) == NULL);
	reopen();
	CHECK(domains.n == 2 && reported.n == 0);
	CHECK(domains_find_name(&domains, "one") && domains_find_name(&domains, "two"));
	CHECK(domains_find_name(&domains, "three") == NULL);
	close_all();
}

static void
test_define_anew(void)
{
	struct domain *two;

	begin();
	defined("one", 1);
	defined("two", 2);
	defined("three", 3);
	two = domains_find_name(&domains, "two");
	CHECK(domains_set_autostart(&domains, two, true, &error) == RPC_DONE);
	CHECK(define(xml_of("two", 2, "<title>anew</title>")) == RPC_DONE && !is_new);
	CHECK(domain == two && two->autostart);
	CHECK_STR(two->config->title, "anew");
	CHECK_STR(names(), "one two three ");
	reopen();
	two = domains_find_name(&domains, "two");
	CHECK(two && two->autostart);
	CHECK_STR(two ? two->config->title : NULL, "anew");
	close_all();
}

static void
test_clashes(void)
{
	begin();
	defined("one", 1);
	defined("two", 2);
	refused(xml_of("other", 1, ""), VIR_ERR_OPERATION_FAILED,
		"operation failed: domain 'one' is already defined with uuid "
		"00000000-0000-4000-8000-000000000001");
	refused(xml_of("one", 3, ""), VIR_ERR_OPERATION_FAILED,
		"operation failed: domain 'one' already exists with uuid "
		"00000000-0000-4000-8000-000000000001");
	refused(xml_of("one", 2, ""), VIR_ERR_OPERATION_FAILED,
		"operation failed: domain 'two' is already defined with uuid "
		"00000000-0000-4000-8000-000000000002");
	CHECK(error.domain == VIR_FROM_DOMAIN);
	refused("<domain/>", VIR_ERR_NO_NAME, "missing name information");
	reopen();
	CHECK(domains.n == 2 && reported.n == 0);
	close_all();
}

/* What is kept must be readable again: bounds hold for the text as it is written. */
static void
test_text_that_grows(void)
{
	static char xml[2 * DEFINITION_MAX];
	size_t at;

	begin();
	at = (size_t)snprintf(xml, sizeof(xml),
		"<domain type='qemu'><name>big</name><memory unit='MiB'>64</memory><os><type>hvm"
		"</type></os><description>");
	memset(xml + at, '>', DEFINITION_MAX / 3);
	(void)strcpy(xml + at + DEFINITION_MAX / 3, "</description></domain>");
	refused(xml, VIR_ERR_CONFIG_UNSUPPORTED, "bytes as it is kept");
	(void)strcpy(xml + at + DEFINITION_MAX / 5, "</description></domain>");
	CHECK(define(xml) == RPC_DONE);
	reopen();
	CHECK(domains.n == 1 && reported.n == 0);
	close_all();
}

static void
test_undefine(void)
{
	begin();
	defined("one", 1);
	defined("two", 2);
	CHECK(domains_set_autostart(&domains, domain, true, &error) == RPC_DONE);
	CHECK(domains_undefine(&domains, domain, &error) == RPC_DONE);
	CHECK_STR(names(), "one ");
	CHECK(access(".qemud/domains/two.xml", F_OK) < 0);
	CHECK(!definitions_autostart(&home, "two"));
	/* Its name and UUID are free. */
	defined("two", 2);
	CHECK(!domain->autostart);
	/* A file that somebody took away already. */
	run("rm .qemud/domains/two.xml");
	CHECK(domains_undefine(&domains, domain, &error) == RPC_DONE);
	reopen();
	CHECK_STR(names(), "one ");
	close_all();
}

static void
test_autostart(void)
{
	begin();
	defined("one", 1);
	defined("two", 2);
	for (int i = 0; i < 2; i++)
		CHECK(domains_set_autostart(&domains, domain, true, &error) == RPC_DONE);
	run("test \"$(readlink .qemud/autostart/two.xml)\" = ../domains/two.xml");
	reopen();
	domain = domains_find_name(&domains, "two");
	CHECK(domain && domain->autostart && !domains_find_name(&domains, "one")->autostart);
	for (int i = 0; i < 2; i++)
		CHECK(domains_set_autostart(&domains, domain, false, &error) == RPC_DONE);
	reopen();
	domain = domains_find_name(&domains, "two");
	CHECK(domain && !domain->autostart);
	close_all();
}

/* --- files that are not as they should be ------------------------------------------------- */

/* Load with this made in domains/; it must be reported so, and "good" be there. */
static void
reported_as(const char *command, const char *name, const char *why)
{
	begin();
	defined("good", 1);
	run("%s", command);
	reopen();
	CHECK(reported.n == 1);
	CHECK_STR(reported.name, name);
	if (!strstr(reported.why, why))
		CHECK_STR(reported.why, why);
	CHECK_STR(names(), "good ");
	close_all();
}

static void
test_bad_files(void)
{
	reported_as("echo '<domain' >.qemud/domains/bad.xml", "bad", "Couldn't find end of Start");
	reported_as("mkfifo .qemud/domains/fifo.xml", "fifo", "no regular file");
	reported_as("ln -s good.xml .qemud/domains/link.xml", "link", "symbolic link");
	reported_as("mkdir .qemud/domains/folder.xml", "folder", "no regular file");
	reported_as("truncate -s 2M .qemud/domains/long.xml", "long", "longer than a definition");
	reported_as(": >.qemud/domains/empty.xml", "empty", "Document is empty");
	reported_as("sed 's/<memory/<unheard-of/' .qemud/domains/good.xml "
		    ">.qemud/domains/unheard-of.xml",
		"unheard-of", "");
	if (geteuid() != 0)
		reported_as("cp .qemud/domains/good.xml .qemud/domains/no.xml; "
			    "chmod 0 .qemud/domains/no.xml",
			"no", "Permission denied");
}

static void
test_bad_file_is_not_overwritten(void)
{
	begin();
	run("echo '<domain><!-- an hour of work -->' >.qemud/domains/one.xml");
	reopen();
	CHECK(reported.n == 1);
	refused(xml_of("one", 1, ""), VIR_ERR_OPERATION_FAILED,
		"operation failed: ~/.qemud/domains/one.xml is there and has not been loaded (the "
		"log says why); move it away or mend it");
	run("grep -q 'an hour of work' .qemud/domains/one.xml");
	run("mv .qemud/domains/one.xml kept && rm kept");
	defined("one", 1);
	close_all();
}

static void
test_leftovers_of_a_crash(void)
{
	begin();
	defined("one", 1);
	run("echo '<domain' >.qemud/domains/.one.xml.new");
	reopen();
	CHECK(reported.n == 0 && domains.n == 1);
	CHECK(define(xml_of("one", 1, "<title>t</title>")) == RPC_DONE);
	CHECK(access(".qemud/domains/.one.xml.new", F_OK) < 0);
	close_all();
}

static void
test_folder_that_cannot_be_read(void)
{
	begin();
	close_all();
	/* The descriptor of something that is no folder any more. */
	ASSERT(loop_init(&loop) == 0);
	home_init(&home);
	domains_init(&domains, &home, &env);
	load_error = 1;
	folder_start(&folder, &loop, &home, &domains, &rig_folder_ops);
	CHECK(load_error == -EBADF);
	CHECK(domains.n == 0 && reported.n_trouble == 1);
	folder_stop(&folder);
	loop_fini(&loop);
	domains_fini(&domains);
}

/* --- a file system that is full ----------------------------------------------------------- */

static bool
tiny_file_system(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tiny", root, "tmpfs", 0, "size=64k,mode=0700") == 0 && chdir(root) == 0;
}

static void
test_full(void)
{
	unsigned n = 0;
	char name[32];

	begin();
	defined("one", 1000);
	CHECK(domains_set_autostart(&domains, domain, true, &error) == RPC_DONE);
	do
		(void)snprintf(name, sizeof(name), "vm%u", ++n);
	while (n < 1000 && define(xml_of(name, n, "")) == RPC_DONE);
	CHECK(n > 2 && n < 1000 && error.code == VIR_ERR_SYSTEM_ERROR);
	if (!strstr(error.message, "cannot save the definition of domain") ||
		!strstr(error.message, "No space left on device"))
		CHECK_STR(error.message, "words about the space");
	CHECK(domains_find_name(&domains, name) == NULL && domains.n == n);
	/* One that is there keeps what it had. */
	domain = domains_find_name(&domains, "one");
	CHECK(define(xml_of("one", 1000, "<title>anew</title>")) == RPC_FAILED);
	CHECK(domain->config->title == NULL && domain->autostart);
	run("! ls -A .qemud/domains | grep '^[.]'");
	reopen();
	CHECK(domains.n == n && reported.n == 0);
	CHECK(domains_find_name(&domains, "one") && domains_find_name(&domains, "one")->autostart);
	/* Something goes, something comes. */
	CHECK(domains_undefine(&domains, domains_find_name(&domains, "vm1"), &error) == RPC_DONE);
	CHECK(define(xml_of("one", 1000, "<title>anew</title>")) == RPC_DONE && !is_new);
	reopen();
	CHECK(domains.n == n - 1 && reported.n == 0);
	domain = domains_find_name(&domains, "one");
	CHECK_STR(domain ? domain->config->title : NULL, "anew");
	close_all();
}

static void
test_read_only(void)
{
	begin();
	defined("one", 1);
	CHECK(domains_set_autostart(&domains, domain, true, &error) == RPC_DONE);
	/* Nothing may be open for writing then. */
	fd_close(&home.lock_fd);
	ASSERT(mount("tiny", root, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
	CHECK(domains_undefine(&domains, domain, &error) == RPC_FAILED);
	CHECK(error.code == VIR_ERR_SYSTEM_ERROR && strstr(error.message, "Read-only") != NULL);
	CHECK(domain->autostart && domains_find_name(&domains, "one") == domain);
	CHECK(domains_set_autostart(&domains, domain, false, &error) == RPC_FAILED);
	CHECK(domain->autostart);
	CHECK(define(xml_of("two", 2, "")) == RPC_FAILED);
	CHECK(domains.n == 1);
	CHECK(mount("tiny", root, NULL, MS_REMOUNT, NULL) == 0);
	CHECK(domains_undefine(&domains, domain, &error) == RPC_DONE);
	close_all();
}

/* --- many --------------------------------------------------------------------------------- */

static void
test_many(void)
{
	char name[32];

	begin();
	/* Written by hand: what is shown is not how long a disk takes. */
	for (unsigned i = 0; i < MANY; i++) {
		FILE *f;

		(void)snprintf(name, sizeof(name), ".qemud/domains/vm%u.xml", i);
		f = fopen(name, "we");
		ASSERT(f);
		(void)snprintf(name, sizeof(name), "vm%u", i);
		(void)fputs(xml_of(name, i, ""), f);
		ASSERT(fclose(f) == 0);
	}
	reopen();
	CHECK(domains.n == MANY && reported.n == 0);
	for (unsigned i = 0; i < MANY; i++) {
		(void)snprintf(name, sizeof(name), "vm%u", i);
		domain = domains_find_name(&domains, name);
		CHECK(domain && domains_find_uuid(&domains, domain->config->uuid) == domain);
	}
	for (unsigned i = 0; i < MANY; i += 100) {
		(void)snprintf(name, sizeof(name), "vm%u", i);
		domain = domains_find_name(&domains, name);
		CHECK(domain && domains_undefine(&domains, domain, &error) == RPC_DONE);
		CHECK(domains_find_name(&domains, name) == NULL);
	}
	CHECK(domains.n == MANY - MANY / 100);
	close_all();
}

int
main(void)
{
	if (!mkdtemp(root) || chdir(root) < 0)
		return EXIT_FAILURE;
	TEST("what is defined is found, also by the next worker", test_define);
	TEST("defined anew it stays the same one, in its place", test_define_anew);
	TEST("a name or UUID of another is refused in libvirt's words", test_clashes);
	TEST("what would be too long to be read again is refused", test_text_that_grows);
	TEST("undefined it is gone, with its autostart", test_undefine);
	TEST("autostart is kept", test_autostart);
	TEST("a bad file is reported, left alone, and harms no other", test_bad_files);
	TEST("a file that was left alone is not overwritten", test_bad_file_is_not_overwritten);
	TEST("what a crash left is no definition, and no obstacle", test_leftovers_of_a_crash);
	TEST("a folder that cannot be read is an error", test_folder_that_cannot_be_read);
	TEST("thousands are loaded and found", test_many);
	run("rm -rf .qemud");
	if (geteuid() == 0 && tiny_file_system()) {
		TEST("on a full file system nothing is lost or half written", test_full);
		TEST("on a read-only file system nothing changes", test_read_only);
		CHECK(chdir("/") == 0 && umount2(root, MNT_DETACH) == 0);
	} else {
		printf("ok %d - a full file system # SKIP needs root and a mount\n", ++test_n);
	}
	CHECK(chdir("/") == 0 && rmdir(root) == 0);
	return TEST_END();
}
