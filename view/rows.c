/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rows.c: the virtual machines of one owner, as a view shows them; see rows.h.
 */
#include "view/rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/derived_uuid.h"
#include "lib/loop.h"
#include "lib/take.h"
#include "lib/utf8.h"

/* virDomainState, and the reasons of each. */
enum { STATE_RUNNING = 1, STATE_PAUSED = 3, STATE_SHUTDOWN = 4, STATE_SHUTOFF = 5 };
enum { RUNNING_UNKNOWN = 0 };
enum { PAUSED_USER = 1 };
enum { SHUTDOWN_USER = 1 };
enum { SHUTOFF_UNKNOWN = 0 };

bool
rows_may_name(const char *name)
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

void
rows_show_uuid(const struct rows *rows, const uint8_t uuid[static UUID_SIZE],
	uint8_t ret[static UUID_SIZE])
{
	if (rows->own)
		memcpy(ret, uuid, UUID_SIZE);
	else
		derived_uuid(rows->uid, uuid, ret);
}

void
rows_fini(struct rows *rows)
{
	free(take_ptr(rows->vms));
	free(take_ptr(rows->names));
	free(take_ptr(rows->running));
	rows->n_vms = 0;
	rows->n_running = 0;
	rows->n_left_out = 0;
}

/* --- what runs ---------------------------------------------------------------------------- */

static struct row_running *
find_running(const struct rows *rows, uint32_t id)
{
	for (uint32_t i = 0; i < rows->n_running; i++)
		if (rows->running[i].vm.id == id)
			return &rows->running[i];
	return NULL;
}

bool
rows_runs(const struct rows *rows, uint32_t id)
{
	return find_running(rows, id) != NULL;
}

int
rows_run(struct rows *rows, const void *running, uint32_t n, uint64_t now_ns)
{
	struct row_running *all = calloc((size_t)n + 1, sizeof(*all));
	char uuid[UUID_TEXT_SIZE];

	if (!all)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		struct row_running *one = &all[i];
		const struct row_running *known;

		memcpy(&one->vm, (const char *)running + i * sizeof(one->vm), sizeof(one->vm));
		known = find_running(rows, one->vm.id);
		one->since_ns = known ? known->since_ns : now_ns;
		(void)snprintf(one->name, sizeof(one->name), "%s.%s", rows->prefix,
			uuid_format(one->vm.uuid, uuid));
	}
	free(rows->running);
	rows->running = all;
	rows->n_running = n;
	return 0;
}

void
rows_force(struct rows *rows, uint32_t id, enum force_act act)
{
	struct row_running *running = find_running(rows, id);

	if (!running)
		return;
	if (act == FORCE_STOP)
		running->vm.ending = 1;
	else
		running->vm.frozen = act == FORCE_FREEZE;
}

unsigned
rows_n_told(const struct rows *rows)
{
	unsigned n = 0;

	for (unsigned i = 0; i < rows->n_vms; i++)
		n += !rows->vms[i].untold;
	return n;
}

/* --- what the worker says ------------------------------------------------------------------- */

/* Room for rows that replace those that there are. */
struct room {
	struct owner_vm *vms;
	char *names, *name;
	unsigned n;
};

static void
room_fini(struct room *room)
{
	free(room->vms);
	free(room->names);
}

static bool
room_for(struct room *room, unsigned n, size_t bytes)
{
	*room = (struct room){
		.vms = calloc((size_t)n + 1, sizeof(*room->vms)), .names = malloc(bytes + 1)};
	room->name = room->names;
	return room->vms && room->names;
}

static size_t
name_size(const struct rows *rows, const char *name)
{
	return strlen(rows->prefix) + strlen(name) + 1;
}

static void
put(struct rows *rows, struct room *room, const struct owner_vm *vm, const char *name)
{
	struct owner_vm *row = &room->vms[room->n++];

	*row = *vm;
	row->name = room->name;
	rows_show_uuid(rows, row->uuid, row->shown);
	room->name += sprintf(room->name, "%s%s", rows->prefix, name) + 1;
}

static void
replace(struct rows *rows, struct room *room)
{
	free(rows->vms);
	free(rows->names);
	rows->vms = take_ptr(room->vms);
	rows->names = take_ptr(room->names);
	rows->n_vms = room->n;
	rows->n_left_out = 0;
}

/* How many VMs a text tells of, and the bytes of their names with what goes before and behind. */
static int
measure(const struct rows *rows, const char *text, size_t size, unsigned *ret_n, size_t *ret_bytes,
	const char **ret_error)
{
	struct inventory_reader reader;
	struct inventory_vm vm;
	enum inventory_result r;

	*ret_n = 0;
	*ret_bytes = 0;
	inventory_read(&reader, text, size);
	while ((r = inventory_next(&reader, &vm)) == INVENTORY_VM) {
		(*ret_n)++;
		*ret_bytes += name_size(rows, vm.name);
	}
	*ret_error = reader.error;
	return r == INVENTORY_END ? 0 : -EBADMSG;
}

int
rows_read(struct rows *rows, const char *text, size_t size, const char **ret_error)
{
	AUTO(room_fini) struct room room = {.vms = NULL};
	struct inventory_reader reader;
	struct inventory_vm told;
	size_t bytes;
	unsigned n;
	int r = measure(rows, text, size, &n, &bytes, ret_error);

	if (r != 0)
		return r;
	if (!room_for(&room, n, bytes))
		return -ENOMEM;
	inventory_read(&reader, text, size);
	while (inventory_next(&reader, &told) == INVENTORY_VM) {
		struct owner_vm vm = {
			.told = {.state = told.state, .reason = told.reason, .runs = told.id > 0},
			.persistent = told.persistent,
			.autostart = told.autostart};

		memcpy(vm.uuid, told.uuid, UUID_SIZE);
		put(rows, &room, &vm, told.name);
	}
	replace(rows, &room);
	rows->n_left_out = reader.n_left_out;
	return 0;
}

