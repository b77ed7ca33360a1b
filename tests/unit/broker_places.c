/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_places.c: folders have exactly their modes whatever the umask, and what is unsafe is
 * refused with a line that names it; one broker at a time has the lock.
 */
#include "broker/places.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/lock.h"
#include "lib/fd.h"
#include "lib/take.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/test.h"

static char base[] = "/tmp/qemud-places-XXXXXX";
static int base_fd = -1;
static struct config config;
static struct places places;
static char error[PLACES_ERROR_MAX];

static mode_t
mode_of(const char *name)
{
	struct stat st;

	return fstatat(base_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : st.st_mode & 07777;
}

static int
open_places(void)
{
	int r;

	error[0] = '\0';
	r = places_open(&config, &places, error);
	places_close(&places);
	return r;
}

static void
remove_places(void)
{
	static const char *const names[] = {"run/lock", "run/users", "run/autostarted", "run",
		"state/users", "state/inventory", "state"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (unlinkat(base_fd, names[i], 0) < 0)
			(void)unlinkat(base_fd, names[i], AT_REMOVEDIR);
}

static void
test_made(void)
{
	static const mode_t umasks[] = {0, 022, 077, 0177, 0377};

	for (size_t i = 0; i < sizeof umasks / sizeof *umasks; i++) {
		mode_t before = umask(umasks[i]);

		CHECK(open_places() == 0);
		(void)umask(before);
		CHECK(mode_of("run") == 0755 && mode_of("run/users") == 0755);
		CHECK(mode_of("run/autostarted") == 0700);
		CHECK(mode_of("state") == 0755 && mode_of("state/users") == 0700);
		CHECK(mode_of("state/inventory") == 0700);
		/* Once they are there they do as well. */
		CHECK(open_places() == 0);
		remove_places();
	}
}

static void
test_stricter_is_kept(void)
{
	CHECK(mkdirat(base_fd, "run", 0700) == 0 && open_places() == 0);
	CHECK(mode_of("run") == 0700);
	remove_places();
}

static void
test_too_open(void)
{
	static const struct {
		const char *name;
		mode_t mode;
		const char *told;
	} cases[] = {
		{"run", 0777, "/run has mode 0777: it may have no more than 0755"},
		{"run", 0775, "/run has mode 0775"},
		{"run/users", 0757, "/run/users has mode 0757"},
		{"state", 0775, "/state has mode 0775"},
		{"state/users", 0755, "/state/users has mode 0755: it may have no more than 0700"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		CHECK(open_places() == 0 &&
			fchmodat(base_fd, cases[i].name, cases[i].mode, 0) == 0);
		CHECK(open_places() == PLACES_E_BAD && strstr(error, cases[i].told));
		remove_places();
	}
}

static void
test_not_a_folder(void)
{
	unsigned n_before = n_descriptors();

	CHECK(mkdirat(base_fd, "elsewhere", 0755) == 0);
	CHECK(symlinkat("elsewhere", base_fd, "run") == 0);
	CHECK(open_places() == PLACES_E_BAD && strstr(error, "/run is not a folder: move it away"));
	remove_places();
	CHECK(open_places() == 0 && unlinkat(base_fd, "state/users", AT_REMOVEDIR) == 0);
	CHECK(symlinkat("../elsewhere", base_fd, "state/users") == 0);
	CHECK(open_places() == PLACES_E_BAD && strstr(error, "/state/users is not a folder"));
	CHECK(unlinkat(base_fd, "elsewhere", AT_REMOVEDIR) == 0);
	remove_places();
	CHECK(n_descriptors() == n_before);
}

static void
test_parent(void)
{
	struct config other = config;

	CHECK(mkdirat(base_fd, "open", 0700) == 0 && fchmodat(base_fd, "open", 0777, 0) == 0);
	(void)snprintf(config.runtime_dir, sizeof config.runtime_dir, "%s/open/run", base);
	CHECK(open_places() == PLACES_E_BAD);
	CHECK(strstr(error, "/open can be written by others than root (mode 0777)"));
	(void)snprintf(config.runtime_dir, sizeof config.runtime_dir, "%s/none/run", base);
	CHECK(open_places() == PLACES_E_BAD && strstr(error, "/none cannot be opened"));
	config = other;
	CHECK(unlinkat(base_fd, "open", AT_REMOVEDIR) == 0);
}

static void
test_others_folder(void)
{
	CHECK(mkdirat(base_fd, "run", 0755) == 0 && fchownat(base_fd, "run", 4242, 0, 0) == 0);
	CHECK(open_places() == PLACES_E_BAD && strstr(error, "/run belongs to uid 4242"));
	remove_places();
}

static void
test_lock(void)
{
	fd_auto int first = -1, second = -1;
	unsigned pid = 0;

	CHECK(lock_take(base_fd, &first, &pid) == 0 && first >= 0);
	CHECK(lock_take(base_fd, &second, &pid) == LOCK_E_HELD && second == -1);
	CHECK(pid == (unsigned)getpid());
	CHECK(mode_of("lock") == 0600 && (fcntl(first, F_GETFD) & FD_CLOEXEC));
	fd_close(&first);
	CHECK(lock_take(base_fd, &second, &pid) == 0);
	(void)unlinkat(base_fd, "lock", 0);
}

static char cgroup[CONFIG_PATH_MAX];

/* Its folder is open, if there is one, and nothing is left open otherwise. */
static int
place_cgroup(void)
{
	int r;

	places.cgroup_fd = -1;
	r = places_cgroup(&config, &places, cgroup, error);
	CHECK((places.cgroup_fd >= 0) == (r == 0 && *cgroup != '\0'));
	fd_close(&places.cgroup_fd);
	return r;
}

static void
test_cgroup(void)
{
	(void)snprintf(config.cgroup, sizeof config.cgroup, "none");
	CHECK(place_cgroup() == 0);
	CHECK_STR(cgroup, "");
	(void)snprintf(config.cgroup, sizeof config.cgroup, "%s/cg", base);
	CHECK(place_cgroup() == 0);
	CHECK_STR(cgroup, config.cgroup);
	CHECK(mode_of("cg") == 0755 && place_cgroup() == 0);
	CHECK(unlinkat(base_fd, "cg", AT_REMOVEDIR) == 0);
	(void)snprintf(config.cgroup, sizeof config.cgroup, "%s/none/cg", base);
	CHECK(place_cgroup() == PLACES_E_BAD && strstr(error, "/none/cg"));
}

int
main(void)
{
	if (!mkdtemp(base) || (base_fd = open(base, O_RDONLY | O_DIRECTORY)) < 0)
		return EXIT_FAILURE;
	config_default(&config);
	(void)snprintf(config.runtime_dir, sizeof config.runtime_dir, "%s/run", base);
	(void)snprintf(config.state_dir, sizeof config.state_dir, "%s/state", base);
	TEST("what is missing is made with its mode, whatever the umask", test_made);
	TEST("a folder that is stricter is left as it is", test_stricter_is_kept);
	TEST("a folder that is more open is refused", test_too_open);
	TEST("a symbolic link is refused, not followed", test_not_a_folder);
	TEST("a parent that others can write to, or that is not there, is refused", test_parent);
	/* Only root can give a folder away. */
	if (geteuid() == 0)
		TEST("somebody else's folder is refused", test_others_folder);
	TEST("the lock is taken once, and free again after its holder", test_lock);
	TEST("the control group is none, or a folder that is made", test_cgroup);
	(void)rmdir(base);
	return TEST_END();
}
