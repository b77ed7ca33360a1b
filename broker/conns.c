/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * conns.c: every connection that the broker knows: waiting, on its way to a child, or with one.
 *
 * Runs in the broker, as root. Must never read from a connection, nor look at what is in it.
 */
#include "broker/conns.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/foreign.h"

int
conns_init(struct conns *conns, uint32_t size)
{
	*conns = (struct conns){.size = size, .slot_bits = 1};
	while ((uint64_t)1 << conns->slot_bits < size)
		conns->slot_bits++;
	conns->slots = calloc(size, sizeof *conns->slots);
	return conns->slots ? 0 : -ENOMEM;
}

void
conns_fini(struct conns *conns)
{
	for (uint32_t i = 0; i < conns->n_touched; i++)
		foreign_close(&conns->slots[i].fd);
	free(conns->slots);
	*conns = (struct conns){.size = 0};
}

struct conn *
conns_add(struct conns *conns, int fd, const struct peer *peer, enum ipc_socket socket,
	struct budget *payer)
{
	struct conn *conn = conns->free;

	if (conn)
		conns->free = conn->next;
	else if (conns->n_touched < conns->size)
		conn = &conns->slots[conns->n_touched++];
	else
		return NULL;
	*conn = (struct conn){
		.fd = fd,
		.generation = conn->generation + 1,
		.pass = {.uid = peer->uid,
			.gid = peer->gid,
			.pid = peer->pid,
			.socket = (uint8_t)socket,
			.origin = IPC_ORIGIN_UNIX},
	};
	conn->pass.conn_id = conn->generation << conns->slot_bits | (uint64_t)(conn - conns->slots);
	conns->n_used++;
	conn_charge(conn, payer);
	return conn;
}

struct conn *
conns_add_channel(struct conns *conns, int fd, struct conn *parent, uint32_t owner_uid)
{
	const struct ipc_conn_pass *pass = &parent->pass;
	struct peer peer = {.uid = pass->uid, .gid = pass->gid, .pid = pass->pid};
	struct conn *conn = conns_add(conns, fd, &peer, (enum ipc_socket)pass->socket, NULL);

	if (!conn)
		return NULL;
	conn->owner_uid = owner_uid;
	conn->pass.origin = IPC_ORIGIN_VIEW;
	memcpy(conn->pass.label, pass->label, sizeof conn->pass.label);
	conn_charge(conn, parent->payer);
	conn->parent = parent;
	conn->sibling = parent->channels;
	parent->channels = conn;
	return conn;
}

struct conn *
conns_find(const struct conns *conns, uint64_t id)
{
	uint64_t slot = id & (((uint64_t)1 << conns->slot_bits) - 1);

	if (id == 0 || slot >= conns->n_touched || conns->slots[slot].pass.conn_id != id)
		return NULL;
	return &conns->slots[slot];
}

static void
leave_list(struct conn *conn)
{
	struct conn_list *list = conn->list;

	if (!list)
		return;
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		list->first = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	else
		list->last = conn->prev;
	list->n--;
	conn->prev = conn->next = NULL;
	conn->list = NULL;
}

static void
leave_parent(struct conn *conn)
{
	struct conn **at;

	if (!conn->parent)
		return;
	at = &conn->parent->channels;
	while (*at != conn)
		at = &(*at)->sibling;
	*at = conn->sibling;
	conn->parent = conn->sibling = NULL;
}

void
conns_remove(struct conns *conns, struct conn *conn)
{
	ASSERT(conn->pass.conn_id != 0);
	while (conn->channels) {
		struct conn *channel = conn->channels;

		leave_parent(channel);
		(void)shutdown(channel->fd, SHUT_RDWR);
	}
	leave_parent(conn);
	leave_list(conn);
	foreign_close(&conn->fd);
	conn_charge(conn, NULL);
	conn->pass.conn_id = 0;
	conn->next = conns->free;
	conns->free = conn;
	conns->n_used--;
}

void
conn_charge(struct conn *conn, struct budget *payer)
{
	bool channel = conn->owner_uid != 0;

	if (conn->payer)
		*(channel ? &conn->payer->n_channels : &conn->payer->n_conns) -= 1;
	conn->payer = payer;
	if (payer)
		*(channel ? &payer->n_channels : &payer->n_conns) += 1;
}

void
conn_append(struct conn_list *list, struct conn *conn)
{
	leave_list(conn);
	conn->list = list;
	conn->prev = list->last;
	if (list->last)
		list->last->next = conn;
	else
		list->first = conn;
	list->last = conn;
	list->n++;
}

void
conn_push(struct conn_list *list, struct conn *conn)
{
	leave_list(conn);
	conn->list = list;
	conn->next = list->first;
	if (list->first)
		list->first->prev = conn;
	else
		list->last = conn;
	list->first = conn;
	list->n++;
}

void
conn_list_prepend(struct conn_list *list, struct conn_list *from)
{
	if (!from->first)
		return;
	for (struct conn *conn = from->first; conn; conn = conn->next)
		conn->list = list;
	from->last->next = list->first;
	if (list->first)
		list->first->prev = from->last;
	else
		list->last = from->last;
	list->first = from->first;
	list->n += from->n;
	*from = (struct conn_list){.n = 0};
}
