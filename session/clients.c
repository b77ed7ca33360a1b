/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clients.c: the two sockets of a session; see clients.h.
 *
 * Runs in qemud-session, as the user.
 */
#include "session/clients.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/foreign.h"
#include "lib/log.h"
#include "lib/take.h"
#include "protocol/verb.h"

enum { BACKLOG = 128 };

static const char *
name_of(const struct client_socket *socket)
{
	return socket->kind == IPC_SOCKET_RW ? "sock" : "sock-ro";
}

/* --- connections -------------------------------------------------------------------------- */

/* Returns whether the worker has it; fd stays the caller's. */
static bool
pass(struct client_socket *from, int fd)
{
	struct clients *clients = from->clients;
	struct ipc_conn_pass body = {.socket = (uint8_t)from->kind, .origin = IPC_ORIGIN_UNIX};
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	if (peer.uid != geteuid()) {
		log_warning("uid=%u is not served here: these machines are uid %u's",
			(unsigned)peer.uid, (unsigned)geteuid());
		return false;
	}
	body.conn_id = ++clients->last_id;
	body.uid = peer.uid;
	body.gid = peer.gid;
	body.pid = (uint32_t)peer.pid;
	body.verbs = from->kind == IPC_SOCKET_RW ? VERBS_ALL : VERBS_VIEW;
	(void)snprintf(body.label, sizeof(body.label), "uid %u", (unsigned)peer.uid);
	return link_ask(clients->link, IPC_CONN_PASS, &body, &fd, 0) == 0;
}

static void
accept_some(struct io *io, uint32_t events)
{
	struct client_socket *from = container_of(io, struct client_socket, io);
	struct clients *clients = from->clients;

	(void)events;
	for (unsigned i = 0; i < CLIENTS_BATCH; i++) {
		int fd;

		if (link_n_open(clients->link, IPC_CONN_PASS) >= CLIENTS_ON_THEIR_WAY) {
			clients_go_on(clients);
			return;
		}
		fd = accept4(from->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0 && errno == EAGAIN)
			return;
		if (fd >= 0 && !pass(from, fd))
			log_debug("a connection was not passed on");
		foreign_close(&fd);
	}
}

void
clients_go_on(struct clients *clients)
{
	bool room =
		clients->ready && link_n_open(clients->link, IPC_CONN_PASS) < CLIENTS_ON_THEIR_WAY;

	io_set(&clients->rw.io, room ? EPOLLIN : 0);
	io_set(&clients->ro.io, room ? EPOLLIN : 0);
}

void
clients_set_ready(struct clients *clients, bool ready)
{
	clients->ready = ready;
	clients_go_on(clients);
}

/* --- sockets ------------------------------------------------------------------------------ */

static int
open_socket(struct clients *clients, struct client_socket *ret, enum ipc_socket kind)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *name;
	struct stat st;

	*ret = (struct client_socket){.clients = clients, .kind = kind, .fd = -1};
	name = name_of(ret);
	if (fstatat(clients->home_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return -EEXIST;
		if (unlinkat(clients->home_fd, name, 0) < 0)
			return -errno;
	}
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
	ret->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (ret->fd < 0)
		return -errno;
	foreign_refuse(ret->fd);
	if (bind(ret->fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		fchmodat(clients->home_fd, name, 0600, 0) < 0 || listen(ret->fd, BACKLOG) < 0)
		return -errno;
	return io_start(clients->loop, &ret->io, ret->fd, 0, 0, accept_some);
}

static void
close_socket(struct clients *clients, struct client_socket *socket)
{
	io_stop(&socket->io);
	if (socket->fd >= 0)
		(void)unlinkat(clients->home_fd, name_of(socket), 0);
	fd_close(&socket->fd);
}

int
clients_init(struct clients *clients, struct loop *loop, struct link *link, int home_fd)
{
	int r;

	*clients = (struct clients){.loop = loop, .link = link, .home_fd = home_fd};
	clients->ro.fd = -1;
	r = open_socket(clients, &clients->rw, IPC_SOCKET_RW);
	return r < 0 ? r : open_socket(clients, &clients->ro, IPC_SOCKET_RO);
}

void
clients_fini(struct clients *clients)
{
	close_socket(clients, &clients->rw);
	close_socket(clients, &clients->ro);
}
