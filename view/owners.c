/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * owners.c: whose virtual machines this view shows, and which; see owners.h.
 */
#include "view/owners.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fd.h"
#include "lib/log.h"
#include "lib/memfd.h"
#include "lib/take.h"
#include "protocol/ipc/account.h"

enum { RETRY_MS = 50 };

static void quiet_over(struct timer *timer);
static void unsettled_due(struct timer *timer);

bool
owner_show(const struct owner *owner, struct rpc_domain *dom, struct rpc_arena *arena)
{
	const struct rows *rows = &owner->rows;
	size_t size = strlen(rows->prefix) + strlen(dom->name) + 1;
	uint8_t uuid[UUID_SIZE];
	char *name = rows_may_name(dom->name) ? rpc_arena_bytes(arena, size) : NULL;

	if (!name)
		return false;
	(void)snprintf(name, size, "%s%s", rows->prefix, dom->name);
	dom->name = name;
	memcpy(uuid, dom->uuid, UUID_SIZE);
	rows_show_uuid(rows, uuid, dom->uuid);
	return true;
}

/* --- rows --------------------------------------------------------------------------------- */

static void
settle(struct owner *owner)
{
	struct loop *loop = owner->owners->loop;
	uint64_t again_ns = rows_settle(&owner->rows, loop_now(loop));

	if (again_ns == UINT64_MAX)
		timer_stop(&owner->unsettled);
	else
		timer_set(loop, &owner->unsettled, again_ns, unsettled_due);
}

static void
unsettled_due(struct timer *timer)
{
	settle(container_of(timer, struct owner, unsettled));
}

void
owners_told(
	struct owners *owners, struct owner *owner, const struct rpc_domain *domains, uint32_t n)
{
	if (rows_told(&owner->rows, domains, n) != 0)
		return;
	settle(owner);
	timer_set(owners->loop, &owner->quiet, loop_now(owners->loop) + LOOP_MS(OWNERS_QUIET_MS),
		quiet_over);
}

void
owners_forced(struct owners *owners, uint32_t uid, uint32_t vm_id, enum force_act act)
{
	struct owner *owner = owners_find(owners, uid);

	if (!owner)
		return;
	rows_force(&owner->rows, vm_id, act);
	settle(owner);
}

/* --- inventories -------------------------------------------------------------------------- */

/* A memfd's text, and what the broker wrote behind it. Returns whether there is one. */
static bool
read_found(const struct owner *owner, int fd, uint32_t n_running, char **ret_text, size_t *ret_size)
{
	size_t behind = (size_t)n_running * sizeof(struct ipc_running);
	int r = memfd_read(fd, INVENTORY_MAX + behind, ret_text, ret_size);

	if (r == 0 && *ret_size >= behind) {
		*ret_size -= behind;
		return true;
	}
	log_warning("the inventory of %s cannot be read: %s", owner->label,
		r < 0 ? strerror(-r) : "it is not sealed, or has a wrong size");
	return false;
}

/* What cannot be read changes nothing, and is said. */
static void
take_text(struct owner *owner, const char *text, size_t size)
{
	const char *error = NULL;

	if (rows_read(&owner->rows, text, size, &error) != 0)
		log_warning("the inventory of %s cannot be read: %s", owner->label,
			error ? error : "there is no memory for it");
}

static void
quiet_over(struct timer *timer)
{
	struct owner *owner = container_of(timer, struct owner, quiet);
	free_auto char *text = NULL;
	size_t size;

	if (owner->held_fd >= 0 && read_found(owner, owner->held_fd, owner->n_held, &text, &size))
		take_text(owner, text, size);
	fd_close(&owner->held_fd);
	settle(owner);
}

/* What runs is known at once, what else there is waits for its turn. */
static void
take_found(struct owner *owner, uint32_t n_running, int *fd)
{
	struct loop *loop = owner->owners->loop;
	free_auto char *text = NULL;
	size_t size;

	if (!read_found(owner, *fd, n_running, &text, &size))
		return;
	if (rows_run(&owner->rows, text + size, n_running, loop_now(loop)) != 0)
		log_warning("there is no memory for what runs of %s", owner->label);
	if (timer_is_set(&owner->quiet)) {
		fd_close(&owner->held_fd);
		owner->held_fd = take_fd(fd);
		owner->n_held = n_running;
	} else {
		take_text(owner, text, size);
	}
	settle(owner);
	endings_check(&owner->owners->endings, &owner->rows);
}

