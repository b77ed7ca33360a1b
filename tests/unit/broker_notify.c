/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_notify.c: the service manager hears what it is told, by a path or in the abstract
 * namespace, and a missing or deaf one holds nobody up.
 */
#include "broker/notify.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/take.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/test.h"

static int
bind_manager(const char *name, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memcpy(address.sun_path, name, len);
	len += (socklen_t)offsetof(struct sockaddr_un, sun_path);
	CHECK(bind(fd, (const struct sockaddr *)&address, len) == 0);
	return fd;
}

static void
check_heard(const char *socket_name, int manager)
{
	char got[32] = {0};
	int fd = -1;

	CHECK(notify_open(socket_name, &fd) == 0 && fd >= 0);
	notify_send(fd, "READY=1");
	CHECK(recv(manager, got, sizeof got - 1, 0) == 7);
	CHECK_STR(got, "READY=1");
	fd_close(&fd);
}

static void
test_path(void)
{
	char dir[] = "/tmp/qemud-notify-XXXXXX", name[sizeof dir + 8];
	fd_auto int manager = -1;

	CHECK(mkdtemp(dir));
	(void)snprintf(name, sizeof name, "%s/notify", dir);
	manager = bind_manager(name, (socklen_t)strlen(name));
	check_heard(name, manager);
	(void)unlink(name);
	(void)rmdir(dir);
}

static void
test_abstract(void)
{
	char name[64], shown[64];
	fd_auto int manager = -1;
	int len = snprintf(name + 1, sizeof name - 1, "qemud-test-%d", getpid());

	name[0] = '\0';
	manager = bind_manager(name, (socklen_t)len + 1);
	(void)snprintf(shown, sizeof shown, "@%s", name + 1);
	check_heard(shown, manager);
}

static void
test_nobody(void)
{
	char longest[sizeof(struct sockaddr_un) + 2];
	unsigned n_before = n_descriptors();
	int fd = 7;

	CHECK(notify_open(NULL, &fd) == 0 && fd == -1);
	CHECK(notify_open("", &fd) == 0 && fd == -1);
	notify_send(fd, "READY=1");
	CHECK(notify_open("relative", &fd) == -EINVAL && fd == -1);
	CHECK(notify_open("/nonexistent/notify", &fd) == -ENOENT && fd == -1);
	memset(longest, '/', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	CHECK(notify_open(longest, &fd) == -ENAMETOOLONG && fd == -1);
	CHECK(n_descriptors() == n_before);
}

static void
test_deaf(void)
{
	char name[64];
	fd_auto int manager = -1, fd = -1;
	int len = snprintf(name + 1, sizeof name - 1, "qemud-deaf-%d", getpid());

	name[0] = '\0';
	manager = bind_manager(name, (socklen_t)len + 1);
	name[0] = '@';
	CHECK(notify_open(name, &fd) == 0);
	/* More than its queue takes (net.unix.max_dgram_qlen): returns all the same. */
	for (int i = 0; i < 5000; i++)
		notify_send(fd, "STATUS=again");
	fd_close(&manager);
	notify_send(fd, "STOPPING=1");
}

int
main(void)
{
	TEST("a manager at a path hears", test_path);
	TEST("a manager in the abstract namespace hears", test_abstract);
	TEST("without a manager nothing happens", test_nobody);
	TEST("a manager that does not read, or has gone, is not waited for", test_deaf);
	return TEST_END();
}
