/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c of qemud-view: for now only --refuse, which tells refused clients why.
 *
 * The starter runs it as the account qemud-view, without a capability, with its link to the broker
 * as descriptor 3. It has no channel to any worker and no right over anything; whoever is not to
 * be served is passed here (CONN_PASS with a refusal), so that a client sees an error with its
 * reason and never just a connection that closes. The broker reads no byte of these clients, and
 * what they could take over here is a process that owns nothing.
 *
 * Set-up comes first, then the filter (policy/seccomp/refuser.list), then HELLO. It does not end
 * by itself. On STOP, SIGTERM or the broker's end, who is here has DRAIN_S seconds to be answered.
 */
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "confine/filter.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/start.h"
#include "lib/take.h"
#include "lib/uplink.h"
#include "view/refused.h"

enum { DRAIN_S = 2 };

struct view {
	struct loop loop;
	struct uplink uplink;
	struct refuser refuser;
	struct timer deadline; /* runs while it is leaving */
	bool leaving;
};

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
	timer_set(&view->loop, &view->deadline, loop_now(&view->loop) + LOOP_S(DRAIN_S),
		deadline_due);
	if (view->refuser.n == 0)
		loop_quit(&view->loop, EXIT_SUCCESS);
}

static void
emptied(struct refuser *refuser)
{
	struct view *view = container_of(refuser, struct view, refuser);

	if (view->leaving)
		loop_quit(&view->loop, EXIT_SUCCESS);
}

static int
uplink_pass(struct uplink *uplink, const struct ipc_conn_pass *pass, int fd)
{
	return refused_start(&container_of(uplink, struct view, uplink)->refuser, pass, fd);
}

static void
uplink_forget(struct uplink *uplink, struct uplink_conn *conn)
{
	(void)uplink;
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

static const struct uplink_ops uplink_ops = {
	.pass = uplink_pass, .forget = uplink_forget, .stop = uplink_stop};

static void
signalled(void *arg, int signo)
{
	(void)signo;
	leave(arg);
}

static void
read_arguments(int argc, char **argv)
{
	static const struct option options[] = {{"refuse", no_argument, NULL, 'r'},
		{"log", required_argument, NULL, 'l'}, {NULL, 0, NULL, 0}};
	enum log_level level = 0;
	bool refuse = false, ok = true;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'r')
			refuse = true;
		else if (option == 'l')
			level = log_level_read(optarg);
		else
			ok = false;
	}
	if (!ok || optind != argc || !refuse || level == 0)
		die("usage: qemud-view --refuse --log error|warning|info|debug (it is started by "
		    "qemud-launch)");
	log_open("qemud-view", level);
}

static void
set_up(struct view *view)
{
	start_loop(&view->loop, 0, signalled, view);
	refuser_init(&view->refuser, &view->loop, &view->uplink, emptied);
}

int
main(int argc, char **argv)
{
	static struct view view;
	int r;

	start_program("qemud-view");
	read_arguments(argc, argv);
	set_up(&view);
	r = filter_load(&filter_refuser);
	if (r < 0)
		die("the system call filter cannot be loaded: %s", strerror(-r));
	r = uplink_start(&view.uplink, &view.loop, UPLINK_FD, &uplink_ops);
	if (r < 0)
		die("descriptor %d is no link to a broker: %s", UPLINK_FD, strerror(-r));
	r = loop_run(&view.loop);
	refuser_fini(&view.refuser);
	uplink_fini(&view.uplink);
	loop_fini(&view.loop);
	if (r < 0)
		die("the loop failed: %s", strerror(-r));
	return r;
}
