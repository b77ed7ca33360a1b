/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A child tells its broker of every connection once, however full the link is, and forgets it then.
 */
#include "lib/uplink.h"

#include <errno.h>
#include <unistd.h>

#include "tests/unit/test.h"

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/packet.h"
#include "lib/take.h"
#include "tests/unit/descriptors.h"

enum { MANY = 2000 };

static struct loop loop;
static struct uplink uplink;
static int broker_fd;
static uint32_t serial;

static struct uplink_conn conns[MANY + 1]; /* by id */
static unsigned n_passed, n_forgotten, n_stopped, n_idle;
static bool idle_granted;
static unsigned n_tools;
static uint64_t tool_cookie;
static int tool_err;
static unsigned n_leased, n_regrants, n_found, n_gone, n_changed;
static uint64_t lease_cookie, found_cookie;
static int lease_err, found_err;
static char lease_why[IPC_REASON_MAX];
static struct ipc_leased last_leased;
static struct ipc_lease_found last_found;
static uint32_t last_gone;
static enum ipc_fault stop_fault;
static int pass_result;

static int
passed(struct uplink *up, const struct ipc_conn_pass *pass, int fd)
{
	(void)up;
	CHECK(fd >= 0);
	fd_close(&fd);
	n_passed++;
	conns[pass->conn_id].id = pass->conn_id;
	return pass_result;
}

static void
forget(struct uplink *up, struct uplink_conn *conn)
{
	(void)up;
	CHECK(conn->id != 0);
	conn->id = 0;
	n_forgotten++;
}

static void
stopped(struct uplink *up, enum ipc_fault fault, uint16_t type)
{
	(void)up;
	(void)type;
	n_stopped++;
	stop_fault = fault;
}

static void
idle(struct uplink *up, bool granted)
{
	(void)up;
	n_idle++;
	idle_granted = granted;
}

static void
tool(struct uplink *up, uint64_t cookie, int err, int fd)
{
	(void)up;
	CHECK((fd >= 0) == (err == 0));
	fd_close(&fd);
	n_tools++;
	tool_cookie = cookie;
	tool_err = err;
}

static void
leased(struct uplink *up, uint64_t cookie, int err, const struct ipc_leased *ret, int fd)
{
	CHECK((fd >= 0) == (err == 0) && (ret != NULL) == (err == 0));
	fd_close(&fd);
	n_leased++;
	lease_cookie = cookie;
	lease_err = err;
	memcpy(lease_why, up->refusal, sizeof lease_why);
	if (ret)
		last_leased = *ret;
}

static void
lease_changed(struct uplink *up, uint64_t cookie, int err)
{
	n_regrants++;
	lease_cookie = cookie;
	lease_err = err;
	memcpy(lease_why, up->refusal, sizeof lease_why);
}

static void
lease_found(struct uplink *up, uint64_t cookie, int err, const struct ipc_lease_found *ret)
{
	(void)up;
	CHECK((ret != NULL) == (err == 0));
	n_found++;
	found_cookie = cookie;
	found_err = err;
	if (ret)
		last_found = *ret;
}

static void
lease_gone(struct uplink *up, const struct ipc_lease_gone *gone)
{
	(void)up;
	CHECK(gone->how == IPC_GONE_MEMORY && gone->limit_kib == 4096);
	n_gone++;
	last_gone = gone->id;
}

static int
ticket(struct uplink *up, const struct ipc_ticket_change *change)
{
	(void)up;
	CHECK(change->verbs == 1 && strcmp(change->reason, "why") == 0);
	n_changed++;
	return conns[change->conn_id].id == change->conn_id ? 0 : -ENOENT;
}

static const struct uplink_ops ops = {.pass = passed,
	.forget = forget,
	.stop = stopped,
	.idle = idle,
	.tool = tool,
	.leased = leased,
	.lease_changed = lease_changed,
	.lease_found = lease_found,
	.lease_gone = lease_gone,
	.ticket = ticket};

static void
start(void)
{
	int fds[2];

	n_passed = n_forgotten = n_stopped = n_idle = n_tools = 0;
	n_leased = n_regrants = n_found = n_gone = n_changed = 0;
	pass_result = 0;
	serial = 0;
	ASSERT(loop_init(&loop) == 0 && packet_pair(fds) == 0);
	broker_fd = fds[0];
	ASSERT(uplink_start(&uplink, &loop, fds[1], &ops) == 0);
}

