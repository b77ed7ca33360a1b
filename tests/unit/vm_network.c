/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A VM's interfaces get their relay and their passts; a passt that ends is started again, later and
 * later; the next worker takes over what is there; and every failure is told in words.
 */
#include "worker/vm/network.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/log.h"
#include "lib/packet.h"
#include "lib/take.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/test.h"
#include "worker/net/ports.h"
#include "worker/vm/rundir.h"

enum { ID = 77, TURNS = 30, ASKS_MAX = 16 };

static const uint8_t uuid[16] = {1, 2, 3};

static struct loop loop;
static struct uplink uplink;
static struct ports relay; /* its relay, in this process */
static struct vm_log vm_log = {.fd = -1};
static struct vm_network network;
static int broker = -1;
static unsigned changes[NET_PORTS_MAX];

/* What the broker was asked and has not answered. */
static struct {
	uint32_t serial, kind;
} asks[ASKS_MAX];
static unsigned n_asks;

/* --- the broker --------------------------------------------------------------------------- */

static void
hear_asks(void)
{
	AUTO(packet_fini) struct packet packet;

	while (packet_recv(broker, &packet) == 0) {
		struct ipc_header header;
		struct ipc_net body;

		memcpy(&header, packet.data, sizeof header);
		if (header.type != IPC_NET)
			continue;
		memcpy(&body, packet.data + sizeof header, sizeof body);
		CHECK(body.id == ID && n_asks < ASKS_MAX);
		asks[n_asks].serial = header.serial;
		asks[n_asks++].kind = body.kind;
	}
}

static void
turn(void)
{
	for (int i = 0; i < TURNS; i++)
		CHECK(loop_once(&loop, 0) == 0);
	hear_asks();
}

/* The oldest ask is for that, and is answered. fd stays the caller's. */
static void
answer(enum ipc_net_kind kind, int err, int fd)
{
	struct ipc_header header = {
		.version = IPC_VERSION, .type = IPC_NET_READY, .n_fds = err == 0, .err = err};

	turn();
	CHECK(n_asks > 0 && asks[0].kind == kind);
	if (n_asks == 0)
		exit(EXIT_FAILURE);
	header.serial = asks[0].serial;
	n_asks--;
	memmove(asks, asks + 1, n_asks * sizeof *asks);
	CHECK(packet_send(broker, &header, sizeof header, &fd, err == 0) == 0);
	turn();
}

/* The relay that is asked for is refused, with these words before. */
static void
refuse_by_policy(const char *words)
{
	struct {
		struct ipc_header header;
		struct ipc_lease_refused body;
	} packet = {.header = {.version = IPC_VERSION,
			    .type = IPC_LEASE_REFUSED,
			    .size = sizeof packet.body}};

	(void)snprintf(packet.body.why, sizeof packet.body.why, "%s", words);
	CHECK(packet_send(broker, &packet, sizeof packet, NULL, 0) == 0);
	answer(IPC_NET_RELAY, -EPERM, -1);
}

static void
nothing_is_asked(void)
{
	turn();
	CHECK(n_asks == 0);
}

static void
give_relay(void)
{
	int pair[2];

	CHECK(packet_pair(pair) == 0);
	CHECK(ports_start(&relay, &loop, pair[1]) == 0);
	answer(IPC_NET_RELAY, 0, pair[0]);
	fd_close(&pair[0]);
	turn();
}

/* --- passt -------------------------------------------------------------------------------- */

/* A box that becomes passt, or says why not (NULL: it does). Returns passt's end, or -1. */
static int
give_silent_passt(const char *why)
{
	struct plan_answer said = {.ok = !why};
	char out[PLAN_ANSWER_MAX];
	int pair[2], fds[4], n_fds = 0, end = -1;
	bool all = false;
	size_t size;

	if (why)
		(void)snprintf(said.why, sizeof said.why, "%s", why);
	CHECK(packet_pair(pair) == 0);
	answer(IPC_NET_PASST, 0, pair[0]);
	fd_close(&pair[0]);
	turn();
	while (!all) {
		struct packet packet;

		if (packet_recv(pair[1], &packet) != 0)
			break;
		all = packet.data[0] == PLAN_PACKET_END;
		for (unsigned i = 0; i < packet.n_fds; i++)
			fds[n_fds++] = packet.fds[i];
	}
	/* The plan, the log, passt's end. */
	CHECK(all && n_fds == 3);
	if (n_fds == 3 && !why)
		end = take_fd(&fds[2]);
	for (int i = 0; i < n_fds; i++)
		fd_close(&fds[i]);
	size = plan_answer_encode(&said, out);
	CHECK(packet_send(pair[1], out, size, NULL, 0) == 0);
	fd_close(&pair[1]);
	turn();
	return end;
}

