/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Of what earlier starters left in the ledger, the empty leaves go, the VMs that run are listed,
 * and whatever is not qemud's by its name is not touched. Needs root.
 */
#include "broker/launch/sweep.h"

#include <sys/wait.h>

#include "tests/unit/cgroup.h"
#include "tests/unit/test.h"

#define UUID "00112233-4455-6677-8899-aabbccddeeff"

enum { MANY = 5 };

static char place[PATH_MAX];

static const char *
below(const char *name)
{
	static char path[CGROUP_PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", place, name);
	return path;
}

static void
make_folders(const char *const *names)
{
	for (; *names; names++)
		CHECK(mkdir(below(*names), 0755) == 0 || !printf("# %s\n", *names));
}

static void
end(pid_t pid)
{
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
}

static struct ledger
open_place(void)
{
	struct ledger ledger;
	const char *why, *limits;

	if (ledger_open(&ledger, place, &why, &limits) != 0)
		abort();
	return ledger;
}

static void
nothing_to_sweep(void)
{
	struct ledger none = {.dir_fd = -1}, empty = open_place();
	struct sweep sweep = {.n_vms = 0};

	CHECK(sweep_ledger(&none, &sweep) == 0 && sweep.n_vms == 0 && sweep.n_foreign == 0);
	CHECK(sweep_ledger(&empty, &sweep) == 0 && sweep.n_vms == 0 && sweep.n_foreign == 0);
	sweep_fini(&sweep);
	(void)close(empty.dir_fd);
}

static void
empty_ones_go(void)
{
	static const char *const folders[] = {"u64101", "u64101/worker", "u64101/view",
		"u64101/tool-3", "u64101/vm-5-" UUID, "u64101/vm-6-" UUID, "u64102",
		"u64102/vm-7-" UUID, "u64103", NULL};
	struct ledger ledger = open_place();
	struct sweep sweep = {.n_vms = 0}, again = {.n_vms = 0};
	pid_t worker, vm;

	make_folders(folders);
	worker = cgroup_put(below("u64101/worker"));
	vm = cgroup_put(below("u64101/vm-6-" UUID));
	CHECK(sweep_ledger(&ledger, &sweep) == 0 && sweep.n_foreign == 0);
	CHECK(sweep.n_vms == 1);
	if (sweep.n_vms == 1) {
		CHECK(sweep.vms[0].uid == 64101 && sweep.vms[0].id == 6);
		CHECK(sweep.vms[0].uuid[1] == 0x11 && sweep.vms[0].uuid[15] == 0xff);
	}
	CHECK(cgroup_exists(below("u64101/worker")) && cgroup_exists(below("u64101/vm-6-" UUID)));
	CHECK(!cgroup_exists(below("u64101/view")) && !cgroup_exists(below("u64101/tool-3")));
	CHECK(!cgroup_exists(below("u64101/vm-5-" UUID)));
	CHECK(!cgroup_exists(below("u64102")) && !cgroup_exists(below("u64103")));
	end(worker);
	end(vm);
	CHECK(sweep_ledger(&ledger, &again) == 0 && again.n_vms == 0);
	CHECK(!cgroup_exists(below("u64101")));
	sweep_fini(&sweep);
	(void)close(ledger.dir_fd);
}

static void
all_are_listed(void)
{
	struct ledger ledger = open_place();
	struct sweep sweep = {.n_vms = 0};
	unsigned seen = 0;
	pid_t pids[MANY];
	char name[64];

	make_folders((const char *const[]){"u64101", NULL});
	for (int i = 0; i < MANY; i++) {
		(void)snprintf(name, sizeof(name), "u64101/vm-%d-" UUID, i + 1);
		make_folders((const char *const[]){name, NULL});
		pids[i] = cgroup_put(below(name));
	}
	CHECK(sweep_ledger(&ledger, &sweep) == 0 && sweep.n_vms == MANY);
	for (size_t i = 0; i < sweep.n_vms; i++)
		seen |= 1u << sweep.vms[i].id;
	CHECK(seen == ((1u << MANY) - 1) << 1);
	for (int i = 0; i < MANY; i++)
		end(pids[i]);
	sweep_fini(&sweep);
	CHECK(sweep_ledger(&ledger, &sweep) == 0 && sweep.n_vms == 0);
	CHECK(!cgroup_exists(below("u64101")));
	(void)close(ledger.dir_fd);
}

static void
foreign_ones_stay(void)
{
	static const char *const folders[] = {"u0", "u0/worker", "user.slice", "u64101",
		"u64101/vm-0-" UUID, "u64101/vm-5-" UUID "x", "u64101/x\x1b[31m", "u64101/worker",
		NULL};
	struct ledger ledger = open_place();
	struct sweep sweep = {.n_vms = 0};
	pid_t vm;

	make_folders(folders);
	vm = cgroup_put(below("u64101/vm-0-" UUID));
	CHECK(sweep_ledger(&ledger, &sweep) == 0);
	CHECK(sweep.n_vms == 0 && sweep.n_foreign == 5);
	CHECK(strchr(sweep.foreign, '/') || strcmp(sweep.foreign, "u0") == 0 ||
		strcmp(sweep.foreign, "user.slice") == 0);
	/* What is below a user that is none is not looked at. */
	for (int i = 0; folders[i]; i++)
		CHECK(cgroup_exists(below(folders[i])) == (i != 7));
	end(vm);
	sweep_fini(&sweep);
	(void)close(ledger.dir_fd);
}

int
main(void)
{
	if (geteuid() != 0 || !make_cgroup(place, sizeof(place))) {
		printf("1..0 # SKIP needs root and a cgroup v2 that it can write\n");
		return 0;
	}
	TEST("there may be nothing to sweep", nothing_to_sweep);
	TEST("empty leaves go, a VM that runs is listed", empty_ones_go);
	TEST("all VMs that run are listed", all_are_listed);
	TEST("what is not qemud's by its name is counted and left alone", foreign_ones_stay);
	remove_cgroup(place);
	return TEST_END();
}
