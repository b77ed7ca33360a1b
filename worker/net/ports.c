/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ports.c: qemud-net as a whole; see ports.h.
 *
 * As the user. Must never end because of what a worker says, nor keep what it did not ask for.
 */
#include "worker/net/ports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/fd.h"
#include "lib/log.h"
#include "lib/packet.h"
#include "lib/take.h"

static void converse(struct ports *ports);

/* --- alone -------------------------------------------------------------------------------- */

static void
alone_due(struct timer *timer)
{
	loop_quit(container_of(timer, struct ports, alone)->loop, EXIT_SUCCESS);
}

static bool
has_port(const struct ports *ports)
{
	for (unsigned i = 0; i < NET_PORTS_MAX; i++)
		if (port_sides(&ports->table[i]) != 0)
			return true;
	return false;
}

static void
look_around(struct ports *ports)
{
	if (ports->conn_fd >= 0 || has_port(ports))
		timer_stop(&ports->alone);
	else if (!timer_is_set(&ports->alone))
		timer_set(ports->loop, &ports->alone, loop_now(ports->loop) + LOOP_S(NET_ALONE_S),
			alone_due);
}

/* --- connections -------------------------------------------------------------------------- */

static void on_connection(struct io *io, uint32_t events);

/* Returns 0 or a negative errno; nothing is kept then. */
static int
enter(struct ports *ports, int fd)
{
	int r = io_start(ports->loop, &ports->conn_io, fd, EPOLLIN, 0, on_connection);

	if (r < 0) {
		(void)close(fd);
		return r;
	}
	ports->conn_fd = fd;
	ports->changed = ports->answering = false;
	io_stop(&ports->listen_io);
	look_around(ports);
	return 0;
}

static void
on_listen(struct io *io, uint32_t events)
{
	struct ports *ports = container_of(io, struct ports, listen_io);
	int fd = accept4(ports->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd >= 0)
		(void)enter(ports, fd);
}

static void
await_next(struct ports *ports)
{
	if (ports->listen_fd >= 0 && io_start(ports->loop, &ports->listen_io, ports->listen_fd,
					     EPOLLIN, 0, on_listen) < 0)
		log_error("nobody can connect any more");
}

static void
leave(struct ports *ports)
{
	io_stop(&ports->conn_io);
	fd_close(&ports->conn_fd);
	await_next(ports);
	look_around(ports);
}

/* --- asks --------------------------------------------------------------------------------- */

static bool
is_socket(int fd, int type, bool listening)
{
	int domain = 0, got = 0, accepts = 0;
	socklen_t size = sizeof domain;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &got, &size) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) == 0 &&
	       domain == AF_UNIX && got == type && (accepts != 0) == listening;
}

static int
do_listen(struct ports *ports, const struct net_ask *ask, struct packet *packet)
{
	(void)ask;
	if (!is_socket(packet->fds[0], SOCK_SEQPACKET, true))
		return -EBADF;
	fd_close(&ports->listen_fd);
	ports->listen_fd = take_fd(&packet->fds[0]);
	return 0;
}

static int
do_join(struct ports *ports, const struct net_ask *ask, struct packet *packet)
{
	if (!is_socket(packet->fds[0], SOCK_STREAM, false))
		return -EBADF;
	return port_join(&ports->table[ask->port], take_fd(&packet->fds[0]));
}

static int
do_add(struct ports *ports, const struct net_ask *ask, struct packet *packet)
{
	struct port *port = &ports->table[ask->port];
	int r;

	for (unsigned i = 0; i < packet->n_fds; i++)
		if (!is_socket(packet->fds[i], SOCK_STREAM, false))
			return -EBADF;
	r = port_add(port, take_fd(&packet->fds[0]), &ports->counters->ports[ask->port]);
	if (r < 0 || packet->n_fds == 1)
		return r;
	r = port_join(port, take_fd(&packet->fds[1]));
	if (r < 0)
		port_remove(port);
	return r;
}

static int
do_remove(struct ports *ports, const struct net_ask *ask, struct packet *packet)
{
	(void)packet;
	port_remove(&ports->table[ask->port]);
	return 0;
}

