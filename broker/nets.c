/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nets.c: the processes for the networks of virtual machines; see nets.h.
 *
 * Runs in the broker, as root. Must never start one for a virtual machine that does not run, give
 * its socket to a worker that did not ask for it, or keep that socket.
 */
#include "broker/nets.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

#include "broker/broker.h"
#include "broker/child.h"
#include "broker/leases.h"
#include "broker/users.h"
#include "broker/wishes.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/take.h"
#include "policy/networks.h"

/* What one user may start: as many as the virtual machines that she may, two for each. */
static const struct bucket_size pace = {.interval_ns = LOOP_MS(60), .burst = 64};

static const struct {
	const char *name;
	uint32_t max; /* at a time, of one virtual machine */
	uint32_t box; /* enum ipc_box_kind */
} kinds[] = {
	[IPC_NET_RELAY] = {"relay", NETS_RELAYS_MAX, IPC_BOX_RELAY},
	[IPC_NET_PASST] = {"passt", NETS_PASSTS_MAX, IPC_BOX_PASST},
};

#define NET_FMT       "%s uid=%" PRIu32 " id=%" PRIu32 " pid=%" PRIu32
#define NET_ARGS(net) kinds[(net)->kind].name, (net)->user->uid, (net)->id, (net)->pid

static struct broker *
broker_of(const struct net *net)
{
	return net->user->child.broker;
}

static void
note(const struct net *net, enum audit_verdict verdict, const char *why)
{
	struct audit_event event = audit_by(net->user, AUDIT_NET_START, verdict);

	event.target = kinds[net->kind].name;
	event.pid = net->pid;
	event.vm = net->id;
	audit_record(&broker_of(net)->audit, &event, "%s", why);
}

int
nets_init(struct nets *nets, struct broker *broker, uint32_t size)
{
	*nets = (struct nets){.broker = broker, .size = size};
	nets->table = calloc(size, sizeof *nets->table);
	return nets->table ? 0 : -ENOMEM;
}

void
nets_fini(struct nets *nets)
{
	for (uint32_t i = 0; i < nets->n_touched; i++) {
		io_stop(&nets->table[i].end_io);
		fd_close(&nets->table[i].pidfd);
	}
	free(nets->table);
	*nets = (struct nets){.size = 0};
}

/* --- the table ---------------------------------------------------------------------------- */

static struct net *
enter(struct nets *nets, struct lease *lease)
{
	struct net *net = nets->free;

	if (net)
		nets->free = net->next;
	else if (nets->n_touched < nets->size)
		net = &nets->table[nets->n_touched++];
	else
		return NULL;
	*net = (struct net){.next = lease->nets,
		.lease = lease,
		.user = lease->user,
		.id = lease->id,
		.pidfd = -1};
	lease->nets = net;
	lease->user->nets.n++;
	nets->n++;
	return net;
}

static void
release(struct net *net)
{
	struct nets *nets = &broker_of(net)->nets;
	struct user *user = net->user;

	if (net->lease) {
		struct net **at = &net->lease->nets;

		while (*at != net)
			at = &(*at)->next;
		*at = net->next;
	}
	io_stop(&net->end_io);
	fd_close(&net->pidfd);
	user->nets.n--;
	nets->n--;
	net->user = NULL;
	net->lease = NULL;
	net->next = nets->free;
	nets->free = net;
}

/* --- its end ------------------------------------------------------------------------------ */

