/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker_listing.c: the broker is left with what there is, and again when that is another: one list
 * at a time, and the last one is the truth.
 */
#include "worker/listing.h"

#include "tests/unit/test.h"

#include "lib/log.h"
#include "lib/memfd.h"
#include "tests/unit/worker_domains.h"

static int place_fd = -1; /* the broker's */
static unsigned n_heard;
static uint32_t serial, size; /* of the last that was heard */

static void
hear(const struct ipc_header *header, const void *body)
{
	if (header->type != IPC_INVENTORY)
		return;
	n_heard++;
	serial = header->serial;
	size = ((const struct ipc_inventory *)body)->size;
}

static void
send_header(struct ipc_header header, const int *fd)
{
	header.version = IPC_VERSION;
	header.n_fds = fd != NULL;
	ASSERT(packet_send(rig.broker_fd, &header, sizeof header, fd, fd != NULL) == 0);
	rig_turn(0);
}

static void
answer(int err)
{
	send_header((struct ipc_header){.type = IPC_INVENTORY_KEPT, .serial = serial, .err = err},
		NULL);
}

static void
begin(bool with_place)
{
	farm_start();
	n_heard = 0;
	rig.told = hear;
	rig_turn(0);
	place_fd = -1;
	if (with_place) {
		place_fd = memfd_room("inventory", INVENTORY_MAX);
		send_header((struct ipc_header){.type = IPC_INVENTORY_PLACE}, &place_fd);
	}
}

static void
end(void)
{
	fd_close(&place_fd);
	farm_stop();
}

/* Turn until so many were heard; then some more, in which no other may come. */
static void
wait_heard(unsigned n)
{
	for (unsigned i = 0; n_heard < n && i < TURNS; i++)
		rig_turn(10);
	for (unsigned i = 0; i < 20; i++)
		rig_turn(10);
	CHECK(n_heard == n);
}

static void
check_text(const char *want)
{
	char text[4096] = "";

	ASSERT(size < sizeof text && pread(place_fd, text, size, 0) == (ssize_t)size);
	CHECK_STR(text, want);
}

#define LINE(n, name) "0\t5\t0\tp\t00000000-0000-4000-8000-00000000000" #n "\t" name "\n"

static void
test_lists(void)
{
	struct rpc_domain dom;
	struct rpc_error error;
	int sock;

	begin(true);
	sock = rig_open(VERBS_ALL);
	/* Not before it is known what there is. */
	CHECK(farm_define(sock, "b", 1, "", &dom) == 0);
	wait_heard(0);
	listing_begin(&rig.estate.listing);
	wait_heard(1);
	check_text(LINE(1, "b") "+0\n");
	/* One at a time; what comes meanwhile makes one more. */
	CHECK(farm_define(sock, "a", 2, "", &dom) == 0);
	CHECK(farm_define(sock, "c", 3, "", &dom) == 0);
	wait_heard(1);
	answer(0);
	wait_heard(2);
	check_text(LINE(2, "a") LINE(1, "b") LINE(3, "c") "+0\n");
	answer(0);
	wait_heard(2);
	/* Each kind of change. */
	CHECK(domains_rename(&rig.estate.domains, farm_domain(3), "0", &error) == RPC_DONE);
	wait_heard(3);
	check_text(LINE(3, "0") LINE(2, "a") LINE(1, "b") "+0\n");
	answer(0);
	CHECK(domains_undefine(&rig.estate.domains, farm_domain(3), &error) == RPC_DONE);
	wait_heard(4);
	check_text(LINE(2, "a") LINE(1, "b") "+0\n");
	answer(0);
	domains_note_autostart(&rig.estate.domains, farm_domain(2), true);
	wait_heard(5);
	check_text("0\t5\t0\tpa\t00000000-0000-4000-8000-000000000002\ta\n" LINE(1, "b") "+0\n");
	answer(0);
	fd_close(&sock);
	rig_wait(0);
	end();
}

/* One that has its box and has not told anybody how it is, is not shown as shut off. */
static void
test_states(void)
{
	struct rpc_domain dom;
	struct domain *domain;
	int sock;

	begin(true);
	sock = rig_open(VERBS_ALL);
	CHECK(farm_define(sock, "vm", 1, "", &dom) == 0);
	domain = farm_domain(1);
	domain->id = 7;
	listing_begin(&rig.estate.listing);
	wait_heard(1);
	check_text("7\t3\t11\tp\t00000000-0000-4000-8000-000000000001\tvm\n+0\n");
	answer(0);
	domain->state = DOMAIN_STATE_RUNNING;
	domain->reason = DOMAIN_RUNNING_BOOTED;
	domains_changed(&rig.estate.domains);
	wait_heard(2);
	check_text("7\t1\t1\tp\t00000000-0000-4000-8000-000000000001\tvm\n+0\n");
	answer(0);
	domain->id = -1;
	domain->state = DOMAIN_STATE_SHUTOFF;
	fd_close(&sock);
	rig_wait(0);
	end();
}

/* What the broker could not keep is sent again, in a while; what was not sent is, at the end. */
static void
test_again(void)
{
	struct rpc_domain dom;
	int sock;

	begin(true);
	sock = rig_open(VERBS_ALL);
	listing_begin(&rig.estate.listing);
	wait_heard(1);
	check_text("+0\n");
	answer(-ENOSPC);
	CHECK(timer_is_set(&rig.estate.listing.timer));
	timer_set(&rig.loop, &rig.estate.listing.timer, 0, rig.estate.listing.timer.fn);
	wait_heard(2);
	answer(0);
	CHECK(farm_define(sock, "vm", 1, "", &dom) == 0);
	fd_close(&sock);
	rig_wait(0);
	estate_fini(&rig.estate);
	rig_turn(0);
	CHECK(n_heard == 3);
	check_text(LINE(1, "vm") "+0\n");
	end();
}

/* Nobody wants a list where there is no place for one. */
static void
test_without_place(void)
{
	struct rpc_domain dom;
	int sock;

	begin(false);
	sock = rig_open(VERBS_ALL);
	listing_begin(&rig.estate.listing);
	CHECK(farm_define(sock, "vm", 1, "", &dom) == 0);
	wait_heard(0);
	fd_close(&sock);
	rig_wait(0);
	end();
}

int
main(void)
{
	log_open("worker_listing", 0);
	farm_in_memory();
	TEST("what there is is listed, and again after each change", test_lists);
	TEST("a machine is listed as it is", test_states);
	TEST("what was not kept is sent again", test_again);
	TEST("without a broker that wants one there is no list", test_without_place);
	return TEST_END();
}
