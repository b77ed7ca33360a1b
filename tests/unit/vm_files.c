/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A VM gets the files that its user may open and nothing else: afresh, without waiting, never a
 * descriptor of the worker's own; and whoever cannot be opened is named, with what to do.
 */
#include "worker/vm/files.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "lib/fd.h"
#include "lib/memfd.h"
#include "lib/take.h"
#include "protocol/rpc/procedure.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/filtered.h"
#include "tests/unit/test.h"
#include "worker/vm/rundir.h"

enum { SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE, MIB = 1024 * 1024 };

static char root[] = "/tmp/qemud-files-XXXXXX";
static unsigned n_before;
static struct vm_files files;
static struct qemu_command command;
static struct rpc_error error;

static void
run(const char *shell)
{
	CHECK(system(shell) == 0);
}

static void
fresh(void)
{
	run("find . -mindepth 1 -delete");
	memset(&error, 0, sizeof(error));
	memset(&command, 0, sizeof(command));
	vm_files_init(&files);
}

static void
want(enum qemu_command_file file, unsigned index)
{
	command.fds[command.n_fds] = (struct qemu_command_fd){
		.file = file, .index = index, .number = PLAN_FD_MIN + (int)command.n_fds};
	command.n_fds++;
}

/* A definition that names nothing but what the test puts in. */
static struct domain_disk disk = {.target = "vda", .source.type = DOMAIN_LAYER_FILE};
static struct domain_serial ptys[4] = {{.chardev.type = DOMAIN_CHARDEV_PTY},
	{.chardev.type = DOMAIN_CHARDEV_PTY}, {.chardev.type = DOMAIN_CHARDEV_PTY},
	{.chardev.type = DOMAIN_CHARDEV_PTY}};
static struct domain_def live = {
	.uuid = {1, 2, 3}, .disks = &disk, .n_disks = 1, .serials = ptys, .n_serials = 4};

static char path_text[2][4096];

/* A path below the test's folder, or an absolute one. */
static char *
path(unsigned which, const char *name)
{
	(void)snprintf(path_text[which], sizeof(path_text[which]), "%s%s%s",
		*name == '/' ? "" : root, *name == '/' ? "" : "/", name);
	return path_text[which];
}

static int
open_all(void)
{
	memset(&error, 0, sizeof(error));
	return vm_files_open(&files, &live, &command, &error);
}

/* --- disks -------------------------------------------------------------------------------- */

static int
open_disk(const char *name, bool readonly)
{
	vm_files_close(&files);
	command.n_fds = 0;
	want(QEMU_FILE_DISK, 0);
	disk.source.path = path(0, name);
	disk.readonly = readonly;
	return open_all();
}

static void
test_disks(void)
{
	fresh();
	run("echo image >image && chmod 0600 image && ln -s image link");
	for (int readonly = 0; readonly < 2; readonly++) {
		int flags, again;

		CHECK(open_disk("link", readonly) == RPC_DONE && files.n == 1);
		flags = fcntl(files.fds[0], F_GETFL);
		CHECK((flags & O_ACCMODE) == (readonly ? O_RDONLY : O_RDWR));
		CHECK(!(flags & O_NONBLOCK) && (fcntl(files.fds[0], F_GETFD) & FD_CLOEXEC));
		CHECK(vm_files_copy(&files, &live, &command, &error) == RPC_DONE);
		/* Taken: it is not closed. */
		again = take_fd(&files.fds[0]);
		vm_files_close(&files);
		CHECK(fcntl(again, F_GETFD) >= 0);
		fd_close(&again);
	}
}

/* Each is opened afresh: one's lock is not the other's. */
static void
test_opened_afresh(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct domain_disk two[2] = {{.target = "vda", .source.type = DOMAIN_LAYER_FILE},
		{.target = "vdb", .source.type = DOMAIN_LAYER_FILE}};
	struct domain_def def = {.disks = two, .n_disks = 2};

	fresh();
	run("echo image >image");
	two[0].source.path = two[1].source.path = path(0, "image");
	want(QEMU_FILE_DISK, 0);
	want(QEMU_FILE_DISK, 1);
	CHECK(vm_files_open(&files, &def, &command, &error) == RPC_DONE);
	CHECK(fcntl(files.fds[0], F_OFD_SETLK, &lock) == 0);
	CHECK(fcntl(files.fds[1], F_OFD_SETLK, &lock) < 0 && errno == EAGAIN);
	vm_files_close(&files);
}

