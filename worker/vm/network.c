/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * network.c: the network of one VM: its relay, and a passt for each interface; see network.h.
 *
 * Runs in the worker, as the user. Must never leave a port without somebody who tries again, nor
 * try so often that it costs others.
 */
#include "worker/vm/network.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/fd.h"
#include "lib/log.h"
#include "lib/take.h"
#include "worker/vm/resolver.h"
#include "worker/vm/rundir.h"

enum { RELAY = NET_PORTS_MAX /* in a cookie, in the place of a port */, COOKIE_BITS = 8 };

static const char socket_kind[] = "net";

#define PASST_ENDED "passt has ended; the log of the domain may say why"

static void drive(struct vm_network *network);
static void begin_passt(struct vm_port *port);
static timer_fn relay_again;

static unsigned
number_of(const struct vm_port *port)
{
	return (unsigned)(port - port->network->ports);
}

static uint64_t
cookie_of(const struct vm_network *network, unsigned port)
{
	return (uint64_t)network->id << COOKIE_BITS | port;
}

uint32_t
vm_network_cookie_id(uint64_t cookie)
{
	return (uint32_t)(cookie >> COOKIE_BITS);
}

/* --- states ------------------------------------------------------------------------------- */

static void
set_state(struct vm_port *port, enum vm_port_state state)
{
	struct vm_network *network = port->network;

	if (port->state == state)
		return;
	port->state = state;
	if (network->ops)
		network->ops->changed(network, number_of(port));
}

/* As long as what ends again and again waits for its next time: 1, 2, 4... seconds. */
static uint64_t
patience(unsigned n_failed)
{
	uint64_t s = n_failed > 1 ? 1ULL << (n_failed < 8 ? n_failed - 1 : 7) : 1;

	return LOOP_S(s < VM_NETWORK_RETRY_MAX_S ? s : VM_NETWORK_RETRY_MAX_S);
}

static void
port_again(struct timer *timer)
{
	struct vm_port *port = container_of(timer, struct vm_port, retry);

	set_state(port, VM_PORT_BEGINS);
	begin_passt(port);
}

/* What was on its way to become its passt is no more. */
static void
drop_passt(struct vm_port *port)
{
	timer_stop(&port->retry);
	seed_link_stop(&port->seed);
	passt_ready_stop(&port->ready);
	port->serves = false;
	fd_close(&port->network_fd);
}

/* It is as `why` says, which may be mended later. */
static void
fall(struct vm_port *port, bool again)
{
	struct vm_network *network = port->network;
	uint64_t now = loop_now(network->loop);

	drop_passt(port);
	if (port->state == VM_PORT_UP && now - port->up_since_ns >= LOOP_S(VM_NETWORK_STEADY_S))
		port->n_failed = 0;
	if (again)
		timer_set(
			network->loop, &port->retry, now + patience(++port->n_failed), port_again);
	set_state(port, VM_PORT_DOWN);
}

__attribute__((format(printf, 3, 4))) static void
down(struct vm_port *port, bool again, const char *fmt, ...)
{
	const struct vm_network *network = port->network;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(port->why, sizeof(port->why), fmt, ap);
	va_end(ap);
	if (!network->ending)
		log_warning("id=%" PRIu32 " network interface %u is down: %s%s", network->id,
			number_of(port), log_quote(port->why), again ? "; it is tried again" : "");
	fall(port, again && !network->ending);
}

/* --- a passt ------------------------------------------------------------------------------ */

static void
is_ready(struct passt_ready *ready, int err)
{
	struct vm_port *port = container_of(ready, struct vm_port, ready);

	port->serves = err == 0;
	if (err == -EPIPE)
		down(port, true, PASST_ENDED);
	else if (err < 0)
		down(port, true, "passt sends what are no frames");
	else
		drive(port->network);
}

static void
seeded(struct seed_link *seed, const struct plan_answer *answer)
{
	struct vm_port *port = container_of(seed, struct vm_port, seed);
	int r;

	if (!answer->ok) {
		down(port, true, "the box did not become passt: %s", answer->why);
		return;
	}
	r = passt_ready_ask(&port->ready, port->network->loop, port->network_fd, is_ready);
	if (r < 0)
		down(port, true, "passt cannot be asked whether it is ready: %s", strerror(-r));
}

