/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a VM was granted is written on its leaf before anything runs there, to the letter, and changes
 * as a whole; it stands still and goes on when it is told to. Needs root; test: timeout=240
 */
#include "broker/launch/grant.h"

#include "tests/unit/launch_vms.h"

static int
ask_freeze(struct starter *s, uint32_t id, uint32_t on)
{
	struct ipc_leaf_freeze body = {.leaf = {.uid = ALICE, .id = id}, .on = on};
	answer_auto struct answer answer;

	memcpy(body.leaf.uuid, uuid, sizeof(uuid));
	(void)ask(s, IPC_LEAF_FREEZE, &body, sizeof(body), -1);
	next_answer(s, &answer);
	CHECK(answer.type == IPC_LEAF_FROZEN);
	return answer.err;
}

/* Wait until cgroup.events says so. */
static bool
comes_to(const char *leaf, const char *what)
{
	char path[CGROUP_PATH_MAX], text[64];
	struct pollfd pfd = {.events = POLLPRI};
	bool there = false;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/cgroup.events", leaf);
	pfd.fd = open(path, O_RDONLY | O_CLOEXEC);
	do {
		n = pread(pfd.fd, text, sizeof(text) - 1, 0);
		text[n > 0 ? n : 0] = '\0';
		there = strstr(text, what) != NULL;
	} while (n > 0 && !there && poll(&pfd, 1, WAIT_MS) == 1);
	(void)close(pfd.fd);
	return there;
}

/* It stands still, and goes on; what stands still ends all the same. */
static void
stands_still(void)
{
	starter_auto struct starter *s = start_counted();
	answer_auto struct answer answer;

	start_vm(s, ALICE, 7, &answer);
	CHECK(ask_freeze(s, 8, 1) == -ENOENT);
	CHECK(ask_freeze(s, 7, 1) == 0 && comes_to(leaf_path(ALICE, 7), "frozen 1"));
	CHECK(ask_freeze(s, 7, 0) == 0 && comes_to(leaf_path(ALICE, 7), "frozen 0"));
	have_it(&answer, "fork");
	CHECK(ask_freeze(s, 7, 1) == 0 && comes_to(leaf_path(ALICE, 7), "frozen 1"));
	CHECK(end_leaf(s, ALICE, 7) == 0 && has_ended(&answer));
	CHECK(!cgroup_exists(user_path(ALICE)));
}

static int
ask_limit(struct starter *s, uint32_t id, const struct ipc_grant *grant)
{
	struct ipc_leaf_limit body = {.leaf = {.uid = ALICE, .id = id}, .grant = *grant};
	answer_auto struct answer answer;

	memcpy(body.leaf.uuid, uuid, sizeof(uuid));
	(void)ask(s, IPC_LEAF_LIMIT, &body, sizeof(body), -1);
	next_answer(s, &answer);
	CHECK(answer.type == IPC_LEAF_LIMITED);
	return answer.err;
}

static void
is_granted_more(void)
{
	static const struct ipc_grant more = {
		.memory_kib = 2097152, .overhead_kib = 300000, .vcpus = 3};
	starter_auto struct starter *s = start_counted();
	answer_auto struct answer answer;

	start_vm(s, ALICE, 7, &answer);
	CHECK(ask_limit(s, 8, &more) == -ENOENT);
	CHECK(ask_limit(s, 7, &more) == 0);
	check_note(leaf_path(ALICE, 7), "vcpus=3 memory_kib=2097152 overhead_kib=300000");
	CHECK(ask_limit(s, 7, &granted) == 0);
	check_note(leaf_path(ALICE, 7), "vcpus=2 memory_kib=1048576 overhead_kib=222208");
	CHECK(end_leaf(s, ALICE, 7) == 0 && has_ended(&answer));
}

/* What stands still is told so to the next broker. */
static void
is_found_standing_still(void)
{
	starter_auto struct starter *first = start_counted();
	answer_auto struct answer vm, told, other;
	struct ipc_leaf_found found = {.pid = 0};

	start_vm(first, ALICE, 7, &vm);
	CHECK(ask_freeze(first, 7, 1) == 0);
	CHECK(starter_stop(first) == 0);
	starter_auto struct starter *second = start_counted();
	CHECK(next_leaf(second, &found, &told) == 0 && found.leaf.id == 7 && found.frozen == 1);
	CHECK(end_leaf(second, ALICE, 7) == 0 && has_ended(&vm));
	start_vm(second, ALICE, 8, &other);
	CHECK(starter_stop(second) == 0);
	answer_fini(&told);
	starter_auto struct starter *third = start_counted();
	CHECK(next_leaf(third, &found, &told) == 0 && found.leaf.id == 8 && found.frozen == 0);
	CHECK(end_leaf(third, ALICE, 8) == 0 && has_ended(&other));
}

