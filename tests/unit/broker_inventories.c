/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_inventories.c: what a worker lists is kept as it is, at its pace, over worker and broker;
 * what a worker does with the place that it writes to costs its own user's list and nothing else.
 */
#include "broker/inventories.h"

#include "broker/registry.h"
#include "tests/unit/broker_stage.h"
#include "tests/unit/descriptors.h"

static const char one[] = "0\t5\t0\tp\t00010203-0405-0607-0809-0a0b0c0d0e0f\ta\n+0\n";

static void
tell(const struct kid *kid, const char *text, uint32_t size, uint32_t serial)
{
	struct ipc_inventory body = {.size = size};

	CHECK(pwrite(kid->place_fd, text, strlen(text), 0) == (ssize_t)strlen(text));
	say(kid->link, (struct ipc_header){.type = IPC_INVENTORY, .serial = serial}, &body,
		sizeof body, NULL, 0);
	turn();
}

static int
kept(const struct kid *kid, uint32_t serial)
{
	AUTO(packet_fini) struct packet answer;

	expect(kid->link, IPC_INVENTORY_KEPT, &answer);
	CHECK(header_of(&answer).serial == serial);
	return header_of(&answer).err;
}

static struct stat
file_of(uint32_t uid)
{
	struct stat st = {.st_ino = 0};
	char name[16];

	(void)snprintf(name, sizeof name, "%u", uid);
	(void)fstatat(broker.places.inventory_fd, name, &st, AT_SYMLINK_NOFOLLOW);
	return st;
}

/* What a view would be given. */
static void
check_kept(uint32_t uid, const char *text)
{
	const struct owner *owner = broker.inventories.first;
	free_auto char *data = NULL;
	fd_auto int fd = -1;
	uint32_t n_running;
	size_t size = 0;

	while (owner && owner->uid != uid)
		owner = owner->next;
	CHECK(owner);
	fd = inventories_open(&broker.inventories, owner, &n_running);
	CHECK(memfd_read(fd, INVENTORY_MAX, &data, &size) == 0);
	CHECK_STR(data, text);
}

static void
test_kept(void)
{
	struct kid alice;
	struct stat first, second;
	uint64_t generation;

	stage_ready();
	alice = idle_worker(ALICE);
	tell(&alice, one, sizeof one - 1, 5);
	CHECK(kept(&alice, 5) == 0);
	first = file_of(ALICE);
	CHECK(S_ISREG(first.st_mode) && (first.st_mode & 07777) == 0600);
	CHECK(first.st_size == sizeof one - 1);
	check_kept(ALICE, one);
	generation = broker.inventories.generation;
	/* The same again is not written, but told: a view may have heard of something in between. */
	tell(&alice, one, sizeof one - 1, 6);
	CHECK(kept(&alice, 6) == 0);
	second = file_of(ALICE);
	CHECK(second.st_ino == first.st_ino && broker.inventories.generation == generation + 1);
	tell(&alice, "+0\n", 3, 7);
	CHECK(kept(&alice, 7) == 0 && broker.inventories.generation == generation + 2);
	check_kept(ALICE, "+0\n");
	CHECK_STR(broker.inventories.first->account.name, "u2001");
	end_kid(&alice);
	/* It is there without the worker. */
	check_kept(ALICE, "+0\n");
	stage_close();
}

static void
test_pace(void)
{
	struct inventory_share *share;
	struct kid alice;
	char text[16];

	stage_ready();
	alice = idle_worker(ALICE);
	for (uint32_t i = 1; i <= 4; i++) {
		(void)snprintf(text, sizeof text, "+%u\n", i);
		tell(&alice, text, 3, i);
		CHECK(kept(&alice, i) == 0);
	}
	tell(&alice, "+5\n", 3, 5);
	expect_nothing(alice.link);
	check_kept(ALICE, "+4\n");
	/* What stands there when it is its turn is kept. */
	CHECK(pwrite(alice.place_fd, "+6\n", 3, 0) == 3);
	share = &users_find(&broker.users, ALICE)->inventory;
	share->pace = (struct bucket){0};
	be_due(&share->timer);
	CHECK(kept(&alice, 5) == 0);
	check_kept(ALICE, "+6\n");
	/* One that ends meanwhile is not answered, and what it said last is not kept. */
	share->pace = (struct bucket){0};
	for (uint32_t i = 1; i <= 4; i++) {
		tell(&alice, "+6\n", 3, i);
		CHECK(kept(&alice, i) == 0);
	}
	tell(&alice, "+7\n", 3, 5);
	end_kid(&alice);
	CHECK(!share->open && !timer_is_set(&share->timer));
	check_kept(ALICE, "+6\n");
	stage_close();
}

static void
test_two_at_once(void)
{
	struct kid alice;

	stage_ready();
	alice = idle_worker(ALICE);
	for (uint32_t i = 1; i <= 4; i++) {
		tell(&alice, "+0\n", 3, i);
		CHECK(kept(&alice, i) == 0);
	}
	tell(&alice, "+0\n", 3, 5);
	tell(&alice, "+0\n", 3, 6);
	reap(&alice, SIGKILL);
	stage_close();
}

