/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vms.h: all VMs of this user that run, and what is done to them.
 *
 * Runs in the worker, as the user. A worker that begins adopts what runs already (vms_adopt());
 * one that ends lets go of it.
 */
#ifndef WORKER_VM_VMS_H
#define WORKER_VM_VMS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/loop.h"
#include "lib/uplink.h"
#include "worker/job/job.h"
#include "worker/store/domains.h"
#include "worker/store/home.h"
#include "worker/store/happening.h"
#include "worker/vm/op.h"
#include "worker/vm/vm.h"

LIST_HEAD(vm_list, vm);

struct vms {
	struct loop *loop;
	struct uplink *uplink;
	/* Those of the estate. */
	struct jobs *jobs;
	const struct home *home;
	struct domains *domains;
	const struct domain_env *env;

	/* Tell whoever wants to know what has happened to a domain. */
	void (*tell)(struct vms *vms, const struct domain *domain, const struct happening *what);

	uint64_t port_min; /* the lowest port of the host that a VM may be reached by */

	struct vm_list all;
	unsigned n;
	/* The first has come, or the last has gone. NULL: nobody wants to know. */
	void (*occupied)(struct vms *vms, bool occupied);

	/* Adoption. */
	unsigned n_adopting; /* that are not reached yet; and one for the list of them */
	void (*adopted)(struct vms *vms, int err);
	bool autostarting; /* those of domains that are due */
	struct timer trim; /* of the logs, while something runs */
};

/** Empty; the owner fills in what is the estate's, and the callbacks. */
void vms_init(struct vms *vms, struct loop *loop, struct uplink *uplink);
/** Let go of all of them. */
void vms_fini(struct vms *vms);

/**
 * Take over what runs, as the broker says; home, domains, env and jobs are set. `adopted` is called
 * when all of them have been reached, or have turned out not to be: err is 0, or a negative errno
 * when the broker cannot say what runs.
 */
void vms_adopt(struct vms *vms, void (*adopted)(struct vms *vms, int err));

/* What the broker says (lib/uplink.h). */
void vms_leased(struct vms *vms, uint64_t cookie, int err, const struct ipc_leased *leased, int fd);
void vms_lease_changed(struct vms *vms, uint64_t cookie, int err);
void vms_lease_found(struct vms *vms, int err, const struct ipc_lease_found *found);
void vms_lease_gone(struct vms *vms, const struct ipc_lease_gone *gone);
void vms_net_ready(struct vms *vms, uint64_t cookie, int err, int fd);

/**
 * Start what starts with the host, unless a worker has done that since the host began; from here on
 * in the background.
 */
void vms_autostart(struct vms *vms);

struct vm_start {
	bool paused;            /* it is not let go */
	struct vm_owned *owner; /* it ends with this; NULL: with nobody */
};

/*
 * What clients ask for. Each returns RPC_LATER, and done is called from the loop; or RPC_DONE or
 * RPC_FAILED with the error, and done is not called. Errors and their texts are libvirt's.
 */
int vms_start(struct vms *vms, struct domain *domain, const struct vm_start *how,
	struct rpc_error *error, vm_done_fn *done, void *arg);
/* A machine that is not kept (domains_begin()); *ret_domain is what it is, with RPC_LATER. */
int vms_create(struct vms *vms, const char *xml, const struct guise *guise,
	const struct vm_start *how, struct rpc_error *error, vm_done_fn *done, void *arg,
	struct domain **ret_domain);
int vms_suspend(struct domain *domain, struct rpc_error *error, vm_done_fn *done, void *arg);
int vms_resume(struct domain *domain, struct rpc_error *error, vm_done_fn *done, void *arg);
int vms_reset(struct domain *domain, struct rpc_error *error, vm_done_fn *done, void *arg);
/* A guest that has suspended itself to memory goes on; QEMU refuses it for any other. */
int vms_wakeup(struct domain *domain, struct rpc_error *error, vm_done_fn *done, void *arg);
/* The guest is asked to; whether and when it does is its own matter. */
int vms_shutdown(struct domain *domain, struct rpc_error *error, vm_done_fn *done, void *arg);
int vms_reboot(struct domain *domain, struct rpc_error *error, vm_done_fn *done, void *arg);
/** graceful: QEMU is asked to end, and not forced. */
int vms_destroy(
	struct domain *domain, bool graceful, struct rpc_error *error, vm_done_fn *done, void *arg);

/**
 * The connection that owns them has ended: so do they. done (NULL: nobody wants to know) is called
 * for each of them that has ended, from the loop. Returns how often it will be.
 */
unsigned vms_disown(struct vm_owned *owned, vm_done_fn *done, void *arg);

/**
 * A domain has run as `ran`, and does no more: its definition does not follow where the images of its
 * disks were made to lead meanwhile (chain.h). Clients and the log are told when it changes.
 */
void vms_keep_chains(struct vms *vms, struct domain *domain, const struct domain_def *ran);
/** Begin to keep the logs in their bounds, as long as something runs. */
void vms_watch_logs(struct vms *vms);
/** Put what reaches a VM that runs already at the front of its line: adopt.c. 0 or -ENOMEM. */
int vm_adopt(struct vm *vm, vm_done_fn *done, void *arg);
/** Reset a guest that has shut down, and let it go on, once: power.c. */
void vm_restart(struct vm *vm);

#endif
