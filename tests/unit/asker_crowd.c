/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many questions at once, and long answers, are answered to their end, without more being held or asked
 * for at once than has room.
 */
#include "tests/unit/asker.h"

/* Nothing more is asked for while nobody reads what there is; then it goes on. */
static void
test_slow_reader(void)
{
	static char inventory[INVENTORY_MAX];
	struct inventory_writer writer;
	struct inventory_vm vm = {.state = 5, .persistent = true};
	struct talk_reader reader = {.text = rig.text};
	unsigned n_rows = 0, n_asks;
	struct talk_row row;

	start();
	inventory_write(&writer, inventory, sizeof inventory - 1);
	for (unsigned i = 0; i < 1000; i++) {
		vm.uuid[0] = (uint8_t)i;
		(void)snprintf(vm.name, sizeof vm.name, "vm%06u", i);
		ASSERT(inventory_add(&writer, &vm) == 0);
	}
	inventory[inventory_end(&writer)] = '\0';
	for (unsigned i = 0; i < USERS; i++)
		rig.known[i] = (struct known){.uid = 2000 + i,
			.name = (const char *[]){"a", "b", "c", "d", "e", "f", "g", "h"}[i],
			.inventory = inventory,
			.shown = true,
			.told = {.worker = IPC_WORKER_NONE}};
	rig.known[0].uid = 1000;
	rig.known[0].own = true;
	call();
	say("1\tvms\n", 6);
	for (unsigned i = 0; i < 64; i++)
		turn(0);
	n_asks = rig.n_asks;
	for (unsigned i = 0; i < 64; i++)
		turn(0);
	CHECK(first() && first()->step == ASKER_VMS && rig.n_asks == n_asks);
	CHECK(hear());
	reader.size = rig.size;
	while (talk_next(&reader, &row) == TALK_ROW)
		n_rows++;
	CHECK(n_rows == 1 + USERS + USERS * 1000 && !reader.error);
	stop();
}

/* As many as the broker may have open, and no more; who goes, or is refused, has no turn. */
static void
test_crowd(void)
{
	enum { CROWD = 100 };
	struct ipc_ticket_change change = {.conn_id = CROWD - 1, .reason = "no more"};
	struct talk_reader reader;
	int clients[CROWD];
	struct talk_row row;

	start();
	for (unsigned i = 0; i < 8; i++)
		turn(0);
	for (unsigned i = 0; i < CROWD; i++) {
		call();
		say(i % 2 ? "1\tvms\n" : "1\tstatus\n", i % 2 ? 6 : 9);
		clients[i] = rig.client;
	}
	/* It knows of owners, and is slow with all else. */
	rig.status_sleeps = true;
	for (unsigned i = 0; i < TURNS && rig.askers.n_open < ASKERS_OPEN_MAX; i++)
		turn(0);
	for (unsigned i = 0; i < CROWD; i++)
		turn(0);
	CHECK(rig.askers.n_open == ASKERS_OPEN_MAX && rig.n_kept == ASKERS_OPEN_MAX);
	/* The one that has waited longest for an answer, and the one that is to wait longest. */
	for (unsigned i = 0; i < CROWD; i += CROWD - 1)
		fd_close(&clients[i]);
	CHECK(askers_change(&rig.askers, &change) == 0);
	for (unsigned i = 0; i < CROWD; i++)
		turn(0);
	CHECK(rig.askers.n_open == ASKERS_OPEN_MAX && rig.n_kept == ASKERS_OPEN_MAX);
	rig.status_sleeps = false;
	for (unsigned i = 1; i < CROWD - 1; i++) {
		rig.client = clients[i];
		rig.size = 0;
		CHECK(hear());
		reader = (struct talk_reader){.text = rig.text, .size = rig.size};
		while (talk_next(&reader, &row) == TALK_ROW)
			CHECK((row.kind == TALK_ERROR) == (i == CROWD - 2));
		CHECK(!reader.error);
	}
	CHECK(rig.most_open == ASKERS_OPEN_MAX);
	CHECK(rig.askers.n_open == 0 && TAILQ_EMPTY(&rig.askers.waiting));
	stop();
}

/* What would be longer than an answer may be is no answer, in words. */
static void
test_too_long(void)
{
	static const char said[] = "\nerror\tfailed\tthere is more than one answer has room for";

	for (unsigned i = 0; i < 2; i++) {
		start();
		call();
		say("1\tvms\n", 6);
		for (unsigned k = 0; k < TURNS && first()->n_rows == 0; k++)
			turn(10);
		if (i == 0)
			first()->n_rows = TALK_ROWS_MAX - 2;
		else
			first()->n_bytes = TALK_ANSWER_MAX - 3 * (size_t)TALK_ROW_MAX - 10;
		CHECK(hear());
		CHECK(strstr(rig.text, said));
		CHECK(strstr(strstr(rig.text, said) + 1, "\nend\t"));
		stop();
	}
}

int
main(void)
{
	rig.client = -1;
	TEST("who does not read is told no more until she does", test_slow_reader);
	TEST("a crowd is answered, by turns", test_crowd);
	TEST("what is too long for an answer is told in words", test_too_long);
	return TEST_END();
}
