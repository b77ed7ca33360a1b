/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_stage.h: a whole broker in a test that plays everybody else: the starter, the children
 * (each a real process, so that it can be killed), and clients of any uid.
 *
 * peer_read() is replaced: a connection is whose stage_peer says. Nothing here sleeps: whoever
 * waits runs the broker's loop until what it waits for is there, or fails after WAIT_MS.
 */
#ifndef TESTS_UNIT_BROKER_STAGE_H
#define TESTS_UNIT_BROKER_STAGE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/route.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/memfd.h"
#include "lib/packet.h"
#include "lib/take.h"
#include "tests/unit/test.h"

enum { WAIT_MS = 60000, TURNS = 8, VM_UID = 991, VIEW_UID = 992, ALICE = 2001, BOB = 2002 };

static struct broker broker;
#define STAGE_STARTED   ".started"
#define STAGE_INVENTORY ".inventory"
static int starter_fd = -1; /* the starter's end */
/* In memory: what is written for each of many users is not to wait for a disk. */
static char stage_dir[] = "/dev/shm/qemud-stage-XXXXXX";
static struct peer stage_peer;
static struct census stage_census; /* what is in the ledger when it starts */
static uint32_t stage_audit = CONFIG_AUDIT_OFF;
static void (*stage_before)(void); /* what is in the registry by then; NULL: nothing */

int
peer_read(int sock, struct peer *ret)
{
	(void)sock;
	*ret = stage_peer;
	return 0;
}

const char *
peer_groups(int sock, char buf[static PEER_TEXT_MAX])
{
	(void)sock;
	buf[0] = '\0';
	return buf;
}

const char *
peer_describe(int sock, char buf[static PEER_TEXT_MAX])
{
	(void)sock;
	buf[0] = '\0';
	return buf;
}

/* --- time --------------------------------------------------------------------------------- */

/* Let the broker do all that it can do now. */
static inline void
turn(void)
{
	for (int i = 0; i < TURNS; i++)
		CHECK(loop_once(&broker.loop, 0) == 0);
}

/* A deadline that was set is there. */
static inline void
be_due(struct timer *timer)
{
	CHECK(timer_is_set(timer));
	timer_set(&broker.loop, timer, 0, timer->fn);
	turn();
}

/* --- messages ----------------------------------------------------------------------------- */

static inline struct ipc_header
header_of(const struct packet *packet)
{
	struct ipc_header header = {.type = 0};

	if (packet->size >= sizeof header)
		memcpy(&header, packet->data, sizeof header);
	return header;
}

static inline const void *
body_of(const struct packet *packet)
{
	return packet->data + sizeof(struct ipc_header);
}

/* Receive the next message, which must have that type; its descriptors stay in packet. */
static inline void
expect(int fd, enum ipc_type type, struct packet *packet)
{
	uint64_t until = loop_now(&broker.loop) + LOOP_MS(WAIT_MS);
	int r;

	while ((r = packet_recv(fd, packet)) == PACKET_E_AGAIN && loop_now(&broker.loop) < until)
		CHECK(loop_once(&broker.loop, 50) == 0);
	CHECK(r == 0 && header_of(packet).type == type);
	if (r != 0 || header_of(packet).type != type) {
		printf("# want %s, got %d %s\n", ipc_type_name((uint16_t)type), r,
			r == 0 ? ipc_type_name(header_of(packet).type) : "");
		exit(EXIT_FAILURE); /* what follows would wait for what cannot come */
	}
}

/* Nothing comes, whatever the broker can do now. */
static inline void
expect_nothing(int fd)
{
	AUTO(packet_fini) struct packet packet;

	turn();
	CHECK(packet_recv(fd, &packet) == PACKET_E_AGAIN);
}

static inline void
expect_end(int fd)
{
	AUTO(packet_fini) struct packet packet;

	turn();
	CHECK(packet_recv(fd, &packet) == PACKET_E_GONE);
}

static inline void
say(int fd, struct ipc_header header, const void *body, size_t size, const int *fds, unsigned n_fds)
{
	uint8_t data[IPC_MESSAGE_MAX];

	header.version = IPC_VERSION;
	header.size = (uint16_t)size;
	header.n_fds = (uint16_t)n_fds;
	memcpy(data, &header, sizeof header);
	if (size > 0)
		memcpy(data + sizeof header, body, size);
	CHECK(packet_send(fd, data, sizeof header + size, fds, n_fds) == 0);
}

static inline void
answer(int fd, const struct packet *ask, const void *body, size_t size, const int *fds,
	unsigned n_fds)
{
	struct ipc_header header = header_of(ask);

	say(fd, (struct ipc_header){.type = (uint16_t)(header.type + 1), .serial = header.serial},
		body, size, fds, n_fds);
}

