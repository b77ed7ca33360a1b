/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inherited.c: sockets that a service manager has bound; see inherited.h.
 *
 * Runs in the broker, as root.
 */
#include "broker/inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/keyval.h"
#include "lib/log.h"

enum { NAME_MAX_LEN = 64 };

__attribute__((format(printf, 2, 3))) static int
bad(char error[static INHERITED_ERROR_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(error, INHERITED_ERROR_MAX, fmt, ap);
	va_end(ap);
	return INHERITED_E_BAD;
}

/* As many as the manager says are for this process; 0 without a manager. */
static int
count(unsigned *ret_n, char error[static INHERITED_ERROR_MAX])
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t number;

	*ret_n = 0;
	if (!pid || !fds)
		return 0;
	if (keyval_number(pid, 1, INT32_MAX, &number) < 0)
		return bad(error, "LISTEN_PID=%s is no process", log_quote(pid));
	if (number != (uint64_t)getpid())
		return 0;
	if (keyval_number(fds, 0, INHERITED_SOCKETS, &number) < 0)
		return bad(error, "LISTEN_FDS=%s: at most %d sockets are taken over",
			log_quote(fds), INHERITED_SOCKETS);
	*ret_n = (unsigned)number;
	return 0;
}

static int
option(int fd, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &size) < 0 ? -1 : value;
}

static bool
is_listener(int fd)
{
	return option(fd, SO_DOMAIN) == AF_UNIX && option(fd, SO_TYPE) == SOCK_STREAM &&
	       option(fd, SO_ACCEPTCONN) == 1;
}

static int
take_one(int fd, const char *name, const char *const names[static INHERITED_SOCKETS],
	int ret_fds[static INHERITED_SOCKETS], char error[static INHERITED_ERROR_MAX])
{
	int flags = fcntl(fd, F_GETFL);

	for (unsigned i = 0; i < INHERITED_SOCKETS; i++) {
		if (strcmp(name, names[i]) != 0)
			continue;
		if (ret_fds[i] >= 0)
			return bad(error, "LISTEN_FDNAMES has %s twice", name);
		if (flags < 0 || !is_listener(fd))
			return bad(error, "descriptor %d (%s) is not a listening UNIX socket", fd,
				name);
		if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
			fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			return bad(error, "descriptor %d (%s): %s", fd, name, strerror(errno));
		ret_fds[i] = fd;
		return 0;
	}
	return bad(error,
		"LISTEN_FDNAMES has %s: FileDescriptorName= of a socket unit must be %s, %s or %s",
		log_quote(name), names[0], names[1], names[2]);
}

int
inherited_take(const char *const names[static INHERITED_SOCKETS],
	int ret_fds[static INHERITED_SOCKETS], unsigned *ret_n,
	char error[static INHERITED_ERROR_MAX])
{
	const char *listed = getenv("LISTEN_FDNAMES");
	int r = count(ret_n, error);

	for (unsigned i = 0; i < INHERITED_SOCKETS; i++)
		ret_fds[i] = -1;
	for (unsigned i = 0; i < *ret_n && r == 0; i++) {
		size_t n = listed ? strcspn(listed, ":") : 0;
		char name[NAME_MAX_LEN + 1];

		(void)snprintf(name, sizeof(name), "%.*s", (int)n, listed ? listed : "");
		r = take_one(INHERITED_FD_MIN + (int)i, name, names, ret_fds, error);
		if (listed)
			listed += n + (listed[n] == ':');
	}
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	return r;
}
