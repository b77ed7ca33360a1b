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

#include "lib/derived_uuid.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/memfd.h"
#include "lib/take.h"
#include "lib/utf8.h"

enum { RETRY_MS = 50 };

enum { STATE_RUNNING = 1, STATE_PAUSED = 3, STATE_SHUTOFF = 5 }; /* virDomainState */
enum { RUNNING_UNPAUSED = 5 };                                   /* virDomainRunningReason */
enum { PAUSED_USER = 1 };                                        /* virDomainPausedReason */
enum { SHUTOFF_UNKNOWN = 0, SHUTOFF_DESTROYED = 2 };             /* virDomainShutoffReason */

static void quiet_over(struct timer *timer);

/* --- the rows of one owner ---------------------------------------------------------------- */

static void
shown_uuid(const struct owner *owner, const uint8_t uuid[static UUID_SIZE],
	uint8_t ret[static UUID_SIZE])
{
	if (owner->own)
		memcpy(ret, uuid, UUID_SIZE);
	else
		derived_uuid(owner->uid, uuid, ret);
}

/* How many VMs a text tells of, and the bytes of their names with what goes before and behind. */
static bool
measure(const struct owner *owner, const char *text, size_t size, unsigned *ret_n,
	size_t *ret_bytes, const char **ret_error)
{
	struct inventory_reader reader;
	struct inventory_vm vm;
	enum inventory_result r;

	*ret_n = 0;
	*ret_bytes = 0;
	inventory_read(&reader, text, size);
	while ((r = inventory_next(&reader, &vm)) == INVENTORY_VM) {
		(*ret_n)++;
		*ret_bytes += strlen(owner->prefix) + strlen(vm.name) + 1;
	}
	*ret_error = reader.error;
	return r == INVENTORY_END;
}

static void
drop_rows(struct owner *owner)
{
	free(take_ptr(owner->vms));
	free(take_ptr(owner->names));
	owner->n_vms = 0;
	owner->n_untold = 0;
}

static void
set_state(struct owner_vm *vm, uint32_t state, uint32_t reason)
{
	vm->state = state;
	vm->reason = reason;
	if (state == STATE_SHUTOFF)
		vm->id = -1;
}

/*
 * The broker's word on what runs goes before the worker's, which may stand still. `running` is n times
 * a struct ipc_running, somewhere in memory. False: there is no such VM any more.
 */
static bool
correct(struct owner_vm *vm, const char *running, uint32_t n)
{
	if (vm->id < 0)
		return true;
	for (uint32_t i = 0; i < n; i++) {
		struct ipc_running one;

		memcpy(&one, running + i * sizeof(one), sizeof(one));
		if (one.id != (uint32_t)vm->id)
			continue;
		vm->vouched = true;
		vm->frozen = one.frozen != 0;
		if (vm->frozen)
			set_state(vm, STATE_PAUSED, PAUSED_USER);
		return true;
	}
	set_state(vm, STATE_SHUTOFF, SHUTOFF_UNKNOWN);
	return vm->persistent;
}

/* Take the rows of a text that measure() has read to its end. */
static int
take_rows(struct owner *owner, const char *text, size_t size, unsigned n, size_t bytes,
	uint32_t n_running)
{
	free_auto struct owner_vm *vms = calloc(n + 1, sizeof(*vms));
	free_auto char *names = malloc(bytes + 1);
	struct inventory_reader reader;
	struct inventory_vm told;
	struct owner_vm *vm = vms;
	char *name = names;

	if (!vms || !names)
		return -ENOMEM;
	inventory_read(&reader, text, size);
	while (inventory_next(&reader, &told) == INVENTORY_VM) {
		*vm = (struct owner_vm){.id = told.id > 0 ? (int32_t)told.id : -1,
			.state = told.state,
			.reason = told.reason,
			.persistent = told.persistent,
			.autostart = told.autostart,
			.name = name};
		memcpy(vm->uuid, told.uuid, UUID_SIZE);
		shown_uuid(owner, told.uuid, vm->shown);
		if (!correct(vm, text + size, n_running))
			continue;
		name += sprintf(name, "%s%s", owner->prefix, told.name) + 1;
		vm++;
	}
	drop_rows(owner);
	owner->n_vms = (unsigned)(vm - vms);
	owner->vms = take_ptr(vms);
	owner->names = take_ptr(names);
	owner->n_untold = reader.n_left_out;
	return 0;
}

bool
owner_may_name(const char *name)
{
	size_t size = strlen(name);

	for (size_t at = 0, n; at < size; at += n) {
		uint32_t c;

		n = utf8_next(name + at, size - at, &c);
		if (n == 0 || utf8_is_control(c) || c == '/' || c == ':')
			return false;
	}
	return size > 0 && size <= INVENTORY_NAME_MAX && name[0] != '.';
}

