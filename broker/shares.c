/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * shares.c: what all that runs for a user may take together; see shares.h.
 *
 * Runs in the broker, as root.
 */
#include "broker/shares.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/limits.h"
#include "broker/users.h"
#include "lib/log.h"
#include "lib/take.h"

static void tell(struct user *user);

struct ipc_share
shares_say(struct user *user)
{
	user->share.said = limits_share(user->child.broker, user);
	return user->share.said;
}

static int
fill(struct question *question, union question_body *ret, int *ret_fd)
{
	struct user *user = container_of(question, struct user, share.question);

	(void)ret_fd;
	ret->user_limit = (struct ipc_user_limit){.uid = user->uid, .share = shares_say(user)};
	return 0;
}

static void
told(struct question *question, int err, const void *body, int *fds)
{
	struct user *user = container_of(question, struct user, share.question);

	(void)body;
	(void)fds;
	if (err < 0) {
		log_warning("uid=%" PRIu32 ": what all that runs may take cannot be changed: %s",
			user->uid, strerror(-err));
		/* What holds is not known: it is told again as soon as anything is. */
		user->share.said = (struct ipc_share){.tasks = 0};
	}
	if (user->share.again)
		tell(user);
}

static void
tell(struct user *user)
{
	static const struct question_ops ops = {
		.type = IPC_USER_LIMIT, .fill = fill, .answered = told};

	user->share.again = user->share.question.open;
	if (!user->share.again)
		starter_ask(&user->child.broker->starter, &user->share.question, &ops, LANE_KNOWN);
}

void
shares_tell(struct broker *broker)
{
	for (struct user *user = NULL; (user = users_next(&broker->users, user));) {
		struct ipc_share share;

		if (user->uid == 0 || (!user->leases.first && child_is_absent(&user->child)))
			continue;
		share = limits_share(broker, user);
		if (share.tasks != user->share.said.tasks ||
			share.cpu_weight != user->share.said.cpu_weight)
			tell(user);
	}
}
