/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c of qemud-worker: one user's clients, served as that user.
 *
 * The starter runs it as the user, without a capability, in an empty network namespace, with its
 * link to the broker as descriptor 3, and nothing else open but /dev/null and a pipe for its log.
 * The broker decides who may do what and passes connected sockets (CONN_PASS) with the verbs that
 * each may use; the worker reads what the clients say, which nothing with more rights than the
 * user's ever does. It never forks, never executes a program, and believes the broker and the
 * kernel, and nobody else.
 *
 * Its life:
 *   1. set-up: arguments, loop, signals.   Nothing of a client has been read yet.
 *   2. the filter (policy/seccomp/worker.list).   From here on no system call beyond it.
 *   3. HELLO; connections come and go (rpc/).
 *   4. Neither client nor running VM for --idle seconds: it asks whether it may end, because a connection may be on
 *      its way; if so it ends, if not it asks again that much later.
 *   5. STOP, SIGTERM, or the broker's end: no new call is served, what is answered is still
 *      sent, for DRAIN_S seconds at most; VMs go on without it, and the next worker adopts them. A
 *      broker that breaks the rules of the link: it exits.
 */
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "confine/filter.h"
#include "lib/err.h"
#include "lib/keyval.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/start.h"
#include "lib/take.h"
#include "lib/uplink.h"
#include "worker/domain/xml_memory.h"
#include "worker/estate.h"
#include "worker/rpc/serving.h"
#include "worker/session.h"
#include "worker/vm/rundir.h"

enum { DRAIN_S = 5, IDLE_MAX_S = 86400, LOCK_FD = 4 /* where qemud-session puts it */ };

struct worker {
	struct loop loop;
	struct uplink uplink;
	struct server server;
	struct estate estate;
	struct timer idle; /* runs while there is neither client nor VM */
	uint64_t idle_s, port_min;
	bool kvm;              /* boxes have the host's */
	bool wake;             /* all is opened at once: the host has begun */
	const char *run;       /* the folder of run-time state */
	int lock_fd;           /* of ~/.qemud, held by who started this; -1: nobody holds it */
	struct timer deadline; /* runs while it is leaving */
	bool leaving;
};

static void
deadline_due(struct timer *timer)
{
	struct worker *worker = container_of(timer, struct worker, deadline);

	log_info(
		"%u clients did not read their replies in %d s", worker->server.n_clients, DRAIN_S);
	loop_quit(&worker->loop, EXIT_SUCCESS);
}

static void
leave(struct worker *worker)
{
	if (worker->leaving)
		return;
	worker->leaving = true;
	timer_stop(&worker->idle);
	timer_set(&worker->loop, &worker->deadline, loop_now(&worker->loop) + LOOP_S(DRAIN_S),
		deadline_due);
	server_drain(&worker->server);
	if (worker->server.n_clients == 0)
		loop_quit(&worker->loop, EXIT_SUCCESS);
}

/* --- idle --------------------------------------------------------------------------------- */

static void idle_due(struct timer *timer);

static void
idle_begins(struct worker *worker)
{
	timer_set(&worker->loop, &worker->idle, loop_now(&worker->loop) + LOOP_S(worker->idle_s),
		idle_due);
}

static void
idle_due(struct timer *timer)
{
	struct worker *worker = container_of(timer, struct worker, idle);

	if (uplink_ask_idle(&worker->uplink) == LINK_E_FULL)
		idle_begins(worker);
}

/* The first client or VM has come, or the last of either has gone. */
static void
settle(struct worker *worker)
{
	unsigned n_clients = worker->server.n_clients;

	if (worker->leaving && n_clients == 0)
		loop_quit(&worker->loop, EXIT_SUCCESS);
	else if (n_clients > 0 || worker->estate.vms.n > 0 || worker->leaving)
		timer_stop(&worker->idle);
	else
		idle_begins(worker);
}

static void
clients_occupied(struct server *server, bool occupied)
{
	(void)occupied;
	settle(container_of(server, struct worker, server));
}

static void
vms_occupied(struct vms *vms, bool occupied)
{
	(void)occupied;
	settle(container_of(vms, struct worker, estate.vms));
}

/* --- the broker --------------------------------------------------------------------------- */

static int
uplink_pass(struct uplink *uplink, const struct ipc_conn_pass *pass, int fd)
{
	struct worker *worker = container_of(uplink, struct worker, uplink);

	return client_start(&worker->server, pass, fd);
}

static void
uplink_forget(struct uplink *uplink, struct uplink_conn *conn)
{
	(void)uplink;
	client_free(container_of(conn, struct client, conn));
}

static void
uplink_idle(struct uplink *uplink, bool granted)
{
	struct worker *worker = container_of(uplink, struct worker, uplink);

	if (granted)
		leave(worker);
	else
		settle(worker);
}

static void
uplink_stop(struct uplink *uplink, enum ipc_fault fault, uint16_t type)
{
	struct worker *worker = container_of(uplink, struct worker, uplink);

	if (fault == IPC_OK) {
		leave(worker);
		return;
	}
	log_error("violation by the broker in %s: %s", ipc_type_name(type), ipc_fault_text(fault));
	loop_quit(&worker->loop, EXIT_FAILURE);
}

static void
uplink_tool(struct uplink *uplink, uint64_t cookie, int err, int fd)
{
	struct worker *worker = container_of(uplink, struct worker, uplink);

	(void)cookie;
	estate_tool_ready(&worker->estate, err, fd);
}

static void
uplink_leased(
	struct uplink *uplink, uint64_t cookie, int err, const struct ipc_leased *leased, int fd)
{
	struct worker *worker = container_of(uplink, struct worker, uplink);

	vms_leased(&worker->estate.vms, cookie, err, leased, fd);
}

