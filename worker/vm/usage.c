/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * usage.c: what a VM uses, as the kernel counts it.
 *
 * Runs in the worker, as the user; reads what everybody may read.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/take.h"
#include "worker/vm/vm.h"

uint64_t
vm_memory_kib(const struct vm *vm)
{
	/* A guest has all until its driver says that it has given some back. */
	return vm->balloon_kib ? vm->balloon_kib : domain_def_now(vm->domain)->memory_kib;
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

uint64_t
vm_cpu_ns(const struct vm *vm)
{
	/* utime and stime of /proc/PID/stat, proc(5), behind the name; in clock ticks. */
	enum { UTIME = 11, STIME = 12 };
	long ticks_a_second = sysconf(_SC_CLK_TCK);
	char path[32], text[1024], *rest;
	fd_auto int fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%" PRIu32 "/stat", vm->pid);
	fd = vm->pid ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	/* The name of the program, in parentheses, may have anything in it. */
	rest = strrchr(text, ')');
	if (!rest || rest[1] != ' ')
		return 0;
	return (field(rest + 2, UTIME) + field(rest + 2, STIME)) *
	       (UINT64_C(1000000000) / (uint64_t)ticks_a_second);
}
