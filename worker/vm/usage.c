/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * usage.c: what a VM uses, read from /proc; see usage.h.
 *
 * Runs in the worker, as the user. Formats: proc(5), and the kernel's
 * Documentation/scheduler/sched-stats.rst. What QEMU's threads are called is for QEMU to say, and
 * taken for no more.
 */
#include "worker/vm/usage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/take.h"

enum { TEXT_MAX = 4096, NS_A_SECOND = 1000000000, NS_A_MS = 1000000, COMM_MAX = 15 };

/* The beginning of a file, NUL-terminated. Returns 0 or a negative errno. */
__attribute__((format(printf, 2, 3))) static int
read_text(char text[static TEXT_MAX], const char *fmt, ...)
{
	fd_auto int fd = -1;
	char path[64];
	ssize_t n;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, TEXT_MAX - 1);
	if (n < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	text[n] = '\0';
	return 0;
}

/* The field of that number, counted from 0, in words that blanks separate; 0 when it is none. */
static uint64_t
field(const char *text, unsigned number)
{
	for (unsigned i = 0; i < number; i++) {
		text += strcspn(text, " ");
		text += strspn(text, " ");
	}
	return strtoull(text, NULL, 10);
}

static uint64_t
ticks_to_ns(uint64_t ticks)
{
	return ticks * (NS_A_SECOND / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* /proc/PID/stat, or that of a task. */
static int
parse_stat(const char *text, struct usage *ret)
{
	/* Fields behind the name, counted from 0. */
	enum { UTIME = 11, STIME = 12, RSS = 21, PROCESSOR = 36 };
	/* The name of the program, in parentheses, may have anything in it. */
	const char *rest = strrchr(text, ')');

	if (!rest || rest[1] != ' ')
		return -EINVAL;
	rest += 2;
	ret->user_ns = ticks_to_ns(field(rest, UTIME));
	ret->system_ns = ticks_to_ns(field(rest, STIME));
	ret->rss_kib = field(rest, RSS) * (uint64_t)(sysconf(_SC_PAGESIZE) / 1024);
	ret->processor = (unsigned)field(rest, PROCESSOR);
	return 0;
}

int
usage_read(uint32_t pid, struct usage *ret)
{
	char text[TEXT_MAX];
	int r = pid ? read_text(text, "/proc/%" PRIu32 "/stat", pid) : -ESRCH;

	*ret = (struct usage){.user_ns = 0};
	return r < 0 ? r : parse_stat(text, ret);
}

/* --- virtual CPUs ------------------------------------------------------------------------- */

/*
 * What a thread waited while it was runnable, in nanoseconds: "se.statistics.wait_sum : 12.345678"
 * of /proc/PID/task/TID/sched, in milliseconds, where the kernel keeps it; newer ones write
 * "wait_sum".
 */
static uint64_t
wait_sum(const char *text)
{
	const char *at = strstr(text, "wait_sum");
	uint64_t ns, place = NS_A_MS;
	char *digit;

	at = at ? strchr(at, ':') : NULL;
	if (!at)
		return 0;
	ns = strtoull(at + 1, &digit, 10) * NS_A_MS;
	for (digit += *digit == '.'; *digit >= '0' && *digit <= '9'; digit++) {
		place /= 10;
		ns += (uint64_t)(*digit - '0') * place;
	}
	return ns;
}

/* False: it is not there. */
static bool
read_vcpu(uint32_t pid, struct vcpu_usage *vcpu)
{
	char text[TEXT_MAX];

	vcpu->wait_ns = vcpu->delay_ns = 0;
	if (!vcpu->tid ||
		read_text(text, "/proc/%" PRIu32 "/task/%" PRIu32 "/stat", pid, vcpu->tid) < 0 ||
		parse_stat(text, &vcpu->usage) < 0)
		return false;
	if (read_text(text, "/proc/%" PRIu32 "/task/%" PRIu32 "/sched", pid, vcpu->tid) == 0)
		vcpu->wait_ns = wait_sum(text);
	/* Time on a processor, time on a run queue, time slices. */
	if (read_text(text, "/proc/%" PRIu32 "/task/%" PRIu32 "/schedstat", pid, vcpu->tid) == 0)
		vcpu->delay_ns = field(text, 1);
	return true;
}

static bool
read_vcpus(uint32_t pid, struct vcpu_usage *vcpus, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (vcpus[i].wanted && !read_vcpu(pid, &vcpus[i]))
			return false;
	return true;
}

/* The virtual CPU whose thread has that name, "CPU 0/KVM"; n: none. */
static size_t
vcpu_of(const char *name, size_t n)
{
	unsigned long number;
	char *end;

	if (strncmp(name, "CPU ", 4) != 0)
		return n;
	number = strtoul(name + 4, &end, 10);
	return end == name + 4 || *end != '/' || number >= n ? n : (size_t)number;
}

/* Calls fn with each thread and its name, until it returns true. */
static void
walk_threads(uint32_t pid, bool (*fn)(void *arg, uint32_t tid, const char *name), void *arg)
{
	const struct dirent *entry;
	char path[32];
	bool done = false;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%" PRIu32 "/task", pid);
	dir = pid ? opendir(path) : NULL;
	while (dir && !done && (entry = readdir(dir))) {
		unsigned long tid = strtoul(entry->d_name, NULL, 10);
		char name[TEXT_MAX];

		if (!tid || read_text(name, "/proc/%" PRIu32 "/task/%lu/comm", pid, tid) < 0)
			continue;
		name[strcspn(name, "\n")] = '\0';
		done = fn(arg, (uint32_t)tid, name);
	}
	if (dir)
		(void)closedir(dir);
}

struct vcpus {
	struct vcpu_usage *all;
	size_t n;
};

static bool
take_vcpu(void *arg, uint32_t tid, const char *name)
{
	const struct vcpus *vcpus = arg;
	size_t i = vcpu_of(name, vcpus->n);

	if (i < vcpus->n && vcpus->all[i].wanted && !vcpus->all[i].tid)
		vcpus->all[i].tid = tid;
	return false;
}

static void
find_vcpus(uint32_t pid, struct vcpu_usage *vcpus, size_t n)
{
	struct vcpus wanted = {.all = vcpus, .n = n};

	for (size_t i = 0; i < n; i++)
		vcpus[i] = (struct vcpu_usage){.wanted = vcpus[i].wanted};
	walk_threads(pid, take_vcpu, &wanted);
}

void
usage_vcpus(uint32_t pid, struct vcpu_usage *vcpus, size_t n)
{
	if (read_vcpus(pid, vcpus, n))
		return;
	find_vcpus(pid, vcpus, n);
	for (size_t i = 0; i < n; i++)
		if (!read_vcpu(pid, &vcpus[i]))
			vcpus[i] = (struct vcpu_usage){.wanted = vcpus[i].wanted};
}

/* --- another thread ----------------------------------------------------------------------- */

struct named {
	const char *name;
	uint32_t tid;
};

static bool
take_named(void *arg, uint32_t tid, const char *name)
{
	struct named *wanted = arg;

	if (strncmp(wanted->name, name, COMM_MAX) != 0)
		return false;
	wanted->tid = tid;
	return true;
}

uint32_t
usage_thread(uint32_t pid, const char *name)
{
	struct named wanted = {.name = name};

	walk_threads(pid, take_named, &wanted);
	return wanted.tid;
}

/* --- where it may run --------------------------------------------------------------------- */

int
usage_affinity(uint32_t pid, uint32_t tid, uint8_t *map, size_t size)
{
	static const char name[] = "\nCpus_allowed_list:";
	char text[TEXT_MAX];
	const char *at;
	char *end;
	int r = read_text(text, "/proc/%" PRIu32 "/task/%" PRIu32 "/status", pid, tid);

	if (size > 0)
		memset(map, 0, size);
	if (r < 0)
		return r;
	at = strstr(text, name);
	if (!at)
		return -EINVAL;
	/* "0-3,8" */
	for (at += sizeof(name) - 1; *at && *at != '\n'; at = *end == ',' ? end + 1 : end) {
		unsigned long first = strtoul(at, &end, 10), last = first;

		if (end == at)
			return -EINVAL;
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (; first <= last && first / 8 < size; first++)
			map[first / 8] |= (uint8_t)(1U << first % 8);
	}
	return 0;
}
