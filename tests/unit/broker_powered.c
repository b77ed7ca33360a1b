/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_powered.c: whoever has `power` over a machine ends it, or has it stand still, whatever its
 * owner's worker does; and nobody else.
 */
#include "broker/views.h"

#include "protocol/verb.h"
#include "tests/unit/broker_looking.h"
#include "tests/unit/broker_vms.h"

static int
act(const struct kid *kid, enum ipc_type type, const void *body, size_t size)
{
	AUTO(packet_fini) struct packet answer;
	enum ipc_type want = type == IPC_VM_STOP ? IPC_VM_STOPPED : IPC_VM_FROZEN;

	say(kid->link, (struct ipc_header){.type = (uint16_t)type, .serial = 8}, body, size, NULL,
		0);
	expect_answer(kid->link, want, &answer);
	return header_of(&answer).err;
}

static int
stop_vm(const struct scene *scene, uint32_t uid, uint32_t id)
{
	struct ipc_vm_stop body = {.conn_id = scene->conn_id, .uid = uid, .id = id};

	return act(&scene->view, IPC_VM_STOP, &body, sizeof body);
}

static struct ipc_vm_freeze
freeze_of(const struct scene *scene, uint32_t uid, uint32_t id, bool on)
{
	return (struct ipc_vm_freeze){
		.vm = {.conn_id = scene->conn_id, .uid = uid, .id = id}, .on = on};
}

/* Her worker stands still, and her machine ends. */
static void
test_stop_vm(void)
{
	struct scene scene = set_scene(IPC_SOCKET_RW);
	struct vm vm = vm_for(&scene.alice, ALICE, 1);

	CHECK(stop_vm(&scene, ALICE, vm.id + 1) == -ENOENT);
	CHECK(stop_vm(&scene, BOB, vm.id) == -ENOENT);
	CHECK(stop_vm(&scene, VM_UID, vm.id) == -ENOENT);
	CHECK(is_alive(&vm.kid));
	CHECK(kill(scene.alice.pid, SIGSTOP) == 0);
	CHECK(stop_vm(&scene, ALICE, vm.id) == 0);
	reap(&vm.kid, SIGKILL);
	end_leaf(ALICE, vm.id, 1, 0);
	CHECK(!user_of(ALICE)->leases.first);
	CHECK(kill(scene.alice.pid, SIGCONT) == 0);
	fd_close(&vm.sock);
	end_scene(&scene);
}

static void
test_freeze_vm(void)
{
	AUTO(packet_fini) struct packet leaf, answer_packet;
	struct scene scene = set_scene(IPC_SOCKET_RW);
	struct vm vm = vm_for(&scene.alice, ALICE, 1);
	struct ipc_vm_freeze freeze = freeze_of(&scene, ALICE, vm.id, true);

	say(scene.view.link, (struct ipc_header){.type = IPC_VM_FREEZE, .serial = 9}, &freeze,
		sizeof freeze, NULL, 0);
	expect(starter_fd, IPC_LEAF_FREEZE, &leaf);
	/* One at a time. */
	CHECK(act(&scene.view, IPC_VM_FREEZE, &freeze, sizeof freeze) == -EBUSY);
	answer(starter_fd, &leaf, NULL, 0, NULL, 0);
	expect_answer(scene.view.link, IPC_VM_FROZEN, &answer_packet);
	CHECK(header_of(&answer_packet).serial == 9 && header_of(&answer_packet).err == 0);
	packet_fini(&leaf);
	/* A view that ends meanwhile is not answered, nor is the next one in its place. */
	freeze.on = 0;
	say(scene.view.link, (struct ipc_header){.type = IPC_VM_FREEZE, .serial = 10}, &freeze,
		sizeof freeze, NULL, 0);
	expect(starter_fd, IPC_LEAF_FREEZE, &leaf);
	end_kid(&scene.view);
	fd_close(&scene.client);
	scene.client = connect_as(0);
	scene.view = start_view();
	(void)take_one(&scene.view);
	answer(starter_fd, &leaf, NULL, 0, NULL, 0);
	expect_nothing(scene.view.link);
	CHECK(!broker.views.table[0].force.open && !broker.views.table[0].force.stale);
	CHECK(is_alive(&scene.view) && is_alive(&vm.kid));
	end_kid(&vm.kid);
	end_leaf(ALICE, vm.id, 1, 0);
	fd_close(&vm.sock);
	end_scene(&scene);
}

/* What runs of whose, what stands still and what is being ended, is told with what she has. */
static void
expect_running(const struct scene *scene, uint64_t *generation, uint32_t n, uint32_t id,
	bool frozen, bool ending)
{
	struct ipc_running running[8] = {{.id = 0}};
	struct ipc_inventory_found found;

	CHECK(next_running(&scene->view, *generation, &found, "+1\n", running) == 0);
	CHECK(found.uid == ALICE && found.n_running == n);
	CHECK(running[0].id == id && running[0].frozen == frozen);
	CHECK(running[0].ending == ending);
	*generation = found.generation;
	CHECK(next(&scene->view, *generation, &found, NULL) == -ENOENT);
}

