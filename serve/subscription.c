/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * subscription.c: which events a connection wants to hear of; see subscription.h.
 */
#include "serve/subscription.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool
is_same(const struct subscription *a, const struct subscription *b)
{
	return a->event == b->event && a->filtered == b->filtered &&
	       memcmp(a->uuid, b->uuid, sizeof a->uuid) == 0;
}

static int
make_room(struct subscriptions *subscriptions)
{
	unsigned room = subscriptions->room > 0 ? subscriptions->room * 2 : 4;
	struct subscription *list;

	if (subscriptions->n < subscriptions->room)
		return 0;
	list = realloc(subscriptions->list, room * sizeof *list);
	if (!list)
		return -ENOMEM;
	subscriptions->list = list;
	subscriptions->room = room;
	return 0;
}

int
subscription_add(
	struct subscriptions *subscriptions, int32_t event, const uint8_t *uuid, int32_t *ret_id)
{
	struct subscription new = {.event = event, .filtered = uuid != NULL};
	int r;

	if (uuid)
		memcpy(new.uuid, uuid, sizeof new.uuid);
	for (unsigned i = 0; i < subscriptions->n; i++)
		if (is_same(&subscriptions->list[i], &new))
			return SUBSCRIPTION_E_AGAIN;
	if (subscriptions->n == SUBSCRIPTIONS_MAX || subscriptions->last_id == INT32_MAX)
		return SUBSCRIPTION_E_FULL;
	r = make_room(subscriptions);
	if (r < 0)
		return r;
	new.id = *ret_id = ++subscriptions->last_id;
	subscriptions->list[subscriptions->n++] = new;
	return 0;
}

int
subscription_remove(struct subscriptions *subscriptions, int32_t id)
{
	for (unsigned i = 0; i < subscriptions->n; i++) {
		if (subscriptions->list[i].id != id)
			continue;
		subscriptions->list[i] = subscriptions->list[--subscriptions->n];
		if (subscriptions->n == 0) {
			free(subscriptions->list);
			subscriptions->list = NULL;
			subscriptions->room = 0;
		}
		return 0;
	}
	return SUBSCRIPTION_E_NONE;
}

void
subscriptions_fini(struct subscriptions *subscriptions)
{
	free(subscriptions->list);
	*subscriptions = (struct subscriptions){.n = 0};
}
