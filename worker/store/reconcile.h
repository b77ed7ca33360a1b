/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reconcile.h: what a file in domains/ means for the VMs in memory.
 *
 * Runs in the worker, as the user. These are its rules, which qemud-worker(8) tells users:
 *
 *   - The <name> counts, not the name of the file. A file is called after its domain: one that is
 *     called otherwise is renamed.
 *   - A UUID belongs to the domain that has it, as long as that domain's file is there. A copy gets
 *     a new one, and a name of its own: NAME-1, NAME-2... A domain's file under another name is not a
 *     copy, but that domain.
 *   - What is written back is written whole, before it counts; what cannot be written does not count.
 *   - A file that cannot be used is left as it is, and what it said before stays in force.
 *   - What a VM runs as is not changed: a definition is for its next start, a name waits until it has
 *     ended, and a VM whose file has gone is transient.
 */
#ifndef WORKER_STORE_RECONCILE_H
#define WORKER_STORE_RECONCILE_H

#include "worker/store/domains.h"
#include "worker/store/files.h"
#include "worker/store/lifecycle.h"

struct reconcile;

struct reconcile_ops {
	/* A domain's definition has come, changed or gone: libvirt's lifecycle events. */
	void (*tell)(struct reconcile *reconcile, const struct domain *domain,
		enum event_lifecycle event, int32_t detail);
	/* A file cannot be used, and why. */
	void (*left_alone)(struct reconcile *reconcile, const char *name, const char *why);
	/* A file was changed by us, or means something that its owner should know. */
	void (*changed)(struct reconcile *reconcile, const char *name, const char *what);
};

struct reconcile {
	struct domains *domains;
	const struct reconcile_ops *ops;
};

enum reconciled {
	RECONCILED = 0,
	RECONCILE_LATER, /* ask again when it has waited once more: it may be about to change */
	RECONCILE_STUCK, /* ask again when a domain has ended */
	RECONCILE_GONE   /* there is no such file */
};

/** Look at a file, and have the domains follow. */
enum reconciled reconcile(struct reconcile *reconcile, struct file *file);

#endif