static void
kill_net(const struct net *net)
{
	/* ESRCH: it has ended already, which the loop is about to tell. */
	if (pidfd_send_signal(net->pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		log_error(NET_FMT " cannot be killed: %s", NET_ARGS(net), strerror(errno));
}

static void
process_ended(struct io *io, uint32_t events)
{
	struct net *net = container_of(io, struct net, end_io);

	(void)events;
	log_info(NET_FMT " ended", NET_ARGS(net));
	release(net);
}

void
nets_end(struct lease *lease)
{
	while (lease->nets) {
		struct net *net = lease->nets;
		uint32_t serial = net->serial;

		lease->nets = net->next;
		net->lease = NULL;
		net->serial = 0;
		if (serial != 0)
			(void)wishes_answer_net(&net->user->child, serial, -ENOENT, -1);
		/* Its leaf ends it too, where there is one. */
		if (net->pidfd >= 0)
			kill_net(net);
	}
}

void
nets_forsake(const struct user *user)
{
	for (struct lease *lease = user->leases.first; lease; lease = lease->next)
		for (struct net *net = lease->nets; net; net = net->next)
			net->serial = 0;
}

/* --- its start ---------------------------------------------------------------------------- */

static int
fill_box(struct question *question, union question_body *ret, int *ret_fd)
{
	const struct net *net = container_of(question, struct net, start);

	/* The worker or the virtual machine has ended while this waited for its turn. */
	if (net->serial == 0)
		return -ECANCELED;
	*ret_fd = broker_account_fd(&net->user->account);
	ret->box = (struct ipc_box){.uid = net->user->uid,
		.kind = kinds[net->kind].box,
		.n_files = NETS_FILES,
		.id = net->id};
	memcpy(ret->box.uuid, net->lease->uuid, sizeof ret->box.uuid);
	return *ret_fd < 0 ? *ret_fd : 0;
}

static int
hold(struct net *net, uint32_t pid, int pidfd)
{
	int r;

	net->pid = pid;
	net->pidfd = pidfd;
	r = io_start(&broker_of(net)->loop, &net->end_io, pidfd, EPOLLIN, 0, process_ended);
	if (r < 0)
		kill_net(net);
	return r;
}

static void
boxed(struct question *question, int err, const void *body, int *fds)
{
	struct net *net = container_of(question, struct net, start);
	struct child *child = &net->user->child;
	uint32_t serial = net->serial;

	if (err == 0)
		err = hold(net, ((const struct ipc_started *)body)->pid, take_fd(&fds[1]));
	net->serial = 0;
	if (err == 0 && wishes_is_behind(child))
		err = -EAGAIN;
	if (err < 0 && serial != 0)
		log_error("%s of uid=%" PRIu32 " id=%" PRIu32 " cannot be started: %s",
			kinds[net->kind].name, net->user->uid, net->id, strerror(-err));
	if (err < 0 && serial != 0)
		note(net, AUDIT_FAILED, strerror(-err));
	if (serial != 0 && wishes_answer_net(child, serial, err, err ? -1 : fds[0]) == 0 &&
		err == 0) {
		log_info(NET_FMT " started", NET_ARGS(net));
		note(net, AUDIT_ALLOWED, "");
		return;
	}
	/* Nobody took it, or there is nothing to take. */
	if (net->end_io.loop)
		kill_net(net);
	else
		release(net);
}

static uint32_t
count(const struct lease *lease, enum ipc_net_kind kind)
{
	uint32_t n = 0;

	for (const struct net *net = lease->nets; net; net = net->next)
		n += net->kind == kind;
	return n;
}

static struct lease *
find_lease(const struct user *user, uint32_t id)
{
	for (struct lease *lease = user->leases.first; lease; lease = lease->next)
		if (lease->id == id && lease->state == LEASE_HELD && !lease->unwanted)
			return lease;
	return NULL;
}

/* What policy says of the user network; a refusal in words for the client, with its line. */
static bool
may_have(const struct broker *broker, const struct user *user, struct quota_refusal *ret)
{
	const struct policy *policy = rulebook_policy(&broker->rulebook);
	struct policy_who who = authority_who(&broker->authority, user);
	const struct policy_rule *rule;
	char where[POLICY_WHERE_MAX] = "no line of policy.conf gives it one";

	if (policy_network(policy, &who, NULL, &rule))
		return true;
	if (rule)
		(void)policy_rule_where(policy, rule, where, sizeof where);
	(void)snprintf(ret->rule, sizeof ret->rule, "%.*s", IPC_RULE_MAX - 1, rule ? where : "");
	(void)snprintf(ret->why, sizeof ret->why,
		"this account has no network of kind user (%s); root of this host can change that",
		where);
	log_debug("policy: uid=%" PRIu32 ": %s", user->uid, ret->why);
	return false;
}

int
nets_ask(struct nets *nets, struct user *user, const struct ipc_net *want, uint32_t serial,
	struct quota_refusal *ret)
{
	static const struct question_ops ops = {
		.type = IPC_BOX, .fill = fill_box, .answered = boxed};
	struct lease *lease = find_lease(user, want->id);
	struct net *net;

	if (nets->broker->config.network == CONFIG_NETWORK_NONE)
		return -EACCES;
	if (!lease)
		return -ENOENT;
	if (count(lease, (enum ipc_net_kind)want->kind) >= kinds[want->kind].max)
		return -EDQUOT;
	if (!bucket_take(&user->nets.pace, loop_now(&nets->broker->loop), pace))
		return -EAGAIN;
	if (!may_have(nets->broker, user, ret))
		return -EPERM;
	/* As many as are left for all others: nobody can have them all. */
	net = user->nets.n < nets->size - nets->n ? enter(nets, lease) : NULL;
	if (!net)
		return -EAGAIN;
	net->kind = (enum ipc_net_kind)want->kind;
	net->serial = serial;
	starter_ask(&nets->broker->starter, &net->start, &ops, LANE_KNOWN);
	return 0;
}