static inline void
answer_error(int fd, const struct packet *ask, int err, size_t size)
{
	static const uint8_t zero[IPC_MESSAGE_MAX];
	struct ipc_header header = header_of(ask);

	say(fd,
		(struct ipc_header){
			.type = (uint16_t)(header.type + 1), .serial = header.serial, .err = err},
		zero, size, NULL, 0);
}

/* --- the starter's part ------------------------------------------------------------------- */

static inline struct account
account_of_uid(uint32_t uid)
{
	struct account account = {.uid = uid, .gid = uid, .n_groups = 1, .groups = {uid}};

	(void)snprintf(account.name, sizeof account.name, "u%u", uid);
	(void)snprintf(account.home, sizeof account.home, "/home/u%u", uid);
	return account;
}

static inline void
answer_account(const struct packet *ask, const struct account *account)
{
	char text[MEMFD_TEXT_MAX];
	int n = account_format(account, text, sizeof text);
	fd_auto int fd = memfd_make("account", text, (size_t)n);

	CHECK(n > 0 && fd >= 0);
	answer(starter_fd, ask, NULL, 0, &fd, 1);
}

/* A RESOLVE of that uid comes, and is answered. */
static inline void
resolve(uint32_t uid)
{
	AUTO(packet_fini) struct packet ask;
	struct account account = account_of_uid(uid);

	expect(starter_fd, IPC_RESOLVE, &ask);
	CHECK(((const struct ipc_resolve *)body_of(&ask))->uid == uid);
	answer_account(&ask, &account);
}

static inline void
resolve_error(int err)
{
	AUTO(packet_fini) struct packet ask;

	expect(starter_fd, IPC_RESOLVE, &ask);
	answer_error(starter_fd, &ask, err, 0);
}

/* A LEAF_NEXT comes, and there is no other. */
static inline void
no_leaf(void)
{
	AUTO(packet_fini) struct packet ask;

	expect(starter_fd, IPC_LEAF_NEXT, &ask);
	answer_error(starter_fd, &ask, -ENOENT, sizeof(struct ipc_leaf_found));
}

/* --- the children's part ------------------------------------------------------------------ */

struct kid {
	pid_t pid;
	int link; /* the child's end, played by the test */
	bool is_worker;
	int place_fd; /* of a worker that has said HELLO: its inventory's */
};

/* Those that are given out again: many tests are over sooner than as many processes are made. */
enum { SPARE_MAX = 8 };
static pid_t spare_pids[SPARE_MAX];
static unsigned n_spare;