static void
refused(const char *name, bool readonly, int code, const char *words)
{
	CHECK(open_disk(name, readonly) == RPC_FAILED && files.fds[0] == -1);
	CHECK(error.code == code && error.domain == VIR_FROM_STORAGE);
	if (!strstr(error.message, words))
		CHECK_STR(error.message, words);
}

static void
test_disks_that_are_none(void)
{
	static const char words[] = "is not a regular file";
	static const char *const none[] = {"pipe", "folder", "socket", "to-pipe", "/dev/null",
		"/dev/zero", "/proc/self/status", "/proc/self/mem", "/sys/kernel/mm/ksm/run",
		"/proc/sys/kernel/hostname", "/proc/self/cwd", "/proc/self/fd"};

	fresh();
	run("mkfifo pipe && mkdir folder && ln -s pipe to-pipe && "
	    "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"socket\")'");
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		if (*none[i] == '/' && access(none[i], R_OK) < 0)
			continue;
		refused(none[i], true, VIR_ERR_CONFIG_UNSUPPORTED, words);
		if (*none[i] != '/' || access(none[i], W_OK) == 0)
			refused(none[i], false, VIR_ERR_CONFIG_UNSUPPORTED, words);
		CHECK(strstr(error.message, "of disk 'vda'") && strstr(error.message, none[i]));
	}
}

/* However a descriptor of this process is spelled, it is not handed out. */
static void
test_own_descriptors(void)
{
	static const char words[] = "is not a regular file";
	fd_auto int file = -1, secret = memfd_make("secret", "x", 1);
	char name[64], shell[256];

	fresh();
	run("echo mine >file");
	file = open("file", O_RDWR | O_CLOEXEC);
	for (int i = 0; i < 2; i++) {
		int fd = i ? secret : file;

		(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		CHECK(access(name, R_OK) == 0);
		refused(name, true, VIR_ERR_CONFIG_UNSUPPORTED, words);
		(void)snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)getpid(), fd);
		refused(name, true, VIR_ERR_CONFIG_UNSUPPORTED, words);
		(void)snprintf(name, sizeof(name), "/dev/fd/%d", fd);
		refused(name, true, VIR_ERR_CONFIG_UNSUPPORTED, words);
		(void)snprintf(
			shell, sizeof(shell), "ln -sfn /proc/%d/fd/%d way", (int)getpid(), fd);
		run(shell);
		refused("way", true, VIR_ERR_CONFIG_UNSUPPORTED, words);
	}
	(void)snprintf(name, sizeof(name), "/proc/self/cwd/file");
	refused(name, true, VIR_ERR_CONFIG_UNSUPPORTED, words);
	vm_files_close(&files);
}

static void
test_disks_that_cannot_be_opened(void)
{
	char message[RPC_ERROR_MESSAGE_SIZE];

	fresh();
	run("ln -s circle circle && touch file");
	refused("absent", false, VIR_ERR_SYSTEM_ERROR, "");
	(void)snprintf(message, sizeof(message),
		"Cannot access storage file '%s/absent': No such file or directory", root);
	CHECK_STR(error.message, message);
	CHECK(error.errnum == ENOENT);
	refused("circle", false, VIR_ERR_SYSTEM_ERROR, "Too many levels of symbolic links");
	refused("file/below", false, VIR_ERR_SYSTEM_ERROR, "Not a directory");
}

/* Runs as somebody without rights: root may open everything. */
static void
as_nobody(void)
{
	CHECK(seteuid(65534) == 0);
	CHECK(open_disk("readable", true) == RPC_DONE);
	refused("readable", false, VIR_ERR_SYSTEM_ERROR, "readable': Permission denied");
	refused("private", true, VIR_ERR_SYSTEM_ERROR, "private': Permission denied");
	live.os.kernel = path(0, "private");
	vm_files_close(&files);
	command.n_fds = 0;
	want(QEMU_FILE_KERNEL, 0);
	CHECK(open_all() == RPC_DONE);
	CHECK(vm_files_copy(&files, &live, &command, &error) == RPC_FAILED);
	CHECK(strstr(error.message, "private'; give a file that you can read: Permission denied"));
	vm_files_close(&files);
	CHECK(seteuid(0) == 0);
}