static void
stop(void)
{
	uplink_fini(&uplink);
	loop_fini(&loop);
	fd_close(&broker_fd);
}

/* What the broker receives next; type 0 when there is nothing. */
static struct ipc_header
broker_receives(uint64_t *ret_conn_id)
{
	struct ipc_header header = {.type = 0};
	struct packet packet;

	*ret_conn_id = 0;
	if (packet_recv(broker_fd, &packet) != 0)
		return header;
	memcpy(&header, packet.data, sizeof header);
	if (header.size == sizeof *ret_conn_id)
		memcpy(ret_conn_id, packet.data + sizeof header, sizeof *ret_conn_id);
	packet_fini(&packet);
	return header;
}

static void
broker_sends(struct ipc_header header, const void *body, size_t size, const int *fd)
{
	uint8_t data[PACKET_SIZE_MAX];

	header.version = IPC_VERSION;
	header.size = (uint16_t)size;
	header.n_fds = fd != NULL;
	memcpy(data, &header, sizeof header);
	if (size > 0)
		memcpy(data + sizeof header, body, size);
	ASSERT(packet_send(broker_fd, data, sizeof header + size, fd, fd != NULL) == 0);
	ASSERT(loop_once(&loop, 100) == 0);
}

static void
broker_passes(uint64_t conn_id)
{
	struct ipc_conn_pass pass = {.conn_id = conn_id,
		.uid = 1000,
		.verbs = 15,
		.socket = IPC_SOCKET_RW,
		.origin = IPC_ORIGIN_UNIX,
		.label = "alice"};

	broker_sends((struct ipc_header){.type = IPC_CONN_PASS, .serial = ++serial}, &pass,
		sizeof pass, &broker_fd);
}

static void
broker_changes(uint64_t conn_id)
{
	struct ipc_ticket_change change = {.conn_id = conn_id, .verbs = 1, .reason = "why"};

	broker_sends((struct ipc_header){.type = IPC_TICKET_CHANGE, .serial = ++serial}, &change,
		sizeof change, NULL);
}

static void
test_hello(void)
{
	uint64_t body;
	struct ipc_header header;

	start();
	header = broker_receives(&body);
	CHECK(header.type == IPC_HELLO && (uint32_t)body == (uint32_t)getpid());
	CHECK(broker_receives(&body).type == 0);
	stop();
}

static void
test_taken_and_gone(void)
{
	struct ipc_header header;
	uint64_t id;

	start();
	(void)broker_receives(&id);
	broker_passes(5);
	header = broker_receives(&id);
	CHECK(header.type == IPC_CONN_TAKEN && header.serial == serial && header.err == 0);
	CHECK(id == 5 && n_passed == 1);
	uplink_gone(&uplink, &conns[5]);
	CHECK(n_forgotten == 0);
	ASSERT(loop_once(&loop, 100) == 0);
	CHECK(n_forgotten == 1);
	header = broker_receives(&id);
	CHECK(header.type == IPC_CONN_GONE && id == 5);
	stop();
}

static void
test_changed(void)
{
	struct ipc_header header;
	uint64_t id;

	start();
	(void)broker_receives(&id);
	broker_passes(5);
	(void)broker_receives(&id);
	broker_changes(5);
	header = broker_receives(&id);
	CHECK(header.type == IPC_TICKET_CHANGED && header.serial == serial && header.err == 0);
	/* It has gone, and the broker does not know yet. */
	uplink_gone(&uplink, &conns[5]);
	conns[5].id = 6;
	broker_changes(5);
	CHECK(n_changed == 2);
	header = broker_receives(&id);
	if (header.type == IPC_CONN_GONE)
		header = broker_receives(&id);
	CHECK(header.type == IPC_TICKET_CHANGED && header.serial == serial);
	CHECK(header.err == -ENOENT);
	stop();
}

