/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host's ends of a VM's character devices are made where its definition says, for her alone, and
 * nothing of the user's is lost: what is no file, no socket, or somebody's, is left alone. What a
 * guest says to a file is kept within a bound, and its sockets go with it.
 */
#include "worker/vm/chardev.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "lib/fd.h"
#include "lib/take.h"
#include "protocol/rpc/procedure.h"
#include "tests/unit/filtered.h"
#include "tests/unit/test.h"

static char root[] = "/tmp/qemud-chardev-XXXXXX";
static char path[128];
static struct domain_serial port = {.target = DOMAIN_SERIAL_ISA};
static const struct domain_def live = {.uuid = {1}, .serials = &port, .n_serials = 1};
static const struct qemu_command_fd first = {.file = QEMU_FILE_CHARDEV};
static struct rpc_error error;

static char *
at(const char *name)
{
	(void)snprintf(path, sizeof(path), "%s/%s", *name == '/' ? "" : root, name);
	return path;
}

static void
fresh(enum domain_chardev_type type, const char *name)
{
	CHECK(system("find . -mindepth 1 -delete") == 0);
	port.chardev = (struct domain_chardev){.type = type, .path = name ? at(name) : NULL};
	memset(&error, 0, sizeof(error));
}

static int
open_it(int *ret_fd)
{
	*ret_fd = -1;
	return vm_chardev_open(&live, &first, &error, ret_fd);
}

static mode_t
mode_of(const char *name)
{
	struct stat st;

	return lstat(name, &st) == 0 ? st.st_mode & (S_IFMT | 07777) : 0;
}

static bool
holds(const char *name, const char *want)
{
	char got[64] = "";
	fd_auto int fd = open(name, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, got, sizeof(got) - 1) >= 0 && strcmp(got, want) == 0;
}

static void
put(const char *name, const char *text)
{
	fd_auto int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	CHECK(fd >= 0 && fd_write_all(fd, text, strlen(text)) == 0);
}

/* --- files -------------------------------------------------------------------------------- */

static void
test_file(void)
{
	fd_auto int fd = -1;

	fresh(DOMAIN_CHARDEV_FILE, "log");
	CHECK(open_it(&fd) == RPC_DONE && mode_of("log") == (S_IFREG | 0600));
	CHECK(write(fd, "one", 3) == 3 && holds("log", "one"));
	fd_close(&fd);
	port.chardev.append = DOMAIN_ON;
	CHECK(open_it(&fd) == RPC_DONE && write(fd, "two", 3) == 3 && holds("log", "onetwo"));
	CHECK((fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK)) == (O_WRONLY | O_APPEND));
	fd_close(&fd);
	port.chardev.append = DOMAIN_OFF;
	CHECK(open_it(&fd) == RPC_DONE && holds("log", ""));
}

static void
test_log(void)
{
	fd_auto int fd = -1;

	fresh(DOMAIN_CHARDEV_NULL, NULL);
	port.chardev.log = at("log");
	put("log", "before ");
	port.chardev.log_append = DOMAIN_ON;
	CHECK(vm_chardev_open_log(&live, &first, &error, &fd) == RPC_DONE);
	CHECK(write(fd, "after", 5) == 5 && holds("log", "before after"));
	/* A file of hers keeps the mode that she gave it. */
	CHECK(mode_of("log") == (S_IFREG | 0644));
}

static void
refused_file(const char *name)
{
	fd_auto int fd = -1;

	memset(&error, 0, sizeof(error));
	port.chardev.path = at(name);
	CHECK(open_it(&fd) == RPC_FAILED && fd == -1);
	CHECK(error.code == VIR_ERR_CONFIG_UNSUPPORTED && strstr(error.message, path));
}

static void
test_no_file(void)
{
	fd_auto int fd = -1;

	fresh(DOMAIN_CHARDEV_FILE, "none/log");
	CHECK(open_it(&fd) == RPC_FAILED && error.code == VIR_ERR_SYSTEM_ERROR);
	put("mine", "mine");
	CHECK(mkdir("folder", 0700) == 0 && mkfifo("fifo", 0600) == 0);
	CHECK(symlink("mine", "link") == 0 && symlink("nothing", "dangling") == 0);
	refused_file("folder");
	refused_file("fifo");
	refused_file("link");
	refused_file("dangling");
	refused_file("/dev/null");
	refused_file("/proc/self/fd/0");
	refused_file("/proc/self/comm");
	CHECK(holds("mine", "mine") && mode_of("nothing") == 0);
}

