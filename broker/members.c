/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * members.c: who was in a group of the policy that may have vanished; see members.h.
 *
 * Runs in the broker, as root, also while it is boxed. Must never give anybody anything.
 */
#include "broker/members.h"

#include <inttypes.h>
#include <stdio.h>

#include "broker/broker.h"
#include "broker/registry.h"
#include "lib/log.h"

enum { TEXT_MAX = 256 };

/* Who was not here for long is known by the registry: what that says is old, and no reason for doubt. */
static bool
recall(const struct broker *broker, struct user *user, const struct account *account)
{
	struct account kept;

	if (user->account.name[0] != '\0' || !account || user->uid == 0 ||
		registry_account(broker->places.registry_fd, user->uid, &kept) != 0)
		return false;
	return held_update(&user->held, rulebook_policy(&broker->rulebook), &kept, account, true);
}

bool
members_answered(struct broker *broker, struct user *user, const struct account *account)
{
	const struct policy *policy = rulebook_policy(&broker->rulebook);
	const struct account *before = user->has_account ? &user->account : NULL;
	bool changed = held_update(&user->held, policy, before, account, user->held_sure);

	user->held_sure = false;
	if (!before)
		changed |= recall(broker, user, account);
	user->held_run = broker->rulebook.names.n_runs;
	if (held_waits(&user->held, policy))
		rulebook_hasten(&broker->rulebook);
	return changed;
}

void
members_review(struct broker *broker, bool sure)
{
	const struct policy *policy = rulebook_policy(&broker->rulebook);

	for (struct user *user = NULL; (user = users_next(&broker->users, user));) {
		bool told = sure && user->held_run != broker->rulebook.names.n_runs;

		if (user->held.n == 0)
			continue;
		/* Without an account she has nothing that could be taken; with one she is asked for. */
		if (held_update(&user->held, policy, NULL,
			    user->has_account ? &user->account : NULL, told && !user->has_account))
			members_tell(user);
		if (!told || !held_waits(&user->held, policy))
			continue;
		user->lookup_again_ns = 0;
		user->held_sure = !user->lookup.open;
	}
}

/* Numbers with commas, as far as there is room. */
static const char *
text_of(const uint32_t *groups, unsigned n, char text[static TEXT_MAX])
{
	size_t at = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < n && at < TEXT_MAX; i++)
		at += (size_t)snprintf(
			text + at, TEXT_MAX - at, "%s%" PRIu32, i > 0 ? "," : "", groups[i]);
	return text;
}

void
members_tell(const struct user *user)
{
	char groups[TEXT_MAX], held[TEXT_MAX];

	log_debug("account uid=%" PRIu32 " groups=%s held=%s", user->uid,
		text_of(user->account.groups, user->account.n_groups, groups),
		text_of(user->held.groups, user->held.n, held));
}