/* On a full link answers wait, in the order of what they answer. */
static void
test_changed_in_order(void)
{
	static const enum ipc_type types[] = {
		IPC_CONN_TAKEN, IPC_TICKET_CHANGED, IPC_CONN_TAKEN, IPC_TICKET_CHANGED};
	struct ipc_header header;
	uint32_t first;
	uint64_t id;
	unsigned n = 0;

	start();
	(void)broker_receives(&id);
	for (unsigned i = 1; i <= MANY; i++) {
		conns[i].id = i;
		uplink_gone(&uplink, &conns[i]);
	}
	ASSERT(loop_once(&loop, 0) == 0);
	first = serial + 1;
	pass_result = -ENOMEM;
	broker_passes(MANY);
	broker_changes(MANY);
	broker_passes(MANY);
	broker_changes(MANY);
	CHECK(uplink.n_answers == 4);
	for (unsigned i = 0; n < 4 && i < 2 * MANY; i++) {
		header = broker_receives(&id);
		if (header.type == 0)
			ASSERT(loop_once(&loop, 100) == 0);
		if (header.type != IPC_CONN_TAKEN && header.type != IPC_TICKET_CHANGED)
			continue;
		CHECK(header.type == types[n] && header.serial == first + n);
		n++;
	}
	CHECK(n == 4 && uplink.n_answers == 0);
	stop();
}

static void
test_not_taken(void)
{
	struct ipc_header header;
	uint64_t id;

	start();
	(void)broker_receives(&id);
	pass_result = -ENOMEM;
	broker_passes(5);
	header = broker_receives(&id);
	CHECK(header.type == IPC_CONN_TAKEN && header.serial == serial && header.err == -ENOMEM);
	stop();
}

/* A broker that does not read for a while hears of everything, in order, and once. */
static void
test_full_link(void)
{
	struct ipc_header header;
	uint64_t id, next = 1;

	start();
	(void)broker_receives(&id);
	for (unsigned i = 1; i <= MANY; i++) {
		conns[i].id = i;
		uplink_gone(&uplink, &conns[i]);
	}
	ASSERT(loop_once(&loop, 0) == 0);
	CHECK(n_forgotten > 0 && n_forgotten < MANY);
	/* A connection is taken meanwhile; it is answered as soon as there is room. */
	pass_result = -ENOMEM;
	broker_passes(MANY);
	CHECK(uplink.n_answers == 1);
	while (next <= MANY) {
		header = broker_receives(&id);
		if (header.type == 0) {
			ASSERT(loop_once(&loop, 100) == 0);
		} else if (header.type == IPC_CONN_TAKEN) {
			CHECK(next < MANY && header.err == -ENOMEM && header.serial == serial);
		} else {
			CHECK(header.type == IPC_CONN_GONE && id == next);
			next++;
		}
	}
	CHECK(uplink.n_answers == 0 && n_forgotten == MANY);
	CHECK(broker_receives(&id).type == 0);
	stop();
}

static void
test_idle(void)
{
	struct ipc_idle_answer answer = {.granted = 0};
	struct ipc_header header;
	uint64_t body;

	start();
	(void)broker_receives(&body);
	for (uint8_t granted = 0; granted < 2; granted++) {
		CHECK(uplink_ask_idle(&uplink) == 0);
		header = broker_receives(&body);
		CHECK(header.type == IPC_IDLE_ASK);
		answer.granted = granted;
		broker_sends((struct ipc_header){.type = IPC_IDLE_ANSWER, .serial = header.serial},
			&answer, sizeof answer, NULL);
		CHECK(n_idle == granted + 1u && idle_granted == granted);
	}
	stop();
}

