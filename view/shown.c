/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * shown.c: the VMs that a connection shows; see shown.h.
 */
#include "view/shown.h"

#include "serve/listed.h"

bool
shown_passes(const struct owner_vm *vm, uint32_t flags)
{
	struct listed listed = {.active = vm->id > 0,
		.persistent = vm->persistent,
		.autostart = vm->autostart,
		.state = vm->state};

	return listed_passes(&listed, flags);
}

uint32_t
shown_most(uint64_t (*count)(const void *arg, uint32_t most), const void *arg)
{
	uint32_t most = LISTED_MAX;

	while (count(arg, most) > LISTED_MAX)
		most -= most / 16 + 1;
	return most;
}

static struct shown_vms
begin(const struct viewer *viewer, uint32_t flags, uint32_t most)
{
	return (struct shown_vms){.viewer = viewer,
		.flags = flags,
		.owner = TAILQ_FIRST(&viewer->host->owners.all),
		.most = most};
}

static uint64_t
count_with(const void *arg, uint32_t most)
{
	const struct shown_vms *asked = arg;
	struct shown_vms shown = begin(asked->viewer, asked->flags, most);
	uint64_t n = 0;

	while (shown_next(&shown))
		n++;
	return n;
}

struct shown_vms
shown_begin(const struct viewer *viewer, uint32_t flags)
{
	struct shown_vms shown = begin(viewer, flags, 0);

	shown.most = shown_most(count_with, &shown);
	return shown;
}

static void
next_owner(struct shown_vms *shown)
{
	shown->owner = TAILQ_NEXT(shown->owner, entry);
	shown->next = 0;
	shown->n_owner = 0;
}

const struct owner_vm *
shown_next(struct shown_vms *shown)
{
	for (; shown->owner; next_owner(shown)) {
		if (!viewer_shows(shown->viewer, shown->owner))
			continue;
		while (shown->next < shown->owner->rows.n_vms && shown->n_owner < shown->most) {
			const struct owner_vm *vm = &shown->owner->rows.vms[shown->next++];

			if (!shown_passes(vm, shown->flags))
				continue;
			shown->n_owner++;
			return vm;
		}
	}
	return NULL;
}