/* The box gets its plan and its end of a pair; ours waits for the relay. 0 or a negative errno. */
static int
plant(struct vm_port *port, int sock)
{
	static const struct seed_link_ops ops = {.end = seeded};
	const struct vm_network *network = port->network;
	free_auto struct passt_text *text = malloc(sizeof(*text));
	free_auto struct plan *plan = malloc(sizeof(*plan));
	fd_auto int log_fd =
		network->log->fd >= 0 ? fcntl(network->log->fd, F_DUPFD_CLOEXEC, 0) : -1;
	fd_auto int seed_fd = sock;
	int pair[2], r;

	if (!text || !plan)
		return -ENOMEM;
	if (log_fd < 0)
		return -EBADF;
	resolver_fill(&port->passt, RESOLVER_ETC, RESOLVER_RESOLVED);
	if (passt_plan(&port->passt, network->port_min, text, plan) != 0)
		return -E2BIG;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	port->network_fd = pair[0];
	r = seed_link_start(&port->seed, network->loop, take_fd(&seed_fd), plan, take_fd(&log_fd),
		&pair[1], &ops);
	return r > 0 ? -E2BIG : r;
}

/* What the broker refuses for good, in words; NULL: it may be tried again. */
static const char *
refusal(const struct vm_network *network, int err)
{
	if (err == -EACCES)
		return "networks of kind user are switched off on this host (network in "
		       "qemud.conf)";
	if (err == -EPERM && *network->uplink->refusal)
		return network->uplink->refusal;
	if (err == -EOPNOTSUPP)
		return "this host gives users no namespaces, and passt works in one of its own";
	return NULL;
}

static void
given_passt(struct vm_port *port, int err, int fd)
{
	fd_auto int sock = fd;

	port->asked = false;
	/* It has gone meanwhile, or its relay. */
	if (port->state != VM_PORT_BEGINS || !port->related)
		return;
	if (err == 0)
		err = plant(port, take_fd(&sock));
	if (err < 0 && refusal(port->network, err))
		down(port, false, "%s", refusal(port->network, err));
	else if (err < 0)
		down(port, true, "passt cannot be started: %s", strerror(-err));
}

static void
begin_passt(struct vm_port *port)
{
	struct vm_network *network = port->network;

	if (port->state != VM_PORT_BEGINS || !port->related || port->asked || port->network_fd >= 0)
		return;
	if (!passt_is_installed())
		down(port, true, "passt is not installed on this host (package " PASST_PACKAGE ")");
	else if (uplink_ask_net(network->uplink, network->id, IPC_NET_PASST,
			 cookie_of(network, number_of(port))) != 0)
		down(port, true, "the broker takes no ask now");
	else
		port->asked = true;
}

/* --- the relay: what it says -------------------------------------------------------------- */

static void
forget(struct vm_port *port)
{
	drop_passt(port);
	fd_close(&port->relay_fd);
	port->related = port->removing = false;
	port->n_failed = 0;
	set_state(port, VM_PORT_FREE);
}

/* Compare what a port has with what it should have. */
static void
look_at(struct vm_port *port)
{
	struct vm_network *network = port->network;
	uint8_t sides = network->link.sides[number_of(port)];

	if (!port->related || port->removing)
		return;
	if (!(sides & NET_SIDE_QEMU)) {
		/* The VM has ended, or will not need it any more. */
		port->related = false;
		(void)snprintf(port->why, sizeof(port->why), "QEMU has closed its end");
		fall(port, false);
	} else if (port->state == VM_PORT_UP && !(sides & NET_SIDE_NETWORK)) {
		down(port, true, PASST_ENDED);
	} else if (port->state == VM_PORT_BEGINS && (sides & NET_SIDE_NETWORK)) {
		port->up_since_ns = loop_now(network->loop);
		set_state(port, VM_PORT_UP);
	} else {
		begin_passt(port);
	}
}

/* What the open ask was about, with its outcome. */
static void
answered(struct vm_network *network, int err)
{
	struct vm_port *port = &network->ports[network->asking_port];

	if (network->asking == NET_LISTEN) {
		network->listening = true;
		if (err < 0)
			log_warning("id=%" PRIu32 ": no other worker will find the relay: %s",
				network->id, strerror(-err));
	} else if (network->asking == NET_ADD && err < 0) {
		port->related = false;
		down(port, false, "the relay does not take it: %s", strerror(-err));
	} else if (network->asking == NET_JOIN && err < 0) {
		down(port, true, "the relay does not take passt: %s", strerror(-err));
	} else if (network->asking == NET_REMOVE) {
		forget(port);
	}
	network->asking = 0;
}

