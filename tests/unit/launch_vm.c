/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A VM's box has what a tool's has, but outlives the starter; the next one finds it again by its
 * leaf, and ends it with everything in it. Needs root; test: timeout=240
 */
#include <sys/ptrace.h>

#include "broker/launch/process.h"
#include "tests/unit/launch_vms.h"

/* --- what it has -------------------------------------------------------------------------- */

static void
has_what_was_meant(void)
{
	static const char *const namespaces[] = {"net", "ipc", "uts", "pid", "mnt"};
	static const char *const ids[] = {"\nUid:\t64101\t64101\t64101\t64101\n",
		"\nGid:\t64101\t64101\t64101\t64101\n", "\nGroups:\t27 64101 65101 \n", NULL};
	starter_auto struct starter *s = start_counted();
	answer_auto struct answer answer;
	struct stat st;
	int pid;

	start_vm(s, ALICE, 7, &answer);
	pid = started_pid(&answer);
	check_powerless(pid);
	check_descriptors(pid);
	free_auto char *status = read_proc(pid, "status", NULL);
	check_has(status, ids);
	for (size_t i = 0; i < sizeof(namespaces) / sizeof(*namespaces); i++)
		CHECK(!same_namespace(pid, namespaces[i]));
	CHECK(same_namespace(pid, "user"));
	free_auto char *leaf = read_proc(pid, "cgroup", NULL);
	CHECK(strstr(leaf, "/u64101/vm-7-" UUID "\n"));
	CHECK(stat(leaf_path(ALICE, 7), &st) == 0 && st.st_uid == 0);
	CHECK((st.st_mode & 07777) == 0755);
	check_note(leaf_path(ALICE, 7), "vcpus=2 memory_kib=1048576 overhead_kib=222208");
	CHECK(end_leaf(s, ALICE, 7) == 0 && has_ended(&answer));
}

static void
leaf_is_its_alone(void)
{
	starter_auto struct starter *s = start_counted();
	answer_auto struct answer first, refused, other, second;

	start_vm(s, ALICE, 7, &first);
	ask_box(s, ALICE, 7, &refused);
	CHECK(refused.err == -EBUSY && refused.packet.n_fds == 0 && runs(&first));
	CHECK(starter_logged(s, "op=box: the control group vm-7-" UUID " cannot be taken"));
	start_vm(s, BOB, 7, &other);
	CHECK(end_leaf(s, ALICE, 7) == 0 && has_ended(&first) && runs(&other));
	/* Nobody is in this one. */
	CHECK(mkdir(user_path(ALICE), 0755) == 0 && mkdir(leaf_path(ALICE, 7), 0755) == 0);
	start_vm(s, ALICE, 7, &second);
	CHECK(end_leaf(s, ALICE, 7) == 0 && has_ended(&second));
	CHECK(end_leaf(s, BOB, 7) == 0 && has_ended(&other));
}

/* --- the next starter --------------------------------------------------------------------- */

static void
next_one_finds_it(void)
{
	answer_auto struct answer alice, bob;
	unsigned seen = 0;

	starter_auto struct starter *first = start_counted();
	start_vm(first, ALICE, 7, &alice);
	start_vm(first, BOB, INT32_MAX, &bob);
	have_it_fork(&alice);
	/* What has started them since, it does not list. */
	CHECK(no_leaf_is_told(first));
	CHECK(kill(first->pid, SIGKILL) == 0 && starter_stop(first) == SIGKILL);

	starter_auto struct starter *second = start_counted();
	for (int i = 0; i < 2; i++) {
		answer_auto struct answer answer;
		struct ipc_leaf_found found = {.pid = 0};
		bool hers;

		CHECK(next_leaf(second, &found, &answer) == 0);
		hers = found.leaf.uid == ALICE;
		CHECK(hers ? found.leaf.id == 7 : found.leaf.uid == BOB);
		CHECK(hers || found.leaf.id == INT32_MAX);
		CHECK(memcmp(found.leaf.uuid, uuid, sizeof(uuid)) == 0);
		CHECK((int)found.pid == started_pid(hers ? &alice : &bob));
		CHECK(memcmp(&found.grant, &granted, sizeof(granted)) == 0);
		seen |= hers ? 1u : 2u;
	}
	CHECK(seen == 3 && no_leaf_is_told(second) && no_leaf_is_told(second));
	CHECK(runs(&alice) && runs(&bob));
	CHECK(end_leaf(second, ALICE, 7) == 0 && has_ended(&alice) && runs(&bob));
	CHECK(!cgroup_exists(user_path(ALICE)) && cgroup_exists(leaf_path(BOB, INT32_MAX)));
	CHECK(end_leaf(second, BOB, INT32_MAX) == 0 && has_ended(&bob));
	CHECK(!cgroup_exists(user_path(BOB)));
}

