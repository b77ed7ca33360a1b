/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker.c: the broker as a whole: what it holds, its start, its end.
 *
 * Runs as root. The start goes on while the loop runs: accounts, policy and what runs -> refuser
 * -> ready. Whatever fails on that way ends the broker with a line that says what to do; after
 * `ready` only the end of the starter does.
 */
#include "broker/broker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "broker/notify.h"
#include "broker/route.h"
#include "broker/wishes.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/memfd.h"
#include "lib/take.h"

/*
 * Descriptors besides those of connections: places, sockets, links, messages on their way. A child
 * takes two here, its link and its pidfd, and two of the starter, as do the boxes there.
 */
enum {
	OWN_FDS = 64,
	FDS_PER_CHILD = 2,
	FDS_PER_WORKER = 3, /* and where its inventory is written */
	WORKER_OWN_FDS = 1024,
	VIEW_OWN_FDS = 64
};

static void
fail(struct broker *broker)
{
	loop_quit(&broker->loop, EXIT_FAILURE);
}

static uint32_t
larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

int
broker_init(struct broker *broker)
{
	const struct config *config = &broker->config;
	uint32_t n_users = larger(config->max_users, broker->census.n_users);
	uint32_t n_vms = larger(config->max_vms, broker->census.n_vms);
	unsigned long own =
		OWN_FDS + BROKER_SPARE_CONNS +
		(TOOLS_MAX + n_vms * (1UL + NETS_PER_VM) + 2UL * config->max_views + 2UL) *
			FDS_PER_CHILD +
		n_users * (unsigned long)FDS_PER_WORKER;
	/* It also limits what root's processes have in flight: what all children may leave unread. */
	unsigned long in_flight =
		(n_users + 2UL * config->max_views + 1UL) * (CHILD_UNTAKEN_MAX + WISHES_UNREAD_FDS);
	struct rlimit files;
	int r = fd_limit_raise(own + config->max_connections + in_flight);

	if (r == -EPERM)
		r = fd_limit_raise(own + config->max_connections);
	if (r < 0 && r != -EPERM)
		return r;
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return -errno;
	if (files.rlim_cur < own + config->max_connections / 16)
		return -EMFILE;
	broker->max_conns = config->max_connections;
	/* So connections can never use up the descriptors that everything else needs. */
	if (files.rlim_cur < own + config->max_connections) {
		broker->max_conns = (uint32_t)(files.rlim_cur - own);
		log_warning("this process may have %lu open files: at most %" PRIu32
			    " connections instead of max_connections %" PRIu32,
			(unsigned long)files.rlim_cur, broker->max_conns, config->max_connections);
	}
	broker->limits = (struct budget_limits){
		.connections = config->user_connections,
		.connections_per_second = config->user_connections_per_second,
	};
	broker->memory_kib =
		(uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
	broker->worker_files = config->user_connections * 2 + WORKER_OWN_FDS;
	broker->view_files = config->user_connections * 4 + VIEW_OWN_FDS;
	child_init(&broker->refuser, broker, NULL);
	tools_init(&broker->tools, broker);
	/* root's entry, which no connection can take: what it resolves to is asked at the start. */
	authority_init(&broker->authority, broker);
	leavers_init(&broker->leavers, broker);
	r = rulebook_init(&broker->rulebook, broker);
	if (r == 0)
		r = conns_init(&broker->conns, broker->max_conns + BROKER_SPARE_CONNS);
	if (r == 0)
		r = users_init(&broker->users, broker, n_users + 1);
	if (r == 0)
		r = leases_init(&broker->leases, broker, n_vms);
	if (r == 0)
		r = nets_init(&broker->nets, broker, n_vms * NETS_PER_VM);
	if (r == 0)
		r = autostart_init(&broker->autostart, broker);
	if (r == 0)
		r = inventories_init(&broker->inventories, broker, n_users);
	if (r == 0)
		r = views_init(&broker->views, broker, config->max_views, broker->inventories.size);
	if (r == 0)
		r = audit_init(&broker->audit, broker);
	if (r == 0)
		(void)users_add(&broker->users, 0, false);
	return r;
}

void
broker_fini(struct broker *broker)
{
	starter_stop(&broker->starter);
	audit_fini(&broker->audit);
	autostart_fini(&broker->autostart);
	authority_stop(&broker->authority);
	leavers_stop(&broker->leavers);
	tools_fini(&broker->tools);
	nets_fini(&broker->nets);
	leases_fini(&broker->leases);
	for (struct user *user = NULL; (user = users_next(&broker->users, user));) {
		marks_fini(user);
		inventories_worker_gone(user);
		child_fini(&user->child);
	}
	views_fini(&broker->views);
	inventories_fini(&broker->inventories);
	child_fini(&broker->refuser);
	for (int i = 0; i < BROKER_SOCKETS; i++) {
		listener_stop(&broker->listeners[i]);
		fd_close(&broker->socket_fds[i]);
	}
	fd_close(&broker->notify_fd);
	conns_fini(&broker->conns);
	users_fini(&broker->users);
	/* Who ends is told to whom policy shows it, to the last. */
	rulebook_fini(&broker->rulebook);
	places_close(&broker->places);
	loop_fini(&broker->loop);
}

/* --- start -------------------------------------------------------------------------------- */

int
broker_read_account(int fd, struct account *ret)
{
	free_auto char *text = NULL;
	const char *why;
	size_t size;
	int r = memfd_read(fd, MEMFD_TEXT_MAX, &text, &size);

	if (r < 0)
		return r;
	return r == 0 && account_read(text, size, ret, &why) == 0 ? 0 : -EBADMSG;
}

int
broker_account_fd(const struct account *account)
{
	char text[MEMFD_TEXT_MAX];
	int n = account_format(account, text, sizeof text);

	return n < 0 ? n : memfd_make("account", text, (size_t)n);
}

static int
fill_view_lookup(struct question *question, union question_body *ret, int *ret_fd)
{
	const struct broker *broker = container_of(question, struct broker, view_lookup);

	(void)ret_fd;
	ret->resolve.kind = IPC_RESOLVE_ACCOUNT;
	(void)snprintf(
		ret->resolve.name, sizeof ret->resolve.name, "%s", broker->config.view_account);
	return 0;
}

static void
start_refuser(struct broker *broker)
{
	const struct user *root = users_find(&broker->users, 0);

	if (broker->view.name[0] != '\0' && root->lookup_again_ns != 0 && broker->leases.known &&
		broker->rulebook.known && !broker->ready)
		child_start(&broker->refuser);
}

static void look_up_view(struct broker *broker);

static void
view_answered(struct question *question, int err, const void *body, int *fds)
{
	struct broker *broker = container_of(question, struct broker, view_lookup);
	const char *name = broker->config.view_account;

	(void)body;
	if (err == 0)
		err = broker_read_account(fds[0], &broker->view);
	/* A busy host, as after a crash: start_late() ends the trying. */
	if (err == -ETIMEDOUT)
		return look_up_view(broker);
	if (err == -ENOENT)
		log_error("there is no account %s, which refuses connections: make it (useradd "
			  "--system %s), or name another in qemud.conf: view_account",
			name, name);
	else if (err < 0)
		log_error("the account %s cannot be looked up: %s", name, strerror(-err));
	else if (broker->view.uid == 0 || broker->view.gid == 0)
		log_error("the account %s is root's or of root's group: name another in "
			  "qemud.conf: view_account",
			name);
	else
		return start_refuser(broker);
	fail(broker);
}

static void
look_up_view(struct broker *broker)
{
	static const struct question_ops ops = {
		.type = IPC_RESOLVE, .fill = fill_view_lookup, .answered = view_answered};

	starter_ask(&broker->starter, &broker->view_lookup, &ops, LANE_KNOWN);
}

void
broker_system_known(struct broker *broker)
{
	const struct user *root = users_find(&broker->users, 0);

	if (!root->has_account && root->lookup_err == -ENOENT)
		log_warning("there is no account %s: nobody serves root until it is made (useradd "
			    "--system %s)",
			broker->config.system_account, broker->config.system_account);
	start_refuser(broker);
}

void
broker_policy_known(struct broker *broker)
{
	start_refuser(broker);
}

void
broker_policy_failed(struct broker *broker)
{
	log_error("it does not start with this policy: mend it first");
	fail(broker);
}

void
broker_leases_known(struct broker *broker)
{
	for (struct user *user = NULL; (user = users_next(&broker->users, user));)
		if (user->leases.first)
			route_look_up(broker, user);
	start_refuser(broker);
}

void
broker_leases_failed(struct broker *broker)
{
	fail(broker);
}

void
broker_refuser_failed(struct broker *broker)
{
	if (!broker->ready)
		fail(broker);
}

static void
starter_gone(struct starter *starter, enum ipc_fault fault, uint16_t type)
{
	struct broker *broker = container_of(starter, struct broker, starter);

	if (fault == IPC_OK)
		log_error("qemud-launch has ended: nothing can be started without it");
	else
		log_error("violation by qemud-launch: %s: %s", ipc_type_name(type),
			ipc_fault_text(fault));
	fail(broker);
}

static void
start_late(struct timer *timer)
{
	struct broker *broker = container_of(timer, struct broker, deadline);

	log_error("not ready after %d seconds: the name service or qemud-view does not answer",
		BROKER_START_S);
	fail(broker);
}

int
broker_start(struct broker *broker, int starter_fd)
{
	int r = starter_start(&broker->starter, &broker->loop, starter_fd, starter_gone);

	if (r < 0)
		return r;
	broker->since_s = (uint64_t)time(NULL);
	timer_set(&broker->loop, &broker->deadline,
		loop_now(&broker->loop) + LOOP_S(BROKER_START_S), start_late);
	route_look_up(broker, users_find(&broker->users, 0));
	look_up_view(broker);
	rulebook_start(&broker->rulebook);
	authority_start(&broker->authority);
	leavers_start(&broker->leavers);
	leases_find(&broker->leases);
	audit_record(&broker->audit, &(struct audit_event){.kind = AUDIT_BROKER_START},
		"version " QEMUD_VERSION);
	audit_start(&broker->audit);
	return 0;
}

void
broker_refuser_serves(struct broker *broker)
{
	static const enum ipc_socket sockets[BROKER_SOCKETS] = {
		IPC_SOCKET_RW, IPC_SOCKET_RO, IPC_SOCKET_CTL};

	if (broker->ready || broker->stopping)
		return;
	timer_stop(&broker->deadline);
	for (int i = 0; i < BROKER_SOCKETS; i++) {
		int r = listener_start(&broker->listeners[i], &broker->loop,
			take_fd(&broker->socket_fds[i]), sockets[i], route_accepted, broker);

		if (r < 0) {
			log_error("accepting cannot start: %s", strerror(-r));
			return fail(broker);
		}
	}
	broker->ready = true;
	notify_send(broker->notify_fd, "READY=1");
	log_info("ready");
	autostart_begin(&broker->autostart);
}

/* --- end ---------------------------------------------------------------------------------- */

static void
stop_late(struct timer *timer)
{
	struct broker *broker = container_of(timer, struct broker, deadline);

	if (broker->n_children > 0)
		log_warning(
			"%" PRIu32 " processes have not ended in time: killed", broker->n_children);
	else
		log_warning("audit: what waits to be written is not, in time: it is lost");
	for (struct user *user = NULL; (user = users_next(&broker->users, user));)
		child_kill(&user->child);
	for (struct view *view = NULL; (view = views_next(&broker->views, view));)
		child_kill(&view->child);
	child_kill(&broker->refuser);
	loop_quit(&broker->loop, EXIT_SUCCESS);
}

void
broker_stop(struct broker *broker)
{
	if (broker->stopping)
		return;
	broker->stopping = true;
	autostart_stop(&broker->autostart);
	authority_stop(&broker->authority);
	leavers_stop(&broker->leavers);
	notify_send(broker->notify_fd, "STOPPING=1");
	for (int i = 0; i < BROKER_SOCKETS; i++)
		listener_stop(&broker->listeners[i]);
	timer_set(&broker->loop, &broker->deadline, loop_now(&broker->loop) + LOOP_S(BROKER_STOP_S),
		stop_late);
	for (struct user *user = NULL; (user = users_next(&broker->users, user));)
		child_stop(&user->child);
	for (struct view *view = NULL; (view = views_next(&broker->views, view));)
		child_stop(&view->child);
	child_stop(&broker->refuser);
	if (broker->n_children == 0)
		audit_stop(&broker->audit);
}

void
broker_child_ended(struct broker *broker)
{
	broker->n_children--;
	if (broker->stopping && broker->n_children == 0)
		audit_stop(&broker->audit);
}

void
broker_audit_ended(struct broker *broker)
{
	loop_quit(&broker->loop, EXIT_SUCCESS);
}