static void
reported(struct net_link *link, const struct net_report *report)
{
	struct vm_network *network = container_of(link, struct vm_network, link);

	network->n_failed = 0;
	if (report->serial != 0)
		answered(network, report->err);
	for (unsigned i = 0; i < NET_PORTS_MAX; i++)
		if (network->asking != NET_ADD || network->asking_port != i)
			look_at(&network->ports[i]);
	drive(network);
}

static void
ended(struct net_link *link, const char *why)
{
	struct vm_network *network = container_of(link, struct vm_network, link);

	network->asking = 0;
	network->listening = false;
	for (unsigned i = 0; i < NET_PORTS_MAX; i++) {
		struct vm_port *port = &network->ports[i];

		if (port->removing)
			forget(port);
		if (!port->related)
			continue;
		port->related = false;
		down(port, false, "the relay has ended%s%s; the interface has to be plugged again",
			why ? ": " : "", why ? why : "");
	}
	/* One that ends before it has said a word may do so again and again. */
	if (++network->n_failed > 1 && !network->ending)
		timer_set(network->loop, &network->retry,
			loop_now(network->loop) + patience(network->n_failed), relay_again);
	drive(network);
}

static const struct net_link_ops link_ops = {.report = reported, .end = ended};

/* --- the relay: what it is asked ---------------------------------------------------------- */

/* Ask, and close what was sent. */
static void
ask(struct vm_network *network, enum net_ask_type type, unsigned port, int *fd)
{
	int r = net_link_ask(&network->link, type, port, fd, fd ? 1 : 0);

	/* Where that failed, the end of the connection follows. */
	if (r < 0)
		log_warning(
			"id=%" PRIu32 ": the relay cannot be asked: %s", network->id, strerror(-r));
	if (fd)
		fd_close(fd);
	network->asking = type;
	network->asking_port = port;
}

static void
ask_listen(struct vm_network *network)
{
	fd_auto int fd = -1;
	int r = rundir_listen(network->uuid, socket_kind, SOCK_SEQPACKET, &fd);

	if (r == 0) {
		ask(network, NET_LISTEN, 0, &fd);
		return;
	}
	network->listening = true;
	log_warning("id=%" PRIu32 ": no other worker will find the relay: %s", network->id,
		strerror(-r));
}

static bool
needs_relay(const struct vm_network *network)
{
	for (unsigned i = 0; i < NET_PORTS_MAX; i++)
		if (network->ports[i].relay_fd >= 0)
			return true;
	return false;
}

static void
ask_relay(struct vm_network *network)
{
	struct loop *loop = network->loop;

	if (network->id == 0 || network->relay_asked || timer_is_set(&network->retry) ||
		!needs_relay(network))
		return;
	if (uplink_ask_net(
		    network->uplink, network->id, IPC_NET_RELAY, cookie_of(network, RELAY)) == 0)
		network->relay_asked = true;
	else
		timer_set(loop, &network->retry, loop_now(loop) + patience(++network->n_failed),
			relay_again);
}

/* Whatever can be done next for a port, one ask at a time. */
static void
drive_port(struct vm_network *network, struct vm_port *port)
{
	unsigned number = number_of(port);

	if (port->removing && port->related) {
		ask(network, NET_REMOVE, number, NULL);
	} else if (port->relay_fd >= 0) {
		port->related = true;
		ask(network, NET_ADD, number, &port->relay_fd);
	} else if (port->network_fd >= 0 && port->serves) {
		ask(network, NET_JOIN, number, &port->network_fd);
	}
}

static void
drive(struct vm_network *network)
{
	if (!network->link.loop || network->link.sock < 0) {
		ask_relay(network);
		return;
	}
	if (net_link_is_free(&network->link) && !network->listening)
		ask_listen(network);
	for (unsigned i = 0; i < NET_PORTS_MAX && net_link_is_free(&network->link); i++)
		drive_port(network, &network->ports[i]);
}

static void
relay_again(struct timer *timer)
{
	drive(container_of(timer, struct vm_network, retry));
}

static void
given_relay(struct vm_network *network, int err, int fd)
{
	network->relay_asked = false;
	if (err == 0)
		err = net_link_start(&network->link, network->loop, fd, &link_ops);
	if (err == 0)
		return;
	if (err == -EAGAIN || err == -EDQUOT) {
		/* Others had their turn, or the one before has yet to end. */
		timer_set(network->loop, &network->retry,
			loop_now(network->loop) + patience(++network->n_failed), relay_again);
		return;
	}
	for (unsigned i = 0; i < NET_PORTS_MAX; i++) {
		struct vm_port *port = &network->ports[i];

		if (port->relay_fd < 0)
			continue;
		fd_close(&port->relay_fd);
		if (refusal(network, err))
			down(port, false, "%s", refusal(network, err));
		else
			down(port, false, "the relay cannot be started: %s", strerror(-err));
	}
}

