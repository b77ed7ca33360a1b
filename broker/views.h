/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * views.h: the processes that show a principal the whole host: one for each and each kind of socket.
 *
 * Runs in the broker, as root. A view has no standing power: it is told of the owners that its
 * principal may see, and gets a channel to a worker for one of its connections, as far as that
 * connection's ticket reaches (authority.h) and no further; one for qemudctl gets none, and is told how
 * they are (status.h). It is started by the first connection that is routed to it, and ends when it
 * has none.
 */
#ifndef BROKER_VIEWS_H
#define BROKER_VIEWS_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/child.h"
#include "broker/force.h"
#include "protocol/ipc/ipc.h"

struct broker;
struct conn;
struct owner;

enum {
	VIEWS_LINGER_S = 10 /* so long after its idle_seconds it may be there without clients */
};

struct view {
	struct child child;
	bool used;
	uint32_t uid; /* of the principal, who has it alone */
	enum ipc_socket socket;
	bool waits;           /* it asked, and is to be told when there is something newer */
	struct owner *cursor; /* what it was told last; NULL: nothing */
	struct bucket looks;  /* at owners, of what it asks */
	/* Of each owner: whether it is shown, and all verbs over it that it was ever told to have. */
	uint8_t *told;
	struct force force;
};

struct views {
	struct broker *broker;
	struct view *table;
	uint8_t *told;           /* of all views */
	uint32_t size, n_owners; /* so many of each of the two kinds */
};

/** Make room for size views of the host, and as many for qemudctl, of n_owners owners. Returns 0 or -ENOMEM. */
int views_init(struct views *views, struct broker *broker, uint32_t size, uint32_t n_owners);
void views_fini(struct views *views);
/** Those in use, one after the other: NULL gives the first, the last gives NULL. */
struct view *views_next(const struct views *views, const struct view *after);

/**
 * The view of that principal, or a place for one; NULL when there are as many of that kind as there may
 * be, of which the last for qemudctl is kept for root.
 */
struct view *views_get(struct views *views, uint32_t uid, enum ipc_socket socket);
/** Was it ever told that its principal has anything over that owner? See views_may_ask(). */
bool views_was_told(const struct view *view, uint32_t owner_uid);
/** Its process has ended. */
void views_child_ended(struct view *view);
/** What is kept of an owner is another: tell those who are shown it. */
void views_owner_changed(struct views *views, const struct owner *owner);

/**
 * It was dropped long ago, and its place becomes another's: no view has anything over that. One that has
 * not heard of it yet is ended.
 */
void views_owner_leaves(struct views *views, const struct owner *owner);

/* What a view asks for; it is answered, or ended. */
void views_tell_next(struct view *view, const struct ipc_message *message);
void views_open_channel(struct view *view, const struct ipc_message *message);

/** The verbs that its principal has now over what that owner has, and why not all. */
uint32_t views_over(
	const struct view *view, const struct owner *owner, char reason[IPC_REASON_MAX]);
/**
 * May the view ask that at all? For a connection that it has, about an owner over whom it was told to
 * have one of these verbs. Else it is ended: no race leads there, as a connection is its own until it
 * says that it is gone, and what it was told once counts for ever, as an ask may have waited in the view
 * or on its way. What was lost meanwhile is the caller's to refuse (-EACCES).
 */
bool views_may_ask(struct view *view, enum ipc_type type, uint64_t conn_id, uint32_t uid,
	uint32_t verbs, struct conn **ret_conn, const struct owner **ret_owner);

#endif
