/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inventories.c: what each user's worker lists of her VMs; see inventories.h.
 *
 * Runs in the broker, as root, also while it is boxed. Must never look at what is in an inventory,
 * nor write more often for a worker than its pace.
 */
#include "broker/inventories.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/registry.h"
#include "broker/users.h"
#include "broker/views.h"
#include "broker/wishes.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/memfd.h"
#include "lib/replace.h"
#include "lib/take.h"

enum { NAME_SIZE = 16 };

/* Four at once, for what a client does in one go; then four a second. */
static const struct bucket_size pace = {.interval_ns = LOOP_MS(250), .burst = 4};

static void
file_name(char name[static NAME_SIZE], uint32_t uid)
{
	(void)snprintf(name, NAME_SIZE, "%" PRIu32, uid);
}

static void
digest(const char *text, size_t size, uint8_t ret[static SHA256_SIZE])
{
	struct sha256 sha;

	sha256_init(&sha);
	sha256_add(&sha, text, size);
	sha256_end(&sha, ret);
}

/* A list without a VM into inventories->text. Returns its size. */
static size_t
write_nothing(struct inventories *inventories)
{
	struct inventory_writer writer;

	inventory_write(&writer, inventories->text, sizeof inventories->text);
	return inventory_end(&writer);
}

/* --- the owners --------------------------------------------------------------------------- */

static void
unlink_owner(struct inventories *inventories, struct owner *owner)
{
	if (owner->prev)
		owner->prev->next = owner->next;
	else
		inventories->first = owner->next;
	if (owner->next)
		owner->next->prev = owner->prev;
	else
		inventories->last = owner->prev;
}

/* It has changed last of all. */
static void
touch(struct inventories *inventories, struct owner *owner)
{
	if (owner->generation != 0)
		unlink_owner(inventories, owner);
	owner->generation = ++inventories->generation;
	owner->prev = inventories->last;
	owner->next = NULL;
	if (inventories->last)
		inventories->last->next = owner;
	else
		inventories->first = owner;
	inventories->last = owner;
}

static bool
has_rested(const struct inventories *inventories, const struct owner *owner)
{
	return owner->dropped && loop_now(&inventories->broker->loop) - owner->dropped_ns >=
					 LOOP_S(INVENTORIES_REST_S);
}

static struct owner **
bucket_of(const struct inventories *inventories, uint32_t uid)
{
	return &inventories->buckets[uid & (inventories->n_buckets - 1)];
}

/* A place that somebody had; NULL: none. */
static struct owner *
take_place(struct inventories *inventories)
{
	struct owner *owner = inventories->table, **at;

	while (owner < inventories->table + inventories->n && !has_rested(inventories, owner))
		owner++;
	if (owner == inventories->table + inventories->n)
		return NULL;
	views_owner_leaves(&inventories->broker->views, owner);
	unlink_owner(inventories, owner);
	for (at = bucket_of(inventories, owner->uid); *at != owner;)
		at = &(*at)->same;
	*at = owner->same;
	return owner;
}

/* One more; NULL when there are as many as there may be. */
static struct owner *
add(struct inventories *inventories, uint32_t uid)
{
	struct owner *owner = inventories->n < inventories->size
				      ? &inventories->table[inventories->n++]
				      : take_place(inventories);
	struct owner **bucket = bucket_of(inventories, uid);

	if (!owner)
		return NULL;
	*owner = (struct owner){.uid = uid, .same = *bucket};
	*bucket = owner;
	owner->known = registry_account(
			       inventories->broker->places.registry_fd, uid, &owner->account) == 0;
	if (!owner->known)
		owner->account = (struct account){.uid = uid};
	return owner;
}

uint32_t
inventories_n_free(const struct inventories *inventories)
{
	uint32_t n = inventories->size - inventories->n;

	for (uint32_t i = 0; i < inventories->n; i++)
		n += inventories->table[i].dropped;
	return n;
}

struct owner *
inventories_find(const struct inventories *inventories, uint32_t uid)
{
	struct owner *owner = *bucket_of(inventories, uid);

	while (owner && owner->uid != uid)
		owner = owner->same;
	return owner;
}

static struct owner *
owner_of(struct inventories *inventories, uint32_t uid)
{
	struct owner *owner = inventories_find(inventories, uid);

	return owner ? owner : add(inventories, uid);
}

void
inventories_know(
	struct inventories *inventories, struct owner *owner, const struct account *account)
{
	bool renamed = strcmp(owner->account.name, account->name) != 0;

	owner->account = *account;
	owner->known = true;
	if (!renamed || owner->generation == 0 || owner->dropped)
		return;
	touch(inventories, owner);
	views_owner_changed(&inventories->broker->views, owner);
}