bool
owner_show(const struct owner *owner, struct rpc_domain *dom, struct rpc_arena *arena)
{
	size_t size = strlen(owner->prefix) + strlen(dom->name) + 1;
	uint8_t uuid[UUID_SIZE];
	char *name = owner_may_name(dom->name) ? rpc_arena_bytes(arena, size) : NULL;

	if (!name)
		return false;
	(void)snprintf(name, size, "%s%s", owner->prefix, dom->name);
	dom->name = name;
	memcpy(uuid, dom->uuid, UUID_SIZE);
	shown_uuid(owner, uuid, dom->uuid);
	return true;
}

/* --- what a worker says by itself --------------------------------------------------------- */

static int
by_name(const void *a, const void *b)
{
	const struct owner_vm *one = a, *other = b;

	return strcmp(one->name, other->name);
}

static struct owner_vm
told_vm(const struct owner *owner, const struct rpc_domain *dom)
{
	struct owner_vm vm = {.persistent = true, .state = STATE_SHUTOFF};

	for (unsigned i = 0; i < owner->n_vms; i++)
		if (memcmp(owner->vms[i].uuid, dom->uuid, UUID_SIZE) == 0) {
			vm = owner->vms[i];
			break;
		}
	if (dom->id > 0 && vm.state == STATE_SHUTOFF)
		vm.state = STATE_RUNNING;
	if (dom->id <= 0)
		vm.state = STATE_SHUTOFF;
	/* Of another id her worker has told first, or nothing but that. */
	vm.vouched = vm.vouched && vm.id == dom->id;
	vm.id = dom->id > 0 ? dom->id : -1;
	memcpy(vm.uuid, dom->uuid, UUID_SIZE);
	shown_uuid(owner, dom->uuid, vm.shown);
	return vm;
}

void
owners_told(
	struct owners *owners, struct owner *owner, const struct rpc_domain *domains, uint32_t n)
{
	free_auto struct owner_vm *vms = calloc((size_t)n + 1, sizeof(*vms));
	free_auto char *names = NULL;
	size_t bytes = 1;
	unsigned n_vms = 0;
	char *name;

	for (uint32_t i = 0; i < n; i++)
		bytes += strlen(owner->prefix) + strlen(domains[i].name) + 1;
	name = names = malloc(bytes);
	if (!vms || !names)
		return;
	for (uint32_t i = 0; i < n; i++) {
		if (!owner_may_name(domains[i].name))
			continue;
		vms[n_vms] = told_vm(owner, &domains[i]);
		vms[n_vms++].name = name;
		name += sprintf(name, "%s%s", owner->prefix, domains[i].name) + 1;
	}
	qsort(vms, n_vms, sizeof(*vms), by_name);
	drop_rows(owner);
	owner->vms = take_ptr(vms);
	owner->names = take_ptr(names);
	owner->n_vms = n_vms;
	timer_set(owners->loop, &owner->quiet, loop_now(owners->loop) + LOOP_MS(OWNERS_QUIET_MS),
		quiet_over);
}

void
owners_forced(struct owners *owners, uint32_t uid, uint32_t vm_id, enum force_act act)
{
	struct owner *owner = owners_find(owners, uid);

	for (unsigned i = 0; owner && i < owner->n_vms; i++) {
		struct owner_vm *vm = &owner->vms[i];

		if (vm->id <= 0 || (uint32_t)vm->id != vm_id)
			continue;
		vm->frozen = act == FORCE_FREEZE;
		if (act == FORCE_STOP)
			set_state(vm, STATE_SHUTOFF, SHUTOFF_DESTROYED);
		else if (act == FORCE_FREEZE)
			set_state(vm, STATE_PAUSED, PAUSED_USER);
		else
			set_state(vm, STATE_RUNNING, RUNNING_UNPAUSED);
	}
}

/* --- inventories -------------------------------------------------------------------------- */

/* What cannot be read changes nothing, and is said. */
static void
read_rows(struct owner *owner, int fd, uint32_t n_running)
{
	free_auto char *text = NULL;
	const char *error = "there is no memory for it";
	size_t size, bytes, behind = (size_t)n_running * sizeof(struct ipc_running);
	unsigned n;
	int r = memfd_read(fd, INVENTORY_MAX + behind, &text, &size);

	if (r != 0 || size <= behind)
		error = r < 0 ? strerror(-r) : "it is not sealed, or has a wrong size";
	else if (measure(owner, text, size - behind, &n, &bytes, &error) &&
		 take_rows(owner, text, size - behind, n, bytes, n_running) == 0)
		return;
	log_warning("the inventory of %s cannot be read: %s", owner->label,
		error ? error : "there is no memory for it");
}