static void
test_told(void)
{
	AUTO(packet_fini) struct packet notice, leaf, done;
	struct scene scene = set_scene(IPC_SOCKET_RW);
	struct vm vm = vm_for(&scene.alice, ALICE, 1);
	struct ipc_vm_freeze freeze = freeze_of(&scene, ALICE, vm.id, true);
	uint64_t generation = broker.inventories.generation;
	struct ipc_inventory_found found;

	CHECK(next(&scene.view, generation, &found, NULL) == -ENOENT);
	say(scene.view.link, (struct ipc_header){.type = IPC_VM_FREEZE, .serial = 9}, &freeze,
		sizeof freeze, NULL, 0);
	expect(starter_fd, IPC_LEAF_FREEZE, &leaf);
	answer(starter_fd, &leaf, NULL, 0, NULL, 0);
	expect(scene.view.link, IPC_INVENTORY_CHANGED, &notice);
	expect(scene.view.link, IPC_VM_FROZEN, &done);
	expect_running(&scene, &generation, 1, vm.id, true, false);
	/* It is being ended from the ask on, and there until nothing of it is left. */
	CHECK(stop_vm(&scene, ALICE, vm.id) == 0);
	expect_running(&scene, &generation, 1, vm.id, true, true);
	reap(&vm.kid, SIGKILL);
	CHECK(next(&scene.view, generation, &found, NULL) == -ENOENT);
	end_leaf(ALICE, vm.id, 1, 0);
	expect_running(&scene, &generation, 0, 0, false, false);
	fd_close(&vm.sock);
	end_scene(&scene);
}

/* What was lost meanwhile is refused. */
static void
test_power_lost(void)
{
	static const char rules[] = "allow everyone manage own\ndeny uid 0 power uid 2001\n";
	struct scene scene = set_scene(IPC_SOCKET_RW);
	struct vm vm = vm_for(&scene.alice, ALICE, 1);
	struct ipc_vm_freeze freeze = freeze_of(&scene, ALICE, vm.id, true);
	struct ipc_inventory_found found;

	CHECK(policy_parse(broker.rulebook.now, "policy.conf", rules, strlen(rules)) == 0);
	CHECK(stop_vm(&scene, ALICE, vm.id) == -EACCES);
	/* What changed last is that hers runs. */
	CHECK(next(&scene.view, broker.inventories.generation - 1, &found, "+1\n") == 0);
	CHECK(found.uid == ALICE);
	CHECK(found.verbs == (VERB_VIEW | VERB_CONSOLE));
	CHECK(act(&scene.view, IPC_VM_FREEZE, &freeze, sizeof freeze) == -EACCES);
	CHECK(is_alive(&vm.kid));
	CHECK(next(&scene.view, found.generation, &found, NULL) == -ENOENT);
	/* It has heard of it; an ask may have waited in it all the while. */
	CHECK(act(&scene.view, IPC_VM_FREEZE, &freeze, sizeof freeze) == -EACCES);
	CHECK(is_alive(&scene.view) && is_alive(&vm.kid));
	end_kid(&vm.kid);
	end_leaf(ALICE, vm.id, 1, 0);
	fd_close(&vm.sock);
	end_scene(&scene);
}

/* Whoever never had `power`, as everybody on the read-only socket, or over whom, has no reason to ask. */
static void
test_no_power(void)
{
	for (unsigned i = 0; i < 4; i++) {
		struct scene scene = set_scene(i < 2 ? IPC_SOCKET_RO : IPC_SOCKET_RW);
		struct vm vm = vm_for(&scene.alice, ALICE, 1);
		struct ipc_vm_freeze freeze = freeze_of(&scene, i < 2 ? ALICE : 4711, vm.id, true);

		say(scene.view.link,
			(struct ipc_header){
				.type = i % 2 ? IPC_VM_FREEZE : IPC_VM_STOP, .serial = 9},
			&freeze, i % 2 ? sizeof freeze : sizeof freeze.vm, NULL, 0);
		turn();
		reap(&scene.view, SIGKILL);
		CHECK(is_alive(&vm.kid));
		end_kid(&vm.kid);
		end_leaf(ALICE, vm.id, 1, 0);
		fd_close(&vm.sock);
		end_scene(&scene);
	}
}

int
main(void)
{
	log_open("broker_powered", 0);
	TEST("a machine is ended without its worker", test_stop_vm);
	TEST("a machine stands still without its worker", test_freeze_vm);
	TEST("who looks is told what runs, what stands still and what is being ended", test_told);
	TEST("the verb that is lost meanwhile is refused", test_power_lost);
	TEST("without the verb nothing of that is done", test_no_power);
	return TEST_END();
}
