/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * notify.c: telling the service manager how the start and the end go, sd_notify(3)'s protocol.
 *
 * Runs in the broker, as root. Must never wait for the manager.
 */
#include "broker/notify.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/take.h"

int
notify_open(const char *socket_name, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	fd_auto int fd = -1;
	size_t len;

	*ret_fd = -1;
	if (!socket_name || *socket_name == '\0')
		return 0;
	len = strlen(socket_name);
	if (socket_name[0] != '/' && socket_name[0] != '@')
		return -EINVAL;
	if (len >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	memcpy(address.sun_path, socket_name, len);
	if (socket_name[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* Without the NUL: in the abstract namespace every byte belongs to the name. */
	if (connect(fd, (const struct sockaddr *)&address,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

void
notify_send(int fd, const char *state)
{
	if (fd >= 0)
		(void)send(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT);
}