static void
test_bound(void)
{
	static char piece[64 * 1024];
	fd_auto int fd = -1;
	struct stat st;

	fresh(DOMAIN_CHARDEV_FILE, "log");
	CHECK(open_it(&fd) == RPC_DONE);
	memset(piece, 'x', sizeof(piece));
	for (int i = 0; i < VM_CHARDEV_FILE_MAX / (int)sizeof(piece) - 1; i++)
		CHECK(fd_write_all(fd, piece, sizeof(piece)) == 0);
	vm_chardev_trim(&live);
	CHECK(mode_of("log.1") == 0);
	CHECK(fd_write_all(fd, piece, sizeof(piece)) == 0);
	vm_chardev_trim(&live);
	CHECK(stat("log", &st) == 0 && st.st_size == 0);
	CHECK(stat("log.1", &st) == 0 && st.st_size == VM_CHARDEV_FILE_MAX);
	/* QEMU goes on where the file begins again. */
	CHECK(write(fd, "on", 2) == 2 && holds("log", "on"));
	CHECK(unlink("log") == 0 && symlink("log.1", "log") == 0);
	vm_chardev_trim(&live);
	CHECK(stat("log.1", &st) == 0 && st.st_size == VM_CHARDEV_FILE_MAX);
}

/* --- sockets ------------------------------------------------------------------------------ */

static int
client(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static void
test_bind(void)
{
	fd_auto int fd = -1, again = -1, peer = -1;

	fresh(DOMAIN_CHARDEV_UNIX, "socket");
	(void)umask(0);
	CHECK(open_it(&fd) == RPC_DONE && mode_of("socket") == (S_IFSOCK | 0600));
	(void)umask(077);
	peer = client("socket");
	CHECK(peer >= 0);
	/* Somebody listens: she has to see to it. */
	CHECK(open_it(&again) == RPC_FAILED && strstr(error.message, "in use"));
	vm_chardev_remove(&live);
	CHECK(mode_of("socket") == (S_IFSOCK | 0600));
	/* Nobody does: it was left behind. */
	fd_close(&fd);
	CHECK(open_it(&fd) == RPC_DONE);
	fd_close(&fd);
	vm_chardev_remove(&live);
	CHECK(mode_of("socket") == 0);
}

static void
test_no_socket(void)
{
	fd_auto int fd = -1;

	fresh(DOMAIN_CHARDEV_UNIX, "mine");
	put("mine", "mine");
	CHECK(open_it(&fd) == RPC_FAILED && strstr(error.message, "is no socket"));
	vm_chardev_remove(&live);
	CHECK(holds("mine", "mine"));
	CHECK(rename("mine", "other") == 0 && symlink("other", "mine") == 0);
	CHECK(open_it(&fd) == RPC_FAILED);
	vm_chardev_remove(&live);
	CHECK(holds("other", "mine") && S_ISLNK(mode_of("mine")));
}

static void
test_connect(void)
{
	fd_auto int listener = -1, fd = -1;

	fresh(DOMAIN_CHARDEV_UNIX, "socket");
	port.chardev.connect = true;
	CHECK(open_it(&fd) == RPC_FAILED && strstr(error.message, "Failed to connect to"));
	port.chardev.connect = false;
	CHECK(open_it(&listener) == RPC_DONE);
	port.chardev.connect = true;
	CHECK(open_it(&fd) == RPC_DONE && fd >= 0);
	/* It is not ours. */
	fd_close(&listener);
	vm_chardev_remove(&live);
	CHECK(S_ISSOCK(mode_of("socket")));
}

/* Files and sockets are those that fresh() named. */
static void
all_at_once(void)
{
	int fd;

	CHECK(open_it(&fd) == RPC_DONE);
	(void)close(fd);
	CHECK(open_it(&fd) == RPC_DONE);
	vm_chardev_trim(&live);
	(void)close(fd);
	vm_chardev_remove(&live);
}

static void
test_filtered(void)
{
	fresh(DOMAIN_CHARDEV_FILE, "log");
	filtered(all_at_once);
	CHECK(truncate("log", VM_CHARDEV_FILE_MAX) == 0);
	port.chardev.append = DOMAIN_ON;
	filtered(all_at_once);
	CHECK(mode_of("log.1") == (S_IFREG | 0600));
	fresh(DOMAIN_CHARDEV_UNIX, "socket");
	filtered(all_at_once);
	CHECK(mode_of("socket") == 0);
}

int
main(void)
{
	if (!mkdtemp(root) || chdir(root) < 0)
		abort();
	TEST("a file is made with mode 0600, or appended to, or begins anew", test_file);
	TEST("a log is one beside all else", test_log);
	TEST("what is no regular file is refused, and nothing happens to it", test_no_file);
	TEST("what a guest says to a file stays within a bound", test_bound);
	TEST("a socket is bound for the user alone, and goes when nobody listens", test_bind);
	TEST("what is no socket is neither replaced nor removed", test_no_socket);
	TEST("a socket that somebody listens on is connected to, and stays", test_connect);
	TEST("it works behind the worker's system call list", test_filtered);
	CHECK(system("find . -mindepth 1 -delete") == 0 && rmdir(root) == 0);
	return TEST_END();
}