void
inventories_expect(struct inventories *inventories, const struct account *account)
{
	struct owner *owner = owner_of(inventories, account->uid);

	if (!owner)
		return;
	inventories_know(inventories, owner, account);
	if (owner->generation != 0 && !owner->dropped)
		return;
	owner->dropped = false;
	touch(inventories, owner);
	views_owner_changed(&inventories->broker->views, owner);
}

int
inventories_init(struct inventories *inventories, struct broker *broker, uint32_t n_users)
{
	free_auto uint32_t *uids = NULL;
	uint32_t n = 0;
	int r;

	*inventories = (struct inventories){.broker = broker};
	digest(inventories->text, write_nothing(inventories), inventories->nothing);
	r = registry_list(broker->places.inventory_fd, &uids, &n);
	if (r < 0)
		return r;
	inventories->size = n + n_users;
	inventories->n_buckets = 1;
	while (inventories->n_buckets < inventories->size)
		inventories->n_buckets *= 2;
	inventories->table = calloc(inventories->size, sizeof *inventories->table);
	inventories->buckets = calloc(inventories->n_buckets, sizeof(struct owner *));
	if (!inventories->table || !inventories->buckets)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		touch(inventories, add(inventories, uids[i]));
	return 0;
}

void
inventories_fini(struct inventories *inventories)
{
	free(inventories->table);
	free(inventories->buckets);
	inventories->table = NULL;
	inventories->buckets = NULL;
	inventories->size = inventories->n = 0;
}

struct owner *
inventories_after(const struct inventories *inventories, uint64_t generation, struct owner *from)
{
	struct owner *owner = inventories->last;

	if (from && from->generation == generation)
		return from->next;
	if (generation == 0)
		return inventories->first;
	/* Little has changed since, as a rule: from the end. */
	if (!owner || owner->generation <= generation)
		return NULL;
	while (owner->prev && owner->prev->generation > generation)
		owner = owner->prev;
	return owner;
}

uint32_t
inventories_index(const struct inventories *inventories, const struct owner *owner)
{
	return (uint32_t)(owner - inventories->table);
}

/* --- what is kept ------------------------------------------------------------------------- */