static void
ended_since_the_sweep(void)
{
	answer_auto struct answer told;
	struct answer vms[2];
	struct ipc_leaf_found found = {.pid = 0};
	uint32_t left;

	starter_auto struct starter *first = start_counted();
	for (uint32_t i = 0; i < 2; i++)
		start_vm(first, ALICE, 7 + i, &vms[i]);
	CHECK(starter_stop(first) == 0);
	starter_auto struct starter *second = start_counted();
	CHECK(next_leaf(second, &found, &told) == 0);
	left = found.leaf.id == 7 ? 1 : 0;
	CHECK(kill(started_pid(&vms[left]), SIGKILL) == 0);
	CHECK(cgroup_emptied(leaf_path(ALICE, 7 + left)));
	CHECK(no_leaf_is_told(second));
	CHECK(!cgroup_exists(leaf_path(ALICE, 7 + left)));
	CHECK(end_leaf(second, ALICE, found.leaf.id) == 0);
	for (int i = 0; i < 2; i++)
		answer_fini(&vms[i]);
}

static bool
pipe_has_ended(const struct answer *told)
{
	char byte;

	return wait_fd(told->packet.fds[0]) && read(told->packet.fds[0], &byte, 1) == 0;
}

/*
 * Of some that run it cannot be told as which process (here: they are in a folder of their leaf).
 * They are told, in their turn, and end in either way.
 */
static void
nobody_knows_what_it_runs_as(void)
{
	answer_auto struct answer other, by_itself, ended;
	struct answer told[3];
	struct ipc_leaf_found found;
	char inner[2][256];
	pid_t pids[2];
	unsigned n = 0;

	starter_auto struct starter *first = start_counted();
	start_vm(first, BOB, 9, &other);
	CHECK(starter_stop(first) == 0);
	CHECK(mkdir(user_path(ALICE), 0755) == 0);
	for (uint32_t i = 0; i < 2; i++) {
		CHECK(mkdir(leaf_path(ALICE, 7 + i), 0755) == 0);
		(void)snprintf(inner[i], sizeof(inner[i]), "%.200s/x", leaf_path(ALICE, 7 + i));
		CHECK(mkdir(inner[i], 0755) == 0);
		pids[i] = cgroup_put(inner[i]);
	}

	starter_auto struct starter *second = start_counted();
	for (unsigned i = 0; i < 3; i++) {
		struct answer *answer = &told[i];
		uint32_t serial = ask(second, IPC_LEAF_NEXT, "", 0, -1);

		next_answer(second, answer);
		CHECK(answer->err == 0 && answer->serial == serial && answer->packet.n_fds == 1);
		memcpy(&found, answer->packet.data + sizeof(struct ipc_header), sizeof(found));
		CHECK((found.pid == 0) == (found.leaf.uid == ALICE));
		/* Nor is there a note in her leaves. */
		CHECK((found.grant.vcpus == 0) == (found.leaf.uid == ALICE));
		n += found.leaf.uid == ALICE ? found.leaf.id : 0;
		if (found.leaf.uid == ALICE && found.leaf.id == 7)
			by_itself = *answer;
		else if (found.leaf.uid == ALICE)
			ended = *answer;
		else
			answer_fini(answer);
	}
	CHECK(n == 7 + 8 && no_leaf_is_told(second));
	CHECK(starter_logged(second, "its process cannot be found"));
	CHECK(kill(pids[0], SIGKILL) == 0 && waitpid(pids[0], NULL, 0) == pids[0]);
	CHECK(pipe_has_ended(&by_itself));
	CHECK(rmdir(inner[0]) == 0 && end_leaf(second, ALICE, 7) == 0);
	CHECK(end_leaf(second, ALICE, 8) == -EBUSY && waitpid(pids[1], NULL, 0) == pids[1]);
	CHECK(pipe_has_ended(&ended) && rmdir(inner[1]) == 0 && end_leaf(second, ALICE, 8) == 0);
	CHECK(end_leaf(second, BOB, 9) == 0 && !cgroup_exists(user_path(ALICE)));
}