/* What a note may be, to the letter. */
static void
notes_are_read_to_the_letter(void)
{
	static const char *const bad[] = {"", "vcpus=2", "vcpus=2 memory_kib=1048576",
		"vcpus=2 memory_kib=1048576 overhead_kib=222208 ",
		" vcpus=2 memory_kib=1048576 overhead_kib=222208",
		"vcpus=02 memory_kib=1048576 overhead_kib=222208",
		"vcpus=-2 memory_kib=1048576 overhead_kib=222208",
		"vcpus=0 memory_kib=1048576 overhead_kib=222208",
		"vcpus=256 memory_kib=1048576 overhead_kib=222208",
		"vcpus=2 memory_kib=0 overhead_kib=222208",
		"vcpus=2 memory_kib=17179869185 overhead_kib=222208",
		"vcpus=2 memory_kib=1048576 overhead_kib=17179869185",
		"vcpus=4294967298 memory_kib=1048576 overhead_kib=222208",
		"vcpus=2 memory_kib=18446744073710600192 overhead_kib=222208"};
	char folder[CGROUP_PATH_MAX], longer[128];
	struct ipc_grant read = {.vcpus = 9};
	fd_auto int fd = -1;

	(void)snprintf(folder, sizeof(folder), "%s/notes", cgroup);
	CHECK(mkdir(folder, 0755) == 0);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(grant_read(fd, &read) == -ENODATA && read.vcpus == 9);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		CHECK(fsetxattr(fd, GRANT_ATTRIBUTE, bad[i], strlen(bad[i]), 0) == 0);
		CHECK(grant_read(fd, &read) == -EBADMSG || !printf("# \"%s\"\n", bad[i]));
		CHECK(read.vcpus == 9);
	}
	(void)snprintf(
		longer, sizeof(longer), "%-127s", "vcpus=2 memory_kib=1048576 overhead_kib=222208");
	CHECK(fsetxattr(fd, GRANT_ATTRIBUTE, longer, strlen(longer), 0) == 0);
	CHECK(grant_read(fd, &read) == -EBADMSG);
	CHECK(grant_write(fd, &granted) == 0 && grant_read(fd, &read) == 0);
	CHECK(memcmp(&read, &granted, sizeof(read)) == 0);
	CHECK(rmdir(folder) == 0);
}

static struct starter *
start_that_enforces(void)
{
	return starter_new((const char *[]){"--users", users, "--libexec", libexec, "--cgroup",
		cgroup, "--log", "debug", "--enforce", NULL});
}

/* Where there is no controller and there has to be one, nothing is started, and nothing is left. */
static void
starts_nothing_without_limits(void)
{
	starter_auto struct starter *s = start_that_enforces();
	answer_auto struct answer answer;

	ask_box(s, ALICE, 7, &answer);
	if (answer.err == 0) {
		/* This machine has them. */
		CHECK(end_leaf(s, ALICE, 7) == 0);
		return;
	}
	CHECK(answer.err == -EOPNOTSUPP && !cgroup_exists(user_path(ALICE)));
	CHECK(starter_logged(s, "no virtual machine is started"));
}

int
main(int argc, char **argv)
{
	(void)argc;
	if (!begin(argv[0]))
		return 0;
	make_place();
	if (!make_cgroup(cgroup, sizeof(cgroup))) {
		printf("ok %d - leaves # SKIP needs a cgroup v2 that it can write\n", ++test_n);
		remove_place();
		return TEST_END();
	}
	TEST("a note is read to the letter", notes_are_read_to_the_letter);
	TEST("what is granted can be changed", is_granted_more);
	TEST("a VM stands still, goes on, and ends while it stands still", stands_still);
	TEST("what stands still is found so by the next starter", is_found_standing_still);
	TEST("what must be limited, and cannot be, is not started", starts_nothing_without_limits);
	remove_cgroup(cgroup);
	remove_place();
	return TEST_END();
}