static void
test_tool(void)
{
	static const int errors[] = {0, -EDQUOT};
	struct ipc_header header, first;
	uint64_t body;

	start();
	(void)broker_receives(&body);
	for (unsigned i = 0; i < 2; i++) {
		CHECK(uplink_ask_tool(&uplink, IPC_TOOL_PROBE, 40 + i) == 0);
		header = broker_receives(&body);
		CHECK(header.type == IPC_TOOL && body == IPC_TOOL_PROBE);
		broker_sends(
			(struct ipc_header){
				.type = IPC_TOOL_READY, .serial = header.serial, .err = errors[i]},
			NULL, 0, errors[i] ? NULL : &broker_fd);
		CHECK(n_tools == i + 1 && tool_cookie == 40 + i && tool_err == errors[i]);
	}
	/* Answers may come in another order. */
	CHECK(uplink_ask_tool(&uplink, IPC_TOOL_PROBE, 50) == 0);
	CHECK(uplink_ask_tool(&uplink, IPC_TOOL_PROBE, 51) == 0);
	first = broker_receives(&body);
	header = broker_receives(&body);
	broker_sends(
		(struct ipc_header){
			.type = IPC_TOOL_READY, .serial = header.serial, .err = -EAGAIN},
		NULL, 0, NULL);
	CHECK(n_tools == 3 && tool_cookie == 51 && tool_err == -EAGAIN);
	/* What the broker can answer no more is answered here. */
	CHECK(first.type == IPC_TOOL);
	fd_close(&broker_fd);
	ASSERT(loop_once(&loop, 100) == 0);
	CHECK(n_tools == 4 && tool_cookie == 50 && tool_err == -EPIPE);
	CHECK(uplink_ask_tool(&uplink, IPC_TOOL_PROBE, 52) == LINK_E_GONE);
	stop();
	CHECK(n_tools == 4);
}

/* The broker receives a message of that type, with that body. Returns its serial. */
static uint32_t
broker_expects(enum ipc_type type, const void *body, size_t size)
{
	struct ipc_header header = {.type = 0};
	struct packet packet;

	CHECK(packet_recv(broker_fd, &packet) == 0);
	memcpy(&header, packet.data, sizeof header);
	CHECK(header.type == type && header.size == size);
	CHECK(memcmp(packet.data + sizeof header, body, size) == 0);
	packet_fini(&packet);
	return header.serial;
}

static void
test_lease(void)
{
	static const struct ipc_lease want = {
		.uuid = {[15] = 1}, .memory_kib = 1048576, .vcpus = 2};
	static const struct ipc_leased answer = {.id = 9, .pid = 77}, none = {.id = 0};
	static const struct ipc_lease_refused because = {.why = "because"};
	uint64_t body;
	uint32_t first;

	start();
	(void)broker_receives(&body);
	CHECK(uplink_ask_lease(&uplink, &want, 40) == 0);
	first = broker_expects(IPC_LEASE, &want, sizeof want);
	broker_sends((struct ipc_header){.type = IPC_LEASED, .serial = first}, &answer,
		sizeof answer, &broker_fd);
	CHECK(n_leased == 1 && lease_cookie == 40 && lease_err == 0);
	CHECK(last_leased.id == 9 && last_leased.pid == 77);
	/* Answers may come in another order, and be refusals. */
	CHECK(uplink_ask_lease(&uplink, &want, 41) == 0);
	CHECK(uplink_ask_lease(&uplink, &want, 42) == 0);
	(void)broker_expects(IPC_LEASE, &want, sizeof want);
	broker_sends((struct ipc_header){.type = IPC_LEASED,
			     .serial = broker_expects(IPC_LEASE, &want, sizeof want),
			     .err = -EEXIST},
		&none, sizeof none, NULL);
	CHECK(n_leased == 2 && lease_cookie == 42 && lease_err == -EEXIST);
	CHECK_STR(lease_why, "");
	CHECK(uplink_ask_lease(&uplink, &want, 44) == 0);
	broker_sends(
		(struct ipc_header){.type = IPC_LEASE_REFUSED}, &because, sizeof because, NULL);
	broker_sends((struct ipc_header){.type = IPC_LEASED,
			     .serial = broker_expects(IPC_LEASE, &want, sizeof want),
			     .err = -EDQUOT},
		&none, sizeof none, NULL);
	CHECK(n_leased == 3 && lease_cookie == 44 && lease_err == -EDQUOT);
	CHECK_STR(lease_why, "because");
	/* What the broker can answer no more is answered here. */
	fd_close(&broker_fd);
	ASSERT(loop_once(&loop, 100) == 0);
	CHECK(n_leased == 4 && lease_cookie == 41 && lease_err == -EPIPE);
	CHECK_STR(lease_why, "");
	CHECK(uplink_ask_lease(&uplink, &want, 43) == LINK_E_GONE);
	stop();
	CHECK(n_leased == 4);
}

