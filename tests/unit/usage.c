/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A vCPU is the thread that has its name, whatever else threads are called, and is found again when
 * it is another one.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker/vm/usage.h"

enum { N = 3 };

struct thread {
	pthread_t id;
	const char *name;
	sem_t named, over;
	pid_t tid;
};

static void *
work(void *arg)
{
	struct thread *thread = arg;
	struct timespec now = {0};

	(void)prctl(PR_SET_NAME, thread->name);
	thread->tid = (pid_t)syscall(SYS_gettid);
	/* Processor time is counted in ticks of a hundredth of a second. */
	while (now.tv_sec == 0 && now.tv_nsec < 50000000)
		(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	(void)sem_post(&thread->named);
	(void)sem_wait(&thread->over);
	return NULL;
}

static void
begin(struct thread *thread, const char *name)
{
	*thread = (struct thread){.name = name};
	if (sem_init(&thread->named, 0, 0) < 0 || sem_init(&thread->over, 0, 0) < 0 ||
		pthread_create(&thread->id, NULL, work, thread) != 0 ||
		sem_wait(&thread->named) < 0)
		abort();
}

static void
end(struct thread *thread)
{
	(void)sem_post(&thread->over);
	if (pthread_join(thread->id, NULL) != 0)
		abort();
}

static void
test_vcpus(void)
{
	static const char *const names[] = {"CPU 1/KVM", "CPU 0/TCG", "CPU 3/TCG", "CPU 2x/TCG",
		"CPU /TCG", "CPU -1/TCG", "IO mon_iothread"};
	enum { THREADS = sizeof(names) / sizeof(names[0]) };
	struct vcpu_usage vcpus[N] = {{.wanted = true}, {.wanted = true}, {.wanted = true}};
	struct thread threads[THREADS], again;
	uint32_t pid = (uint32_t)getpid();

	for (int i = 0; i < THREADS; i++)
		begin(&threads[i], names[i]);
	usage_vcpus(pid, vcpus, N);
	CHECK(vcpus[0].tid == (uint32_t)threads[1].tid && vcpus[1].tid == (uint32_t)threads[0].tid);
	CHECK(vcpus[2].tid == 0 && vcpus[2].usage.user_ns == 0);
	for (int i = 0; i < 2; i++) {
		uint64_t ns = vcpus[i].usage.user_ns + vcpus[i].usage.system_ns;

		CHECK(ns >= 30000000 && ns < 1000000000);
		CHECK(vcpus[i].usage.processor < 4096);
	}
	/* One that is not asked for. */
	vcpus[1] = (struct vcpu_usage){.wanted = false};
	usage_vcpus(pid, vcpus, N);
	CHECK(vcpus[0].tid == (uint32_t)threads[1].tid && vcpus[1].tid == 0);
	vcpus[1].wanted = true;
	/* It ends, and another one comes. */
	end(&threads[1]);
	begin(&again, "CPU 0/TCG");
	usage_vcpus(pid, vcpus, N);
	CHECK(vcpus[0].tid == (uint32_t)again.tid && vcpus[1].tid == (uint32_t)threads[0].tid);
	end(&again);
	usage_vcpus(pid, vcpus, N);
	CHECK(vcpus[0].tid == 0 && vcpus[1].tid == (uint32_t)threads[0].tid);
	for (int i = 0; i < THREADS; i++)
		if (i != 1)
			end(&threads[i]);
	usage_vcpus(pid, vcpus, N);
	CHECK(!vcpus[0].tid && !vcpus[1].tid && !vcpus[2].tid);
	usage_vcpus(0, vcpus, N);
	CHECK(!vcpus[0].tid);
}

static void
test_affinity(void)
{
	uint8_t map[sizeof(cpu_set_t)], one[1];
	uint32_t pid = (uint32_t)getpid();
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		abort();
	CHECK(usage_affinity(pid, pid, map, sizeof(map)) == 0);
	for (size_t i = 0; i < CPU_SETSIZE; i++)
		CHECK(!CPU_ISSET(i, &set) == !(map[i / 8] & 1U << i % 8));
	CHECK(usage_affinity(pid, pid, one, sizeof(one)) == 0 && one[0] == map[0]);
	CHECK(usage_affinity(pid, pid, NULL, 0) == 0);
	CHECK(usage_affinity(pid, UINT32_MAX, map, sizeof(map)) == -ESRCH && map[0] == 0);
}

int
main(void)
{
	TEST("a vCPU is the thread with its name, and looked for again when that has gone",
		test_vcpus);
	TEST("where a thread may run", test_affinity);
	return TEST_END();
}