static void
quiet_over(struct timer *timer)
{
	struct owner *owner = container_of(timer, struct owner, quiet);

	if (owner->held_fd >= 0)
		read_rows(owner, owner->held_fd, owner->n_held);
	fd_close(&owner->held_fd);
}

/* --- owners come and go ------------------------------------------------------------------- */

static void
name_owner(struct owner *owner, const struct ipc_inventory_found *found)
{
	/* An account that is called as the system's VMs are stands under its number. */
	bool named = found->name[0] != '\0' && strcmp(found->name, "system") != 0;

	if (found->system)
		(void)snprintf(owner->label, sizeof(owner->label), "system");
	else if (named)
		(void)snprintf(
			owner->label, sizeof(owner->label), "%.*s", IPC_NAME_MAX - 1, found->name);
	else
		(void)snprintf(owner->label, sizeof(owner->label), "%" PRIu32, found->uid);
	if (!found->own)
		(void)snprintf(owner->prefix, sizeof(owner->prefix), "%.*s:", IPC_NAME_MAX - 1,
			owner->label);
}

static void
insert(struct owners *owners, struct owner *owner)
{
	struct owner *other;

	TAILQ_FOREACH (other, &owners->all, entry)
		if (owner->own || (!other->own && strcmp(other->prefix, owner->prefix) > 0))
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
	timer_stop(&owner->quiet);
	fd_close(&owner->held_fd);
	drop_rows(owner);
	free(owner);
}

static void
found_one(struct owners *owners, const struct ipc_inventory_found *found, int *fd)
{
	struct owner *owner = owners_find(owners, found->uid);
	bool changed;

	if (!owner && found->verbs == 0)
		return;
	if (!owner) {
		owner = calloc(1, sizeof(*owner));
		if (!owner) {
			log_warning(
				"there is no memory for the owner with uid %" PRIu32, found->uid);
			return;
		}
		owner->held_fd = -1;
		owner->uid = found->uid;
		owner->own = found->own;
		owner->system = found->system;
		name_owner(owner, found);
		insert(owners, owner);
	}
	changed = owner->verbs != found->verbs || (found->worker && !owner->worker);
	owner->verbs = found->verbs;
	memcpy(owner->reason, found->reason, sizeof(owner->reason));
	owner->worker = found->worker;
	if (owner->verbs != 0 && timer_is_set(&owner->quiet)) {
		fd_close(&owner->held_fd);
		owner->held_fd = take_fd(fd);
		owner->n_held = found->n_running;
	} else if (owner->verbs != 0) {
		read_rows(owner, *fd, found->n_running);
	}
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
	if (err != -ENOENT)
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
		for (unsigned i = 0; i < (*ret_owner)->n_vms; i++)
			if (memcmp((*ret_owner)->vms[i].shown, shown, UUID_SIZE) == 0)
				return &(*ret_owner)->vms[i];
	return NULL;
}

struct owner_vm *
owners_find_name(const struct owners *owners, const char *shown, struct owner **ret_owner)
{
	TAILQ_FOREACH (*ret_owner, &owners->all, entry)
		for (unsigned i = 0; i < (*ret_owner)->n_vms; i++)
			if (strcmp((*ret_owner)->vms[i].name, shown) == 0)
				return &(*ret_owner)->vms[i];
	return NULL;
}

static struct owner_vm *
find_id(const struct owner *owner, int32_t id)
{
	for (unsigned i = 0; i < owner->n_vms; i++)
		if (owner->vms[i].id == id)
			return &owner->vms[i];
	return NULL;
}

struct owner_vm *
owners_find_id(const struct owners *owners, int32_t id, struct owner **ret_owner)
{
	struct owner_vm *found = NULL;
	struct owner *owner;
	bool several = false;

	*ret_owner = NULL;
	TAILQ_FOREACH (owner, &owners->all, entry) {
		struct owner_vm *vm = find_id(owner, id);

		if (vm && vm->vouched) {
			*ret_owner = owner;
			return vm;
		}
		/* The principal's own come first. */
		several = several || (vm && found && !(*ret_owner)->own);
		if (vm && !found) {
			found = vm;
			*ret_owner = owner;
		}
	}
	return several ? NULL : found;
}

/* --- begin and end ------------------------------------------------------------------------ */

void
owners_init(struct owners *owners, struct loop *loop, struct uplink *uplink,
	void (*changed)(struct owners *owners, struct owner *owner))
{
	*owners = (struct owners){.uplink = uplink, .loop = loop, .changed = changed};
	TAILQ_INIT(&owners->all);
	TAILQ_INIT(&owners->waits);
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