/* --- owners come and go ------------------------------------------------------------------- */

/* As in broker/views.c. */
static void
label_of(const struct ipc_inventory_found *found, char ret[static IPC_NAME_MAX])
{
	if (found->system)
		(void)snprintf(ret, IPC_NAME_MAX, "system");
	else if (account_name_shown(found->name))
		(void)snprintf(ret, IPC_NAME_MAX, "%.*s", IPC_NAME_MAX - 1, found->name);
	else
		(void)snprintf(ret, IPC_NAME_MAX, "%" PRIu32, found->uid);
}

/* Her account has another name, or another account has her uid: all is named anew. */
static bool
is_renamed(const struct owner *owner, const struct ipc_inventory_found *found)
{
	char label[IPC_NAME_MAX];

	label_of(found, label);
	return strcmp(owner->label, label) != 0;
}

static void
insert(struct owners *owners, struct owner *owner)
{
	struct owner *other;

	TAILQ_FOREACH (other, &owners->all, entry)
		if (owner->own ||
			(!other->own && strcmp(other->rows.prefix, owner->rows.prefix) > 0))
			break;
	if (other)
		TAILQ_INSERT_BEFORE(other, owner, entry);
	else
		TAILQ_INSERT_TAIL(&owners->all, owner, entry);
}

static void
drop(struct owners *owners, struct owner *owner)
{
	TAILQ_REMOVE(&owners->all, owner, entry);
	endings_fail(&owners->endings, owner->uid);
	timer_stop(&owner->quiet);
	timer_stop(&owner->unsettled);
	fd_close(&owner->held_fd);
	rows_fini(&owner->rows);
	free(owner);
}

static struct owner *
add(struct owners *owners, const struct ipc_inventory_found *found)
{
	struct owner *owner = calloc(1, sizeof(*owner));

	if (!owner) {
		log_warning("there is no memory for the owner with uid %" PRIu32, found->uid);
		return NULL;
	}
	owner->owners = owners;
	owner->held_fd = -1;
	owner->uid = found->uid;
	owner->own = found->own;
	owner->rows = (struct rows){.uid = found->uid, .own = found->own};
	owner->system = found->system;
	label_of(found, owner->label);
	if (!found->own)
		(void)snprintf(owner->rows.prefix, sizeof(owner->rows.prefix), "%s:", owner->label);
	insert(owners, owner);
	return owner;
}

static void
found_one(struct owners *owners, const struct ipc_inventory_found *found, int *fd)
{
	struct owner *owner = owners_find(owners, found->uid);
	bool changed;

	if (owner && found->verbs != 0 && is_renamed(owner, found)) {
		drop(owners, owner);
		owner = NULL;
	}
	if (!owner && found->verbs != 0)
		owner = add(owners, found);
	if (!owner)
		return;
	changed = owner->verbs != found->verbs || (found->worker && !owner->worker);
	owner->verbs = found->verbs;
	memcpy(owner->reason, found->reason, sizeof(owner->reason));
	owner->worker = found->worker;
	if (owner->verbs != 0)
		take_found(owner, found->n_running, fd);
	if (changed)
		owners->changed(owners, owner);
	if (owner->verbs == 0)
		drop(owners, owner);
}

/* --- asking ------------------------------------------------------------------------------- */

static void ask(struct owners *owners);
static void wake(struct owners *owners);

void
owners_wait_stop(struct owners *owners, struct owners_wait *wait)
{
	if (wait->waits)
		TAILQ_REMOVE(&owners->waits, wait, entry);
	wait->waits = false;
}

static void
retry_due(struct timer *timer)
{
	struct owners *owners = container_of(timer, struct owners, retry);

	if (owners->over)
		wake(owners);
	else
		ask(owners);
}

static void
wake(struct owners *owners)
{
	struct owners_wait *wait;

	/* Those who begin to wait meanwhile wait for a later round, and stand behind. */
	while ((wait = TAILQ_FIRST(&owners->waits)) &&
		(owners->over || wait->round <= owners->round)) {
		owners_wait_stop(owners, wait);
		wait->fn(wait);
	}
	if (owners->over)
		endings_fail_all(&owners->endings);
}

