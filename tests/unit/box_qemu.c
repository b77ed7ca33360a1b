/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * box_qemu.c: real QEMU and qemu-img work in the box, and have nothing there but what they were
 * given.
 *
 * The test is the worker. Whatever it does not have (QEMU, a guest) is skipped with the reason.
 * test: timeout=360 heavy
 */
#include <dirent.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "lib/take.h"
#include "tests/unit/box_given.h"
#include "worker/box/program.h"

enum { FD_QMP = 12, FD_DISK = 20, FD_KERNEL = 30, FD_INITRD = 31 };

/* --- a machine and its monitor ------------------------------------------------------------ */

struct machine {
	struct seed seed;
	struct stat listener; /* of the monitor: QEMU alone has it, and it ends with QEMU */
	int qmp;
	char line[1 << 20]; /* the last reply */
};

static struct machine machine;

static int
listener(const char *name)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(at.sun_path, sizeof at.sun_path, "%s", in_folder(name));
	(void)unlink(at.sun_path);
	if (bind(fd, (const struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 4) < 0)
		abort();
	return fd;
}

static void
plan_machine(struct machine *m, const char *monitor)
{
	int fd = listener(monitor);

	if (fstat(fd, &m->listener) < 0)
		abort();
	begin(PLAN_QEMU_X86_64, PLAN_VM);
	plan.limits[PLAN_NOFILE] = 512;
	ARGUMENTS("-M", "pc", "-accel", "tcg", "-display", "none", "-m", "128", "-S", "-chardev",
		"socket,id=m,fd=12,server=on,wait=off", "-mon", "chardev=m,mode=control");
	give(fd, FD_QMP);
}

static int
client(const char *name)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(at.sun_path, sizeof at.sun_path, "%s", in_folder(name));
	if (connect(fd, (const struct sockaddr *)&at, sizeof at) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* The next line from the monitor; false when it has ended. */
static bool
qmp_line(struct machine *m)
{
	size_t size = 0;

	if (m->qmp < 0)
		return false;
	for (;;) {
		struct pollfd pollfd = {.fd = m->qmp, .events = POLLIN};

		if (size == sizeof m->line - 1 || poll(&pollfd, 1, PATIENCE_MS) != 1)
			abort();
		if (read(m->qmp, m->line + size, 1) != 1)
			return false;
		if (m->line[size++] == '\n')
			break;
	}
	m->line[size] = '\0';
	return true;
}

/* Ask, and skip events; what the reply has is looked for by the caller. */
static bool
qmp(struct machine *m, const char *command)
{
	if (send(m->qmp, command, strlen(command), MSG_NOSIGNAL) < 0)
		return false;
	do {
		if (!qmp_line(m))
			return false;
	} while (!strstr(m->line, "\"return\"") && !strstr(m->line, "\"error\""));
	return true;
}

static bool
replied(struct machine *m, const char *command, const char *want)
{
	bool ok = qmp(m, command) && strstr(m->line, want);

	if (!ok)
		printf("# %s: %s\n", command, m->line);
	return ok;
}

static bool
start(struct machine *m)
{
	bool ok;

	m->line[0] = '\0';
	m->seed = seed_start();
	ok = became(&m->seed);
	m->qmp = client("qmp");
	return ok && m->qmp >= 0 && qmp_line(m) && strstr(m->line, "\"QMP\"") &&
	       replied(m, "{\"execute\":\"qmp_capabilities\"}", "return");
}

static int
stop(struct machine *m)
{
	int status = seed_kill(&m->seed);

	(void)close(m->qmp);
	return status;
}

static bool
start_plain(struct machine *m)
{
	plan_machine(m, "qmp");
	return start(m);
}

/* --- what the kernel says of it ----------------------------------------------------------- */

static const char *
proc_file(pid_t pid, const char *name)
{
	static char text[16384];
	char path[64];
	fd_auto int fd = -1;
	ssize_t n = 0, size = 0;

	(void)snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && (n = read(fd, text + size, sizeof text - 1 - (size_t)size)) > 0)
		size += n;
	text[size] = '\0';
	return text;
}

