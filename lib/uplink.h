/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uplink.h: the child's end of its link to the broker: what worker, refuser and view have in common.
 *
 * Runs in the programs that are handed clients. Says HELLO, takes connections over, and tells the
 * broker of each that has gone. A full link makes it wait, in memory that the connections bring
 * along: one that ended is kept by its owner until the broker has been told.
 */
#ifndef LIB_UPLINK_H
#define LIB_UPLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/link.h"
#include "lib/loop.h"
#include "protocol/ipc/ipc.h"

enum { UPLINK_FD = 3 /* where the starter puts the link */ };

struct uplink;

/** One connection as the broker knows it; embedded in its owner. */
struct uplink_conn {
	struct uplink_conn *next;
	uint64_t id;
};

struct uplink_ops {
	/*
	 * A client: fd is its socket, the callee's from here on, also on failure. Returns 0, or a
	 * negative errno when it cannot be served; the broker is told which.
	 */
	int (*pass)(struct uplink *uplink, const struct ipc_conn_pass *pass, int fd);
	/* The broker knows that this connection has gone, or is gone itself: free it. */
	void (*forget)(struct uplink *uplink, struct uplink_conn *conn);
	/*
	 * Take no new call, finish, exit: the broker said so (fault is IPC_OK), or it is gone (the
	 * same), or it broke this rule with that message and nothing it says can be trusted. Once,
	 * and once more for a broken rule.
	 */
	void (*stop)(struct uplink *uplink, enum ipc_fault fault, uint16_t type);
	/* What uplink_ask_idle() was answered. NULL where nobody asks. */
	void (*idle)(struct uplink *uplink, bool granted);
	/*
	 * What uplink_ask_tool() was answered, once for each ask: err is 0 and fd the seed's
	 * socket, the callee's from here on; or err is a negative errno (see IPC_TOOL_READY;
	 * -EPIPE: the broker has gone) and fd is -1. NULL where nobody asks.
	 */
	void (*tool)(struct uplink *uplink, uint64_t cookie, int err, int fd);
	/*
	 * The same for uplink_ask_lease() (see IPC_LEASED); leased is NULL with an error, and with
	 * -EDQUOT uplink->refusal says why. NULL where nobody asks.
	 */
	void (*leased)(struct uplink *uplink, uint64_t cookie, int err,
		const struct ipc_leased *leased, int fd);
	/*
	 * What uplink_ask_change() was answered (see IPC_LEASE_CHANGED), with -EDQUOT as above. NULL
	 * where nobody asks, as the next two.
	 */
	void (*lease_changed)(struct uplink *uplink, uint64_t cookie, int err);
	/* What uplink_ask_next_lease() was answered; found is NULL with an error (-ENOENT: the end). */
	void (*lease_found)(struct uplink *uplink, uint64_t cookie, int err,
		const struct ipc_lease_found *found);
	/*
	 * As tool(), for uplink_ask_net() (see IPC_NET_READY); with -EPERM uplink->refusal says why.
	 * NULL where nobody asks.
	 */
	void (*net)(struct uplink *uplink, uint64_t cookie, int err, int fd);
	/*
	 * What a connection may do from now on (see IPC_TICKET_CHANGE). Returns 0, or -ENOENT when it
	 * has gone. NULL: connections of this program may do nothing, and have gone for that.
	 */
	int (*ticket)(struct uplink *uplink, const struct ipc_ticket_change *change);
	/* Nothing of that VM runs any more. */
	void (*lease_gone)(struct uplink *uplink, const struct ipc_lease_gone *gone);
	/*
	 * A worker's: where its inventory is to be written (see IPC_INVENTORY_PLACE); fd is the
	 * callee's. NULL: it is closed, and nobody asks the next.
	 */
	void (*inventory_place)(struct uplink *uplink, int fd);
	/* What uplink_ask_inventory() was answered: 0 or a negative errno; -EPIPE as above. */
	void (*inventory_kept)(struct uplink *uplink, int err);
	/* A view's: there is something newer. NULL where nobody asks, as the next two. */
	void (*inventory_changed)(struct uplink *uplink);
	/*
	 * What uplink_ask_next_inventory() was answered: found and fd, the callee's; or an error with
	 * NULL and -1 (-ENOENT: nothing is newer; -EPIPE).
	 */
	void (*inventory_found)(
		struct uplink *uplink, int err, const struct ipc_inventory_found *found, int fd);
	/* As tool(), for uplink_ask_channel() (see IPC_CHANNEL_OPEN). */
	void (*channel)(struct uplink *uplink, uint64_t cookie, int err, int fd);
	/*
	 * What uplink_ask_status() was answered: body is the answer's struct, NULL with an error. NULL
	 * where nobody asks.
	 */
	void (*status)(struct uplink *uplink, uint64_t cookie, int err, const void *body);
	/* What uplink_ask_stop() and uplink_ask_freeze() were answered. NULL where nobody asks. */
	void (*vm_done)(struct uplink *uplink, uint64_t cookie, int err);
};