static void
test_permissions(void)
{
	fresh();
	run("chmod 0755 . && echo x >readable && chmod 0644 readable && echo x >private && "
	    "chmod 0600 private");
	as_nobody();
	run("chmod 0700 .");
}

static void
test_block_device(void)
{
	fresh();
	run("echo image >image");
	disk.source.type = DOMAIN_LAYER_BLOCK;
	CHECK(open_disk("/dev/loop0", true) == RPC_DONE);
	CHECK(!(fcntl(files.fds[0], F_GETFL) & O_NONBLOCK));
	refused("image", true, VIR_ERR_CONFIG_UNSUPPORTED, "is not a block device");
	disk.source.type = DOMAIN_LAYER_FILE;
	refused("/dev/loop0", true, VIR_ERR_CONFIG_UNSUPPORTED, "with <disk type='block'>");
	vm_files_close(&files);
}

/* --- listeners ---------------------------------------------------------------------------- */

static void
test_listeners(void)
{
	fd_auto int monitor = -1, serial = -1;

	fresh();
	want(QEMU_FILE_MONITOR, 0);
	want(QEMU_FILE_CHARDEV, 0);
	want(QEMU_FILE_CHARDEV, 3);
	CHECK(open_all() == RPC_DONE && files.n == 3);
	CHECK(rundir_connect(live.uuid, "qmp", SOCK_STREAM, &monitor) == 0);
	CHECK(rundir_connect(live.uuid, "char3", SOCK_STREAM, &serial) == 0);
	vm_files_close(&files);
	CHECK(rundir_connect(live.uuid, "qmp", SOCK_STREAM, &monitor) == -ECONNREFUSED);
	/* Where one cannot be made, that is told, and the others are closed. */
	rundir_remove(live.uuid);
	run("mkdir 01020300-0000-0000-0000-000000000000.char3");
	CHECK(open_all() == RPC_FAILED);
	CHECK_STR(error.message, "cannot make the socket \"char3\" in the run-time folder of your "
				 "VMs: Is a directory");
	CHECK(files.fds[0] >= 0 && files.fds[1] >= 0 && files.fds[2] == -1);
	vm_files_close(&files);
	rundir_remove(live.uuid);
}

/* --- copies ------------------------------------------------------------------------------- */

static void
open_kernel(const char *kernel, const char *initrd)
{
	vm_files_close(&files);
	command.n_fds = 0;
	live.os.kernel = path(0, kernel);
	live.os.initrd = initrd ? path(1, initrd) : NULL;
	want(QEMU_FILE_MONITOR, 0);
	want(QEMU_FILE_KERNEL, 0);
	if (initrd)
		want(QEMU_FILE_INITRD, 0);
	CHECK(open_all() == RPC_DONE);
	CHECK(files.fds[1] == -1);
}

static int
copy(void)
{
	memset(&error, 0, sizeof(error));
	return vm_files_copy(&files, &live, &command, &error);
}

/* Is it a sealed copy of this file? */
static void
is_copy(int fd, const char *name)
{
	fd_auto int source = open(name, O_RDONLY | O_CLOEXEC);
	free_auto char *have = NULL;
	free_auto char *wanted = NULL;
	size_t n_have = 0, n_wanted = 0;

	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	CHECK((fcntl(fd, F_GET_SEALS) & SEALS) == SEALS);
	CHECK(memfd_read(fd, VM_FILES_COPY_MAX, &have, &n_have) == 0);
	CHECK(fd_read_all(source, VM_FILES_COPY_MAX, &wanted, &n_wanted) == 0);
	CHECK(n_have == n_wanted && have && wanted && memcmp(have, wanted, n_have) == 0);
}