/* A frame, all zeroes, of that size behind its length, of which the socket gets the first n bytes. */
static void
passt_says(int passt, uint32_t size, size_t n)
{
	uint8_t frame[64] = {
		(uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size};

	CHECK(send(passt, frame, n, MSG_NOSIGNAL) == (ssize_t)n);
	turn();
}

/* What it is asked before anybody sends through it. */
static void
hears_question(int passt)
{
	uint8_t frame[64];

	CHECK(recv(passt, frame, sizeof(frame), MSG_DONTWAIT) == 46);
	CHECK(frame[3] == 42 && frame[16] == 8 && frame[17] == 6);
}

/* The same, that is ready. */
static int
give_passt(const char *why)
{
	int passt = give_silent_passt(why);

	if (passt >= 0) {
		hears_question(passt);
		passt_says(passt, 42, 46);
	}
	return passt;
}

static void
sends(int from, int to)
{
	static const char frame[] = {0, 0, 0, 5, 'h', 'e', 'l', 'l', 'o'};
	char got[64];

	CHECK(send(from, frame, sizeof frame, MSG_NOSIGNAL) == sizeof frame);
	turn();
	CHECK(recv(to, got, sizeof got, MSG_DONTWAIT) == sizeof frame);
	CHECK(memcmp(got, frame, sizeof frame) == 0);
}

static void
be_due(struct timer *timer)
{
	CHECK(timer_is_set(timer));
	timer_set(&loop, timer, 0, timer->fn);
	turn();
}

/* How long until it is tried again, in seconds. */
static uint64_t
waits_s(struct timer *timer)
{
	CHECK(timer_is_set(timer));
	return (timer->node.key - loop_now(&loop) + LOOP_MS(500)) / LOOP_S(1);
}

/* --- the worker --------------------------------------------------------------------------- */

static void
on_net(struct uplink *link, uint64_t cookie, int err, int fd)
{
	(void)link;
	CHECK(vm_network_cookie_id(cookie) == ID);
	vm_network_given(&network, cookie, err, fd);
}

static void
on_stop(struct uplink *link, enum ipc_fault fault, uint16_t type)
{
	(void)link;
	(void)type;
	CHECK(fault == IPC_OK);
}

static void
changed(struct vm_network *which, unsigned port)
{
	CHECK(which == &network);
	changes[port]++;
}

static const struct vm_network_ops ops = {.changed = changed};
static const struct passt plain = {.mtu = 0};

static void
begin(void)
{
	static const struct uplink_ops uplink_ops = {.net = on_net, .stop = on_stop};
	int pair[2];

	CHECK(loop_init(&loop) == 0 && packet_pair(pair) == 0);
	broker = pair[0];
	CHECK(uplink_start(&uplink, &loop, pair[1], &uplink_ops) == 0);
	vm_log.fd = memfd_create("log", MFD_CLOEXEC);
	vm_network_init(&network, &loop, &uplink, &vm_log, 1024, &ops);
	memset(changes, 0, sizeof changes);
	n_asks = 0;
	turn();
}

static void
finish(void)
{
	vm_network_stop(&network);
	ports_stop(&relay);
	uplink_fini(&uplink);
	fd_close(&broker);
	fd_close(&vm_log.fd);
	turn();
	loop_fini(&loop);
	rundir_remove(uuid);
}

/* An interface on that port, whose passt runs. */
static int
have_one(unsigned port, int *ret_passt)
{
	int qemu, relay_fd;

	CHECK(vm_network_pair(&qemu, &relay_fd) == 0);
	CHECK(vm_network_add(&network, port, &plain, relay_fd) == 0);
	if (network.id == 0)
		vm_network_begin(&network, uuid, ID);
	turn();
	if (n_asks > 0 && asks[0].kind == IPC_NET_RELAY)
		give_relay();
	*ret_passt = give_passt(NULL);
	CHECK(network.ports[port].state == VM_PORT_UP);
	return qemu;
}

static void
comes_up(void)
{
	struct net_port_counters numbers;
	int qemu[2], passt[2];

	begin();
	CHECK(!vm_network_counters(&network, 0, &numbers));
	qemu[0] = have_one(0, &passt[0]);
	CHECK(changes[0] == 2 && changes[1] == 0);
	qemu[1] = have_one(5, &passt[1]);
	sends(qemu[0], passt[0]);
	sends(passt[1], qemu[1]);
	CHECK(vm_network_counters(&network, 0, &numbers));
	CHECK(numbers.tx.packets == 1 && numbers.tx.bytes == 5 && numbers.rx.packets == 0);
	CHECK(vm_network_counters(&network, 5, &numbers) && numbers.rx.packets == 1);
	CHECK(vm_network_add(&network, 5, &plain, dup(qemu[0])) == -EBUSY);
	/* Unplugged: the port can be used again. */
	vm_network_remove(&network, 5);
	turn();
	CHECK(network.ports[5].state == VM_PORT_FREE);
	CHECK(recv(qemu[1], &(char){0}, 1, MSG_DONTWAIT) == 0);
	fd_close(&qemu[1]);
	fd_close(&passt[1]);
	qemu[1] = have_one(5, &passt[1]);
	sends(qemu[1], passt[1]);
	nothing_is_asked();
	for (unsigned i = 0; i < 2; i++) {
		fd_close(&qemu[i]);
		fd_close(&passt[i]);
	}
	finish();
}

/* Whoever says something in whole frames is ready; who ends before is not. */
static void
gets_ready(void)
{
	struct vm_port *port = &network.ports[0];
	int qemu, relay_fd, passt;

	begin();
	CHECK(vm_network_pair(&qemu, &relay_fd) == 0);
	CHECK(vm_network_add(&network, 0, &plain, relay_fd) == 0);
	vm_network_begin(&network, uuid, ID);
	turn();
	give_relay();
	passt = give_silent_passt(NULL);
	CHECK(port->state == VM_PORT_BEGINS);
	fd_close(&passt);
	turn();
	CHECK(port->state == VM_PORT_DOWN && strstr(port->why, "passt has ended"));
	be_due(&port->retry);
	passt = give_silent_passt(NULL);
	hears_question(passt);
	passt_says(passt, 13, 17);
	CHECK(port->state == VM_PORT_DOWN && strstr(port->why, "no frames"));
	fd_close(&passt);
	be_due(&port->retry);
	/* In pieces, and two of them: nothing of it is left for the guest. */
	passt = give_silent_passt(NULL);
	hears_question(passt);
	passt_says(passt, 20, 3);
	passt_says(passt, 0x14000000, 1);
	CHECK(port->state == VM_PORT_BEGINS);
	for (int i = 0; i < 20; i++)
		CHECK(send(passt, "x", 1, MSG_NOSIGNAL) == 1);
	passt_says(passt, 14, 17);
	CHECK(port->state == VM_PORT_BEGINS);
	passt_says(passt, 0, 1);
	CHECK(port->state == VM_PORT_UP);
	sends(passt, qemu);
	fd_close(&passt);
	turn();
	be_due(&port->retry);
	/* One that never answers, as one without IPv4: it is used after a while. */
	passt = give_silent_passt(NULL);
	hears_question(passt);
	CHECK(port->state == VM_PORT_BEGINS);
	be_due(&port->ready.late);
	CHECK(port->state == VM_PORT_UP);
	sends(passt, qemu);
	fd_close(&passt);
	turn();
	be_due(&port->retry);
	/* But not in the middle of a frame. */
	passt = give_silent_passt(NULL);
	hears_question(passt);
	passt_says(passt, 42, 20);
	be_due(&port->ready.late);
	CHECK(port->state == VM_PORT_DOWN);
	fd_close(&passt);
	fd_close(&qemu);
	finish();
}

static void
comes_again(void)
{
	static const uint64_t seconds[] = {1, 2, 4, 8, 16, 32, 64, 64};
	struct vm_port *port = &network.ports[0];
	int qemu, passt;

	begin();
	qemu = have_one(0, &passt);
	for (unsigned i = 0; i < sizeof seconds / sizeof *seconds; i++) {
		fd_close(&passt);
		turn();
		CHECK(port->state == VM_PORT_DOWN && strstr(port->why, "passt has ended"));
		nothing_is_asked();
		CHECK(waits_s(&port->retry) == seconds[i]);
		be_due(&port->retry);
		CHECK(port->state == VM_PORT_BEGINS);
		passt = give_passt(NULL);
		CHECK(port->state == VM_PORT_UP);
		sends(qemu, passt);
	}
	/* One that has run for a while is started again soon. */
	port->up_since_ns -= LOOP_S(VM_NETWORK_STEADY_S);
	fd_close(&passt);
	turn();
	CHECK(waits_s(&port->retry) == 1);
	/* Nor does it matter whether the box fails, or the broker. */
	be_due(&port->retry);
	CHECK(give_passt("exec: no such file") < 0);
	CHECK(port->state == VM_PORT_DOWN && strstr(port->why, "exec: no such file"));
	CHECK(waits_s(&port->retry) == 2);
	be_due(&port->retry);
	answer(IPC_NET_PASST, -EAGAIN, -1);
	CHECK(port->state == VM_PORT_DOWN && waits_s(&port->retry) == 4);
	be_due(&port->retry);
	passt = give_passt(NULL);
	sends(qemu, passt);
	fd_close(&qemu);
	turn();
	/* QEMU has closed it: nothing more is started for it. */
	CHECK(port->state == VM_PORT_DOWN && !timer_is_set(&port->retry));
	vm_network_remove(&network, 0);
	CHECK(port->state == VM_PORT_FREE);
	fd_close(&passt);
	finish();
}

static void
next_worker(void)
{
	static const struct passt *const passts[NET_PORTS_MAX] = {
		[1] = &plain, [2] = &plain, [3] = &plain};
	struct net_port_counters numbers;
	int qemu[2], passt[2];

	begin();
	qemu[0] = have_one(1, &passt[0]);
	qemu[1] = have_one(2, &passt[1]);
	sends(qemu[0], passt[0]);
	/* The worker goes; a passt ends while there is none. */
	vm_network_stop(&network);
	fd_close(&passt[1]);
	turn();
	vm_network_adopt(&network, uuid, ID, passts);
	turn();
	CHECK(network.ports[1].state == VM_PORT_UP);
	sends(qemu[0], passt[0]);
	CHECK(vm_network_counters(&network, 1, &numbers) && numbers.tx.packets == 2);
	CHECK(network.ports[2].state == VM_PORT_BEGINS);
	passt[1] = give_passt(NULL);
	CHECK(network.ports[2].state == VM_PORT_UP);
	sends(qemu[1], passt[1]);
	/* Of this one the relay knows nothing. */
	CHECK(network.ports[3].state == VM_PORT_DOWN && !timer_is_set(&network.ports[3].retry));
	for (unsigned i = 0; i < 2; i++) {
		fd_close(&qemu[i]);
		fd_close(&passt[i]);
	}
	finish();
}

static void
relay_ends(void)
{
	static const struct passt *const passts[NET_PORTS_MAX] = {[0] = &plain};
	int qemu, passt;

	begin();
	qemu = have_one(0, &passt);
	ports_stop(&relay);
	turn();
	CHECK(network.ports[0].state == VM_PORT_DOWN);
	CHECK(strstr(network.ports[0].why, "the relay has ended"));
	nothing_is_asked();
	fd_close(&qemu);
	fd_close(&passt);
	/* Plugged again, it gets another. */
	vm_network_remove(&network, 0);
	qemu = have_one(0, &passt);
	sends(qemu, passt);
	/* And a worker that finds none says so. */
	vm_network_stop(&network);
	ports_stop(&relay);
	vm_network_adopt(&network, uuid, ID, passts);
	CHECK(network.ports[0].state == VM_PORT_DOWN);
	CHECK(strstr(network.ports[0].why, "the relay cannot be reached"));
	fd_close(&qemu);
	fd_close(&passt);
	finish();
}

static void
all_end(void)
{
	int qemu, passt;

	begin();
	qemu = have_one(0, &passt);
	vm_network_ends(&network);
	fd_close(&passt);
	turn();
	CHECK(network.ports[0].state == VM_PORT_DOWN);
	CHECK(!timer_is_set(&network.ports[0].retry));
	ports_stop(&relay);
	turn();
	CHECK(!timer_is_set(&network.retry));
	nothing_is_asked();
	fd_close(&qemu);
	finish();
}

static void
refused(void)
{
	int qemu, relay_fd, passt;

	begin();
	vm_network_begin(&network, uuid, ID);
	nothing_is_asked();
	CHECK(vm_network_pair(&qemu, &relay_fd) == 0);
	CHECK(vm_network_add(&network, 0, &plain, relay_fd) == 0);
	answer(IPC_NET_RELAY, -EACCES, -1);
	CHECK(network.ports[0].state == VM_PORT_DOWN);
	CHECK(strstr(network.ports[0].why, "network in qemud.conf"));
	CHECK(!timer_is_set(&network.retry) && !timer_is_set(&network.ports[0].retry));
	fd_close(&qemu);
	vm_network_remove(&network, 0);
	CHECK(vm_network_pair(&qemu, &relay_fd) == 0);
	CHECK(vm_network_add(&network, 0, &plain, relay_fd) == 0);
	answer(IPC_NET_RELAY, -EOPNOTSUPP, -1);
	CHECK(network.ports[0].state == VM_PORT_DOWN);
	CHECK(strstr(network.ports[0].why, "no namespaces"));
	fd_close(&qemu);
	vm_network_remove(&network, 0);
	/* Policy: in its words. */
	CHECK(vm_network_pair(&qemu, &relay_fd) == 0);
	CHECK(vm_network_add(&network, 0, &plain, relay_fd) == 0);
	refuse_by_policy("by that line");
	CHECK(network.ports[0].state == VM_PORT_DOWN);
	CHECK_STR(network.ports[0].why, "by that line");
	CHECK(!timer_is_set(&network.retry) && !timer_is_set(&network.ports[0].retry));
	fd_close(&qemu);
	vm_network_remove(&network, 0);
	/* Not now: it is tried again. */
	CHECK(vm_network_pair(&qemu, &relay_fd) == 0);
	CHECK(vm_network_add(&network, 0, &plain, relay_fd) == 0);
	answer(IPC_NET_RELAY, -EAGAIN, -1);
	CHECK(network.ports[0].state == VM_PORT_BEGINS);
	be_due(&network.retry);
	give_relay();
	passt = give_passt(NULL);
	sends(qemu, passt);
	/* Removed before its passt is there: what comes is not kept. */
	fd_close(&passt);
	turn();
	be_due(&network.ports[0].retry);
	vm_network_remove(&network, 0);
	turn();
	CHECK(network.ports[0].state == VM_PORT_FREE);
	answer(IPC_NET_PASST, 0, qemu);
	nothing_is_asked();
	fd_close(&qemu);
	finish();
}

static void
hostile_relay(void)
{
	static const struct net_report reports[] = {
		{.serial = 99},
		{.err = -5},
		{.serial = 0, .sides = {NET_SIDE_NETWORK}},
		{.serial = 0, .sides = {4}},
	};

	for (unsigned i = 0; i <= sizeof reports / sizeof *reports; i++) {
		int qemu, relay_fd, pair[2];
		bool whole = i < sizeof reports / sizeof *reports;

		begin();
		CHECK(vm_network_pair(&qemu, &relay_fd) == 0);
		CHECK(vm_network_add(&network, 0, &plain, relay_fd) == 0);
		vm_network_begin(&network, uuid, ID);
		CHECK(packet_pair(pair) == 0);
		answer(IPC_NET_RELAY, 0, pair[0]);
		fd_close(&pair[0]);
		CHECK(packet_send(pair[1], whole ? (const void *)&reports[i] : "x",
			      whole ? sizeof reports[i] : 1, NULL, 0) == 0);
		turn();
		/* It is let go of, and another asked for. */
		CHECK(network.link.sock < 0 && network.link.counters == NULL);
		CHECK(n_asks == 1 && asks[0].kind == IPC_NET_RELAY);
		fd_close(&pair[1]);
		/* And that one not at once, if it is no better. */
		CHECK(packet_pair(pair) == 0);
		answer(IPC_NET_RELAY, 0, pair[0]);
		fd_close(&pair[0]);
		fd_close(&pair[1]);
		nothing_is_asked();
		be_due(&network.retry);
		CHECK(n_asks == 1 && asks[0].kind == IPC_NET_RELAY);
		fd_close(&pair[1]);
		fd_close(&qemu);
		finish();
	}
}

static unsigned n_at_start;

static void
nothing_left(void)
{
	CHECK(n_descriptors() == n_at_start);
}

int
main(void)
{
	char folder[] = "/tmp/qemud-network-XXXXXX";

	if (!passt_is_installed()) {
		printf("1..0 # SKIP needs passt\n");
		return 0;
	}
	if (!mkdtemp(folder) || chdir(folder) < 0)
		abort();
	log_open("vm_network", 0);
	n_at_start = n_descriptors();
	TEST("interfaces come up, count, and go", comes_up);
	TEST("a passt is used when it is ready", gets_ready);
	TEST("a passt that ended is started again, later and later", comes_again);
	TEST("the next worker takes over what is there", next_worker);
	TEST("without its relay an interface is down until it is plugged again", relay_ends);
	TEST("with its VM it ends for good", all_end);
	TEST("what the broker refuses is told, or tried again", refused);
	TEST("a relay that says what no relay says is let go of", hostile_relay);
	TEST("no descriptor is left", nothing_left);
	if (rmdir(folder) < 0)
		printf("# %s is not empty\n", folder);
	return TEST_END();
}
