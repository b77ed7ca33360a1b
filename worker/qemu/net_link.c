/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net_link.c: the worker's end of the control of a relay; see net_link.h.
 *
 * Runs in the worker, as the user. Must never believe a report, nor a descriptor, that was not
 * checked: a guest may have taken over the relay.
 */
#include "worker/qemu/net_link.h"

#include <errno.h>
#include <string.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/foreign.h"
#include "lib/packet.h"
#include "lib/take.h"

void
net_link_stop(struct net_link *net)
{
	if (!net->loop)
		return;
	io_stop(&net->io);
	fd_close(&net->sock);
	net_counters_unmap(net->counters);
	net->counters = NULL;
}

static void
end(struct net_link *net, const char *why)
{
	net_link_stop(net);
	net->ops->end(net, why);
}

/* Returns NULL, or what is wrong with it. */
static const char *
take(struct net_link *net, const struct packet *packet, struct net_report *ret)
{
	if (!net_report_read(packet->data, packet->size, packet->n_fds, net->counting, ret) ||
		(ret->serial != 0 && ret->serial != net->asked))
		return "it said what no relay says";
	memcpy(net->sides, ret->sides, sizeof net->sides);
	if (ret->serial == 0)
		return NULL;
	net->asked = 0;
	if (net->counting == 0)
		return NULL;
	if (ret->err != 0 || net_counters_map(packet->fds[0], &net->counters) != 0)
		return "its counters cannot be read";
	net->counting = 0;
	ret->serial = 0;
	return NULL;
}

static void
on_io(struct io *io, uint32_t events)
{
	struct net_link *net = container_of(io, struct net_link, io);
	AUTO(packet_fini) struct packet packet;
	struct net_report report;
	int r = packet_recv(net->sock, &packet);
	const char *why = NULL;

	(void)events;
	if (r == PACKET_E_AGAIN)
		return;
	if (r == 0)
		why = take(net, &packet, &report);
	else if (r == PACKET_E_BAD)
		why = "it said what no relay says";
	else if (r < 0)
		why = strerror(-r);
	if (r != 0 || why)
		end(net, why);
	else if (net->counting == 0)
		net->ops->report(net, &report);
}

/* Returns 0 or a negative errno. */
static int
send_ask(
	struct net_link *net, enum net_ask_type type, unsigned port, const int *fds, unsigned n_fds)
{
	struct net_ask ask = {.type = type, .port = port};
	int r;

	if (++net->last_serial == 0)
		net->last_serial = 1;
	ask.serial = net->last_serial;
	r = packet_send(net->sock, &ask, sizeof ask, fds, n_fds);
	/* One ask at a time finds room, or somebody else fills the socket. */
	if (r == PACKET_E_AGAIN || r == PACKET_E_GONE)
		return -EPIPE;
	if (r == 0)
		net->asked = ask.serial;
	return r;
}

int
net_link_start(struct net_link *net, struct loop *loop, int sock, const struct net_link_ops *ops)
{
	int r;

	*net = (struct net_link){.loop = loop, .ops = ops, .sock = sock};
	/* The broker let none in while the socket was its own. */
	foreign_allow(sock);
	r = io_start(loop, &net->io, sock, EPOLLIN, 0, on_io);
	if (r == 0)
		r = send_ask(net, NET_COUNTERS, 0, NULL, 0);
	net->counting = net->asked;
	if (r < 0)
		net_link_stop(net);
	return r;
}

bool
net_link_is_free(const struct net_link *net)
{
	return net->loop && net->sock >= 0 && net->asked == 0;
}

int
net_link_ask(
	struct net_link *net, enum net_ask_type type, unsigned port, const int *fds, unsigned n_fds)
{
	ASSERT(net_link_is_free(net));
	return send_ask(net, type, port, fds, n_fds);
}
