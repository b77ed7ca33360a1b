/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wishes.h: what workers and views ask for, and what they are told.
 *
 * Runs in the broker, as root. Between a child's link and the tables of tools, leases, inventories
 * and the like: who may ask, and what happens to who does not read its answers.
 */
#ifndef BROKER_WISHES_H
#define BROKER_WISHES_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/ipc/ipc.h"

struct child;
struct ipc_inventory_found;

enum {
	/*
	 * What a worker has not received, in bytes as the kernel counts them: forty messages or so.
	 * An honest one may have asked for as many as it may start at once.
	 */
	WISHES_UNREAD_MAX = 32768,
	/* No message takes less than this; so many descriptors a worker may have in flight. */
	WISHES_UNREAD_FDS = WISHES_UNREAD_MAX / 512 + 1
};

/** A child's message; one that is about something else is left alone. */
void wishes_message(struct child *child, const struct ipc_message *message);

/**
 * Answer a worker's ask for a tool, with the seed's socket (which stays the caller's) or an error.
 * Returns 0, or LINK_E_* when the worker does not have the answer, and never will.
 */
int wishes_answer_tool(struct child *child, uint32_t serial, int err, int fd);
/** The same for a lease; leased is only looked at when err is 0. */
int wishes_answer_lease(
	struct child *child, uint32_t serial, int err, const struct ipc_leased *leased, int fd);
/** The same when a limit is against it: why, in words. */
int wishes_refuse_lease(
	struct child *child, uint32_t serial, const char why[static IPC_REASON_MAX]);
/** Answer a worker's ask for a change of a lease. */
int wishes_answer_change(struct child *child, uint32_t serial, int err);
/** The same for a process of a network, as for a tool. */
int wishes_answer_net(struct child *child, uint32_t serial, int err, int fd);
/** A lease of its user's is over: tell the worker, if there is one that listens. */
void wishes_lease_gone(struct child *child, const struct ipc_lease_gone *gone);

/** A worker that serves: its place for its inventory (the caller's). */
void wishes_place_inventory(struct child *child, int fd);
/** Its inventory is kept, or is not: err is a negative errno then. Returns as above. */
int wishes_answer_inventory(struct child *child, uint32_t serial, int err);
/** A view: there is something newer. */
void wishes_inventory_changed(struct child *child);
/** What is next, with the inventory (the caller's), or an error. */
void wishes_answer_next(struct child *child, uint32_t serial, int err,
	const struct ipc_inventory_found *found, int fd);
/** A channel's end (the caller's), or an error. Returns as above. */
int wishes_answer_channel(struct child *child, uint32_t serial, int err, int fd);

/** What a view for qemudctl is told, of the answer's struct, or an error. */
void wishes_answer_status(
	struct child *child, enum ipc_type ask, uint32_t serial, int err, const void *body);
/** What became of a VM_STOP or a VM_FREEZE: 0 or a negative errno. */
void wishes_answer_vm(struct child *child, enum ipc_type ask, uint32_t serial, int err);

/** What the child has not received, in bytes as the kernel counts them. */
uint32_t wishes_unread(const struct child *child);
/**
 * Is the worker so far behind that it must get no more descriptors? Those in flight count against
 * root as a whole (unix(7), ETOOMANYREFS), those of leases and tools that are over as well.
 */
bool wishes_is_behind(const struct child *child);

#endif
