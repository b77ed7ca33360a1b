/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ledger is used in cgroup v2 and nowhere else, its folders are root's and readable, and what
 * is empty is removed while what is in use stays.
 */
#include "broker/launch/ledger.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/cgroup.h"
#include "tests/unit/test.h"

static char place[PATH_MAX]; /* a folder of our own in a cgroup v2 file system */

static void
other_places(void)
{
	static const struct {
		const char *dir;
		int r;
	} cases[] = {{"/nowhere/at/all", -ENOENT}, {"/", LEDGER_E_PLACE}, {"/dev", LEDGER_E_PLACE},
		{"/proc/self/root", -ELOOP}, {"/etc/passwd", -ENOTDIR}};
	struct ledger ledger;
	const char *why, *limits;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int r = ledger_open(&ledger, cases[i].dir, &why, &limits);

		/* O_DIRECTORY and O_NOFOLLOW together: the kernel says either of a link. */
		CHECK(r == cases[i].r || (cases[i].r == -ELOOP && r == -ENOTDIR));
		CHECK(ledger.dir_fd == -1 && (why != NULL) == (r == LEDGER_E_PLACE));
	}
}

static void
none_at_all(void)
{
	struct ledger ledger;
	const char *why, *limits;
	int fd = 5;

	CHECK(ledger_open(&ledger, NULL, &why, &limits) == 0 && !why && !limits);
	CHECK(ledger_enter(&ledger, 1000, "worker", &fd) == 0 && fd == -1);
	CHECK(ledger_leave(&ledger, 1000, "worker") == 0);
	CHECK(ledger_find(&ledger, 1000, "worker", &fd) == -ENOENT && fd == -1);
}

/* --- names -------------------------------------------------------------------------------- */

#define UUID "00112233-4455-6677-8899-aabbccddeeff"

static const uint8_t uuid[IPC_UUID_SIZE] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,
	0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};

