/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * listing.c: the broker is left with a list of the user's VMs; see listing.h.
 *
 * Runs in the worker, as the user; never as root.
 */
#include "worker/listing.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/take.h"

_Static_assert((int)INVENTORY_NAME_MAX == (int)DOMAIN_NAME_MAX, "every name fits");

enum { PACE_MS = 50, AGAIN_S = 5 };

static int
by_name(const void *a, const void *b)
{
	const struct domain *const *one = a, *const *other = b;

	return strcmp(domain_def_now(*one)->name, domain_def_now(*other)->name);
}

static struct inventory_vm
describe(const struct domain *domain)
{
	const struct domain_def *def = domain_def_now(domain);
	struct inventory_vm vm = {
		.state = (uint32_t)domain->state,
		.reason = (uint32_t)domain->reason,
		.persistent = domain->config != NULL,
		.autostart = domain->autostart,
	};

	if (domain_is_active(domain))
		vm.id = (uint32_t)domain->id;
	/* It has its box, and nobody was told that it runs. */
	if (vm.id != 0 && domain->state == DOMAIN_STATE_SHUTOFF) {
		vm.state = DOMAIN_STATE_PAUSED;
		vm.reason = DOMAIN_PAUSED_STARTING_UP;
	}
	memcpy(vm.uuid, def->uuid, sizeof(vm.uuid));
	ASSERT(strlen(def->name) < sizeof(vm.name));
	memcpy(vm.name, def->name, strlen(def->name) + 1);
	return vm;
}

/* All of them, by name. Returns the size of the text, or -ENOMEM. */
static ssize_t
write_text(struct listing *listing)
{
	const struct domains *domains = listing->domains;
	free_auto struct domain **sorted = calloc(domains->n + 1, sizeof(struct domain *));
	struct inventory_writer writer;
	struct domain *domain;
	size_t n = 0;

	if (!sorted)
		return -ENOMEM;
	TAILQ_FOREACH (domain, &domains->all, entry)
		sorted[n++] = domain;
	qsort(sorted, n, sizeof(struct domain *), by_name);
	inventory_write(&writer, listing->text, sizeof(listing->text));
	for (size_t i = 0; i < n; i++) {
		struct inventory_vm vm = describe(sorted[i]);

		if (inventory_add(&writer, &vm) < 0)
			log_warning("dom=%s cannot be shown to others", log_quote(vm.name));
	}
	return (ssize_t)inventory_end(&writer);
}

static void timer_due(struct timer *timer);

static void
again(struct listing *listing, uint64_t ns)
{
	if (!timer_is_set(&listing->timer))
		timer_set(listing->loop, &listing->timer, loop_now(listing->loop) + ns, timer_due);
}

static void
send(struct listing *listing)
{
	ssize_t size = write_text(listing);

	if (size > 0 && pwrite(listing->place_fd, listing->text, (size_t)size, 0) != size)
		size = -EIO;
	if (size < 0 || uplink_ask_inventory(listing->uplink, (uint32_t)size) != 0) {
		again(listing, LOOP_S(AGAIN_S));
		return;
	}
	listing->asked = true;
	listing->dirty = false;
}

static void
timer_due(struct timer *timer)
{
	struct listing *listing = container_of(timer, struct listing, timer);

	if (listing->open && listing->dirty && !listing->asked && listing->place_fd >= 0)
		send(listing);
}

static void
changed(void *arg)
{
	struct listing *listing = arg;

	listing->dirty = true;
	if (listing->open && !listing->asked && listing->place_fd >= 0)
		again(listing, LOOP_MS(PACE_MS));
}

void
listing_init(
	struct listing *listing, struct loop *loop, struct uplink *uplink, struct domains *domains)
{
	memset(listing, 0, offsetof(struct listing, text));
	listing->loop = loop;
	listing->uplink = uplink;
	listing->domains = domains;
	listing->place_fd = -1;
	domains->changed = changed;
	domains->changed_arg = listing;
}

void
listing_fini(struct listing *listing)
{
	listing_end(listing);
	fd_close(&listing->place_fd);
}

void
listing_place(struct listing *listing, int fd)
{
	fd_close(&listing->place_fd);
	listing->place_fd = fd;
	changed(listing);
}

void
listing_kept(struct listing *listing, int err)
{
	listing->asked = false;
	/* The next broker is told by the next worker. */
	if (err == -EPIPE)
		return;
	if (err < 0) {
		log_warning("what there is cannot be shown to others: %s", strerror(-err));
		listing->dirty = true;
		again(listing, LOOP_S(AGAIN_S));
	} else if (listing->dirty) {
		changed(listing);
	}
}

void
listing_begin(struct listing *listing)
{
	listing->open = true;
	changed(listing);
}

void
listing_end(struct listing *listing)
{
	if (timer_is_set(&listing->timer))
		timer_due(&listing->timer);
	listing->open = false;
	timer_stop(&listing->timer);
}
