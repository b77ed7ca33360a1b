/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sweep.h: what earlier starters left in the ledger.
 *
 * Runs in qemud-launch, as root, before its loop: folders that nobody is in any more are removed,
 * VMs that still run are listed. A folder whose name the starter would not give is somebody
 * else's: it is counted, and never touched.
 */
#ifndef BROKER_LAUNCH_SWEEP_H
#define BROKER_LAUNCH_SWEEP_H

#include <limits.h>
#include <stddef.h>

#include "broker/launch/ledger.h"

struct sweep {
	struct ipc_leaf *vms; /* owned; those whose leaf could not be removed */
	size_t n_vms;
	size_t n_foreign;
	char foreign[NAME_MAX + 16]; /* one of them, below the ledger; "": none */
};

/**
 * Sweep the whole ledger; without one there is nothing. ret is zero before, and has to be given to
 * sweep_fini() also after a failure. Returns 0 or a negative errno.
 */
int sweep_ledger(const struct ledger *ledger, struct sweep *ret);
void sweep_fini(struct sweep *sweep);

#endif