static void
threads_are_confined(void)
{
	static const char *const want[] = {"Seccomp:\t2\n", "Seccomp_filters:\t3\n",
		"NoNewPrivs:\t1\n", "CapEff:\t0000000000000000\n", "CapPrm:\t0000000000000000\n",
		"CapInh:\t0000000000000000\n", "Umask:\t0077\n"};
	char path[64];
	struct dirent *entry;
	unsigned n = 0;
	DIR *dir;

	CHECK(start_plain(&machine));
	(void)snprintf(path, sizeof path, "/proc/%d/task", machine.seed.pid);
	dir = opendir(path);
	if (!dir)
		abort();
	while ((entry = readdir(dir))) {
		const char *status;

		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof path, "task/%.16s/status", entry->d_name);
		status = proc_file(machine.seed.pid, path);
		for (unsigned i = 0; i < sizeof want / sizeof want[0]; i++)
			CHECK(strstr(status, want[i]));
		n++;
	}
	(void)closedir(dir);
	printf("# %u threads, Landlock level %d\n", n, landlock_level());
	CHECK(n >= 2);
	(void)stop(&machine);
}

/* Both the soft and the hard limit; read as text, for prlimit() wants more than root may have. */
static bool
has_limit(pid_t pid, const char *name, unsigned long want)
{
	const char *line = strstr(proc_file(pid, "limits"), name);
	unsigned long soft, hard;
	char *end;

	if (!line)
		return false;
	soft = strtoul(line + strlen(name), &end, 10);
	hard = strtoul(end, NULL, 10);
	return soft == want && hard == want;
}

static void
nothing_inherited(void)
{
	static const char environment[] = "PATH=/usr/bin:/bin\0LANG=C\0HOME=/nonexistent\0";
	char cwd[64], target[64] = "", ignored[sizeof "SigIgn:\t0123456789abcdef"];
	const char *line;
	pid_t pid;

	CHECK(start_plain(&machine));
	pid = machine.seed.pid;
	CHECK(memcmp(proc_file(pid, "environ"), environment, sizeof environment) == 0);
	(void)snprintf(cwd, sizeof cwd, "/proc/%d/cwd", pid);
	CHECK(readlink(cwd, target, sizeof target - 1) == 1);
	CHECK_STR(target, "/");
	CHECK(has_limit(pid, "Max core file size", 0));
	CHECK(has_limit(pid, "Max open files", 512));
	/* Ignored by the parent; QEMU ignores it too, but nothing else that was blocked or ignored.
	 */
	line = strstr(proc_file(pid, "status"), "SigIgn:");
	(void)snprintf(ignored, sizeof ignored, "%s", line ? line : "");
	CHECK_STR(ignored, "SigIgn:\t0000000000001000");
	(void)stop(&machine);
}

/* What QEMU makes for itself. */
static bool
is_qemus_own(const char *what)
{
	static const char *const own[] = {"anon_inode:[eventfd]", "anon_inode:[eventpoll]",
		"anon_inode:[signalfd]", "anon_inode:[io_uring]", "/dev/null"};

	for (unsigned i = 0; i < sizeof own / sizeof own[0]; i++)
		if (strcmp(what, own[i]) == 0)
			return true;
	return false;
}

static bool
is_same(pid_t pid, const char *number, const struct stat *other)
{
	char path[64];
	struct stat one;

	(void)snprintf(path, sizeof path, "/proc/%d/fd/%s", pid, number);
	return stat(path, &one) == 0 && one.st_dev == other->st_dev && one.st_ino == other->st_ino;
}