static void
test_change(void)
{
	static const struct ipc_lease_change want = {.id = 9, .vcpus = 3, .memory_kib = 1048576};
	static const struct ipc_lease_refused because = {.why = "because"};
	static const int errors[] = {0, -EDQUOT, -EAGAIN, -EBUSY, -ENOENT};
	uint64_t body;

	start();
	(void)broker_receives(&body);
	for (unsigned i = 0; i < sizeof errors / sizeof *errors; i++) {
		CHECK(uplink_ask_change(&uplink, &want, 60 + i) == 0);
		if (errors[i] == -EDQUOT)
			broker_sends((struct ipc_header){.type = IPC_LEASE_REFUSED}, &because,
				sizeof because, NULL);
		broker_sends((struct ipc_header){.type = IPC_LEASE_CHANGED,
				     .serial = broker_expects(IPC_LEASE_CHANGE, &want, sizeof want),
				     .err = errors[i]},
			NULL, 0, NULL);
		CHECK(n_regrants == i + 1 && lease_cookie == 60 + i && lease_err == errors[i]);
		CHECK_STR(lease_why, errors[i] == -EDQUOT ? "because" : "");
	}
	CHECK(uplink_ask_change(&uplink, &want, 70) == 0);
	fd_close(&broker_fd);
	ASSERT(loop_once(&loop, 100) == 0);
	CHECK(n_regrants == 6 && lease_cookie == 70 && lease_err == -EPIPE);
	CHECK(uplink_ask_change(&uplink, &want, 71) == LINK_E_GONE);
	stop();
	CHECK(n_regrants == 6);
}

static void
test_next_lease(void)
{
	static const struct ipc_lease_next after = {.after = 8};
	static const struct ipc_lease_found found = {.uuid = {[15] = 1},
						    .id = 9,
						    .vcpus = 2,
						    .memory_kib = 1024},
					    none = {.id = 0};
	uint64_t body;

	start();
	(void)broker_receives(&body);
	CHECK(uplink_ask_next_lease(&uplink, 8, 50) == 0);
	broker_sends((struct ipc_header){.type = IPC_LEASE_FOUND,
			     .serial = broker_expects(IPC_LEASE_NEXT, &after, sizeof after)},
		&found, sizeof found, NULL);
	CHECK(n_found == 1 && found_cookie == 50 && found_err == 0);
	CHECK(memcmp(&last_found, &found, sizeof found) == 0);
	CHECK(uplink_ask_next_lease(&uplink, 8, 51) == 0);
	broker_sends((struct ipc_header){.type = IPC_LEASE_FOUND,
			     .serial = broker_expects(IPC_LEASE_NEXT, &after, sizeof after),
			     .err = -ENOENT},
		&none, sizeof none, NULL);
	CHECK(n_found == 2 && found_cookie == 51 && found_err == -ENOENT);
	CHECK(uplink_ask_next_lease(&uplink, 8, 52) == 0);
	fd_close(&broker_fd);
	ASSERT(loop_once(&loop, 100) == 0);
	CHECK(n_found == 3 && found_cookie == 52 && found_err == -EPIPE);
	CHECK(uplink_ask_next_lease(&uplink, 8, 53) == LINK_E_GONE);
	stop();
	CHECK(n_found == 3);
}

static void
test_lease_ends(void)
{
	static const struct ipc_lease_stop want = {.id = 9};
	static const struct ipc_lease_gone gone_body = {
		.id = 9, .how = IPC_GONE_MEMORY, .limit_kib = 4096};
	static const struct uplink_ops few = {.pass = passed, .forget = forget, .stop = stopped};
	uint64_t body;

	start();
	(void)broker_receives(&body);
	CHECK(uplink_stop_lease(&uplink, 9) == 0);
	CHECK(broker_expects(IPC_LEASE_STOP, &want, sizeof want) == 0);
	broker_sends(
		(struct ipc_header){.type = IPC_LEASE_GONE}, &gone_body, sizeof gone_body, NULL);
	CHECK(n_gone == 1 && last_gone == 9);
	/* Who has no leases is told of none. */
	uplink.ops = &few;
	broker_sends(
		(struct ipc_header){.type = IPC_LEASE_GONE}, &gone_body, sizeof gone_body, NULL);
	CHECK(n_gone == 1 && n_stopped == 0);
	fd_close(&broker_fd);
	ASSERT(loop_once(&loop, 100) == 0);
	CHECK(uplink_stop_lease(&uplink, 9) == LINK_E_GONE);
	stop();
}

