/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Of all processes in a leaf, the one that is found is the first of its pid namespace, and the
 * pidfd is its own. Needs root.
 */
#include "broker/launch/resident.h"

#include <errno.h>
#include <sched.h>
#include <sys/wait.h>

#include "lib/take.h"
#include "tests/unit/cgroup.h"
#include "tests/unit/test.h"

enum { CROWD = 80 }; /* more than are looked at */

static char place[PATH_MAX];
static int place_fd = -1;

static void
end(pid_t pid)
{
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
}

/* Find that one. */
static void
check_found(pid_t want)
{
	uint32_t pid = 0;
	int pidfd = -1;

	CHECK(resident_find(place_fd, &pid, &pidfd) == 0);
	CHECK((pid_t)pid == want && pidfd_pid(pidfd) == want);
	if (pidfd >= 0)
		(void)close(pidfd);
}

static void
nobody(void)
{
	uint32_t pid = 7;
	int pidfd = -1;

	CHECK(resident_find(place_fd, &pid, &pidfd) == -ENOENT && pid == 7 && pidfd == -1);
}

static void
only_one(void)
{
	pid_t pid = cgroup_put(place);

	check_found(pid);
	end(pid);
	nobody();
}

/* The first process of a pid namespace of its own, in the leaf. */
static pid_t
put_first(void)
{
	fd_auto int own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	pid_t pid;

	CHECK(own >= 0 && unshare(CLONE_NEWPID) == 0);
	pid = cgroup_put(place);
	CHECK(setns(own, CLONE_NEWPID) == 0);
	return pid;
}

static void
first_of_its_namespace(void)
{
	pid_t older = cgroup_put(place), vm = put_first(), younger = cgroup_put(place);

	check_found(vm);
	end(vm);
	check_found(older);
	end(older);
	end(younger);
}

static void
one_of_a_crowd(void)
{
	pid_t pids[CROWD];
	uint32_t pid = 0;
	int pidfd = -1;
	bool known = false;

	for (int i = 0; i < CROWD; i++)
		pids[i] = cgroup_put(place);
	CHECK(resident_find(place_fd, &pid, &pidfd) == 0 && pidfd_pid(pidfd) == (int)pid);
	for (int i = 0; i < CROWD; i++) {
		known |= pids[i] == (pid_t)pid;
		end(pids[i]);
	}
	CHECK(known && pidfd_pid(pidfd) == -1);
	(void)close(pidfd);
}

int
main(void)
{
	if (geteuid() != 0 || !make_cgroup(place, sizeof(place))) {
		printf("1..0 # SKIP needs root and a cgroup v2 that it can write\n");
		return 0;
	}
	place_fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	TEST("in an empty leaf there is nobody", nobody);
	TEST("one process is the one", only_one);
	TEST("of several it is the first of its pid namespace", first_of_its_namespace);
	TEST("of very many it is one of them", one_of_a_crowd);
	(void)close(place_fd);
	remove_cgroup(place);
	return TEST_END();
}