static void
test_place(void)
{
	struct kid alice, bob;
	struct stat st;

	stage_ready();
	alice = idle_worker(ALICE);
	bob = idle_worker(BOB);
	CHECK(fstat(alice.place_fd, &st) == 0 && st.st_size == INVENTORY_MAX);
	CHECK(ftruncate(alice.place_fd, 0) < 0 && errno == EPERM);
	CHECK(ftruncate(alice.place_fd, INVENTORY_MAX + 1) < 0 && errno == EPERM);
	CHECK(pwrite(alice.place_fd, "x", 1, INVENTORY_MAX) < 0 && errno == EPERM);
	/* A hole is zeros, which are no inventory: that is for its reader to find. */
	CHECK(fallocate(alice.place_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		      INVENTORY_MAX) == 0);
	tell(&alice, "", INVENTORY_MAX, 5);
	CHECK(kept(&alice, 5) == 0 && file_of(ALICE).st_size == INVENTORY_MAX);
	/* Nobody else's is touched. */
	tell(&bob, one, sizeof one - 1, 5);
	CHECK(kept(&bob, 5) == 0);
	check_kept(BOB, one);
	end_kid(&alice);
	end_kid(&bob);
	stage_close();
}

/* The refuser has no place, and may not say that it had. */
static void
test_refuser(void)
{
	struct ipc_inventory body = {.size = 3};

	stage_ready();
	say(refuser.link, (struct ipc_header){.type = IPC_INVENTORY, .serial = 3}, &body,
		sizeof body, NULL, 0);
	turn();
	reap(&refuser, SIGKILL);
	stage_close();
}

static void
put(int dir_fd, const char *name, const char *text)
{
	fd_auto int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void
before(void)
{
	struct account alice = account_of_uid(ALICE);

	put(broker.places.inventory_fd, "2002", "+2\n");
	put(broker.places.inventory_fd, "2001", "+1\n");
	put(broker.places.inventory_fd, ".2001.new", "+");
	put(broker.places.inventory_fd, "other", "+9\n");
	CHECK(registry_keep(broker.places.registry_fd, &alice, 1) == 0);
}

static void
test_next_broker(void)
{
	struct kid alice;

	stage_before = before;
	stage_ready();
	stage_before = NULL;
	CHECK(broker.inventories.n == 2);
	check_kept(ALICE, "+1\n");
	check_kept(BOB, "+2\n");
	CHECK_STR(broker.inventories.first->account.name, "u2001");
	CHECK_STR(broker.inventories.last->account.name, "");
	/* What a worker says first is kept, whatever was there. */
	alice = idle_worker(ALICE);
	tell(&alice, "+3\n", 3, 5);
	CHECK(kept(&alice, 5) == 0);
	check_kept(ALICE, "+3\n");
	CHECK(broker.inventories.last->uid == ALICE && broker.inventories.n == 2);
	end_kid(&alice);
	stage_close();
}

/* The next owner whose turn it is is looked up, and that is the answer. */
static void
look_up(int err)
{
	be_due(&broker.leavers.timer);
	if (err < 0)
		resolve_error(err);
	else
		resolve(ALICE);
	turn();
}

/* What was said a day ago. */
static void
a_day_later(void)
{
	struct owner *owner = inventories_find(&broker.inventories, ALICE);

	CHECK(owner->gone_ns != 0);
	owner->gone_ns = loop_now(&broker.loop) - LOOP_S(LEAVERS_AFTER_S);
}

static void
test_dropped(void)
{
	const struct owner *owner;
	struct kid alice;

	stage_ready();
	alice = idle_worker(ALICE);
	owner = broker.inventories.table;
	tell(&alice, "+3\n", 3, 5);
	CHECK(kept(&alice, 5) == 0);
	look_up(-ENOENT);
	a_day_later();
	/* Her worker runs. */
	look_up(-ENOENT);
	CHECK(!owner->dropped && S_ISREG(file_of(ALICE).st_mode));
	end_kid(&alice);
	/* An error is no answer, nor is one alone. */
	look_up(-EIO);
	CHECK(owner->gone_ns == 0);
	look_up(-ENOENT);
	look_up(-ENOENT);
	CHECK(!owner->dropped && S_ISREG(file_of(ALICE).st_mode));
	a_day_later();
	look_up(0);
	CHECK(owner->gone_ns == 0);
	look_up(-ENOENT);
	a_day_later();
	look_up(-ENOENT);
	CHECK(owner->dropped && !S_ISREG(file_of(ALICE).st_mode));
	/* She is not looked up any more, and comes back with what she lists. */
	be_due(&broker.leavers.timer);
	turn();
	expect_nothing(starter_fd);
	users_find(&broker.users, ALICE)->lookup_again_ns = 0;
	alice = idle_worker(ALICE);
	tell(&alice, "+3\n", 3, 6);
	CHECK(kept(&alice, 6) == 0 && !owner->dropped);
	check_kept(ALICE, "+3\n");
	end_kid(&alice);
	stage_close();
}

static void
test_full(void)
{
	struct kid alice;

	stage_ready();
	broker.inventories.size = 0;
	alice = idle_worker(ALICE);
	tell(&alice, "+0\n", 3, 5);
	CHECK(kept(&alice, 5) == -ENOSPC && is_alive(&alice));
	end_kid(&alice);
	stage_close();
}

static unsigned n_at_start;

static void
test_nothing_left(void)
{
	CHECK(n_descriptors() == n_at_start);
}

int
main(void)
{
	log_open("broker_inventories", 0);
	n_at_start = n_descriptors();
	TEST("what a worker lists is kept, and written when it is another", test_kept);
	TEST("a worker that lists too often waits", test_pace);
	TEST("a worker that does not wait is killed", test_two_at_once);
	TEST("the place to write to is as large as it is, whatever a worker does", test_place);
	TEST("the refuser has nothing to list", test_refuser);
	TEST("the next broker has what was kept", test_next_broker);
	TEST("who has no account for a day leaves nothing", test_dropped);
	TEST("more owners than there may be are told so", test_full);
	TEST("no descriptor is left", test_nothing_left);
	return TEST_END();
}
