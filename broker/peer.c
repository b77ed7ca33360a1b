/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peer.c: who connected, as the kernel tells it.
 *
 * Runs in the broker, as root. Must never read from the socket, nor look into /proc: a pid may be
 * somebody else's by then.
 */
#include "broker/peer.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/socket.h>

#include "lib/take.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* asm-generic/socket.h, since Linux 6.5 */
#endif

enum { GROUPS_SHOWN = 16 };

int
peer_read(int sock, struct peer *ret)
{
	struct ucred cred;
	socklen_t size = sizeof cred;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
		return -errno;
	*ret = (struct peer){.uid = cred.uid, .gid = cred.gid, .pid = (uint32_t)cred.pid};
	return 0;
}

static size_t
describe_groups(int sock, char *buf, size_t size)
{
	gid_t groups[GROUPS_SHOWN];
	socklen_t n_bytes = sizeof groups;
	size_t len;
	int r = getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, groups, &n_bytes);

	/* ERANGE tells how many there are instead. */
	if (r < 0 && errno == ERANGE)
		return (size_t)snprintf(buf, size, " groups=(%zu)", n_bytes / sizeof *groups);
	if (r < 0)
		return 0;
	len = (size_t)snprintf(buf, size, " groups=");
	for (size_t i = 0; i < n_bytes / sizeof *groups; i++)
		len += (size_t)snprintf(
			buf + len, size - len, "%s%" PRIu32, i > 0 ? "," : "", groups[i]);
	return len;
}

static void
describe_life(int sock, char *buf, size_t size)
{
	fd_auto int pidfd = -1;
	socklen_t n_bytes = sizeof pidfd;
	bool gone;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &n_bytes) < 0) {
		if (errno == ESRCH || errno == EINVAL)
			(void)snprintf(buf, size, " life=gone");
		return;
	}
	gone = pidfd_send_signal(pidfd, 0, NULL, 0) < 0 && errno == ESRCH;
	(void)snprintf(buf, size, " life=%s", gone ? "gone" : "here");
}

const char *
peer_groups(int sock, char buf[static PEER_TEXT_MAX])
{
	buf[0] = '\0';
	(void)describe_groups(sock, buf, PEER_TEXT_MAX);
	return buf;
}

const char *
peer_describe(int sock, char buf[static PEER_TEXT_MAX])
{
	size_t len;

	buf[0] = '\0';
	len = describe_groups(sock, buf, PEER_TEXT_MAX);
	describe_life(sock, buf + len, PEER_TEXT_MAX - len);
	return buf;
}
