/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * growth.c: a virtual machine that runs is granted more, or less; see growth.h.
 *
 * Runs in the broker, as root.
 */
#include "broker/growth.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/leases.h"
#include "broker/users.h"
#include "broker/wishes.h"
#include "lib/log.h"
#include "lib/take.h"

/* Of all that a user runs: sixteen at once, then four a second. */
static const struct bucket_size pace = {.interval_ns = LOOP_MS(250), .burst = 16};

static struct lease *
lease_of(struct question *question)
{
	return container_of(question, struct lease, growth.question);
}

static int
fill(struct question *question, union question_body *ret, int *ret_fd)
{
	const struct lease *lease = lease_of(question);

	(void)ret_fd;
	if (lease->over)
		return -ENOENT;
	ret->leaf_limit = (struct ipc_leaf_limit){
		.leaf = {.uid = lease->user->uid, .id = lease->id}, .grant = lease->growth.after};
	memcpy(ret->leaf_limit.leaf.uuid, lease->uuid, sizeof ret->leaf_limit.leaf.uuid);
	return 0;
}

static void
note(const struct lease *lease, int err)
{
	struct audit_event event =
		audit_by(lease->user, AUDIT_VM_CHANGE, err < 0 ? AUDIT_FAILED : AUDIT_ALLOWED);

	event.target = lease->user->account.name;
	event.vm = lease->id;
	event.uuid = lease->uuid;
	event.memory_kib = lease->grant.memory_kib;
	event.vcpus = lease->grant.vcpus;
	audit_record(
		&lease->user->child.broker->audit, &event, "%s", err < 0 ? strerror(-err) : "");
}

static void
changed(struct question *question, int err, const void *body, int *fds)
{
	struct lease *lease = lease_of(question);
	struct growth *growth = &lease->growth;
	uint32_t serial = growth->serial;

	(void)body;
	(void)fds;
	growth->serial = 0;
	if (!lease->over) {
		leases_count_as(lease, err < 0 ? &growth->before : &growth->after);
		note(lease, err);
		if (err < 0)
			log_error("lease uid=%" PRIu32 " id=%" PRIu32 " cannot be changed: %s",
				lease->user->uid, lease->id, strerror(-err));
		else
			log_info("lease changed uid=%" PRIu32 " id=%" PRIu32 " vcpus=%" PRIu32
				 " memory=%" PRIu64 "KiB",
				lease->user->uid, lease->id, lease->grant.vcpus,
				lease->grant.memory_kib);
	}
	if (serial != 0)
		(void)wishes_answer_change(&lease->user->child, serial, err);
	leases_settle(lease);
}

void
growth_over(struct lease *lease)
{
	uint32_t serial = lease->growth.serial;

	lease->growth.serial = 0;
	if (serial != 0)
		(void)wishes_answer_change(&lease->user->child, serial, -ENOENT);
}

/* What is more of each key. */
static struct quota_amounts
difference(const struct ipc_grant *before, const struct ipc_grant *after)
{
	struct quota_amounts from = quota_of(before), to = quota_of(after);

	for (enum quota_key key = 0; key < QUOTA_N; key++)
		to.of[key] = to.of[key] > from.of[key] ? to.of[key] - from.of[key] : 0;
	return to;
}

static uint64_t
larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

int
growth_ask(struct user *user, const struct ipc_lease_change *want, uint32_t serial,
	struct quota_refusal *ret)
{
	static const struct question_ops ops = {
		.type = IPC_LEAF_LIMIT, .fill = fill, .answered = changed};
	struct lease *lease = leases_by_id(user, want->id);
	struct broker *broker = user->child.broker;
	struct ipc_grant after, both;
	struct quota_amounts more;
	int r;

	if (!lease || lease->state != LEASE_HELD || lease->unwanted)
		return -ENOENT;
	if (lease->growth.question.open)
		return -EBUSY;
	after = quota_regrant(&lease->grant, want->vcpus, want->memory_kib);
	more = difference(&lease->grant, &after);
	r = leases_decide(&broker->leases, user, &lease->grant, &more, ret);
	if (r < 0)
		return r;
	if (!bucket_take(&user->leases.changes, loop_now(&broker->loop), pace))
		return -EAGAIN;
	lease->growth.before = lease->grant;
	lease->growth.after = after;
	lease->growth.serial = serial;
	both = (struct ipc_grant){
		.memory_kib = larger(lease->grant.memory_kib, after.memory_kib),
		.overhead_kib = larger(lease->grant.overhead_kib, after.overhead_kib),
		.vcpus = (uint32_t)larger(lease->grant.vcpus, after.vcpus),
	};
	leases_count_as(lease, &both);
	log_debug("lease uid=%" PRIu32 " id=%" PRIu32 " is to have vcpus=%" PRIu32
		  " memory=%" PRIu64 "KiB",
		user->uid, lease->id, after.vcpus, after.memory_kib);
	starter_ask(&broker->starter, &lease->growth.question, &ops, LANE_KNOWN);
	return 0;
}

void
growth_forsake(struct growth *growth)
{
	growth->serial = 0;
}
