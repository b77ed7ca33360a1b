/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * port.c: a port of the relay: QEMU's end and the network's; see port.h.
 *
 * In qemud-net, as the user. Must never wait, nor let one direction wait for the other.
 */
#include "worker/net/port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/fd.h"
#include "lib/log.h"
#include "lib/take.h"
#include "worker/net/loopback.h"

static const char *const names[] = {[PORT_QEMU] = "QEMU", [PORT_NETWORK] = "the network"};

static enum port_side
side_of(const struct port_end *end)
{
	return end == &end->port->ends[PORT_QEMU] ? PORT_QEMU : PORT_NETWORK;
}

static struct port_end *
opposite(struct port_end *end)
{
	return &end->port->ends[side_of(end) == PORT_QEMU ? PORT_NETWORK : PORT_QEMU];
}

void
port_init(struct port *port, struct loop *loop, unsigned number, void (*changed)(struct port *port))
{
	*port = (struct port){.loop = loop, .number = number, .changed = changed};
	for (unsigned i = 0; i < PORT_N_SIDES; i++) {
		port->ends[i].port = port;
		port->ends[i].fd = -1;
	}
}

uint8_t
port_sides(const struct port *port)
{
	return (uint8_t)((port->ends[PORT_QEMU].fd >= 0 ? NET_SIDE_QEMU : 0) |
			 (port->ends[PORT_NETWORK].fd >= 0 ? NET_SIDE_NETWORK : 0));
}

static void
close_end(struct port_end *end)
{
	timer_stop(&end->patience);
	io_stop(&end->io);
	fd_close(&end->fd);
	end->dropping = false;
}

void
port_remove(struct port *port)
{
	close_end(&port->ends[PORT_QEMU]);
	close_end(&port->ends[PORT_NETWORK]);
	free(port->memory);
	port->memory = NULL;
}

/* The network's end goes; what came from it whole still goes to QEMU. */
static void
leave_network(struct port *port)
{
	close_end(&port->ends[PORT_NETWORK]);
	flow_new_receiver(&port->ends[PORT_NETWORK].out);
	flow_new_sender(&port->ends[PORT_QEMU].out);
}

static void
lost(struct port_end *end, const char *why)
{
	struct port *port = end->port;

	log_info("port=%u: %s has gone%s%s", port->number, names[side_of(end)], why ? ": " : "",
		why ? why : "");
	if (side_of(end) == PORT_QEMU)
		port_remove(port);
	else
		leave_network(port);
	port->changed(port);
}

static void watch_both(struct port *port);

/* --- out ---------------------------------------------------------------------------------- */

static void
too_slow(struct timer *timer)
{
	struct port_end *end = container_of(timer, struct port_end, patience);

	end->dropping = true;
	flow_drop(&end->out);
	watch_both(end->port);
}

/* It does not take any more now. */
static void
wait_for(struct port_end *end, bool progress)
{
	struct loop *loop = end->port->loop;

	if (end->dropping && progress)
		end->dropping = false;
	if (end->dropping)
		flow_drop(&end->out);
	else if (progress || !timer_is_set(&end->patience))
		timer_set(loop, &end->patience, loop_now(loop) + LOOP_S(PORT_PATIENCE_S), too_slow);
}

/* Send what there is. Returns false when the end has gone. */
static bool
forward(struct port_end *end)
{
	const uint8_t *data;
	bool progress = false;
	size_t size;

	if (end->fd < 0) {
		flow_drop(&end->out);
		return true;
	}
	while ((size = flow_pending(&end->out, &data)) > 0) {
		ssize_t n = send(end->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			wait_for(end, progress);
			return true;
		}
		if (n < 0) {
			lost(end, errno == EPIPE || errno == ECONNRESET ? NULL : strerror(errno));
			return false;
		}
		flow_take(&end->out, (size_t)n);
		progress = true;
	}
	end->dropping = false;
	timer_stop(&end->patience);
	return true;
}

/* --- in ----------------------------------------------------------------------------------- */

/* Returns false when the end has gone, or the other. */
static bool
receive(struct port_end *end)
{
	struct flow *flow = &opposite(end)->out;
	uint8_t *place;
	size_t room = flow_room(flow, &place);
	ssize_t n;

	if (room == 0)
		return true;
	n = recv(end->fd, place, room, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return true;
	if (n <= 0) {
		lost(end, n == 0 || errno == ECONNRESET ? NULL : strerror(errno));
		return false;
	}
	if (flow_put(flow, (size_t)n) != 0) {
		/* What came before it is good. */
		(void)forward(opposite(end));
		if (end->fd >= 0)
			lost(end, "it sent a length that no frame has");
		return false;
	}
	return forward(opposite(end));
}

/* --- what is waited for ------------------------------------------------------------------- */

static void on_io(struct io *io, uint32_t events);

static void
watch(struct port_end *end)
{
	const uint8_t *data;
	uint8_t *place;
	uint32_t events = 0;

	if (end->fd < 0)
		return;
	if (flow_room(&opposite(end)->out, &place) > 0)
		events |= EPOLLIN;
	if (flow_pending(&end->out, &data) > 0)
		events |= EPOLLOUT;
	/* Or its end would be told again and again, to nobody who could do anything about it. */
	if (events == 0)
		io_stop(&end->io);
	else if (end->io.loop)
		io_set(&end->io, events);
	else if (io_start(end->port->loop, &end->io, end->fd, events, 0, on_io) < 0)
		lost(end, "it cannot be watched");
}

static void
watch_both(struct port *port)
{
	watch(&port->ends[PORT_NETWORK]);
	watch(&port->ends[PORT_QEMU]);
}

static void
on_io(struct io *io, uint32_t events)
{
	struct port_end *end = container_of(io, struct port_end, io);

	/* Its end shows as EPOLLIN too, or when something is sent to it. */
	if ((events & EPOLLOUT) && !forward(end))
		events = 0;
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		(void)receive(end);
	watch_both(end->port);
}

/* --- begin -------------------------------------------------------------------------------- */

int
port_add(struct port *port, int qemu_fd, struct net_port_counters *counters)
{
	fd_auto int fd = qemu_fd;

	if (port->memory)
		return -EEXIST;
	port->memory = malloc((size_t)PORT_N_SIDES * FLOW_SIZE);
	if (!port->memory)
		return -ENOMEM;
	memset(counters, 0, sizeof *counters);
	flow_init(&port->ends[PORT_QEMU].out, port->memory, &counters->rx);
	flow_init(&port->ends[PORT_NETWORK].out, port->memory + FLOW_SIZE, &counters->tx);
	port->ends[PORT_NETWORK].out.refuses = loopback_is_in;
	port->ends[PORT_QEMU].fd = take_fd(&fd);
	watch_both(port);
	return port->memory ? 0 : -ENOMEM;
}

int
port_join(struct port *port, int fd)
{
	fd_auto int network_fd = fd;

	if (!port->memory)
		return -ENOENT;
	leave_network(port);
	port->ends[PORT_NETWORK].fd = take_fd(&network_fd);
	watch_both(port);
	return port->ends[PORT_NETWORK].fd >= 0 ? 0 : -ENOMEM;
}