struct uplink_answer {
	enum ipc_type type;
	uint64_t conn_id; /* of a CONN_TAKEN */
	uint32_t serial;
	int err;
};

struct uplink {
	struct link link;
	struct loop *loop;
	const struct uplink_ops *ops;
	bool stopped;
	/* Why, while leased() or lease_changed() is told -EDQUOT, or net() -EPERM. */
	char refusal[IPC_REASON_MAX];
	unsigned n_answers; /* that found the link full */
	struct uplink_answer answers[LINK_ASKS_MAX];
	struct uplink_conn *gone_first, **gone_last;
	struct deferred telling;
};

/** Serve the link (taken over) and say HELLO. Returns 0 or a negative errno. */
int uplink_start(struct uplink *uplink, struct loop *loop, int fd, const struct uplink_ops *ops);
/** The connection has ended: tell the broker, then call forget(), both from the loop. */
void uplink_gone(struct uplink *uplink, struct uplink_conn *conn);
/** Ask whether this program may end; idle() has the answer. Returns 0 or LINK_E_*. */
int uplink_ask_idle(struct uplink *uplink);
/** Ask for a box; tool() has the answer, with cookie. Returns 0 or LINK_E_*: no answer then. */
int uplink_ask_tool(struct uplink *uplink, enum ipc_tool_kind kind, uint64_t cookie);
/** Ask for a lease; leased() has the answer, with cookie. Returns as above. */
int uplink_ask_lease(struct uplink *uplink, const struct ipc_lease *lease, uint64_t cookie);
/** Ask for more, or less, for a VM that runs; lease_changed() has the answer. Returns as above. */
int uplink_ask_change(
	struct uplink *uplink, const struct ipc_lease_change *change, uint64_t cookie);
/** Ask which lease of the user's comes after that id; lease_found() has the answer. As above. */
int uplink_ask_next_lease(struct uplink *uplink, uint32_t after, uint64_t cookie);
/** Ask for a process for the network of that VM; net() has the answer, with cookie. As above. */
int uplink_ask_net(struct uplink *uplink, uint32_t id, enum ipc_net_kind kind, uint64_t cookie);
/** Have everything of that VM ended; lease_gone() follows. Returns 0 or LINK_E_*: nothing was said. */
int uplink_stop_lease(struct uplink *uplink, uint32_t id);
/** Say whether VMs start with the host. Returns 0 or LINK_E_*: nothing was said. */
int uplink_say_autostart(struct uplink *uplink, enum ipc_autostart_state state);
/** The inventory is so many bytes in its place. inventory_kept() has the answer. As above. */
int uplink_ask_inventory(struct uplink *uplink, uint32_t size);
/** Ask who is the first to have changed after that; inventory_found() has the answer. As above. */
int uplink_ask_next_inventory(struct uplink *uplink, uint64_t after);
/**
 * Ask for a channel to the worker of that owner, for a connection that was passed; channel() has the
 * answer, with cookie. As above.
 */
int uplink_ask_channel(
	struct uplink *uplink, uint64_t conn_id, uint32_t owner_uid, uint64_t cookie);
/** For that connection, end a VM without its worker; vm_done() has the answer. As above. */
int uplink_ask_stop(struct uplink *uplink, const struct ipc_vm_stop *stop, uint64_t cookie);
/** The same: have it stand still, or go on. */
int uplink_ask_freeze(struct uplink *uplink, const struct ipc_vm_freeze *freeze, uint64_t cookie);
/** Ask one of STATUS...; status() has the answer, with cookie. As above. */
int uplink_ask_status(struct uplink *uplink, enum ipc_type type, const void *body, uint64_t cookie);
/** Stop the link, and forget() every connection that has gone. */
void uplink_fini(struct uplink *uplink);

#endif
