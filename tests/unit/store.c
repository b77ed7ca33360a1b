/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a user keeps in ~/.qemud is read whole or refused with a reason, and never half written. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/take.h"
#include "tests/unit/test.h"
#include "worker/store/definitions.h"
#include "worker/store/home.h"

static char root[] = "/tmp/qemud-store-XXXXXX";
static char why[HOME_WHY_MAX];

/* A shell command, in the folder that plays the home directory. */
static void
run(const char *command)
{
	CHECK(system(command) == 0);
}

static void
fresh(void)
{
	run("rm -rf .qemud");
}

static mode_t
mode_of(const char *name)
{
	char path[256];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s", root, name);
	return lstat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void
makes_what_is_absent(void)
{
	struct home home;

	fresh();
	CHECK(home_open(&home, root, why) == 0);
	CHECK(mode_of(".qemud") == 0700);
	CHECK(mode_of(".qemud/domains") == 0700);
	CHECK(mode_of(".qemud/autostart") == 0700);
	CHECK(mode_of(".qemud/log") == 0700);
	CHECK(mode_of(".qemud/lock") == 0600);
	home_close(&home);
	CHECK(home_open(&home, root, why) == 0);
	home_close(&home);
}

static void
one_worker_per_home(void)
{
	struct home first, second;

	fresh();
	CHECK(home_open(&first, root, why) == 0);
	CHECK(home_open(&second, root, why) == HOME_E_LOCKED);
	CHECK(second.fd == -1 && second.lock_fd == -1);
	home_close(&first);
	CHECK(home_open(&second, root, why) == 0);
	home_close(&second);
}

/* Makes a wrong home by a shell command; it must be refused and the reason must say so. */
static void
refused(const char *command, const char *reason)
{
	struct home home;

	fresh();
	run(command);
	why[0] = '\0';
	CHECK(home_open(&home, root, why) == HOME_E_REFUSED);
	CHECK(home.fd == -1);
	if (!strstr(why, reason))
		CHECK_STR(why, reason);
}

static void
wrong_homes_are_refused(void)
{
	refused("mkdir -m 0755 .qemud", "has mode 0755, must have 0700");
	refused("mkdir -m 0700 .qemud && chmod g+s .qemud", "has mode 2700");
	refused("mkdir -m 0700 .qemud && mkdir -m 0770 .qemud/domains", "domains has mode 0770");
	refused("ln -s /tmp .qemud", "is not a folder");
	refused("touch .qemud", "is not a folder");
	refused("mkdir -m 0700 .qemud && ln -s /tmp .qemud/log", "log is not a folder");
	refused("mkdir -m 0700 .qemud && ln -s /etc/passwd .qemud/lock", "cannot be locked");
	if (geteuid() == 0)
		refused("mkdir -m 0700 .qemud && chown 12345 .qemud", "belongs to uid 12345");
	fresh();
}

static void
a_home_that_is_not_there(void)
{
	struct home home;

	CHECK(home_open(&home, "/nonexistent", why) == HOME_E_REFUSED);
	CHECK(strstr(why, "home directory /nonexistent cannot be opened: No such file") != NULL);
}

struct found {
	int n, n_errors;
	char name[DEFINITION_FILE_MAX + 1];
	char text[64];
};

/* Reads all that there are. */
static void
find(const struct home *home, struct found *found)
{
	char name[DEFINITION_FILE_MAX + 1];
	struct definition_stamp stamp;
	DIR *dir = NULL;
	int r;

	CHECK(definitions_begin(home, &dir) == 0);
	while ((r = definitions_next(dir, name)) > 0) {
		free_auto char *text = NULL;
		size_t size;

		if (!*name)
			continue;
		found->n++;
		r = definitions_read(home, name, &text, &size, &stamp);
		if (r < 0) {
			found->n_errors++;
			continue;
		}
		(void)snprintf(found->name, sizeof(found->name), "%s", name);
		(void)snprintf(found->text, sizeof(found->text), "%.*s", (int)size, text);
	}
	CHECK(r == 0);
	definitions_end(dir);
}

static void
written_read_removed(void)
{
	struct found found = {0};
	struct home home;

	fresh();
	CHECK(home_open(&home, root, why) == 0);
	CHECK(definitions_write(&home, "vm", "<old/>", 6) == 0);
	CHECK(definitions_write(&home, "vm", "<new/>", 6) == 0);
	CHECK(mode_of(".qemud/domains/vm.xml") == 0600);
	find(&home, &found);
	CHECK(found.n == 1 && found.n_errors == 0);
	CHECK_STR(found.name, "vm");
	CHECK_STR(found.text, "<new/>");
	CHECK(definitions_remove(&home, "vm") == 0);
	CHECK(definitions_remove(&home, "vm") == 0);
	found.n = 0;
	find(&home, &found);
	CHECK(found.n == 0);
	home_close(&home);
}

static void
names_at_their_bound(void)
{
	enum { LONGEST = DEFINITION_FILE_MAX - (sizeof(".xml") - 1) - (sizeof("..new") - 1) };
	char name[DEFINITION_FILE_MAX];
	struct found found = {0};
	struct home home;

	fresh();
	CHECK(home_open(&home, root, why) == 0);
	memset(name, 'a', sizeof(name));
	name[LONGEST] = '\0';
	CHECK(definitions_write(&home, name, "x", 1) == 0);
	CHECK(definitions_set_autostart(&home, name, true) == 0);
	find(&home, &found);
	CHECK(found.n == 1);
	CHECK_STR(found.name, name);
	name[LONGEST] = 'a';
	name[LONGEST + 1] = '\0';
	CHECK(definitions_write(&home, name, "x", 1) == -ENAMETOOLONG);
	name[LONGEST + 1] = 'a';
	name[DEFINITION_FILE_MAX - 3] = '\0';
	CHECK(definitions_set_autostart(&home, name, true) == -ENAMETOOLONG);
	home_close(&home);
}

static void
one_bad_file_harms_no_other(void)
{
	struct found found = {0};
	struct home home;

	fresh();
	CHECK(home_open(&home, root, why) == 0);
	CHECK(definitions_write(&home, "good", "<x/>", 4) == 0);
	run("mkfifo .qemud/domains/fifo.xml");
	run("mkdir .qemud/domains/folder.xml");
	run("ln -s /etc/passwd .qemud/domains/link.xml");
	run("truncate -s 2M .qemud/domains/long.xml");
	run("touch .qemud/domains/.hidden.xml .qemud/domains/notes.txt "
	    ".qemud/domains/.xml");
	find(&home, &found);
	CHECK(found.n == 5 && found.n_errors == 4);
	CHECK_STR(found.name, "good");
	home_close(&home);
}

static void
autostart_is_a_link(void)
{
	struct home home;

	fresh();
	CHECK(home_open(&home, root, why) == 0);
	CHECK(definitions_write(&home, "vm", "<x/>", 4) == 0);
	CHECK(!definitions_autostart(&home, "vm"));
	CHECK(definitions_set_autostart(&home, "vm", true) == 0);
	CHECK(definitions_set_autostart(&home, "vm", true) == 0);
	CHECK(definitions_autostart(&home, "vm"));
	run("grep -q x .qemud/autostart/vm.xml");
	CHECK(definitions_set_autostart(&home, "vm", false) == 0);
	CHECK(definitions_set_autostart(&home, "vm", false) == 0);
	CHECK(!definitions_autostart(&home, "vm"));
	CHECK(definitions_set_autostart(&home, "vm", true) == 0);
	CHECK(definitions_remove(&home, "vm") == 0);
	CHECK(!definitions_autostart(&home, "vm"));
	home_close(&home);
}

int
main(void)
{
	if (!mkdtemp(root) || chdir(root) < 0)
		return 1;
	TEST("what is absent is made, with its modes", makes_what_is_absent);
	TEST("one worker per home", one_worker_per_home);
	TEST("a wrong owner, mode or kind is refused with its reason", wrong_homes_are_refused);
	TEST("a home directory that is not there is told", a_home_that_is_not_there);
	TEST("a definition is written, replaced, read and removed", written_read_removed);
	TEST("names as long as a file's have files, longer ones an error", names_at_their_bound);
	TEST("one bad file harms no other", one_bad_file_harms_no_other);
	TEST("autostart is a link that goes with its definition", autostart_is_a_link);
	fresh();
	CHECK(rmdir(root) == 0);
	return TEST_END();
}
