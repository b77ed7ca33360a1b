/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c of qemud-view: --refuse tells refused clients why; --host shows somebody the whole host;
 * --ctl answers qemudctl.
 *
 * The starter runs it as the account qemud-view, without a capability, with its link to the broker
 * as descriptor 3. It opens no file and starts nothing.
 *
 * The refuser has no channel to any worker and no right over anything; whoever is not to be served
 * is passed here (CONN_PASS with a refusal), so that a client sees an error with its reason and
 * never just a connection that closes. The broker reads no byte of these clients, and what they
 * could take over here is a process that owns nothing. It does not end by itself.
 *
 * A view of the host is of one principal, on one kind of socket. What that principal may see and do
 * is the broker's to say, who hands out each way to a worker by itself (view/viewer.h): who took it
 * over would have what that principal has. It ends when it had no client for --idle seconds. So does one
 * for qemudctl, which has no ways to workers at all (view/asker.h).
 *
 * Set-up comes first, then the filter (policy/seccomp/refuser.list, view.list), then HELLO. On STOP,
 * SIGTERM or the broker's end, who is here has DRAIN_S seconds to be answered.
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
#include "view/asker.h"
#include "view/refused.h"
#include "view/viewer.h"

enum { DRAIN_S = 2, IDLE_MAX_S = 86400 };

enum kind { KIND_NONE = 0, KIND_REFUSER, KIND_HOST, KIND_CTL };

struct view {
	enum kind kind;
	struct loop loop;
	struct uplink uplink;
	/* Of these the one of its kind. */
	struct refuser refuser;
	struct view_host host;
	struct askers askers;
	uint64_t idle_s;
	struct timer idle;     /* runs while a view that is not the refuser has no client */
	struct timer deadline; /* runs while it is leaving */
	bool leaving;
};

static bool
is_empty(const struct view *view)
{
	if (view->kind == KIND_CTL)
		return view->askers.n == 0;
	return view->kind == KIND_HOST ? view->host.server.n_clients == 0 : view->refuser.n == 0;
}

/* --- the end ------------------------------------------------------------------------------ */

static void
deadline_due(struct timer *timer)
{
	loop_quit(&container_of(timer, struct view, deadline)->loop, EXIT_SUCCESS);
}

static void
leave(struct view *view)
{
	if (view->leaving)
		return;
	view->leaving = true;
	timer_stop(&view->idle);
	timer_set(&view->loop, &view->deadline, loop_now(&view->loop) + LOOP_S(DRAIN_S),
		deadline_due);
	if (view->kind == KIND_HOST)
		server_drain(&view->host.server);
	if (view->kind == KIND_CTL)
		askers_drain(&view->askers);
	if (is_empty(view))
		loop_quit(&view->loop, EXIT_SUCCESS);
}

static void idle_due(struct timer *timer);

static void
idle_begins(struct view *view)
{
	timer_set(&view->loop, &view->idle, loop_now(&view->loop) + LOOP_S(view->idle_s), idle_due);
}

static void
idle_due(struct timer *timer)
{
	struct view *view = container_of(timer, struct view, idle);

	if (uplink_ask_idle(&view->uplink) == LINK_E_FULL)
		idle_begins(view);
}

static void
emptied(struct refuser *refuser)
{
	struct view *view = container_of(refuser, struct view, refuser);

	if (view->leaving)
		loop_quit(&view->loop, EXIT_SUCCESS);
}

static void
occupied(struct view *view, bool is_occupied)
{
	if (is_occupied)
		timer_stop(&view->idle);
	else if (view->leaving)
		loop_quit(&view->loop, EXIT_SUCCESS);
	else
		idle_begins(view);
}

static void
host_occupied(struct server *server, bool is_occupied)
{
	occupied(container_of(server, struct view, host.server), is_occupied);
}

static void
ctl_occupied(struct askers *askers, bool is_occupied)
{
	occupied(container_of(askers, struct view, askers), is_occupied);
}

/* --- the broker --------------------------------------------------------------------------- */

static int
uplink_pass(struct uplink *uplink, const struct ipc_conn_pass *pass, int fd)
{
	struct view *view = container_of(uplink, struct view, uplink);

	if (view->kind == KIND_CTL)
		return asker_start(&view->askers, pass, fd);
	return view->kind == KIND_HOST ? client_start(&view->host.server, pass, fd)
				       : refused_start(&view->refuser, pass, fd);
}

static void
uplink_forget(struct uplink *uplink, struct uplink_conn *conn)
{
	enum kind kind = container_of(uplink, struct view, uplink)->kind;

	if (kind == KIND_HOST)
		client_free(container_of(conn, struct client, conn));
	else if (kind == KIND_CTL)
		asker_free(container_of(conn, struct asker, conn));
	else
		refused_free(container_of(conn, struct refused, conn));
}

static void
uplink_stop(struct uplink *uplink, enum ipc_fault fault, uint16_t type)
{
	struct view *view = container_of(uplink, struct view, uplink);

	if (fault == IPC_OK) {
		leave(view);
		return;
	}
	log_error("violation by the broker in %s: %s", ipc_type_name(type), ipc_fault_text(fault));
	loop_quit(&view->loop, EXIT_FAILURE);
}

static void
uplink_idle(struct uplink *uplink, bool granted)
{
	struct view *view = container_of(uplink, struct view, uplink);

	if (granted)
		leave(view);
	else if (is_empty(view) && !view->leaving)
		idle_begins(view);
}