void
vm_network_given(struct vm_network *network, uint64_t cookie, int err, int fd)
{
	unsigned number = cookie & ((1 << COOKIE_BITS) - 1);
	bool mine = vm_network_cookie_id(cookie) == network->id;

	if (mine && number == RELAY && network->relay_asked)
		given_relay(network, err, fd);
	else if (mine && number < NET_PORTS_MAX && network->ports[number].asked)
		given_passt(&network->ports[number], err, fd);
	else
		fd_close(&fd);
}

/* --- begin and end ------------------------------------------------------------------------ */

void
vm_network_init(struct vm_network *network, struct loop *loop, struct uplink *uplink,
	const struct vm_log *log, unsigned port_min, const struct vm_network_ops *ops)
{
	*network = (struct vm_network){
		.loop = loop, .uplink = uplink, .log = log, .port_min = port_min, .ops = ops};
	for (unsigned i = 0; i < NET_PORTS_MAX; i++) {
		network->ports[i].network = network;
		network->ports[i].relay_fd = network->ports[i].network_fd = -1;
	}
}

void
vm_network_stop(struct vm_network *network)
{
	timer_stop(&network->retry);
	net_link_stop(&network->link);
	for (unsigned i = 0; i < NET_PORTS_MAX; i++) {
		drop_passt(&network->ports[i]);
		fd_close(&network->ports[i].relay_fd);
	}
	vm_network_init(network, network->loop, network->uplink, network->log, network->port_min,
		network->ops);
}

void
vm_network_ends(struct vm_network *network)
{
	network->ending = true;
}

int
vm_network_pair(int *ret_qemu_fd, int *ret_relay_fd)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	*ret_qemu_fd = pair[0];
	*ret_relay_fd = pair[1];
	return 0;
}

int
vm_network_add(struct vm_network *network, unsigned number, const struct passt *passt, int relay_fd)
{
	struct vm_port *port = &network->ports[number];
	fd_auto int fd = relay_fd;

	if (port->state != VM_PORT_FREE)
		return -EBUSY;
	if (!passt_is_installed())
		return -ENOPKG;
	port->passt = *passt;
	port->relay_fd = take_fd(&fd);
	set_state(port, VM_PORT_BEGINS);
	drive(network);
	return 0;
}

void
vm_network_remove(struct vm_network *network, unsigned number)
{
	struct vm_port *port = &network->ports[number];

	drop_passt(port);
	if (port->related)
		port->removing = true;
	else
		forget(port);
	drive(network);
}

void
vm_network_begin(struct vm_network *network, const uint8_t uuid[static 16], uint32_t id)
{
	memcpy(network->uuid, uuid, sizeof(network->uuid));
	network->id = id;
	drive(network);
}

void
vm_network_adopt(struct vm_network *network, const uint8_t uuid[static 16], uint32_t id,
	const struct passt *const passts[static NET_PORTS_MAX])
{
	bool any = false;
	int fd, r;

	memcpy(network->uuid, uuid, sizeof(network->uuid));
	network->id = id;
	for (unsigned i = 0; i < NET_PORTS_MAX; i++) {
		if (!passts[i])
			continue;
		network->ports[i].passt = *passts[i];
		network->ports[i].related = any = true;
		set_state(&network->ports[i], VM_PORT_BEGINS);
	}
	if (!any)
		return;
	r = rundir_connect(uuid, socket_kind, SOCK_SEQPACKET, &fd);
	if (r == 0)
		r = net_link_start(&network->link, network->loop, fd, &link_ops);
	network->listening = r == 0;
	for (unsigned i = 0; r < 0 && i < NET_PORTS_MAX; i++) {
		if (!passts[i])
			continue;
		network->ports[i].related = false;
		down(&network->ports[i], false, "the relay cannot be reached: %s", strerror(-r));
	}
}

bool
vm_network_counters(const struct vm_network *network, unsigned port, struct net_port_counters *ret)
{
	if (!network->link.counters)
		return false;
	net_counters_read(network->link.counters, port, ret);
	return true;
}