static void
sweeps_and_leaves_alone(void)
{
	char own[CGROUP_PATH_MAX], foreign[CGROUP_PATH_MAX];

	(void)snprintf(own, sizeof(own), "%s/tool-3", user_path(ALICE));
	(void)snprintf(foreign, sizeof(foreign), "%s/vm-7\x1b", user_path(ALICE));
	CHECK(mkdir(user_path(ALICE), 0755) == 0 && mkdir(own, 0755) == 0);
	CHECK(mkdir(leaf_path(ALICE, 7), 0755) == 0 && mkdir(foreign, 0755) == 0);
	starter_auto struct starter *s = start_counted();
	CHECK(starter_logged(s, "not qemud's are left alone: 1, such as \"u64101/vm-7\\x1b\"\n"));
	CHECK(no_leaf_is_told(s));
	CHECK(!cgroup_exists(own) && !cgroup_exists(leaf_path(ALICE, 7)));
	CHECK(cgroup_exists(foreign) && rmdir(foreign) == 0 && rmdir(user_path(ALICE)) == 0);
}

/* --- its end ------------------------------------------------------------------------------ */

static void
end_takes_all_of_it(void)
{
	starter_auto struct starter *s = start_counted();
	answer_auto struct answer answer;

	start_vm(s, ALICE, 7, &answer);
	have_it_fork(&answer);
	CHECK(end_leaf(s, ALICE, 7) == 0 && has_ended(&answer));
	CHECK(!cgroup_exists(user_path(ALICE)));
	/* There is none any more, and that one never was. */
	CHECK(end_leaf(s, ALICE, 7) == 0 && end_leaf(s, BOB, 1) == 0);
	CHECK(starter_logged(s, "qemud-box: ended by signal 9 (Killed)\n"));
}

static void
ends_by_itself(void)
{
	starter_auto struct starter *s = start_counted();
	answer_auto struct answer answer;

	start_vm(s, ALICE, 7, &answer);
	CHECK(syscall(SYS_pidfd_send_signal, answer.packet.fds[1], SIGKILL, NULL, 0) == 0);
	CHECK(starter_logged(s, "qemud-box: ended by signal 9 (Killed)\n"));
	CHECK(end_leaf(s, ALICE, 7) == 0 && !cgroup_exists(user_path(ALICE)));
}

static void
many_end_at_once(void)
{
	starter_auto struct starter *s = start_counted();
	struct answer vms[MANY];
	unsigned n = 0;

	for (uint32_t i = 0; i < MANY; i++)
		start_vm(s, ALICE, 1 + i, &vms[i]);
	for (uint32_t i = 0; i < 2 * MANY; i++)
		(void)send_end(s, ALICE, 1 + i / 2);
	for (uint32_t i = 0; i < 2 * MANY; i++) {
		answer_auto struct answer answer;

		next_answer(s, &answer);
		n += answer.err == 0 && answer.type == IPC_LEAF_ENDED;
	}
	CHECK(n == 2 * MANY && !cgroup_exists(user_path(ALICE)));
	for (uint32_t i = 0; i < MANY; i++) {
		CHECK(has_ended(&vms[i]));
		answer_fini(&vms[i]);
	}
}

/* A folder in the leaf keeps it there as a process would that hangs in the kernel. */
static void
one_that_does_not_go(void)
{
	starter_auto struct starter *s = start_counted();
	answer_auto struct answer stuck, other, quick, late;
	uint32_t serials[2];
	char inner[CGROUP_PATH_MAX];
	uint64_t begin;

	start_vm(s, ALICE, 7, &stuck);
	start_vm(s, BOB, 8, &other);
	(void)snprintf(inner, sizeof(inner), "%s/x", leaf_path(ALICE, 7));
	CHECK(mkdir(inner, 0755) == 0);
	begin = now_ms();
	serials[0] = send_end(s, ALICE, 7);
	serials[1] = send_end(s, BOB, 8);
	next_answer(s, &quick);
	CHECK(quick.err == 0 && quick.serial == serials[1] && has_ended(&other));
	next_answer(s, &late);
	CHECK(late.err == -EBUSY && late.serial == serials[0] && now_ms() - begin >= 1000);
	CHECK(starter_logged(s, "uid=64101 vm=7: killed, but still there after 1000 ms"));
	CHECK(has_ended(&stuck) && cgroup_exists(leaf_path(ALICE, 7)));
	CHECK(rmdir(inner) == 0 && end_leaf(s, ALICE, 7) == 0);
	CHECK(!cgroup_exists(user_path(ALICE)));
}

/* --- its user, who may trace it ----------------------------------------------------------- */

