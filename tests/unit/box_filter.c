/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * box_filter.c: what QEMU's and qemu-img's filters kill for, answer with an error, and allow.
 *
 * Every call is made in a child of its own, under the real filter of the program.
 */
#include "confine/filter.h"

#include <errno.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <linux/kvm.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/test.h"

enum { KILLED = -1 };

/* What a call with arguments that are all zero comes to: an errno, 0, or KILLED. */
static int
outcome(const struct filter *filter, int (*act)(long number), long number)
{
	int status;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		/* No core of it, in whatever folder this is. */
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		if (filter_load(filter) != 0)
			_exit(255);
		_exit(act(number));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? KILLED : 254;
	return WEXITSTATUS(status);
}

static int
call(long number)
{
	return syscall(number, 0, 0, 0, 0, 0, 0) < 0 ? errno : 0;
}

/* What no QEMU ever asks for: ways to other privileges, other processes, other namespaces. */
static const struct {
	const char *name;
	long number;
} deadly[] = {
	{"vfork", SYS_vfork},
	{"fork", SYS_fork},
	{"execveat", SYS_execveat},
	{"unshare", SYS_unshare},
	{"setns", SYS_setns},
	{"mount", SYS_mount},
	{"umount2", SYS_umount2},
	{"pivot_root", SYS_pivot_root},
	{"chroot", SYS_chroot},
	{"open_tree", SYS_open_tree},
	{"move_mount", SYS_move_mount},
	{"fsopen", SYS_fsopen},
	{"process_vm_readv", SYS_process_vm_readv},
	{"process_vm_writev", SYS_process_vm_writev},
	{"pidfd_open", SYS_pidfd_open},
	{"pidfd_getfd", SYS_pidfd_getfd},
	{"kill", SYS_kill},
	{"bpf", SYS_bpf},
	{"perf_event_open", SYS_perf_event_open},
	{"keyctl", SYS_keyctl},
	{"add_key", SYS_add_key},
	{"request_key", SYS_request_key},
	{"open_by_handle_at", SYS_open_by_handle_at},
	{"init_module", SYS_init_module},
	{"kexec_load", SYS_kexec_load},
	{"setuid", SYS_setuid},
	{"setgroups", SYS_setgroups},
	{"capset", SYS_capset},
	{"personality", SYS_personality},
	{"modify_ldt", SYS_modify_ldt},
	{"quotactl", SYS_quotactl},
	{"msgget", SYS_msgget},
	{"shmget", SYS_shmget},
};

static void
kills(const struct filter *filter)
{
	for (unsigned i = 0; i < sizeof deadly / sizeof deadly[0]; i++) {
		int got = outcome(filter, call, deadly[i].number);

		if (got != KILLED)
			printf("# %s %s: %d\n", filter->name, deadly[i].name, got);
		CHECK(got == KILLED);
	}
}

static void
both_kill(void)
{
	kills(&filter_qemu);
	kills(&filter_qemu_img);
}

static void
both_answer(void)
{
	const struct filter *both[] = {&filter_qemu, &filter_qemu_img};

	for (unsigned i = 0; i < 2; i++) {
		CHECK(outcome(both[i], call, SYS_clone3) == ENOSYS);
		CHECK(outcome(both[i], call, SYS_io_uring_setup) == ENOSYS);
		CHECK(outcome(both[i], call, SYS_socket) == EACCES);
		CHECK(outcome(both[i], call, SYS_connect) == EACCES);
		CHECK(outcome(both[i], call, SYS_unlink) == EACCES);
		CHECK(outcome(both[i], call, SYS_getpid) == 0);
	}
	/* QEMU has it, qemu-img does without. */
	CHECK(outcome(&filter_qemu, call, SYS_io_setup) == EFAULT);
	CHECK(outcome(&filter_qemu_img, call, SYS_io_setup) == ENOSYS);
	CHECK(outcome(&filter_qemu, call, SYS_bind) == EACCES);
	CHECK(outcome(&filter_qemu, call, SYS_userfaultfd) == EPERM);
	CHECK(outcome(&filter_qemu, call, SYS_sched_getattr) == ENOSYS);
}

/* Every request is asked of a descriptor that is none: the kernel's own answer is EBADF. */
static int
request(long number)
{
	return ioctl(-1, (unsigned long)number, 0) < 0 ? errno : 0;
}

static void
requests(void)
{
	static const long allowed[] = {BLKSSZGET, BLKPBSZGET, (long)BLKGETSIZE64, BLKSECTGET,
		BLKDISCARD, BLKZEROOUT, TCGETS, KVM_GET_API_VERSION, KVM_CREATE_VM, KVM_RUN,
		/* As QEMU asks: through an int. */
		(int)KVM_GET_REGS, (int)KVM_SET_REGS, (int)KVM_GET_SUPPORTED_CPUID};
	static const long denied[] = {0, FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR, FS_IOC_GETFLAGS,
		FIFREEZE, FITHAW, FITRIM, FICLONE, FIBMAP, BLKROSET, BLKRRPART, BLKPG, TIOCSTI,
		TIOCLINUX, TCSETS, SIOCGIFCONF, BLKSSZGET | 0x10000, -1};

	for (unsigned i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
		CHECK(outcome(&filter_qemu, request, allowed[i]) == EBADF);
	for (unsigned i = 0; i < sizeof denied / sizeof denied[0]; i++)
		CHECK(outcome(&filter_qemu, request, denied[i]) == ENOTTY);
}

static void *
idle(void *arg)
{
	return arg;
}

static int
start_thread(long number)
{
	pthread_t thread;
	int r = pthread_create(&thread, NULL, idle, NULL);

	(void)number;
	return r != 0 ? r : pthread_join(thread, NULL);
}

static int
start_process(long number)
{
	(void)number;
	return fork() < 0 ? errno : 0;
}

/* clone() with a stack of the kernel's choice, flags alone. */
static int
start_namespace(long number)
{
	return syscall(SYS_clone, number, 0, 0, 0, 0) < 0 ? errno : 0;
}

static void
threads_only(void)
{
	const struct filter *both[] = {&filter_qemu, &filter_qemu_img};

	for (unsigned i = 0; i < 2; i++) {
		CHECK(outcome(both[i], start_thread, 0) == 0);
		CHECK(outcome(both[i], start_process, 0) == KILLED);
		/* CLONE_NEWUSER, CLONE_NEWNS */
		CHECK(outcome(both[i], start_namespace, 0x10000000 | SIGCHLD) == KILLED);
		CHECK(outcome(both[i], start_namespace, 0x20000 | SIGCHLD) == KILLED);
	}
}

int
main(void)
{
	TEST("what no QEMU asks for kills it", both_kill);
	TEST("what an owner can bring about is an error", both_answer);
	TEST("requests of KVM and of disks are made, all others are not there", requests);
	TEST("threads can be started, processes and namespaces cannot", threads_only);
	return TEST_END();
}