static void
descriptors_are_exact(void)
{
	fd_auto int disk = open_disk("disk", O_RDWR);
	char path[64];
	struct dirent *entry;
	struct stat log, image;
	unsigned n_log = 0, n_disk = 0, n_listener = 0, n_sockets = 0, n_others = 0;
	DIR *dir;

	CHECK(ftruncate(disk, 1 << 20) == 0);
	plan_machine(&machine, "qmp");
	give(fcntl(disk, F_DUPFD_CLOEXEC, 0), FD_DISK);
	ARGUMENTS("-add-fd", "fd=20,set=1", "-blockdev",
		"driver=file,filename=/dev/fdset/1,node-name=f");
	CHECK(start(&machine));
	if (fstat(machine.seed.log_fd, &log) < 0 || fstat(disk, &image) < 0)
		abort();
	(void)snprintf(path, sizeof path, "/proc/%d/fd", machine.seed.pid);
	dir = opendir(path);
	if (!dir)
		abort();
	while ((entry = readdir(dir))) {
		char what[128] = "";

		if (entry->d_name[0] == '.' ||
			readlinkat(dirfd(dir), entry->d_name, what, sizeof what - 1) < 0)
			continue;
		if (is_same(machine.seed.pid, entry->d_name, &log))
			n_log++;
		else if (is_same(machine.seed.pid, entry->d_name, &image))
			n_disk++;
		else if (is_same(machine.seed.pid, entry->d_name, &machine.listener))
			n_listener++;
		else if (strncmp(what, "socket:", 7) == 0)
			n_sockets++; /* our own connection to the monitor */
		else if (!is_qemus_own(what)) {
			printf("# %s: %s\n", entry->d_name, what);
			n_others++;
		}
	}
	(void)closedir(dir);
	CHECK(n_others == 0);
	CHECK(n_log == 2 && n_disk == 2 && n_listener == 1 && n_sockets == 1);
	CHECK(replied(&machine, "{\"execute\":\"query-named-block-nodes\"}", "/dev/fdset/1"));
	(void)stop(&machine);
}

/* --- what it answers, and what it cannot -------------------------------------------------- */

static void
monitor_answers(void)
{
	CHECK(start_plain(&machine));
	CHECK(replied(&machine, "{\"execute\":\"query-status\"}", "\"prelaunch\""));
	CHECK(replied(&machine, "{\"execute\":\"cont\"}", "return"));
	CHECK(replied(&machine, "{\"execute\":\"query-status\"}", "\"running\""));
	/* The next worker finds the listener as this one did. */
	(void)close(machine.qmp);
	machine.qmp = client("qmp");
	CHECK(qmp_line(&machine) && strstr(machine.line, "\"QMP\""));
	CHECK(replied(&machine, "{\"execute\":\"qmp_capabilities\"}", "return"));
	CHECK(replied(&machine, "{\"execute\":\"quit\"}", "return"));
	CHECK(seed_end(&machine.seed) == 0);
	(void)close(machine.qmp);
}

static void
reaches_nothing(void)
{
	fd_auto int secret = open_disk("secret", O_RDWR);
	struct stat st;
	char command[256];

	CHECK(write(secret, "secret", 6) == 6);
	CHECK(start_plain(&machine));
	(void)snprintf(command, sizeof command,
		"{\"execute\":\"blockdev-add\",\"arguments\":{\"driver\":\"file\",\"node-name\":"
		"\"n\",\"filename\":\"%s\"}}",
		in_folder("secret"));
	CHECK(replied(&machine, command, "Permission denied"));
	CHECK(replied(&machine,
		"{\"execute\":\"blockdev-add\",\"arguments\":{\"driver\":\"file\",\"node-name\":"
		"\"n\",\"read-only\":true,\"filename\":\"/etc/passwd\"}}",
		"Permission denied"));
	(void)snprintf(command, sizeof command,
		"{\"execute\":\"screendump\",\"arguments\":{\"filename\":\"%s\"}}",
		in_folder("screen"));
	CHECK(qmp(&machine, command) && strstr(machine.line, "\"error\""));
	(void)snprintf(command, sizeof command,
		"{\"execute\":\"pmemsave\",\"arguments\":{\"val\":0,\"size\":1,\"filename\":"
		"\"%s\"}}",
		in_folder("screen"));
	CHECK(replied(&machine, command, "Permission denied"));
	CHECK(stat(in_folder("screen"), &st) < 0 && errno == ENOENT);
	CHECK(replied(&machine,
		"{\"execute\":\"chardev-add\",\"arguments\":{\"id\":\"c\",\"backend\":{\"type\":"
		"\"socket\",\"data\":{\"server\":false,\"addr\":{\"type\":\"inet\",\"data\":{"
		"\"host\":\"127.0.0.1\",\"port\":\"22\"}}}}}}",
		"\"error\""));
	(void)snprintf(command, sizeof command,
		"{\"execute\":\"chardev-add\",\"arguments\":{\"id\":\"c\",\"backend\":{\"type\":"
		"\"socket\",\"data\":{\"server\":false,\"addr\":{\"type\":\"unix\",\"data\":{"
		"\"path\":\"%s\"}}}}}}",
		in_folder("qmp"));
	CHECK(replied(&machine, command, "\"error\""));
	/* All of it cost the machine nothing. */
	CHECK(replied(&machine, "{\"execute\":\"query-status\"}", "\"prelaunch\""));
	(void)stop(&machine);
}