static void
test_copies(void)
{
	int n = 0, r;

	fresh();
	run("head -c 5000001 /dev/urandom >kernel && printf i >initrd");
	open_kernel("kernel", "initrd");
	while ((r = copy()) == RPC_LATER)
		n++;
	CHECK(r == RPC_DONE);
	/* Two turns of VM_FILES_PIECE, one of the rest; the initrd's is the last. */
	CHECK(n == 3 && files.source_fd == -1);
	is_copy(files.fds[1], "kernel");
	is_copy(files.fds[2], "initrd");
	CHECK(copy() == RPC_DONE);
	/* Sizes around the bounds of a piece. */
	for (int size = VM_FILES_PIECE - 1; size <= VM_FILES_PIECE + 1; size++) {
		CHECK(truncate("kernel", size) == 0);
		open_kernel("kernel", NULL);
		r = copy();
		CHECK(r == (size > VM_FILES_PIECE ? RPC_LATER : RPC_DONE));
		CHECK(r == RPC_DONE || copy() == RPC_DONE);
		is_copy(files.fds[1], "kernel");
	}
	vm_files_close(&files);
}

/* The message is these words around the path. */
static void
no_copy(const char *name, int code, const char *before, const char *after)
{
	char message[RPC_ERROR_MESSAGE_SIZE];

	open_kernel(name, NULL);
	CHECK(copy() == RPC_FAILED);
	CHECK(error.code == code && error.domain == VIR_FROM_QEMU);
	(void)snprintf(message, sizeof(message), "%s '%s'%s", before, live.os.kernel, after);
	CHECK_STR(error.message, message);
	/* It does not go on as if nothing had been. */
	CHECK(copy() == RPC_FAILED);
	vm_files_close(&files);
}

static void
test_copies_that_are_refused(void)
{
	static const char kernel[] = "unsupported configuration: kernel";
	static const char *const none[] = {"pipe", "folder", "/proc/self/cmdline", "/dev/zero"};

	fresh();
	run("mkfifo pipe && mkdir folder && : >empty && truncate -s 268435457 large");
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		no_copy(none[i], VIR_ERR_CONFIG_UNSUPPORTED, kernel,
			" is not a regular file: give the file itself");
	no_copy("absent", VIR_ERR_SYSTEM_ERROR, "cannot open kernel",
		"; give a file that you can read: No such file or directory");
	no_copy("empty", VIR_ERR_CONFIG_UNSUPPORTED, kernel, " is empty: write it anew");
	no_copy("large", VIR_ERR_CONFIG_UNSUPPORTED, kernel,
		" has 268435457 bytes, 268435456 are as many as it may have");
}

/* Whatever there is too little of. */
static void
test_too_little(void)
{
	struct rlimit before, few;
	int free_fd = dup(0), r = RPC_FAILED;

	fresh();
	run("truncate -s 3M kernel");
	CHECK(close(free_fd) == 0);
	CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
	for (few = before, few.rlim_cur = (rlim_t)free_fd; r == RPC_FAILED; few.rlim_cur++) {
		CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
		vm_files_close(&files);
		command.n_fds = 0;
		want(QEMU_FILE_MONITOR, 0);
		want(QEMU_FILE_KERNEL, 0);
		live.os.kernel = path(0, "kernel");
		r = open_all();
		while (r != RPC_FAILED && (r = copy()) == RPC_LATER)
			;
		CHECK(r == RPC_DONE || strstr(error.message, ": Too many open files"));
	}
	CHECK(few.rlim_cur == (rlim_t)free_fd + 4);
	CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
	/* A limit of files' sizes stands for memory that is not there. */
	CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0 && signal(SIGXFSZ, SIG_IGN) == SIG_DFL);
	few = (struct rlimit){MIB, before.rlim_max};
	CHECK(setrlimit(RLIMIT_FSIZE, &few) == 0);
	no_copy("kernel", VIR_ERR_SYSTEM_ERROR, "cannot hold kernel",
		" in memory; stop what you do not need, or give a smaller one: File too large");
	CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0 && signal(SIGXFSZ, SIG_DFL) == SIG_IGN);
}

