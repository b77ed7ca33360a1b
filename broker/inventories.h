/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inventories.h: what each user's worker lists of her VMs: taken from it, kept, handed to views.
 *
 * Runs in the broker, as root, which understands no byte of an inventory (protocol/ipc/inventory.h). A
 * worker writes it into a place of the broker's making, so that no descriptor comes from a worker. It is
 * kept in STATE_DIR/inventory/UID, over the end of the worker and of the broker; in memory there is
 * a digest of each. Those who have one are the owners; they are in a list by their last change, so
 * that a view asks for what is newer than what it knows, and nothing waits for anybody.
 *
 * There are places for those that are kept when the broker begins and as many more as there may be users.
 * Who has left (leavers.h), or has nothing, makes room: some time later the place is another's.
 */
#ifndef BROKER_INVENTORIES_H
#define BROKER_INVENTORIES_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/bucket.h"
#include "lib/loop.h"
#include "lib/sha256.h"
#include "protocol/ipc/account.h"
#include "protocol/ipc/inventory.h"

struct broker;
struct user;

enum {
	/* So long a place stays empty: by then no view says anything of who had it. */
	INVENTORIES_REST_S = 300
};

struct owner {
	struct owner *prev, *next; /* by generation */
	struct owner *same;        /* the next one in its bucket */
	uint32_t uid;
	uint64_t generation; /* of its last change */
	uint64_t gone_ns;    /* since when it has no account, as far as is known; 0: it has one */
	bool dropped;        /* nothing is kept any more, until it lists something again */
	uint64_t dropped_ns; /* since when */
	bool read;           /* digest is of what the file holds */
	uint8_t digest[SHA256_SIZE];
	bool known;             /* her account is: from her worker's start, or the registry */
	struct account account; /* else without a name */
};

/* Of a user's worker. Zeroed: it has no place to write to. */
struct inventory_share {
	bool placed;
	int place_fd; /* owned, if placed */
	bool open;    /* an ask waits for its answer */
	uint32_t serial, size;
	struct bucket pace;
	struct timer timer;
};

struct inventories {
	struct broker *broker;
	struct owner *table, *first, *last; /* the longest unchanged is the first */
	struct owner **buckets;             /* by uid */
	uint32_t size, n, n_buckets;
	uint64_t generation;
	uint8_t nothing[SHA256_SIZE]; /* digest of a list without a VM */
	char text[INVENTORY_MAX];     /* one at a time */
};

/**
 * Before the broker is boxed: those that are kept, and room for n_users more. Returns 0 or a negative
 * errno.
 */
int inventories_init(struct inventories *inventories, struct broker *broker, uint32_t n_users);
void inventories_fini(struct inventories *inventories);

/**
 * The user's worker has said HELLO: give it its place, and tell who looks that it runs. She is an owner
 * from now on.
 */
void inventories_worker_serves(struct user *user);
/** It has ended, and what it asked waits no more; who looks is told. */
void inventories_worker_gone(struct user *user);
/**
 * It says that its inventory is another, of so many bytes; the answer follows, now or when its pace
 * allows. Returns NULL, or the rule that it broke.
 */
const char *inventories_hear(struct user *user, uint32_t serial, uint32_t size);

/**
 * There is such an owner from now on, whether she has listed anything or not: who looks at the host
 * is shown that she has nothing, and can make something.
 */
void inventories_expect(struct inventories *inventories, const struct account *account);
/**
 * Her account was looked up: policy goes by it, also when nobody else remembers her. Who looks is told
 * when it has another name.
 */
void inventories_know(
	struct inventories *inventories, struct owner *owner, const struct account *account);

/** What of the user's runs, her worker or VMs, is another than it was: who looks is to know it. */
void inventories_vms_changed(struct user *user);

/** Who may see whom may be another: whoever looks is told of all owners again. */
void inventories_retell(struct inventories *inventories);

/** The first owner that has changed after that generation, behind `from` if that is it; or NULL. */
struct owner *inventories_after(
	const struct inventories *inventories, uint64_t generation, struct owner *from);
/** The owner of that uid, or NULL. */
struct owner *inventories_find(const struct inventories *inventories, uint32_t uid);
/** Nothing of it is kept any more: who looks is told once, and then of nothing. Its place is free, later. */
void inventories_drop(struct inventories *inventories, struct owner *owner);
/** So many places nobody has, or nobody soon. */
uint32_t inventories_n_free(const struct inventories *inventories);
/** Is what is kept of it a list without a VM, or no list? */
bool inventories_is_empty(struct inventories *inventories, struct owner *owner);
/** Its place in the table, from 0: its own until long after it was dropped. */
uint32_t inventories_index(const struct inventories *inventories, const struct owner *owner);
/**
 * A sealed memfd with what is kept of that owner, an empty list without an owner or a file; behind it
 * *ret_n_running times a struct ipc_running. Returns it (the caller's) or a negative errno.
 */
int inventories_open(
	struct inventories *inventories, const struct owner *owner, uint32_t *ret_n_running);

#endif