static void
exec_costs_the_machine(void)
{
	int status;

	CHECK(start_plain(&machine));
	(void)qmp(&machine, "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"exec:true\"}}");
	status = seed_end(&machine.seed);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	(void)close(machine.qmp);
}

/* A plan that names a host path as an argument gets QEMU's own refusal, in the log. */
static void
path_arguments_fail(void)
{
	struct seed seed = seed_start();
	char drive[96];
	int status;

	begin(PLAN_QEMU_X86_64, PLAN_VM);
	(void)close(open_disk("secret", O_RDWR));
	(void)snprintf(drive, sizeof drive, "file=%s,format=raw", in_folder("secret"));
	ARGUMENTS("-accel", "tcg", "-display", "none", "-drive", drive);
	CHECK(became(&seed));
	CHECK(waitpid(seed.pid, &status, 0) == seed.pid && WIFEXITED(status) &&
		WEXITSTATUS(status) == 1);
	CHECK(strstr(seed_log(&seed), "Permission denied"));
	(void)close(seed.sock);
	(void)close(seed.log_fd);
}

static void
sandbox_stays(void)
{
	plan_machine(&machine, "qmp");
	ARGUMENTS("-sandbox", "off");
	CHECK(start(&machine));
	CHECK(strstr(proc_file(machine.seed.pid, "status"), "Seccomp_filters:\t3\n"));
	(void)stop(&machine);
}

static void
images_are_locked(void)
{
	static struct machine second;
	int status;

	for (int i = 0; i < 2; i++) {
		struct machine *m = i == 0 ? &machine : &second;

		plan_machine(m, i == 0 ? "qmp" : "second");
		give(open_disk("disk", O_RDWR), FD_DISK);
		ARGUMENTS("-add-fd", "fd=20,set=1", "-blockdev",
			"driver=file,filename=/dev/fdset/1,node-name=f", "-device",
			"virtio-blk,drive=f");
		if (i == 0) {
			CHECK(start(m));
			continue;
		}
		m->seed = seed_start();
		CHECK(became(&m->seed));
		CHECK(waitpid(m->seed.pid, &status, 0) == m->seed.pid && WIFEXITED(status));
		CHECK(strstr(seed_log(&m->seed), "Failed to get \"write\" lock"));
		CHECK(!strstr(seed_log(&m->seed), "OFD lock probing"));
		(void)close(m->seed.sock);
		(void)close(m->seed.log_fd);
	}
	(void)stop(&machine);
}

/* --- probes ------------------------------------------------------------------------------- */

static void
probes_are_short(void)
{
	begin(PLAN_QEMU_X86_64, PLAN_PROBE);
	plan.limits[PLAN_CPU] = 3600;
	ARGUMENTS("-M", "none", "-accel", "tcg", "-display", "none", "-S", "-chardev",
		"socket,id=m,fd=12,server=on,wait=off", "-mon", "chardev=m,mode=control");
	give(listener("qmp"), FD_QMP);
	CHECK(start(&machine));
	CHECK(has_limit(machine.seed.pid, "Max cpu time", program_limit(PLAN_PROBE, PLAN_CPU)));
	CHECK(replied(&machine, "{\"execute\":\"query-machines\"}", "pc-i440fx"));
	CHECK(replied(&machine, "{\"execute\":\"query-cpu-definitions\"}", "qemu64"));
	CHECK(replied(&machine, "{\"execute\":\"query-qmp-schema\"}", "blockdev-add"));
	(void)stop(&machine);
}

