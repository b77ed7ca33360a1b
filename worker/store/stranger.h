/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stranger.h: a definition that somebody else than the user gives one of her VMs.
 *
 * Runs in the worker, as the user. Who may manage her VMs may not read and write her files by them:
 * whatever a definition names is opened with her rights. So a stranger's may name what is below
 * ~/.qemud/images, ~/.qemud/nvram and ~/.qemud/save, and what that VM has already, and used no more
 * freely than it has it. What an image says is below it is not believed: a guest may have written
 * that.
 */
#ifndef WORKER_STORE_STRANGER_H
#define WORKER_STORE_STRANGER_H

#include "worker/domain/guise.h"
#include "worker/store/domains.h"

/**
 * Read it; a UUID that is one of her VM's as others see it becomes that VM's own. Returns 0, -ENOMEM,
 * or DOMAIN_E_REFUSED with the error filled in.
 */
int stranger_read(const struct domains *domains, const char *xml, const struct guise *guise,
	struct rpc_error *error, struct domain_def **ret_def);

#endif