static void
changes(off_t size)
{
	CHECK(truncate("kernel", 5 * MIB) == 0);
	open_kernel("kernel", NULL);
	CHECK(copy() == RPC_LATER);
	CHECK(truncate("kernel", size) == 0);
	while (copy() == RPC_LATER)
		;
	CHECK(error.code == VIR_ERR_OPERATION_FAILED);
	CHECK(strstr(error.message, "changed while it was read; start again when it is whole"));
	vm_files_close(&files);
}

static void
test_copies_that_change(void)
{
	fresh();
	run(": >kernel");
	changes(0);
	changes(1 * MIB);
	changes(3 * MIB);
	changes(5 * MIB - 1);
	changes(5 * MIB + 1);
	changes(900 * (off_t)MIB);
	/* One that is replaced is another file: this one is still whole. */
	CHECK(truncate("kernel", 5 * MIB) == 0);
	open_kernel("kernel", NULL);
	CHECK(copy() == RPC_LATER);
	run("cp kernel same && printf x >new && mv new kernel");
	CHECK(copy() == RPC_LATER && copy() == RPC_DONE);
	is_copy(files.fds[1], "same");
	vm_files_close(&files);
}

/* The worker ends, or gives up, at any point. */
static void
test_closed_half_way(void)
{
	unsigned n;

	fresh();
	run("truncate -s 9M kernel");
	open_kernel("kernel", NULL);
	CHECK(copy() == RPC_LATER);
	n = n_descriptors();
	vm_files_close(&files);
	CHECK(n == n_before + 3 && n_descriptors() == n_before);
	vm_files_close(&files);
	CHECK(files.n == 0 && files.source_fd == -1);
}

/* --- as the worker runs ------------------------------------------------------------------- */

static void
behind_the_filter(void)
{
	int r;

	open_kernel("kernel", NULL);
	while ((r = copy()) == RPC_LATER)
		;
	CHECK(r == RPC_DONE);
	CHECK(open_disk("kernel", false) == RPC_DONE);
	CHECK(open_disk("/dev/fd/0", false) == RPC_FAILED);
	CHECK(open_disk("pipe", false) == RPC_FAILED);
	CHECK(open_disk("/proc/self/status", true) == RPC_FAILED);
	vm_files_close(&files);
	rundir_remove(live.uuid);
}

static void
test_filtered(void)
{
	fresh();
	run("truncate -s 3M kernel && mkfifo pipe");
	filtered(behind_the_filter);
}

static void
none_left_open(void)
{
	CHECK(n_descriptors() == n_before);
}

int
main(void)
{
	if (!mkdtemp(root) || chdir(root) < 0)
		return EXIT_FAILURE;
	n_before = n_descriptors();
	TEST("a disk is opened as it is to be used", test_disks);
	TEST("each disk is opened afresh", test_opened_afresh);
	TEST("what is no file or block device is refused, and nobody waits",
		test_disks_that_are_none);
	TEST("the worker's own descriptors are no disks", test_own_descriptors);
	TEST("a disk that cannot be opened is told in libvirt's words",
		test_disks_that_cannot_be_opened);
	if (geteuid() == 0)
		TEST("what she may not open stays closed", test_permissions);
	else
		printf("ok %d - what she may not open # SKIP needs root\n", ++test_n);
	if (access("/dev/loop0", R_OK) == 0)
		TEST("a block device is a disk", test_block_device);
	else
		printf("ok %d - a block device # SKIP there is none to open\n", ++test_n);
	TEST("monitor and serial ports listen in the run-time folder", test_listeners);
	TEST("kernel and initrd are copied, piece by piece, and sealed", test_copies);
	TEST("what cannot be copied is refused, with what to do", test_copies_that_are_refused);
	TEST("a kernel that changes meanwhile is not started", test_copies_that_change);
	TEST("too few descriptors, too little memory: told, and nothing is left", test_too_little);
	TEST("closed half way, nothing is left", test_closed_half_way);
	TEST("it works behind the worker's system call list", test_filtered);
	TEST("no descriptor is left open", none_left_open);
	fresh();
	CHECK(chdir("/") == 0 && rmdir(root) == 0);
	return TEST_END();
}
