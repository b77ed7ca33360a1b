/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * names.c: which numbers the users and groups stand for that the policy speaks of; see names.h.
 *
 * Runs in the broker, as root, also while it is boxed. Must never believe an answer that is about
 * another name than was asked for.
 */
#include "broker/names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "lib/log.h"
#include "lib/memfd.h"
#include "lib/take.h"
#include "protocol/ipc/account.h"
#include "protocol/ipc/group.h"

static void go_on(struct names *names);

/* NULL: root's account. */
static const struct policy_name *
name_of(const struct names_slot *slot)
{
	const struct policy *policy = slot->names->policy;

	return slot->name < policy->n_names ? &policy->names[slot->name] : NULL;
}

static int
fill(struct question *question, union question_body *ret, int *ret_fd)
{
	const struct names_slot *slot = container_of(question, struct names_slot, question);
	const struct policy_name *name = name_of(slot);

	(void)ret_fd;
	/* By uid: it may have another name. */
	ret->resolve.kind = IPC_RESOLVE_ACCOUNT;
	if (!name)
		return 0;
	ret->resolve.kind = name->is_group ? IPC_RESOLVE_GROUP : IPC_RESOLVE_ACCOUNT;
	(void)snprintf(ret->resolve.name, sizeof(ret->resolve.name), "%s", name->text);
	return 0;
}

/* The number in an answer. Returns 0 or a negative errno. */
static int
read_number(const struct policy_name *name, int fd, uint32_t *ret)
{
	free_auto char *text = NULL;
	struct account account;
	size_t size = 0;
	int r;

	if (!name->is_group) {
		r = broker_read_account(fd, &account);
		if (r == 0 && strcmp(account.name, name->text) != 0)
			r = -EBADMSG;
		*ret = account.uid;
		return r;
	}
	r = memfd_read(fd, MEMFD_TEXT_MAX, &text, &size);
	if (r < 0)
		return r;
	return r == 0 && group_read(text, size, name->text, ret) == 0 ? 0 : -EBADMSG;
}

/* The number of a name is that; err is -ENOENT: it has none. */
static void
bind_name(struct names *names, unsigned i, int err, uint32_t id)
{
	const struct policy_name *name = &names->policy->names[i];
	bool was_known = name->known;
	uint32_t was = name->id;

	if (err == 0) {
		policy_bind(names->policy, i, id);
		names->n_changed += !was_known || was != id;
	} else {
		policy_bind_unknown(names->policy, i);
		names->n_changed += was_known;
	}
}

/* Returns 0, -ENOENT, or why it cannot be told. */
static int
read_answer(const struct names_slot *slot, int fd, uint32_t *ret_id, struct account *ret_root)
{
	const struct policy_name *name = name_of(slot);
	int r;

	if (name)
		return read_number(name, fd, ret_id);
	r = broker_read_account(fd, ret_root);
	return r == 0 && ret_root->uid != 0 ? -EBADMSG : r;
}

static void
answered(struct question *question, int err, const void *body, int *fds)
{
	struct names_slot *slot = container_of(question, struct names_slot, question);
	struct names *names = slot->names;
	const struct policy_name *name = name_of(slot);
	const char *text = name ? name->text : "root";
	struct account root = {.uid = 0};
	uint32_t id = 0;

	(void)body;
	if (err == 0)
		err = read_answer(slot, fds[0], &id, &root);
	if (err != 0 && err != -ENOENT) {
		log_warning("policy: the %s %s cannot be looked up: %s",
			name && name->is_group ? "group" : "user", text, strerror(-err));
		if (names->patient && err == -ETIMEDOUT) {
			starter_ask(names->starter, question, question->ops, LANE_KNOWN);
			return;
		}
		if (names->n_failed++ == 0)
			names->failed = text;
	} else if (name) {
		bind_name(names, slot->name, err, id);
	} else {
		names->root = root;
		names->has_root = true;
	}
	names->n_open--;
	go_on(names);
}

static void
go_on(struct names *names)
{
	static const struct question_ops ops = {
		.type = IPC_RESOLVE, .fill = fill, .answered = answered};

	for (unsigned i = 0; i < NAMES_AT_ONCE && names->next < names->n; i++) {
		struct names_slot *slot = &names->slots[i];

		if (slot->question.open)
			continue;
		slot->names = names;
		slot->name = names->next++;
		names->n_open++;
		starter_ask(names->starter, &slot->question, &ops, LANE_KNOWN);
	}
	if (names->n_open > 0)
		return;
	names->policy = NULL;
	names->known(names);
}

void
names_init(struct names *names, struct starter *starter, void (*known)(struct names *names))
{
	*names = (struct names){.starter = starter, .known = known};
}

static void
begin(struct deferred *deferred)
{
	go_on(container_of(deferred, struct names, beginning));
}

void
names_look_up(struct names *names, struct policy *policy, bool patient)
{
	names->policy = policy;
	names->patient = patient;
	names->has_root = false;
	names->n_runs++;
	names->n = policy->n_names;
	for (unsigned i = 0; i < policy->n_names; i++)
		if (policy->names[i].is_group)
			names->n = policy->n_names + 1;
	names->next = names->n_open = names->n_changed = names->n_failed = 0;
	loop_defer(names->starter->loop, &names->beginning, begin);
}