/* What was known of it before, and what its handle says. */
static struct owner_vm
told_vm(const struct rows *rows, const struct rpc_domain *dom)
{
	struct owner_vm vm = {.persistent = true, .told = {.state = STATE_SHUTOFF}};

	for (unsigned i = 0; i < rows->n_vms; i++)
		if (!rows->vms[i].untold && memcmp(rows->vms[i].uuid, dom->uuid, UUID_SIZE) == 0) {
			vm = rows->vms[i];
			break;
		}
	if (vm.told.runs != (dom->id > 0))
		vm.told = (struct row_state){
			.runs = dom->id > 0, .state = dom->id > 0 ? STATE_RUNNING : STATE_SHUTOFF};
	memcpy(vm.uuid, dom->uuid, UUID_SIZE);
	return vm;
}

static int
by_name(const void *a, const void *b)
{
	const struct owner_vm *one = a, *other = b;

	return strcmp(one->name, other->name);
}

int
rows_told(struct rows *rows, const struct rpc_domain *domains, uint32_t n)
{
	AUTO(room_fini) struct room room = {.vms = NULL};
	size_t bytes = 0;

	for (uint32_t i = 0; i < n; i++)
		bytes += name_size(rows, domains[i].name);
	if (!room_for(&room, n, bytes))
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		struct owner_vm vm = told_vm(rows, &domains[i]);

		if (rows_may_name(domains[i].name))
			put(rows, &room, &vm, domains[i].name);
	}
	qsort(room.vms, room.n, sizeof(*room.vms), by_name);
	replace(rows, &room);
	return 0;
}

/* --- both --------------------------------------------------------------------------------- */

static void
set_state(struct owner_vm *vm, uint32_t state, uint32_t reason)
{
	vm->state = state;
	vm->reason = reason;
}

/* False: there is no such VM any more. */
static bool
correct(struct owner_vm *vm, const struct row_running *running)
{
	set_state(vm, vm->told.state, vm->told.reason);
	vm->frozen = running && running->vm.frozen;
	if (!running) {
		vm->id = -1;
		if (vm->told.runs)
			set_state(vm, STATE_SHUTOFF, SHUTOFF_UNKNOWN);
		return vm->persistent;
	}
	vm->id = (int32_t)running->vm.id;
	if (running->vm.ending)
		set_state(vm, STATE_SHUTDOWN, SHUTDOWN_USER);
	else if (vm->frozen)
		set_state(vm, STATE_PAUSED, PAUSED_USER);
	else if (!vm->told.runs)
		set_state(vm, STATE_RUNNING, RUNNING_UNKNOWN);
	return true;
}

static struct row_running *
running_as(const struct rows *rows, const uint8_t uuid[static UUID_SIZE])
{
	for (uint32_t i = 0; i < rows->n_running; i++)
		if (memcmp(rows->running[i].vm.uuid, uuid, UUID_SIZE) == 0)
			return &rows->running[i];
	return NULL;
}

static bool
is_told(const struct rows *rows, const struct row_running *running)
{
	for (unsigned i = 0; i < rows->n_vms; i++)
		if (memcmp(rows->vms[i].uuid, running->vm.uuid, UUID_SIZE) == 0)
			return true;
	return false;
}

static struct owner_vm
untold_vm(const struct rows *rows, struct row_running *running)
{
	struct owner_vm vm = {.untold = true, .name = running->name};

	memcpy(vm.uuid, running->vm.uuid, UUID_SIZE);
	rows_show_uuid(rows, vm.uuid, vm.shown);
	(void)correct(&vm, running);
	return vm;
}

/* Those that run and are told of by nobody, as they become due. Returns when the next one does. */
static uint64_t
add_untold(struct rows *rows, uint64_t now_ns)
{
	size_t most = (size_t)rows->n_vms + rows->n_running + 1;
	struct owner_vm *vms = reallocarray(rows->vms, most, sizeof(*vms));
	uint64_t again_ns = UINT64_MAX;
	unsigned n = rows->n_vms;

	if (!vms)
		return now_ns + LOOP_S(ROWS_UNTOLD_S);
	rows->vms = vms;
	for (uint32_t i = 0; i < rows->n_running; i++) {
		struct row_running *running = &rows->running[i];
		uint64_t due_ns = running->since_ns + LOOP_S(ROWS_UNTOLD_S);

		if (is_told(rows, running))
			continue;
		if (due_ns <= now_ns)
			vms[n++] = untold_vm(rows, running);
		else if (due_ns < again_ns)
			again_ns = due_ns;
	}
	if (n > rows->n_vms)
		qsort(vms, n, sizeof(*vms), by_name);
	rows->n_vms = n;
	return again_ns;
}

uint64_t
rows_settle(struct rows *rows, uint64_t now_ns)
{
	unsigned n = 0;

	for (unsigned i = 0; i < rows->n_vms; i++) {
		struct owner_vm *vm = &rows->vms[i];

		if (!vm->untold && correct(vm, running_as(rows, vm->uuid)))
			rows->vms[n++] = *vm;
	}
	rows->n_vms = n;
	return add_untold(rows, now_ns);
}
