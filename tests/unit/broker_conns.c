/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_conns.c: ids are never given twice, lists keep their order, a full table says so.
 */
#include "broker/conns.h"

#include <fcntl.h>
#include <unistd.h>

#include "tests/unit/descriptors.h"
#include "tests/unit/test.h"

enum { SIZE = 5, ROUNDS = 1000 };

static const struct peer peer = {.uid = 1000, .gid = 1001, .pid = 7};
static struct conns conns;
static struct budget budget;

static struct conn *
add(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct conn *conn = conns_add(&conns, fd, &peer, IPC_SOCKET_RO, &budget);

	if (!conn)
		(void)close(fd);
	return conn;
}

static void
test_ids(void)
{
	uint64_t last[SIZE] = {0};

	budget = (struct budget){0};
	CHECK(conns_init(&conns, SIZE) == 0);
	for (int i = 0; i < ROUNDS; i++) {
		struct conn *conn = add();
		uint64_t id = conn->pass.conn_id, slot = (uint64_t)(conn - conns.slots);

		/* Of one slot, ids only rise; of two slots, none can be the same. */
		CHECK(id > last[slot] && (id & 7) == slot && conns_find(&conns, id) == conn);
		CHECK(last[slot] == 0 || !conns_find(&conns, last[slot]));
		last[slot] = id;
		if (i % 3 != 0)
			conns_remove(&conns, conn);
		else if (conns.n_used == SIZE)
			for (uint64_t k = 0; k < SIZE; k++)
				conns_remove(&conns, conns_find(&conns, last[k]));
	}
	CHECK(!conns_find(&conns, 0) && !conns_find(&conns, 7) && !conns_find(&conns, UINT64_MAX));
	conns_fini(&conns);
}

static void
test_fields(void)
{
	struct conn *conn;

	CHECK(conns_init(&conns, SIZE) == 0);
	conn = add();
	CHECK(conn->pass.uid == 1000 && conn->pass.gid == 1001 && conn->pass.pid == 7);
	CHECK(conn->pass.socket == IPC_SOCKET_RO && conn->pass.origin == IPC_ORIGIN_UNIX);
	CHECK(conn->pass.verbs == 0 && conn->pass.label[0] == '\0' && !conn->list);
	conns_fini(&conns);
}

static void
test_full(void)
{
	unsigned n_before = n_descriptors();
	struct conn *conn = NULL;

	budget = (struct budget){0};
	CHECK(conns_init(&conns, SIZE) == 0);
	for (int i = 0; i < SIZE; i++)
		CHECK((conn = add()) != NULL);
	CHECK(!add() && conns.n_used == SIZE && budget.n_conns == SIZE);
	conns_remove(&conns, conn);
	CHECK(conns.n_used == SIZE - 1 && budget.n_conns == SIZE - 1);
	CHECK(n_descriptors() == n_before + SIZE - 1);
	CHECK(add() && !add());
	conns_fini(&conns);
	CHECK(n_descriptors() == n_before);
}

static void
test_lists(void)
{
	struct conn_list waiting = {.n = 0}, passed = {.n = 0};
	struct conn *c[SIZE];

	CHECK(conns_init(&conns, SIZE) == 0);
	for (int i = 0; i < SIZE; i++)
		conn_append(&waiting, c[i] = add());
	CHECK(waiting.n == SIZE && waiting.first == c[0] && waiting.last == c[4]);
	conn_append(&passed, c[0]);
	conn_append(&passed, c[2]);
	CHECK(c[0]->list == &passed && waiting.n == 3 && waiting.first == c[1]);
	CHECK(c[1]->next == c[3] && c[3]->prev == c[1] && passed.first->next == c[2]);
	/* What was passed goes back in front of what still waits. */
	conn_list_prepend(&waiting, &passed);
	CHECK(passed.n == 0 && !passed.first && !passed.last && waiting.n == SIZE);
	CHECK(waiting.first == c[0] && c[0]->next == c[2] && c[2]->next == c[1]);
	CHECK(c[1]->prev == c[2] && c[2]->list == &waiting && waiting.last == c[4]);
	conn_list_prepend(&passed, &waiting);
	CHECK(passed.n == SIZE && passed.last == c[4] && c[3]->list == &passed);
	conn_list_prepend(&passed, &waiting);
	CHECK(passed.n == SIZE);
	conns_remove(&conns, c[4]);
	CHECK(passed.n == 4 && passed.last == c[3] && !c[3]->next);
	while (passed.first)
		conns_remove(&conns, passed.first);
	CHECK(passed.n == 0 && !passed.last && conns.n_used == 0);
	conns_fini(&conns);
}

static void
test_charge(void)
{
	struct budget other = {.n_conns = 0};
	struct conn *conn;

	budget = (struct budget){0};
	CHECK(conns_init(&conns, SIZE) == 0);
	conn = add();
	conn_charge(conn, &other);
	CHECK(budget.n_conns == 0 && other.n_conns == 1);
	conns_remove(&conns, conn);
	CHECK(budget.n_conns == 0 && other.n_conns == 0);
	conns_fini(&conns);
}

static void
test_untouched(void)
{
	/* A large table costs address space alone until it is used. */
	CHECK(conns_init(&conns, 1000000) == 0);
	CHECK(conns.n_touched == 0);
	conns_remove(&conns, add());
	conns_remove(&conns, add());
	CHECK(conns.n_touched == 1);
	conns_fini(&conns);
}

int
main(void)
{
	TEST("an id is given once, and found while it lives", test_ids);
	TEST("a connection has what the kernel said, and nothing yet that policy says",
		test_fields);
	TEST("a full table takes no more, until one has gone", test_full);
	TEST("lists keep the order in which connections came", test_lists);
	TEST("whoever pays is given back what was charged", test_charge);
	TEST("slots are used again before new ones are touched", test_untouched);
	return TEST_END();
}
