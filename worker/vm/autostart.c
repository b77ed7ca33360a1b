/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * autostart.c: the machines that start with the host are started, once while that runs.
 *
 * Runs in the worker, as the user. One after the other: a host that has just begun has other things
 * to do too. What cannot be started is logged, and holds up none behind it.
 */
#include <errno.h>
#include <string.h>

#include "lib/log.h"
#include "worker/vm/rundir.h"
#include "worker/vm/vm.h"
#include "worker/vm/vms.h"

static void start_next(struct vms *vms);

static void
started(void *arg, enum rpc_handled handled, const struct rpc_error *error)
{
	struct vms *vms = arg;

	if (handled == RPC_FAILED)
		log_error("a domain that starts with the host does not: %s",
			log_quote(error->message));
	start_next(vms);
}

static void
start_next(struct vms *vms)
{
	static const struct vm_start how = {.paused = false};
	struct rpc_error error;
	struct domain *domain;

	TAILQ_FOREACH (domain, &vms->domains->all, entry) {
		if (!vms->autostarting || !domain->autostart_due)
			continue;
		domain->autostart_due = false;
		/* Somebody may have been faster, or have thought better of it. */
		if (!domain->autostart || domain->vm)
			continue;
		log_info("dom=%s starts with the host", log_quote(domain->config->name));
		if (vms_start(vms, domain, &how, &error, started, vms) == RPC_LATER)
			return;
		log_error("a domain that starts with the host does not: %s",
			log_quote(error.message));
	}
	vms->autostarting = false;
}

void
vms_autostart(struct vms *vms)
{
	struct domain *domain;
	int r = rundir_mark("autostarted");

	if (r == -EEXIST)
		return;
	if (r < 0) {
		/* Nor would the next worker know that they have been. */
		log_error("no domain starts with the host: the run-time folder: %s", strerror(-r));
		return;
	}
	vms->autostarting = true;
	TAILQ_FOREACH (domain, &vms->domains->all, entry) {
		domain->autostart_due = domain->autostart && domain->config;
	}
	start_next(vms);
}