static void
ask(struct owners *owners)
{
	int r = uplink_ask_next_inventory(owners->uplink, owners->after);

	owners->asking = true;
	if (r == LINK_E_FULL) {
		timer_set(owners->loop, &owners->retry, loop_now(owners->loop) + LOOP_MS(RETRY_MS),
			retry_due);
	} else if (r != 0) {
		owners->over = true;
		wake(owners);
	}
}

void
owners_refresh(struct owners *owners)
{
	if (owners->asking) {
		owners->again = true;
		return;
	}
	owners->again = false;
	owners->round++;
	ask(owners);
}

void
owners_found(struct owners *owners, int err, const struct ipc_inventory_found *found, int fd)
{
	if (err == 0) {
		owners->after = found->generation;
		found_one(owners, found, &fd);
		fd_close(&fd);
		ask(owners);
		return;
	}
	/* What the host has no room for now it may have soon. */
	if (err != -ENOENT && err != -EPIPE) {
		timer_set(owners->loop, &owners->retry, loop_now(owners->loop) + LOOP_MS(RETRY_MS),
			retry_due);
		return;
	}
	if (err == -EPIPE)
		owners->over = true;
	owners->asking = false;
	if (!owners->known) {
		owners->known = true;
		owners->changed(owners, NULL);
	}
	wake(owners);
	if (owners->again && !owners->asking && !owners->over)
		owners_refresh(owners);
}

void
owners_wait(struct owners *owners, struct owners_wait *wait, owners_wait_fn *fn)
{
	/* What is on its way may have been said before now. */
	wait->round = owners->round + 1;
	wait->fn = fn;
	wait->waits = true;
	TAILQ_INSERT_TAIL(&owners->waits, wait, entry);
	if (owners->over)
		timer_set(owners->loop, &owners->retry, loop_now(owners->loop), retry_due);
	else
		owners_refresh(owners);
}

/* --- finding ------------------------------------------------------------------------------ */

struct owner *
owners_find(const struct owners *owners, uint32_t uid)
{
	struct owner *owner;

	TAILQ_FOREACH (owner, &owners->all, entry)
		if (owner->uid == uid)
			return owner;
	return NULL;
}

struct owner *
owners_own(const struct owners *owners)
{
	struct owner *first = TAILQ_FIRST(&owners->all);

	return first && first->own ? first : NULL;
}

struct owner_vm *
owners_find_uuid(const struct owners *owners, const uint8_t shown[static UUID_SIZE],
	struct owner **ret_owner)
{
	TAILQ_FOREACH (*ret_owner, &owners->all, entry)
		for (unsigned i = 0; i < (*ret_owner)->rows.n_vms; i++)
			if (memcmp((*ret_owner)->rows.vms[i].shown, shown, UUID_SIZE) == 0)
				return &(*ret_owner)->rows.vms[i];
	return NULL;
}

struct owner_vm *
owners_find_name(const struct owners *owners, const char *shown, struct owner **ret_owner)
{
	TAILQ_FOREACH (*ret_owner, &owners->all, entry)
		for (unsigned i = 0; i < (*ret_owner)->rows.n_vms; i++)
			if (strcmp((*ret_owner)->rows.vms[i].name, shown) == 0)
				return &(*ret_owner)->rows.vms[i];
	return NULL;
}

struct owner_vm *
owners_find_id(const struct owners *owners, int32_t id, struct owner **ret_owner)
{
	TAILQ_FOREACH (*ret_owner, &owners->all, entry)
		for (unsigned i = 0; i < (*ret_owner)->rows.n_vms; i++)
			if ((*ret_owner)->rows.vms[i].id == id)
				return &(*ret_owner)->rows.vms[i];
	return NULL;
}

/* --- begin and end ------------------------------------------------------------------------ */

void
owners_init(struct owners *owners, struct loop *loop, struct uplink *uplink,
	void (*changed)(struct owners *owners, struct owner *owner))
{
	*owners = (struct owners){.uplink = uplink, .loop = loop, .changed = changed};
	TAILQ_INIT(&owners->all);
	TAILQ_INIT(&owners->waits);
	LIST_INIT(&owners->endings);
}

void
owners_fini(struct owners *owners)
{
	timer_stop(&owners->retry);
	owners->over = true;
	wake(owners);
	while (!TAILQ_EMPTY(&owners->all))
		drop(owners, TAILQ_FIRST(&owners->all));
}