/* A process of hers that traces it and never asks what became of it. */
static pid_t
trace(uint32_t uid, const struct answer *vm)
{
	int fds[2] = {-1, -1};
	char byte;
	pid_t pid;

	CHECK(pipe2(fds, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
			setresuid(uid, uid, uid) < 0 ||
			ptrace(PTRACE_SEIZE, started_pid(vm), NULL, NULL) < 0 ||
			write(fds[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	fd_close(&fds[1]);
	CHECK(read(fds[0], &byte, 1) == 1);
	fd_close(&fds[0]);
	return pid;
}

static uint64_t
cpu_ms(pid_t pid)
{
	struct timespec used = {.tv_sec = 0};
	clockid_t clock;

	CHECK(clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &used) == 0);
	return (uint64_t)used.tv_sec * 1000 + (uint64_t)used.tv_nsec / 1000000;
}

/* What the starter uses of the processor while a leaf does not go, which takes it a second. */
static uint64_t
cpu_in_a_second(struct starter *s)
{
	char inner[CGROUP_PATH_MAX];
	answer_auto struct answer vm;
	uint64_t before;

	start_vm(s, BOB, 8, &vm);
	(void)snprintf(inner, sizeof(inner), "%s/x", leaf_path(BOB, 8));
	CHECK(mkdir(inner, 0755) == 0);
	before = cpu_ms(s->pid);
	CHECK(end_leaf(s, BOB, 8) == -EBUSY);
	before = cpu_ms(s->pid) - before;
	CHECK(rmdir(inner) == 0 && end_leaf(s, BOB, 8) == 0);
	return before;
}

static void
kept_by_a_tracer(void)
{
	starter_auto struct starter *s = start_counted();
	answer_auto struct answer refused, again;
	pid_t tracers[PROCESS_KEPT_MAX];
	struct answer vms[PROCESS_KEPT_MAX];

	for (unsigned i = 0; i < PROCESS_KEPT_MAX; i++) {
		start_vm(s, ALICE, 1 + i, &vms[i]);
		have_it(&vms[i], "show");
		tracers[i] = trace(ALICE, &vms[i]);
		CHECK(kill(started_pid(&vms[i]), SIGKILL) == 0 && has_ended(&vms[i]));
		CHECK(end_leaf(s, ALICE, 1 + i) == 0);
		CHECK(starter_logged(s, "has ended, and is kept by whoever traces it"));
	}
	CHECK(cpu_in_a_second(s) < SPIN_MS);
	/* She gets no more of them, and others do. */
	ask_box(s, ALICE, 99, &refused);
	CHECK(refused.err == -EAGAIN && !cgroup_exists(user_path(ALICE)));
	for (unsigned i = 0; i < PROCESS_KEPT_MAX; i++) {
		CHECK(kill(tracers[i], SIGKILL) == 0 && waitpid(tracers[i], NULL, 0) > 0);
		answer_fini(&vms[i]);
	}
	CHECK(starter_logged(s, "qemud-box: ended by signal 9 (Killed)\n"));
	start_vm(s, ALICE, 99, &again);
	CHECK(end_leaf(s, ALICE, 99) == 0 && has_ended(&again));
}

static void
without_a_ledger(void)
{
	starter_auto struct starter *s = starter_start();
	answer_auto struct answer answer;

	CHECK(starter_logged(s, "no control group: VMs end with qemud"));
	start_vm(s, ALICE, 7, &answer);
	CHECK(no_leaf_is_told(s) && end_leaf(s, ALICE, 7) == 0 && runs(&answer));
	CHECK(kill(s->pid, SIGKILL) == 0 && has_ended(&answer));
}

int
main(int argc, char **argv)
{
	(void)argc;
	if (!begin(argv[0]))
		return 0;
	make_place();

	TEST("without a ledger a VM ends with the starter", without_a_ledger);
	if (!make_cgroup(cgroup, sizeof(cgroup))) {
		printf("ok %d - leaves # SKIP needs a cgroup v2 that it can write\n", ++test_n);
		remove_place();
		return TEST_END();
	}
	TEST("a VM's box has exactly what it was meant to have", has_what_was_meant);
	TEST("a leaf that somebody is in is nobody else's", leaf_is_its_alone);
	TEST("a VM outlives its starter, and the next one finds it", next_one_finds_it);
	TEST("one that has ended since the start is not told", ended_since_the_sweep);
	TEST("one of which nobody knows its process is told too", nobody_knows_what_it_runs_as);
	TEST("empty leaves are swept, others' folders are left alone", sweeps_and_leaves_alone);
	TEST("LEAF_END takes everything in the leaf, and the leaf", end_takes_all_of_it);
	TEST("a VM that ends by itself leaves nothing", ends_by_itself);
	TEST("many end at once, asked for twice each", many_end_at_once);
	TEST("what does not go within a second is busy, and holds nobody up", one_that_does_not_go);
	TEST("a VM whose end its user keeps from being seen costs nobody anything",
		kept_by_a_tracer);
	remove_cgroup(cgroup);
	remove_place();
	return TEST_END();
}