static void
uplink_lease_changed(struct uplink *uplink, uint64_t cookie, int err)
{
	vms_lease_changed(&container_of(uplink, struct worker, uplink)->estate.vms, cookie, err);
}

static void
uplink_lease_found(
	struct uplink *uplink, uint64_t cookie, int err, const struct ipc_lease_found *found)
{
	struct worker *worker = container_of(uplink, struct worker, uplink);

	estate_lease_found(&worker->estate, cookie, err, found);
}

static void
uplink_lease_gone(struct uplink *uplink, const struct ipc_lease_gone *gone)
{
	struct worker *worker = container_of(uplink, struct worker, uplink);

	vms_lease_gone(&worker->estate.vms, gone);
}

static void
uplink_net(struct uplink *uplink, uint64_t cookie, int err, int fd)
{
	struct worker *worker = container_of(uplink, struct worker, uplink);

	vms_net_ready(&worker->estate.vms, cookie, err, fd);
}

static int
uplink_ticket(struct uplink *uplink, const struct ipc_ticket_change *change)
{
	return server_change(&container_of(uplink, struct worker, uplink)->server, change);
}

static void
uplink_inventory_place(struct uplink *uplink, int fd)
{
	listing_place(&container_of(uplink, struct worker, uplink)->estate.listing, fd);
}

static void
uplink_inventory_kept(struct uplink *uplink, int err)
{
	listing_kept(&container_of(uplink, struct worker, uplink)->estate.listing, err);
}

static const struct uplink_ops uplink_ops = {.pass = uplink_pass,
	.forget = uplink_forget,
	.idle = uplink_idle,
	.stop = uplink_stop,
	.tool = uplink_tool,
	.leased = uplink_leased,
	.lease_changed = uplink_lease_changed,
	.lease_found = uplink_lease_found,
	.net = uplink_net,
	.lease_gone = uplink_lease_gone,
	.ticket = uplink_ticket,
	.inventory_place = uplink_inventory_place,
	.inventory_kept = uplink_inventory_kept};

/* --- begin and end ------------------------------------------------------------------------ */

static void
signalled(void *arg, int signo)
{
	(void)signo;
	leave(arg);
}

static _Noreturn void
usage(void)
{
	die("usage: qemud-worker --idle SECONDS --log error|warning|info|debug --run DIR "
	    "--port-min PORT [--kvm] [--wake] (it is started by qemud-launch), or: qemud-worker "
	    "--session");
}

static void
read_arguments(struct worker *worker, int argc, char **argv)
{
	static const struct option options[] = {{"idle", required_argument, NULL, 'i'},
		{"log", required_argument, NULL, 'l'}, {"run", required_argument, NULL, 'r'},
		{"port-min", required_argument, NULL, 'p'}, {"lock", no_argument, NULL, 'k'},
		{"kvm", no_argument, NULL, 'v'}, {"wake", no_argument, NULL, 'w'},
		{NULL, 0, NULL, 0}};
	enum log_level level = 0;
	int option;

	worker->lock_fd = -1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'i' && keyval_number(optarg, 1, IDLE_MAX_S, &worker->idle_s) < 0)
			usage();
		if (option == 'p' && keyval_number(optarg, 1, UINT16_MAX, &worker->port_min) < 0)
			usage();
		if (option == 'l')
			level = log_level_read(optarg);
		if (option == 'r')
			worker->run = optarg;
		if (option == 'v')
			worker->kvm = true;
		if (option == 'w')
			worker->wake = true;
		if (option == 'k')
			worker->lock_fd = LOCK_FD;
		if (option == '?')
			usage();
	}
	if (optind != argc || worker->idle_s == 0 || level == 0 || !worker->run ||
		worker->port_min == 0)
		usage();
	log_open("qemud-worker", level);
}

static void
enter_run(const struct worker *worker)
{
	const char *why;
	int r = rundir_enter(worker->run, &why);

	if (r < 0)
		die("%s %s%s", worker->run,
			why ? why : "cannot be entered: ", why ? "" : strerror(-r));
}

static void
set_up(struct worker *worker)
{
	start_loop(&worker->loop, 0, signalled, worker);
	serving_init(
		&worker->server, &worker->loop, &worker->uplink, clients_occupied, &worker->estate);
	estate_init(&worker->estate, &worker->loop, &worker->uplink, &worker->server);
	worker->estate.run = worker->run;
	worker->estate.kvm = worker->kvm;
	worker->estate.vms.occupied = vms_occupied;
	worker->estate.lock_fd = worker->lock_fd;
	worker->estate.vms.port_min = worker->port_min;
}

int
main(int argc, char **argv)
{
	static struct worker worker;
	int r;

	start_program("qemud-worker");
	session_become(argc, argv);
	read_arguments(&worker, argc, argv);
	enter_run(&worker);
	if (xml_memory_set_up() < 0)
		die("libxml2 takes no allocator");
	set_up(&worker);
	r = filter_load(&filter_worker);
	if (r < 0)
		die("the system call filter cannot be loaded: %s", strerror(-r));
	r = uplink_start(&worker.uplink, &worker.loop, UPLINK_FD, &uplink_ops);
	if (r < 0)
		die("descriptor %d is no link to a broker: %s", UPLINK_FD, strerror(-r));
	estate_wake(&worker.estate, worker.wake);
	idle_begins(&worker);
	r = loop_run(&worker.loop);
	estate_fini(&worker.estate);
	server_fini(&worker.server);
	uplink_fini(&worker.uplink);
	/* What is left to the end of a turn of the loop. */
	(void)loop_once(&worker.loop, 0);
	loop_fini(&worker.loop);
	if (r < 0)
		die("the loop failed: %s", strerror(-r));
	return r;
}