static int
uplink_ticket(struct uplink *uplink, const struct ipc_ticket_change *change)
{
	struct view *view = container_of(uplink, struct view, uplink);

	return view->kind == KIND_CTL ? askers_change(&view->askers, change)
				      : server_change(&view->host.server, change);
}

static struct owners *
owners_of(struct view *view)
{
	return view->kind == KIND_CTL ? &view->askers.owners : &view->host.owners;
}

static void
uplink_inventory_changed(struct uplink *uplink)
{
	owners_refresh(owners_of(container_of(uplink, struct view, uplink)));
}

static void
uplink_inventory_found(
	struct uplink *uplink, int err, const struct ipc_inventory_found *found, int fd)
{
	owners_found(owners_of(container_of(uplink, struct view, uplink)), err, found, fd);
}

static void
uplink_channel(struct uplink *uplink, uint64_t cookie, int err, int fd)
{
	view_host_channel(&container_of(uplink, struct view, uplink)->host, cookie, err, fd);
}

static void
uplink_vm_done(struct uplink *uplink, uint64_t cookie, int err)
{
	force_done(&container_of(uplink, struct view, uplink)->host.forces, cookie, err);
}

static void
uplink_status(struct uplink *uplink, uint64_t cookie, int err, const void *body)
{
	askers_told(&container_of(uplink, struct view, uplink)->askers, cookie, err, body);
}

static const struct uplink_ops refuser_ops = {
	.pass = uplink_pass, .forget = uplink_forget, .stop = uplink_stop};

static const struct uplink_ops host_ops = {.pass = uplink_pass,
	.forget = uplink_forget,
	.stop = uplink_stop,
	.idle = uplink_idle,
	.ticket = uplink_ticket,
	.inventory_changed = uplink_inventory_changed,
	.inventory_found = uplink_inventory_found,
	.channel = uplink_channel,
	.vm_done = uplink_vm_done};

static const struct uplink_ops ctl_ops = {.pass = uplink_pass,
	.forget = uplink_forget,
	.stop = uplink_stop,
	.idle = uplink_idle,
	.ticket = uplink_ticket,
	.inventory_changed = uplink_inventory_changed,
	.inventory_found = uplink_inventory_found,
	.status = uplink_status};

static const struct uplink_ops *const ops[] = {
	[KIND_REFUSER] = &refuser_ops, [KIND_HOST] = &host_ops, [KIND_CTL] = &ctl_ops};

/* --- begin -------------------------------------------------------------------------------- */

static void
signalled(void *arg, int signo)
{
	(void)signo;
	leave(arg);
}

static void
read_arguments(struct view *view, int argc, char **argv)
{
	static const struct option options[] = {{"refuse", no_argument, NULL, 'r'},
		{"host", no_argument, NULL, 'h'}, {"ctl", no_argument, NULL, 'c'},
		{"idle", required_argument, NULL, 'i'}, {"log", required_argument, NULL, 'l'},
		{NULL, 0, NULL, 0}};
	enum log_level level = 0;
	bool ok = true;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'r' && view->kind == KIND_NONE)
			view->kind = KIND_REFUSER;
		else if (option == 'h' && view->kind == KIND_NONE)
			view->kind = KIND_HOST;
		else if (option == 'c' && view->kind == KIND_NONE)
			view->kind = KIND_CTL;
		else if (option == 'i')
			ok = ok && keyval_number(optarg, 1, IDLE_MAX_S, &view->idle_s) == 0;
		else if (option == 'l')
			level = log_level_read(optarg);
		else
			ok = false;
	}
	if (!ok || optind != argc || view->kind == KIND_NONE || level == 0 ||
		(view->kind != KIND_REFUSER) != (view->idle_s != 0))
		die("usage: qemud-view --refuse --log error|warning|info|debug, or qemud-view "
		    "--host|--ctl --idle SECONDS --log LEVEL (it is started by qemud-launch)");
	log_open("qemud-view", level);
}

static void
set_up(struct view *view)
{
	start_loop(&view->loop, 0, signalled, view);
	if (view->kind == KIND_HOST)
		view_host_init(&view->host, &view->loop, &view->uplink, host_occupied);
	else if (view->kind == KIND_CTL)
		askers_init(&view->askers, &view->loop, &view->uplink, ctl_occupied);
	else
		refuser_init(&view->refuser, &view->loop, &view->uplink, emptied);
}

static void
finish(struct view *view)
{
	if (view->kind == KIND_HOST)
		view_host_fini(&view->host);
	else if (view->kind == KIND_CTL)
		askers_fini(&view->askers);
	else
		refuser_fini(&view->refuser);
	uplink_fini(&view->uplink);
	loop_fini(&view->loop);
}

int
main(int argc, char **argv)
{
	static struct view view;
	int r;

	start_program("qemud-view");
	read_arguments(&view, argc, argv);
	set_up(&view);
	r = filter_load(view.kind == KIND_REFUSER ? &filter_refuser : &filter_view);
	if (r < 0)
		die("the system call filter cannot be loaded: %s", strerror(-r));
	r = uplink_start(&view.uplink, &view.loop, UPLINK_FD, ops[view.kind]);
	if (r < 0)
		die("descriptor %d is no link to a broker: %s", UPLINK_FD, strerror(-r));
	if (view.kind != KIND_REFUSER) {
		owners_refresh(owners_of(&view));
		idle_begins(&view);
	}
	r = loop_run(&view.loop);
	finish(&view);
	if (r < 0)
		die("the loop failed: %s", strerror(-r));
	return r;
}