/* --- a guest ------------------------------------------------------------------------------ */

/* What a function of tests/lib/guest.sh prints: a path, or nothing. */
static void
guest_path(const char *function, char path[static 256])
{
	static const char script[] = ". tests/lib/guest.sh; \"$0\"";
	int out[2], status;
	ssize_t n;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) < 0)
		abort();
	pid = fork();
	if (pid == 0) {
		(void)dup2(out[1], 1);
		(void)execl("/bin/sh", "sh", "-c", script, function, (char *)NULL);
		_exit(127);
	}
	(void)close(out[1]);
	n = read(out[0], path, 255);
	path[n < 0 ? 0 : n] = '\0';
	path[strcspn(path, "\n")] = '\0';
	(void)close(out[0]);
	(void)waitpid(pid, &status, 0);
}

/* That file as a sealed memfd; -1 where it cannot be made. */
static int
guest_file(const char *function)
{
	char path[256];
	free_auto char *data = NULL;
	size_t size = 0;
	fd_auto int fd = -1;

	guest_path(function, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fd_read_all(fd, 64 << 20, &data, &size) < 0)
		return -1;
	return memfd_make(function, data, size);
}

static int kernel_fd, initrd_fd;

static void
guest_runs(void)
{
	struct timespec from, to;
	struct seed seed;
	int status;

	begin(PLAN_QEMU_X86_64, PLAN_VM);
	ARGUMENTS("-M", "pc", "-accel", "tcg", "-display", "none", "-m", "256", "-smp", "2",
		"-no-reboot", "-kernel", "/proc/self/fd/30", "-initrd", "/proc/self/fd/31",
		"-append", "console=ttyS0 quiet no_timer_check panic=-1", "-chardev", "stdio,id=s",
		"-serial", "chardev:s", "-device", "virtio-rng-pci", "-add-fd", "fd=20,set=1",
		"-blockdev", "driver=file,filename=/dev/fdset/1,node-name=f", "-device",
		"virtio-blk-pci,drive=f");
	give(kernel_fd, FD_KERNEL);
	give(initrd_fd, FD_INITRD);
	give(open_disk("disk", O_RDWR), FD_DISK);
	(void)clock_gettime(CLOCK_MONOTONIC, &from);
	seed = seed_start();
	CHECK(became(&seed));
	CHECK(waitpid(seed.pid, &status, 0) == seed.pid);
	(void)clock_gettime(CLOCK_MONOTONIC, &to);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CHECK(strstr(seed_log(&seed), "guest: up "));
	CHECK(strstr(seed_log(&seed), "guest: off"));
	printf("# from the seed to the power-off: %.1f s\n",
		(double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
	(void)close(seed.sock);
	(void)close(seed.log_fd);
}

int
main(void)
{
	if (access("/usr/bin/qemu-system-x86_64", X_OK) < 0) {
		printf("1..0 # SKIP qemu-system-x86_64 is not installed\n");
		return 0;
	}
	make_folder();
	TEST("each thread of QEMU is confined, with all filters and no capability",
		threads_are_confined);
	TEST("QEMU inherits no environment, folder, limit or signal", nothing_inherited);
	TEST("QEMU's descriptors are those it was given, and its own", descriptors_are_exact);
	TEST("its monitor answers one worker after another", monitor_answers);
	TEST("no file, folder or socket of the host is reached through the monitor",
		reaches_nothing);
	TEST("a migration to a command ends that machine alone, by SIGSYS", exec_costs_the_machine);
	TEST("a path among the arguments is of no use", path_arguments_fail);
	TEST("no argument switches QEMU's own filter off", sandbox_stays);
	TEST("an image that is in use is refused to a second machine", images_are_locked);
	TEST("a probe has limits of its own, and answers", probes_are_short);
	kernel_fd = guest_file("guest_kernel");
	initrd_fd = guest_file("guest_initrd");
	if (kernel_fd >= 0 && initrd_fd >= 0)
		TEST("Linux boots, says so and powers off", guest_runs);
	else
		printf("ok %d - a guest # SKIP no kernel or busybox for one\n", ++test_n);
	remove_folder();
	return TEST_END();
}