static void
leaves_are_read_to_the_letter(void)
{
	static const struct {
		const char *name;
		enum ledger_kind kind;
		uint32_t id;
	} cases[] = {
		{"worker", LEDGER_PROGRAM, 0},
		{"view", LEDGER_PROGRAM, 0},
		{"audit", LEDGER_PROGRAM, 0},
		{"tool-1", LEDGER_PROGRAM, 0},
		{"tool-4294967295", LEDGER_PROGRAM, 0},
		{"vm-1-" UUID, LEDGER_VM, 1},
		{"vm-2147483647-" UUID, LEDGER_VM, INT32_MAX},
		{"", LEDGER_FOREIGN, 0},
		{"workers", LEDGER_FOREIGN, 0},
		{"work", LEDGER_FOREIGN, 0},
		{"tool-", LEDGER_FOREIGN, 0},
		{"tool-0", LEDGER_FOREIGN, 0},
		{"tool-01", LEDGER_FOREIGN, 0},
		{"tool-1x", LEDGER_FOREIGN, 0},
		{"tool--1", LEDGER_FOREIGN, 0},
		{"tool- 1", LEDGER_FOREIGN, 0},
		{"tool-4294967296", LEDGER_FOREIGN, 0},
		{"vm-", LEDGER_FOREIGN, 0},
		{"vm-1", LEDGER_FOREIGN, 0},
		{"vm-1-", LEDGER_FOREIGN, 0},
		{"vm-0-" UUID, LEDGER_FOREIGN, 0},
		{"vm-01-" UUID, LEDGER_FOREIGN, 0},
		{"vm--1-" UUID, LEDGER_FOREIGN, 0},
		{"vm-+1-" UUID, LEDGER_FOREIGN, 0},
		{"vm-0x1-" UUID, LEDGER_FOREIGN, 0},
		{"vm-2147483648-" UUID, LEDGER_FOREIGN, 0},
		{"vm-4294967297-" UUID, LEDGER_FOREIGN, 0},
		{"vm-99999999999999999999999-" UUID, LEDGER_FOREIGN, 0},
		{"vm-1" UUID, LEDGER_FOREIGN, 0},
		{"vm-1-" UUID "0", LEDGER_FOREIGN, 0},
		{"vm-1-" UUID " ", LEDGER_FOREIGN, 0},
		{"vm-1-00112233-4455-6677-8899-AABBCCDDEEFF", LEDGER_FOREIGN, 0},
		{"vm-1-00112233-4455-6677-8899-aabbccddeef", LEDGER_FOREIGN, 0},
		{"vm-1-00112233-4455-6677-8899-aabbccddee-f", LEDGER_FOREIGN, 0},
		{"vm-1-001122334-455-6677-8899-aabbccddeeff", LEDGER_FOREIGN, 0},
		{"vm-1-0011223344556677-8899--aabbccddeeff0", LEDGER_FOREIGN, 0},
		{"vm-1-00112233-4455-6677-8899-aabbccddeefg", LEDGER_FOREIGN, 0},
		{"vm-1-+0112233-4455-6677-8899-aabbccddeeff", LEDGER_FOREIGN, 0},
		{"VM-1-" UUID, LEDGER_FOREIGN, 0},
		{" vm-1-" UUID, LEDGER_FOREIGN, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ipc_leaf vm = {.uid = 5};
		enum ledger_kind kind = ledger_leaf_read(7, cases[i].name, &vm);
		char name[LEDGER_LEAF_MAX];

		CHECK(kind == cases[i].kind || !printf("# \"%s\"\n", cases[i].name));
		if (kind != LEDGER_VM) {
			CHECK(vm.uid == 5 && vm.id == 0);
			continue;
		}
		CHECK(vm.uid == 7 && vm.id == cases[i].id);
		CHECK(memcmp(vm.uuid, uuid, sizeof(uuid)) == 0);
		ledger_vm_name(&vm, name);
		CHECK_STR(name, cases[i].name);
	}
}

static void
users_are_read_to_the_letter(void)
{
	static const struct {
		const char *name;
		uint32_t uid; /* 0: refused */
	} cases[] = {{"u1", 1}, {"u64101", 64101}, {"u4294967294", 4294967294u}, {"u", 0}, {"", 0},
		{"u0", 0}, {"u01", 0}, {"u-1", 0}, {"u 1", 0}, {"u1 ", 0}, {"u1x", 0}, {"U1", 0},
		{"1", 0}, {"u4294967295", 0}, {"u4294967296", 0}, {"u18446744073709551617", 0}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint32_t uid = 0;
		bool read = ledger_user_read(cases[i].name, &uid);

		CHECK(read == (cases[i].uid != 0) || !printf("# \"%s\"\n", cases[i].name));
		CHECK(!read || uid == cases[i].uid);
	}
}

/* --- folders ------------------------------------------------------------------------------ */

static bool
exists(const char *name, mode_t *ret_mode)
{
	char path[PATH_MAX + 32];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s", place, name);
	if (stat(path, &st) < 0 || st.st_uid != 0)
		return false;
	*ret_mode = st.st_mode & 07777;
	return true;
}

static void
writable_by_others(void)
{
	struct ledger ledger;
	const char *why, *limits;

	CHECK(chmod(place, 0775) == 0);
	CHECK(ledger_open(&ledger, place, &why, &limits) == LEDGER_E_PLACE);
	CHECK_STR(why, "must be root's and not writable by others");
	CHECK(chmod(place, 0755) == 0 && chown(place, 1000, 0) == 0);
	CHECK(ledger_open(&ledger, place, &why, &limits) == LEDGER_E_PLACE);
	CHECK(chown(place, 0, 0) == 0);
}

/* In a child, whose mounts nobody else has. */
static void
mounted_read_only(void)
{
	struct ledger ledger;
	const char *why = NULL, *limits;
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (unshare(CLONE_NEWNS) < 0 ||
			mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
			mount(place, place, NULL, MS_BIND, NULL) < 0 ||
			mount(NULL, place, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
			_exit(1);
		_exit(ledger_open(&ledger, place, &why, &limits) == LEDGER_E_PLACE && why ? 0 : 2);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void
comes_and_goes(void)
{
	char leaf[CGROUP_PATH_MAX];
	struct ledger ledger;
	const char *why, *limits;
	int fd = -1, again = -1, r;
	mode_t mode = 0;
	pid_t pid;

	(void)umask(077);
	r = ledger_open(&ledger, place, &why, &limits);
	CHECK(r == 0);
	if (r != 0)
		return;
	CHECK(ledger_enter(&ledger, 64101, "worker", &fd) == 0 && fd >= 0);
	CHECK(exists("u64101", &mode) && mode == 0755);
	CHECK(exists("u64101/worker", &mode) && mode == 0755);
	CHECK(ledger_enter(&ledger, 64101, "worker", &again) == 0 && again >= 0);
	(void)close(again);

	/* While somebody is in it, it stays; another leaf of the user keeps her folder. */
	(void)snprintf(leaf, sizeof(leaf), "%s/u64101/worker", place);
	pid = cgroup_put(leaf);
	CHECK(ledger_leave(&ledger, 64101, "worker") == -EBUSY);
	CHECK(exists("u64101/worker", &mode));
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
	CHECK(ledger_enter(&ledger, 64101, "view", &again) == 0 && again >= 0);
	(void)close(again);
	CHECK(ledger_find(&ledger, 64101, "view", &again) == 0);
	(void)close(again);
	CHECK(ledger_find(&ledger, 64101, "tool-1", &again) == -ENOENT);
	CHECK(ledger_leave(&ledger, 64101, "worker") == 0);
	CHECK(!exists("u64101/worker", &mode) && exists("u64101/view", &mode));
	CHECK(ledger_leave(&ledger, 64101, "view") == 0);
	CHECK(!exists("u64101", &mode));
	CHECK(ledger_leave(&ledger, 64101, "view") == 0); /* nothing there any more */
	CHECK(ledger_find(&ledger, 64101, "view", &again) == -ENOENT);
	(void)close(fd);
	(void)close(ledger.dir_fd);
}

int
main(void)
{
	TEST("a place that is no cgroup v2 folder is refused", other_places);
	TEST("without a folder there is no ledger", none_at_all);
	TEST("the name of a leaf is read to the letter", leaves_are_read_to_the_letter);
	TEST("so is a user's", users_are_read_to_the_letter);
	if (geteuid() != 0 || !make_cgroup(place, sizeof(place))) {
		printf("ok %d - folders # SKIP needs root and a cgroup v2 that it can write\n",
			++test_n);
		return TEST_END();
	}
	TEST("a folder that others can write is refused", writable_by_others);
	TEST("one that is mounted read-only is, too", mounted_read_only);
	TEST("leaves come, stay while somebody is in them, and go", comes_and_goes);
	remove_cgroup(place);
	return TEST_END();
}