static int
do_counters(struct ports *ports, const struct net_ask *ask, struct packet *packet)
{
	(void)ask;
	(void)packet;
	ports->counting = true;
	return 0;
}

static int (*const acts[])(
	struct ports *ports, const struct net_ask *ask, struct packet *packet) = {
	[NET_LISTEN] = do_listen,
	[NET_ADD] = do_add,
	[NET_JOIN] = do_join,
	[NET_REMOVE] = do_remove,
	[NET_COUNTERS] = do_counters,
};

/* Hear one ask. Returns false when the connection is over. */
static bool
hear(struct ports *ports)
{
	AUTO(packet_fini) struct packet packet;
	struct net_ask ask;
	int r = packet_recv(ports->conn_fd, &packet);

	if (r == PACKET_E_AGAIN)
		return true;
	if (r == 0 && net_ask_read(packet.data, packet.size, packet.n_fds, &ask)) {
		ports->counting = false;
		ports->answer = (struct net_report){
			.serial = ask.serial, .err = acts[ask.type](ports, &ask, &packet)};
		ports->answering = true;
		return true;
	}
	if (r >= 0 && r != PACKET_E_GONE)
		log_warning("the worker said what no worker says");
	leave(ports);
	return false;
}

/* --- reports ------------------------------------------------------------------------------ */

/* Returns as packet_send(). */
static int
report(struct ports *ports, struct net_report report, bool counters)
{
	for (unsigned i = 0; i < NET_PORTS_MAX; i++)
		report.sides[i] = port_sides(&ports->table[i]);
	return packet_send(
		ports->conn_fd, &report, sizeof report, &ports->counters_fd, counters ? 1 : 0);
}

/* One at a time. Returns as packet_send(). */
static int
tell(struct ports *ports)
{
	int r = 0;

	if (ports->answering)
		r = report(ports, ports->answer, ports->counting);
	else if (ports->changed)
		r = report(ports, (struct net_report){.serial = 0}, false);
	/* Each of them says all that there is to say. */
	if (r == 0)
		ports->answering = ports->changed = false;
	return r;
}

static bool
has_to_tell(const struct ports *ports)
{
	return ports->answering || ports->changed;
}

/* Say what there is to say, and wait for what comes next. */
static void
converse(struct ports *ports)
{
	int r = 0;

	while (ports->conn_fd >= 0 && has_to_tell(ports) && r == 0)
		r = tell(ports);
	if (ports->conn_fd < 0)
		return;
	if (r == 0 || r == PACKET_E_AGAIN)
		/* Nothing more is heard before this is said, so that nothing piles up. */
		io_set(&ports->conn_io, r == 0 ? EPOLLIN : EPOLLOUT);
	else
		leave(ports);
}

static void
on_connection(struct io *io, uint32_t events)
{
	struct ports *ports = container_of(io, struct ports, conn_io);

	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !has_to_tell(ports) && !hear(ports))
		return;
	converse(ports);
	look_around(ports);
}

static void
port_changed(struct port *port)
{
	struct ports *ports = container_of(port - port->number, struct ports, table[0]);

	ports->changed = true;
	converse(ports);
	look_around(ports);
}

/* --- begin and end ------------------------------------------------------------------------ */

int
ports_start(struct ports *ports, struct loop *loop, int conn_fd)
{
	int r;

	*ports = (struct ports){.loop = loop, .counters_fd = -1, .listen_fd = -1, .conn_fd = -1};
	for (unsigned i = 0; i < NET_PORTS_MAX; i++)
		port_init(&ports->table[i], loop, i, port_changed);
	r = net_counters_make(&ports->counters_fd, &ports->counters);
	if (r < 0) {
		(void)close(conn_fd);
		return r;
	}
	return enter(ports, conn_fd);
}

void
ports_stop(struct ports *ports)
{
	timer_stop(&ports->alone);
	for (unsigned i = 0; i < NET_PORTS_MAX; i++)
		port_remove(&ports->table[i]);
	io_stop(&ports->conn_io);
	fd_close(&ports->conn_fd);
	io_stop(&ports->listen_io);
	fd_close(&ports->listen_fd);
	fd_close(&ports->counters_fd);
	net_counters_unmap(ports->counters);
	ports->counters = NULL;
}
