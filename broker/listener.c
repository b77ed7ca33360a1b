/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * listener.c: one of the broker's sockets, and the connections that it accepts.
 *
 * Runs in the broker, as root. Reads nothing from what it accepts. Where no descriptor is left, for
 * this process or for the host, a spare one is given up to accept a connection and close it at once
 * (its client learns that it is not served); then accepting pauses, for the others to wait
 * in the backlog until there is room again.
 */
#include "broker/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/foreign.h"
#include "lib/log.h"
#include "lib/take.h"

/* Remove a socket that is left from an earlier broker; the lock says that it serves nobody. */
static int
remove_stale(int dir_fd, const char *name)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return LISTENER_E_BLOCKED;
	return unlinkat(dir_fd, name, 0) < 0 ? -errno : 0;
}

int
listener_bind(int dir_fd, const char *dir_path, const char *name, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	fd_auto int fd = -1;
	mode_t umask_before;
	int r;

	r = snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", dir_path, name);
	if ((size_t)r >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	r = remove_stale(dir_fd, name);
	if (r != 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	umask_before = umask(0177);
	r = bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
	(void)umask(umask_before);
	if (r < 0)
		return r;
	/* Nobody can connect before listen(), and nobody else can put another file there. */
	foreign_refuse(fd);
	if (fchmodat(dir_fd, name, 0666, 0) < 0 || listen(fd, LISTENER_BACKLOG) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

int
listener_inherit(int dir_fd, const char *dir_path, const char *name, int fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char path[sizeof(address.sun_path)];
	socklen_t size = sizeof(address) - 1; /* what is not written stays NUL */
	struct stat st;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir_path, name) >= sizeof(path))
		return -ENAMETOOLONG;
	if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		return -errno;
	if (strcmp(address.sun_path, path) != 0)
		return LISTENER_E_ELSEWHERE;
	/* Another socket may have taken the name of that one. */
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISSOCK(st.st_mode))
		return LISTENER_E_ELSEWHERE;
	foreign_refuse(fd);
	if (fchmodat(dir_fd, name, 0666, 0) < 0 || listen(fd, LISTENER_BACKLOG) < 0)
		return -errno;
	return 0;
}

/* A descriptor that holds a place in the tables of this process and of the host. */
static int
spare_open(void)
{
	return eventfd(0, EFD_CLOEXEC);
}

/* Turn one connection away with the spare descriptor. */
static void
shed(struct listener *listener)
{
	uint64_t n;

	if (pace_tell(&listener->shed, loop_now(listener->loop), &n))
		log_error("no descriptor left: accepting pauses (%" PRIu64 " times); raise the "
			  "host's limits (fs.file-max, RLIMIT_NOFILE)",
			n);
	if (listener->spare_fd >= 0) {
		int fd;

		fd_close(&listener->spare_fd);
		fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
		foreign_close(&fd);
	}
	if (listener->spare_fd < 0)
		listener->spare_fd = spare_open();
}

static void
pause_over(struct timer *timer)
{
	struct listener *listener = container_of(timer, struct listener, pause);

	io_set(&listener->io, EPOLLIN);
}

static void
listener_ready(struct io *io, uint32_t events)
{
	struct listener *listener = container_of(io, struct listener, io);

	(void)events;
	for (unsigned i = 0; i < LISTENER_BATCH && listener->loop; i++) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			listener->accepted(listener, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			shed(listener);
			io_set(&listener->io, 0);
			timer_set(listener->loop, &listener->pause,
				loop_now(listener->loop) + LOOP_MS(LISTENER_PAUSE_MS), pause_over);
			return;
		}
		if (errno == EAGAIN)
			return;
		/* Anything else (ECONNABORTED, EPERM...) is that one connection's failure. */
	}
}

int
listener_start(struct listener *listener, struct loop *loop, int fd, enum ipc_socket socket,
	listener_fn *accepted, void *arg)
{
	*listener = (struct listener){.loop = loop,
		.fd = fd,
		.spare_fd = spare_open(),
		.socket = socket,
		.accepted = accepted,
		.arg = arg};
	if (listener->spare_fd < 0)
		return -errno;
	return io_start(loop, &listener->io, fd, EPOLLIN, 0, listener_ready);
}

void
listener_stop(struct listener *listener)
{
	if (!listener->loop)
		return;
	timer_stop(&listener->pause);
	io_stop(&listener->io);
	fd_close(&listener->fd);
	fd_close(&listener->spare_fd);
	listener->loop = NULL;
}