/* A process that waits to be killed, and has nothing of ours open. */
static inline pid_t
fork_idle(void)
{
	int fds[2] = {-1, -1};
	char byte;
	pid_t pid;

	if (n_spare > 0)
		return spare_pids[--n_spare];
	CHECK(pipe2(fds, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close_range(0, ~0U, 0);
		for (;;)
			(void)pause();
	}
	fd_close(&fds[1]);
	CHECK(read(fds[0], &byte, 1) == 0); /* it has closed its copy */
	fd_close(&fds[0]);
	return pid;
}

/* That the process was started, with its link, is the answer. */
static inline void
answer_started(struct kid *kid, const struct packet *ask)
{
	struct ipc_started started = {.pid = (uint32_t)kid->pid};
	int pair[2], fds[2];

	CHECK(packet_pair(pair) == 0);
	fds[0] = pair[0];
	fds[1] = pidfd_open(kid->pid, 0);
	answer(starter_fd, ask, &started, sizeof started, fds, 2);
	fd_close(&fds[0]);
	fd_close(&fds[1]);
	kid->link = pair[1];
}

/* An ask of that type comes; a process that waits to be killed is the answer. */
static inline struct kid
start_kid(enum ipc_type type, uint32_t uid)
{
	struct kid kid = {
		.pid = fork_idle(), .link = -1, .is_worker = type == IPC_WORKER, .place_fd = -1};
	AUTO(packet_fini) struct packet ask;

	expect(starter_fd, type, &ask);
	if (type == IPC_WORKER)
		CHECK(((const struct ipc_worker *)body_of(&ask))->uid == uid);
	if (type == IPC_BOX)
		CHECK(((const struct ipc_box *)body_of(&ask))->uid == uid);
	answer_started(&kid, &ask);
	return kid;
}

/* The first message that a worker is sent, unless it is told to end already. */
static inline void
take_place(struct kid *kid)
{
	AUTO(packet_fini) struct packet packet;
	struct ipc_header header = {.type = 0};

	(void)!recv(kid->link, &header, sizeof header, MSG_PEEK | MSG_DONTWAIT);
	if (header.type != IPC_INVENTORY_PLACE)
		return;
	expect(kid->link, IPC_INVENTORY_PLACE, &packet);
	kid->place_fd = take_fd(&packet.fds[0]);
}

static inline void
hello(struct kid *kid)
{
	struct ipc_hello body = {.pid = (uint32_t)kid->pid};

	say(kid->link, (struct ipc_header){.type = IPC_HELLO}, &body, sizeof body, NULL, 0);
	turn();
	if (kid->is_worker)
		take_place(kid);
}

/* A worker that has said HELLO. */
static inline struct kid
worker(uint32_t uid)
{
	struct kid kid = start_kid(IPC_WORKER, uid);

	hello(&kid);
	return kid;
}

/* The process has ended, by that signal. */
static inline void
reap(struct kid *kid, int signo)
{
	int status = 0;

	CHECK(waitpid(kid->pid, &status, 0) == kid->pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signo);
	kid->pid = -1;
	fd_close(&kid->link);
	if (kid->is_worker)
		fd_close(&kid->place_fd);
	turn();
}

/* The child ends by itself. */
static inline void
end_kid(struct kid *kid)
{
	CHECK(kill(kid->pid, SIGTERM) == 0);
	reap(kid, SIGTERM);
}

/* It runs, and its link is open. */
static inline bool
is_alive(const struct kid *kid)
{
	turn();
	return waitpid(kid->pid, NULL, WNOHANG) == 0;
}

static inline void
taken(const struct kid *kid, const struct packet *pass)
{
	struct ipc_conn_taken body = {
		.conn_id = ((const struct ipc_conn_pass *)body_of(pass))->conn_id};

	answer(kid->link, pass, &body, sizeof body, NULL, 0);
	turn();
}

static inline void
gone(const struct kid *kid, uint64_t conn_id)
{
	struct ipc_conn_gone body = {.conn_id = conn_id};

	say(kid->link, (struct ipc_header){.type = IPC_CONN_GONE}, &body, sizeof body, NULL, 0);
	turn();
}

/* It asks whether it may end, and is answered that. */
static inline void
ask_idle(const struct kid *kid, bool granted)
{
	AUTO(packet_fini) struct packet idle;

	say(kid->link, (struct ipc_header){.type = IPC_IDLE_ASK, .serial = 5}, NULL, 0, NULL, 0);
	expect(kid->link, IPC_IDLE_ANSWER, &idle);
	CHECK(((const struct ipc_idle_answer *)body_of(&idle))->granted == granted);
}

/* A connection comes, is taken, and goes. Returns what was passed. */
static inline struct ipc_conn_pass
serve(const struct kid *kid)
{
	AUTO(packet_fini) struct packet packet;
	struct ipc_conn_pass pass;

	expect(kid->link, IPC_CONN_PASS, &packet);
	memcpy(&pass, body_of(&packet), sizeof pass);
	taken(kid, &packet);
	gone(kid, pass.conn_id);
	return pass;
}

/* The same at the refuser: the next connection is refused for that. */
static struct kid refuser;

static inline struct ipc_conn_pass
expect_refusal(enum ipc_refusal refusal)
{
	struct ipc_conn_pass pass = serve(&refuser);

	CHECK(pass.refusal == refusal && pass.verbs == 0 && pass.reason[0] != '\0');
	return pass;
}

/* --- the clients' part -------------------------------------------------------------------- */

/* A connection of that uid to that socket. Returns the client's end. */
static inline int
connect_to(enum ipc_socket socket, uint32_t uid)
{
	struct listener listener = {.arg = &broker, .socket = socket};
	int fds[2] = {-1, -1};

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	stage_peer = (struct peer){.uid = uid, .gid = uid, .pid = 7};
	route_accepted(&listener, fds[0]);
	turn();
	return fds[1];
}

static inline int
connect_as(uint32_t uid)
{
	return connect_to(IPC_SOCKET_RW, uid);
}

/* Has every copy of the other end been closed? */
static inline bool
is_closed(int client)
{
	char byte;

	turn();
	return recv(client, &byte, 1, MSG_DONTWAIT) == 0;
}

/* A view of that kind for whom a connection waits; it has said HELLO. */
static inline struct kid
start_view_as(enum ipc_view_kind kind)
{
	struct kid kid = {.pid = fork_idle(), .link = -1};
	AUTO(packet_fini) struct packet ask;
	const struct ipc_view *body = body_of(&ask);

	expect(starter_fd, IPC_VIEW, &ask);
	CHECK(body->kind == kind && body->uid == VIEW_UID && body->gid == VIEW_UID);
	CHECK(body->idle_seconds ==
		(kind == IPC_VIEW_CTL ? CHILD_CTL_IDLE_S : broker.config.idle_seconds));
	answer_started(&kid, &ask);
	hello(&kid);
	return kid;
}

static inline struct kid
start_view(void)
{
	return start_view_as(IPC_VIEW_HOST);
}

/* --- the whole ---------------------------------------------------------------------------- */

static inline void
stage_open(void)
{
	int fds[2] = {-1, -1};

	broker = (struct broker){
		.socket_fds = {-1, -1, -1}, .notify_fd = -1, .census = stage_census};
	broker.places = (struct places){.runtime_fd = -1, .cgroup_fd = -1, .lock_fd = -1};
	config_default(&broker.config);
	broker.config.max_users = 64;
	broker.config.max_connections = 2000;
	broker.config.user_connections_per_second = 100000;
	broker.config.audit = stage_audit;
	memcpy(stage_dir + sizeof stage_dir - 7, "XXXXXX", 6);
	CHECK(mkdtemp(stage_dir));
	(void)snprintf(broker.config.policy, sizeof broker.config.policy, "%s/.policy", stage_dir);
	broker.places.registry_fd = open(stage_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(mkdirat(broker.places.registry_fd, STAGE_STARTED, 0700) == 0);
	broker.places.started_fd = openat(
		broker.places.registry_fd, STAGE_STARTED, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(mkdirat(broker.places.registry_fd, STAGE_INVENTORY, 0700) == 0);
	broker.places.inventory_fd = openat(
		broker.places.registry_fd, STAGE_INVENTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(listener_bind(broker.places.registry_fd, stage_dir, "sock", &broker.socket_fds[0]) ==
		0);
	CHECK(listener_bind(
		      broker.places.registry_fd, stage_dir, "sock-ro", &broker.socket_fds[1]) == 0);
	CHECK(listener_bind(broker.places.registry_fd, stage_dir, "ctl", &broker.socket_fds[2]) ==
		0);
	if (stage_before)
		stage_before();
	CHECK(packet_pair(fds) == 0 && loop_init(&broker.loop) == 0);
	CHECK(broker_init(&broker) == 0 && rulebook_load(&broker.rulebook) == 0);
	CHECK(broker_start(&broker, fds[0]) == 0);
	starter_fd = fds[1];
}

/* As far as that both accounts are known. */
static inline void
stage_accounts(void)
{
	AUTO(packet_fini) struct packet ask = {.size = 0};
	struct account vm = account_of_uid(VM_UID), view = account_of_uid(VIEW_UID);

	stage_open();
	expect(starter_fd, IPC_RESOLVE, &ask);
	CHECK_STR(((const struct ipc_resolve *)body_of(&ask))->name, "qemud-vm");
	answer_account(&ask, &vm);
	expect(starter_fd, IPC_RESOLVE, &ask);
	CHECK_STR(((const struct ipc_resolve *)body_of(&ask))->name, "qemud-view");
	answer_account(&ask, &view);
}

/* As far as `ready`. */
static inline void
stage_ready(void)
{
	stage_accounts();
	no_leaf();
	refuser = start_kid(IPC_VIEW, VIEW_UID);
	CHECK(!broker.ready);
	hello(&refuser);
	CHECK(broker.ready && !broker.loop.quit);
}

static inline void
stage_empty(int dir_fd)
{
	DIR *dir = fdopendir(dir_fd);
	const struct dirent *entry;

	CHECK(dir);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			CHECK(unlinkat(dirfd(dir), entry->d_name, 0) == 0);
	(void)closedir(dir);
}

static inline void
stage_close(void)
{
	int fd = open(stage_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (refuser.pid > 0)
		end_kid(&refuser);
	fd_close(&starter_fd);
	broker_fini(&broker);
	stage_empty(openat(fd, STAGE_STARTED, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	CHECK(unlinkat(fd, STAGE_STARTED, AT_REMOVEDIR) == 0);
	stage_empty(openat(fd, STAGE_INVENTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	CHECK(unlinkat(fd, STAGE_INVENTORY, AT_REMOVEDIR) == 0);
	stage_empty(fd);
	CHECK(rmdir(stage_dir) == 0);
}

/* A connection of a uid that was never seen, as far as its worker, which has said HELLO. */
static inline struct kid
first_connection(uint32_t uid, int *ret_client)
{
	*ret_client = connect_as(uid);
	resolve(uid);
	return worker(uid);
}

/* A worker that has served a connection: nothing waits for it. */
static inline struct kid
idle_worker(uint32_t uid)
{
	struct kid kid;
	int client;

	kid = first_connection(uid, &client);
	(void)serve(&kid);
	fd_close(&client);
	return kid;
}

#endif