/* The file's contents into inventories->text. Returns their size, or a negative errno. */
static int
load(struct inventories *inventories, uint32_t uid)
{
	char name[NAME_SIZE];
	fd_auto int fd = -1;
	ssize_t n;

	file_name(name, uid);
	fd = openat(inventories->broker->places.inventory_fd, name,
		O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = pread(fd, inventories->text, sizeof inventories->text, 0);
	return n < 0 ? -errno : (int)n;
}

bool
inventories_is_empty(struct inventories *inventories, struct owner *owner)
{
	int n = 0;

	if (!owner->read)
		n = load(inventories, owner->uid);
	if (n < 0)
		return n == -ENOENT;
	if (!owner->read)
		digest(inventories->text, (size_t)n, owner->digest);
	owner->read = true;
	return memcmp(owner->digest, inventories->nothing, sizeof owner->digest) == 0;
}

/* What of the owner's runs goes behind what is there already. Returns 0 or a negative errno. */
static int
write_running(
	const struct inventories *inventories, const struct owner *owner, int fd, uint32_t *ret_n)
{
	const struct user *user = users_find(&inventories->broker->users, owner->uid);
	const struct lease *lease = user ? user->leases.first : NULL;

	for (; lease; lease = lease->next) {
		struct ipc_running running = {
			.id = lease->id, .frozen = lease->frozen, .ending = lease->unwanted};
		int r;

		if (lease->state == LEASE_ASKED)
			continue;
		memcpy(running.uuid, lease->uuid, sizeof running.uuid);
		r = fd_write_all(fd, &running, sizeof running);
		if (r < 0)
			return r;
		(*ret_n)++;
	}
	return 0;
}

int
inventories_open(
	struct inventories *inventories, const struct owner *owner, uint32_t *ret_n_running)
{
	fd_auto int fd = memfd_begin("inventory");
	int n = -ENOENT, r;

	*ret_n_running = 0;
	if (fd < 0)
		return fd;

	if (owner)
		n = load(inventories, owner->uid);
	if (owner && n < 0 && n != -ENOENT)
		log_warning("uid=%" PRIu32 ": its inventory cannot be read: %s", owner->uid,
			strerror(-n));
	if (n <= 0)
		n = (int)write_nothing(inventories);
	r = fd_write_all(fd, inventories->text, (size_t)n);
	if (r == 0 && owner)
		r = write_running(inventories, owner, fd, ret_n_running);
	if (r == 0)
		r = memfd_seal(fd);
	return r < 0 ? r : take_fd(&fd);
}

/*
 * Keep the size bytes of inventories->text. Not synced: a worker says it again when it begins, and a
 * file that a power cut has cut is known by its missing end. The same again is not written, but told: a
 * view hears from a worker what a call has changed, before that stands here; if it is undone by then,
 * nothing else says so.
 */
static int
store(struct inventories *inventories, struct owner *owner, size_t size)
{
	uint8_t sum[SHA256_SIZE];
	char name[NAME_SIZE];
	int r;

	digest(inventories->text, size, sum);
	if (!owner->read || memcmp(sum, owner->digest, sizeof sum) != 0) {
		file_name(name, owner->uid);
		r = replace_unsynced(inventories->broker->places.inventory_fd, name,
			inventories->text, size, 0600);
		if (r < 0)
			return r;
		memcpy(owner->digest, sum, sizeof sum);
		owner->read = true;
		owner->dropped = false;
		log_debug(
			"uid=%" PRIu32 ": its inventory has changed, %zu bytes", owner->uid, size);
	}
	touch(inventories, owner);
	views_owner_changed(&inventories->broker->views, owner);
	return 0;
}

/* --- workers ------------------------------------------------------------------------------ */

/* From its place into inventories->text, once: it may go on writing. */
static int
copy(struct inventories *inventories, const struct inventory_share *share)
{
	ssize_t n = pread(share->place_fd, inventories->text, share->size, 0);

	if (n < 0)
		return -errno;
	return (size_t)n == share->size ? 0 : -EIO;
}

void
inventories_retell(struct inventories *inventories)
{
	for (uint32_t i = 0; i < inventories->n; i++) {
		if (inventories->table[i].generation == 0)
			continue;
		touch(inventories, &inventories->table[i]);
		views_owner_changed(&inventories->broker->views, &inventories->table[i]);
	}
}

void
inventories_drop(struct inventories *inventories, struct owner *owner)
{
	char name[NAME_SIZE];

	file_name(name, owner->uid);
	if (unlinkat(inventories->broker->places.inventory_fd, name, 0) < 0 && errno != ENOENT)
		log_warning("uid=%" PRIu32 ": its inventory cannot be dropped: %s", owner->uid,
			strerror(errno));
	owner->dropped = true;
	owner->dropped_ns = loop_now(&inventories->broker->loop);
	owner->read = false;
	owner->gone_ns = 0;
	touch(inventories, owner);
	views_owner_changed(&inventories->broker->views, owner);
}

void
inventories_vms_changed(struct user *user)
{
	struct broker *broker = user->child.broker;
	struct owner *owner = owner_of(&broker->inventories, user->uid);

	if (!owner)
		return;
	if (user->leases.first)
		owner->dropped = false;
	touch(&broker->inventories, owner);
	views_owner_changed(&broker->views, owner);
}

static int
keep(struct inventories *inventories, struct user *user)
{
	struct owner *owner = owner_of(inventories, user->uid);
	int r = owner ? copy(inventories, &user->inventory) : -ENOSPC;

	if (r < 0)
		return r;
	if (user->has_account)
		inventories_know(inventories, owner, &user->account);
	return store(inventories, owner, user->inventory.size);
}

static void
keep_now(struct user *user)
{
	struct inventory_share *share = &user->inventory;
	int r = keep(&user->child.broker->inventories, user);

	share->open = false;
	if (r < 0)
		log_warning("uid=%" PRIu32 ": its inventory cannot be kept: %s", user->uid,
			strerror(-r));
	(void)wishes_answer_inventory(&user->child, share->serial, r);
}

static void
timer_due(struct timer *timer)
{
	struct user *user = container_of(timer, struct user, inventory.timer);
	struct loop *loop = &user->child.broker->loop;
	struct inventory_share *share = &user->inventory;

	if (bucket_take(&share->pace, loop_now(loop), pace))
		keep_now(user);
	else
		timer_set(loop, timer, bucket_ready(&share->pace, loop_now(loop), pace), timer_due);
}

void
inventories_worker_serves(struct user *user)
{
	struct inventory_share *share = &user->inventory;
	int fd = memfd_room("inventory", INVENTORY_MAX);

	inventories_expect(&user->child.broker->inventories, &user->account);
	inventories_vms_changed(user);
	if (fd < 0) {
		log_warning("uid=%" PRIu32 ": there is no place for its inventory: %s", user->uid,
			strerror(-fd));
		return;
	}
	share->place_fd = fd;
	share->placed = true;
	wishes_place_inventory(&user->child, fd);
}

void
inventories_worker_gone(struct user *user)
{
	struct inventory_share *share = &user->inventory;

	timer_stop(&share->timer);
	share->open = false;
	if (share->placed)
		fd_close(&share->place_fd);
	share->placed = false;
	inventories_vms_changed(user);
}

const char *
inventories_hear(struct user *user, uint32_t serial, uint32_t size)
{
	struct inventory_share *share = &user->inventory;

	if (!share->placed)
		return "it has no place for one";
	if (share->open)
		return "the one before it is not answered yet";
	share->open = true;
	share->serial = serial;
	share->size = size;
	timer_due(&share->timer);
	return NULL;
}
