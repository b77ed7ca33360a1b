/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * shown.h: the VMs that a connection shows, one after the other.
 *
 * Runs in the view. The principal's own first, then by owner, each in the order of names.
 */
#ifndef VIEW_SHOWN_H
#define VIEW_SHOWN_H

#include "view/viewer.h"

struct shown_vms {
	const struct viewer *viewer;
	uint32_t flags;
	struct owner *owner; /* of the last; NULL: at the end */
	unsigned next;
	uint32_t most, n_owner; /* of one owner: as many there are at most, were there so far */
};

/**
 * So many of each owner's are shown at most that all together are LISTED_MAX, as many as clients take:
 * whoever has, or makes up, more than her part is cut, and nobody else. count() says how many there are
 * with `most` of each.
 */
uint32_t shown_most(uint64_t (*count)(const void *arg, uint32_t most), const void *arg);

/**
 * Those that pass the flags (serve/listed.h), LISTED_MAX at most. Nothing of the owners changes until
 * the end.
 */
struct shown_vms shown_begin(const struct viewer *viewer, uint32_t flags);
/** The next one, or NULL. */
const struct owner_vm *shown_next(struct shown_vms *shown);
/** Does this one pass? */
bool shown_passes(const struct owner_vm *vm, uint32_t flags);

#endif