static void
test_stop_and_end(void)
{
	uint64_t body;

	start();
	(void)broker_receives(&body);
	broker_sends((struct ipc_header){.type = IPC_STOP}, NULL, 0, NULL);
	CHECK(n_stopped == 1 && stop_fault == IPC_OK);
	/* The broker's end after that is nothing new. */
	fd_close(&broker_fd);
	ASSERT(loop_once(&loop, 100) == 0);
	CHECK(n_stopped == 1);
	stop();
}

static void
test_broker_gone(void)
{
	start();
	conns[1].id = 1;
	fd_close(&broker_fd);
	uplink_gone(&uplink, &conns[1]);
	ASSERT(loop_once(&loop, 100) == 0);
	CHECK(n_stopped == 1 && stop_fault == IPC_OK);
	/* Nobody is left to tell: what goes is forgotten. */
	CHECK(n_forgotten == 1);
	conns[2].id = 2;
	uplink_gone(&uplink, &conns[2]);
	ASSERT(loop_once(&loop, 100) == 0);
	CHECK(n_forgotten == 2);
	CHECK(uplink_ask_idle(&uplink) == LINK_E_GONE);
	/* What has not been forgotten at the end is, then. */
	conns[3].id = 3;
	uplink_gone(&uplink, &conns[3]);
	stop();
	CHECK(n_forgotten == 3);
}

/* The broker goes while it had still to be told of many. */
static void
test_full_and_gone(void)
{
	start();
	for (unsigned i = 1; i <= MANY; i++) {
		conns[i].id = i;
		uplink_gone(&uplink, &conns[i]);
	}
	ASSERT(loop_once(&loop, 0) == 0);
	CHECK(n_forgotten < MANY);
	fd_close(&broker_fd);
	ASSERT(loop_once(&loop, 100) == 0);
	CHECK(n_stopped == 1 && n_forgotten == MANY);
	stop();
}

static void
test_violation(void)
{
	struct ipc_conn_gone wrong = {.conn_id = 1};

	start();
	broker_sends((struct ipc_header){.type = IPC_CONN_GONE}, &wrong, sizeof wrong, NULL);
	CHECK(n_stopped == 1 && stop_fault == IPC_FAULT_SENDER);
	stop();
	/* Also after a STOP. */
	start();
	broker_sends((struct ipc_header){.type = IPC_STOP}, NULL, 0, NULL);
	broker_sends((struct ipc_header){.type = IPC_STOP}, NULL, 0, NULL);
	CHECK(n_stopped == 2 && stop_fault == IPC_FAULT_AGAIN);
	stop();
}

static unsigned n_at_start;

static void
test_nothing_left(void)
{
	CHECK(n_descriptors() == n_at_start);
}

int
main(void)
{
	n_at_start = n_descriptors();
	TEST("what a connection may do is changed, and acknowledged", test_changed);
	TEST("answers keep the order of what they answer", test_changed_in_order);
	TEST("the first message is HELLO", test_hello);
	TEST("a connection is taken, and told when it has gone", test_taken_and_gone);
	TEST("a connection that cannot be served is told", test_not_taken);
	TEST("a full link loses nothing", test_full_link);
	TEST("whether it may end is asked and answered", test_idle);
	TEST("each ask for a tool is answered once", test_tool);
	TEST("each ask for a lease is answered once", test_lease);
	TEST("each ask for a change of a lease is answered once", test_change);
	TEST("each ask for the next lease is answered once", test_next_lease);
	TEST("that a lease is to end, and that it is gone, are told", test_lease_ends);
	TEST("STOP, and then the broker's end, are told once", test_stop_and_end);
	TEST("without a broker connections are forgotten untold", test_broker_gone);
	TEST("a full link may end", test_full_and_gone);
	TEST("a broker that breaks a rule is told", test_violation);
	TEST("no descriptor is left", test_nothing_left);
	return TEST_END();
}
