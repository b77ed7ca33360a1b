/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rows.h: the virtual machines of one owner, as a view shows them.
 *
 * Runs in the view. Which there are and what they are called is her worker's word; which of them run,
 * under which id, which stand still and which are being ended, is the broker's: it goes before hers.
 * None is shown as shut off before nothing of it is left. What runs and is not told of by her worker for
 * a while is shown all the same, under its UUID behind a dot, as no VM can be called: so nobody hides one
 * from whoever may end it.
 */
#ifndef VIEW_ROWS_H
#define VIEW_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/uuid.h"
#include "protocol/ipc/inventory.h"
#include "protocol/ipc/ipc.h"
#include "protocol/rpc/types.h"
#include "view/force.h"

enum {
	ROWS_PREFIX_SIZE = IPC_NAME_MAX + 1,
	ROWS_UNTOLD_SIZE = ROWS_PREFIX_SIZE + UUID_TEXT_SIZE, /* a prefix, a dot, a UUID */
	/* So long a worker may take to tell of what the broker knows to run. */
	ROWS_UNTOLD_S = 3
};

struct row_state {
	uint32_t state, reason; /* virDomainState */
	bool runs;
};

struct owner_vm {
	int32_t id; /* -1: it does not run */
	uint32_t state, reason;
	struct row_state told; /* by the worker */
	bool persistent, autostart;
	bool untold; /* the worker says nothing of it */
	bool frozen; /* it stands still by the broker's hand, whatever its worker says */
	uint8_t uuid[UUID_SIZE];  /* its own */
	uint8_t shown[UUID_SIZE]; /* under which this view has it */
	char *name;               /* as shown */
};

/* What runs, as the broker says. */
struct row_running {
	struct ipc_running vm;
	uint64_t since_ns;           /* this view knows of it */
	char name[ROWS_UNTOLD_SIZE]; /* if the worker tells none */
};

/** Zero but for uid, own and prefix: there are none. */
struct rows {
	uint32_t uid;
	bool own;                      /* they are the principal's: plain names and UUIDs */
	char prefix[ROWS_PREFIX_SIZE]; /* "alice:"; "" of the principal's own */
	struct owner_vm *vms;          /* in the order of their names */
	unsigned n_vms;
	uint32_t n_left_out; /* VMs that the inventory has no room for */
	char *names;
	struct row_running *running;
	uint32_t n_running;
};

void rows_fini(struct rows *rows);

/* After each of these the rows are to be settled. */

/** The broker's word: n times a struct ipc_running, in any alignment. Returns 0 or -ENOMEM. */
int rows_run(struct rows *rows, const void *running, uint32_t n, uint64_t now_ns);
/** The broker ends the VM with that id, has it stand still or go on; what it says next agrees. */
void rows_force(struct rows *rows, uint32_t id, enum force_act act);
/**
 * Take an inventory, as the worker wrote it: all of it, or nothing. Returns 0 or -ENOMEM, or -EBADMSG
 * and *ret_error says why, a constant.
 */
int rows_read(struct rows *rows, const char *text, size_t size, const char **ret_error);
/** The worker lists its VMs by itself. What no VM can be called is left out. Returns 0 or -ENOMEM. */
int rows_told(struct rows *rows, const struct rpc_domain *domains, uint32_t n);
/**
 * Bring the worker's word in line with the broker's. Returns when to do it again, as
 * loop_now() counts, because something that runs may not be told of until then; or UINT64_MAX.
 */
uint64_t rows_settle(struct rows *rows, uint64_t now_ns);

/** Does anything of the one with that id run, as the broker last said? */
bool rows_runs(const struct rows *rows, uint32_t id);

/** How many the worker tells of, without those that were left out. */
unsigned rows_n_told(const struct rows *rows);

/** May a worker call a VM so? No part of the name passes for the owner, or does things to a terminal. */
bool rows_may_name(const char *name);
/** Under which UUID a VM of theirs is shown. */
void rows_show_uuid(const struct rows *rows, const uint8_t uuid[static UUID_SIZE],
	uint8_t ret[static UUID_SIZE]);

#endif
