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

struct shown_vms
shown_begin(const struct viewer *viewer, uint32_t flags)
{
	return (struct shown_vms){
		.viewer = viewer, .flags = flags, .owner = TAILQ_FIRST(&viewer->host->owners.all)};
}

const struct owner_vm *
shown_next(struct shown_vms *shown)
{
	for (; shown->owner; shown->owner = TAILQ_NEXT(shown->owner, entry), shown->next = 0) {
		if (!viewer_shows(shown->viewer, shown->owner))
			continue;
		while (shown->next < shown->owner->rows.n_vms) {
			const struct owner_vm *vm = &shown->owner->rows.vms[shown->next++];

			if (shown_passes(vm, shown->flags))
				return vm;
		}
	}
	return NULL;
}
