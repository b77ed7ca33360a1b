/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_looking.h: a broker with views, and root, who looks at alice and bob through one.
 */
#ifndef TESTS_UNIT_BROKER_LOOKING_H
#define TESTS_UNIT_BROKER_LOOKING_H

#include "broker/views.h"
#include "tests/unit/broker_stage.h"

/* The next connection comes, and stays. */
static inline struct ipc_conn_pass
take_one(const struct kid *kid)
{
	AUTO(packet_fini) struct packet packet;
	struct ipc_conn_pass pass;

	expect(kid->link, IPC_CONN_PASS, &packet);
	memcpy(&pass, body_of(&packet), sizeof pass);
	taken(kid, &packet);
	return pass;
}

static inline void
list(const struct kid *kid, const char *text)
{
	AUTO(packet_fini) struct packet answer;
	struct ipc_inventory body = {.size = (uint32_t)strlen(text)};

	CHECK(pwrite(kid->place_fd, text, strlen(text), 0) == (ssize_t)strlen(text));
	say(kid->link, (struct ipc_header){.type = IPC_INVENTORY, .serial = 77}, &body, sizeof body,
		NULL, 0);
	expect(kid->link, IPC_INVENTORY_KEPT, &answer);
	CHECK(header_of(&answer).err == 0);
}

/* The answer, behind a notice that may be there. */
static inline void
expect_answer(int fd, enum ipc_type type, struct packet *ret)
{
	struct ipc_header header = {.type = 0};

	turn();
	(void)!recv(fd, &header, sizeof header, MSG_PEEK | MSG_DONTWAIT);
	if (header.type == IPC_INVENTORY_CHANGED) {
		AUTO(packet_fini) struct packet notice;

		expect(fd, IPC_INVENTORY_CHANGED, &notice);
	}
	expect(fd, type, ret);
}

/* And what of the owner's runs; `running` has room for as many as she has. */
static inline int
next_running(const struct kid *kid, uint64_t after, struct ipc_inventory_found *ret,
	const char *text, struct ipc_running *running)
{
	AUTO(packet_fini) struct packet answer;
	struct ipc_inventory_next body = {.after = after};
	free_auto char *data = NULL;
	size_t size;

	say(kid->link, (struct ipc_header){.type = IPC_INVENTORY_NEXT, .serial = 4}, &body,
		sizeof body, NULL, 0);
	expect_answer(kid->link, IPC_INVENTORY_FOUND, &answer);
	memcpy(ret, body_of(&answer), sizeof *ret);
	if (header_of(&answer).err < 0)
		return header_of(&answer).err;
	CHECK(memfd_read(answer.fds[0], INVENTORY_MAX, &data, &size) == 0);
	CHECK(size == strlen(text) + ret->n_running * sizeof *running);
	CHECK(memcmp(data, text, strlen(text)) == 0);
	memcpy(running, data + strlen(text), ret->n_running * sizeof *running);
	return 0;
}

static inline int
next(const struct kid *kid, uint64_t after, struct ipc_inventory_found *ret, const char *text)
{
	struct ipc_running running[8];

	return next_running(kid, after, ret, text, running);
}

static inline int
ask_channel(const struct kid *kid, uint64_t conn_id, uint32_t uid, int *ret_fd)
{
	AUTO(packet_fini) struct packet answer;
	struct ipc_channel body = {.conn_id = conn_id, .uid = uid};

	*ret_fd = -1;
	say(kid->link, (struct ipc_header){.type = IPC_CHANNEL, .serial = 6}, &body, sizeof body,
		NULL, 0);
	expect_answer(kid->link, IPC_CHANNEL_OPEN, &answer);
	if (header_of(&answer).err == 0)
		*ret_fd = take_fd(&answer.fds[0]);
	return header_of(&answer).err;
}

/* alice and bob have listed something, and root looks, through a view that was told of both. */
struct scene {
	struct kid alice, bob, view;
	int client;
	uint64_t conn_id;
};

static inline struct scene
look(enum ipc_socket socket)
{
	struct scene scene;
	struct ipc_inventory_found found;

	scene.alice = idle_worker(ALICE);
	scene.bob = idle_worker(BOB);
	list(&scene.alice, "+1\n");
	list(&scene.bob, "+2\n");
	scene.client = connect_to(socket, 0);
	scene.view = start_view_as(socket == IPC_SOCKET_CTL ? IPC_VIEW_CTL : IPC_VIEW_HOST);
	scene.conn_id = take_one(&scene.view).conn_id;
	CHECK(next(&scene.view, 0, &found, "+1\n") == 0 && found.uid == ALICE);
	CHECK(next(&scene.view, found.generation, &found, "+2\n") == 0 && found.uid == BOB);
	/* Her own are there though they are none. */
	CHECK(next(&scene.view, found.generation, &found, "+0\n") == 0 && found.own);
	CHECK(found.uid == VM_UID && found.system && found.worker == 0);
	return scene;
}

static inline struct scene
set_scene(enum ipc_socket socket)
{
	stage_ready();
	return look(socket);
}

/* The next worker of a user whose account is known. */
static inline struct kid
next_worker(uint32_t uid)
{
	int client = connect_as(uid);
	struct kid kid = worker(uid);

	(void)serve(&kid);
	fd_close(&client);
	return kid;
}

static inline void
end_scene(struct scene *scene)
{
	fd_close(&scene->client);
	if (scene->view.pid > 0)
		end_kid(&scene->view);
	end_kid(&scene->alice);
	end_kid(&scene->bob);
	CHECK(broker.conns.n_used == 0);
	CHECK(users_find(&broker.users, 0)->budget.n_channels == 0);
	stage_close();
}

#endif
