/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vms.c: all VMs of this user that run; see vms.h.
 *
 * Runs in the worker, as the user.
 */
#include "worker/vm/vms.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/fd.h"
#include "lib/log.h"
#include "lib/take.h"
#include "lib/uuid.h"
#include "worker/vm/chain.h"
#include "worker/vm/chardev.h"
#include "worker/vm/interfaces.h"
#include "worker/vm/rundir.h"
#include "worker/vm/status.h"
#include "worker/vm/vcpus.h"

enum { LOGS_TRIM_S = 2 };

void
vms_init(struct vms *vms, struct loop *loop, struct uplink *uplink)
{
	*vms = (struct vms){.loop = loop, .uplink = uplink};
	LIST_INIT(&vms->all);
}

void
vms_fini(struct vms *vms)
{
	vms->adopted = NULL;
	vms->autostarting = false;
	while (!LIST_EMPTY(&vms->all))
		vm_abandon(LIST_FIRST(&vms->all));
	timer_stop(&vms->trim);
}

/* --- logs --------------------------------------------------------------------------------- */

static void
trim_logs(struct timer *timer)
{
	struct vms *vms = container_of(timer, struct vms, trim);
	struct vm *vm;

	LIST_FOREACH (vm, &vms->all, entry) {
		vm_log_trim(&vm->log);
		vm_chardev_trim(vm->domain->live);
	}
	if (!LIST_EMPTY(&vms->all))
		vms_watch_logs(vms);
}

void
vms_watch_logs(struct vms *vms)
{
	if (!timer_is_set(&vms->trim))
		timer_set(vms->loop, &vms->trim, loop_now(vms->loop) + LOOP_S(LOGS_TRIM_S),
			trim_logs);
}

/* --- what the broker says ----------------------------------------------------------------- */

void
vms_leased(struct vms *vms, uint64_t cookie, int err, const struct ipc_leased *leased, int fd)
{
	/* It asked, so it is there until it is answered. */
	(void)vms;
	vm_leased((struct vm *)(uintptr_t)cookie, err, leased, fd);
}

static struct vm *
find_lease(struct vms *vms, uint32_t id)
{
	struct vm *vm;

	LIST_FOREACH (vm, &vms->all, entry)
		if (vm->lease == VM_LEASE_HELD && vm->domain->id == (int32_t)id)
			return vm;
	return NULL;
}

void
vms_lease_changed(struct vms *vms, uint64_t cookie, int err)
{
	struct vm *vm = find_lease(vms, (uint32_t)(cookie >> 32));

	/* It may have ended meanwhile. */
	if (vm)
		vm_lease_changed(vm, (uint32_t)cookie, err);
}

void
vms_lease_gone(struct vms *vms, const struct ipc_lease_gone *gone)
{
	struct vm *vm = find_lease(vms, gone->id);

	if (vm)
		vm_gone(vm, (enum ipc_gone)gone->how, gone->limit_kib);
}

void
vms_net_ready(struct vms *vms, uint64_t cookie, int err, int fd)
{
	struct vm *vm = find_lease(vms, vm_network_cookie_id(cookie));

	if (vm && vm->interfaces)
		vm_network_given(&vm->interfaces->network, cookie, err, fd);
	else
		/* It has gone meanwhile, and with it all that ran for it. */
		fd_close(&fd);
}

/* --- what a machine that has run leaves --------------------------------------------------- */

static const struct domain_disk *
find_disk(const struct domain_def *def, const char *target)
{
	for (size_t i = 0; i < def->n_disks; i++)
		if (strcmp(def->disks[i].target, target) == 0)
			return &def->disks[i];
	return NULL;
}

void
vms_keep_chains(struct vms *vms, struct domain *domain, const struct domain_def *ran)
{
	struct happening what = {.kind = HAPPENED_LIFECYCLE,
		.lifecycle = {.event = EVENT_DEFINED, .detail = EVENT_DEFINED_UPDATED}};
	struct domain_def *config = domain->config;
	struct rpc_error error;
	bool changed = false;

	for (size_t i = 0; config && i < config->n_disks; i++) {
		struct domain_disk *disk = &config->disks[i];
		const struct domain_disk *as = find_disk(ran, disk->target);

		if (!as || vm_chain_keep(disk, as) == 0)
			continue;
		log_warning("dom=%s: while it ran, the header of the image of its disk %s began to "
			    "name other images: its definition names those that it ran with",
			log_quote(config->name), disk->target);
		changed = true;
	}
	if (!changed)
		return;
	if (domains_save(vms->domains, domain, &error) != RPC_DONE)
		log_error("dom=%s: %s", log_quote(config->name), log_quote(error.message));
	vms->tell(vms, domain, &what);
}

/* --- adoption ----------------------------------------------------------------------------- */

/* Of one that has ended meanwhile, the files tell the last time what it ran with. */
static bool
is_running(void *arg, const uint8_t uuid[static 16])
{
	struct vms *vms = arg;
	struct domain *domain = domains_find_uuid(vms->domains, uuid);
	domain_def_auto struct domain_def *ran = NULL;

	if (!domain || domain->vm)
		return domain != NULL;
	if (vm_status_read_def(uuid, vms->env, &ran) == 0)
		vms_keep_chains(vms, domain, ran);
	return false;
}

/* One thing less to wait for. */
static void
adopted_one(struct vms *vms)
{
	int r;

	/* What is let go of runs all the same, and keeps its sockets. */
	if (--vms->n_adopting > 0 || !vms->adopted)
		return;
	r = rundir_sweep(is_running, vms);
	if (r < 0)
		log_warning(
			"what old machines left in the run-time folder stays: %s", strerror(-r));
	vms->adopted(vms, 0);
}

static void
reached(void *arg, enum rpc_handled handled, const struct rpc_error *error)
{
	/* What could not be reached is there all the same. */
	(void)handled;
	(void)error;
	adopted_one(arg);
}

/* What is shown of a VM of which nothing is known but that it runs: enough to end it. */
static int
lost_def(const struct vms *vms, const struct ipc_lease_found *found, struct domain_def **ret)
{
	char xml[256], uuid[UUID_TEXT_SIZE];
	struct rpc_error error;
	int n = snprintf(xml, sizeof(xml),
		"<domain type='qemu'><name>lost-%" PRIu32 "</name><uuid>%s</uuid>"
		"<memory>1024</memory><os><type>hvm</type></os></domain>",
		found->id, uuid_format(found->uuid, uuid));

	return domain_def_parse(xml, (size_t)n, 0, vms->env, &error, ret);
}

/* A definition may have been renamed by hand while nobody was there. Returns 0 or -ENOMEM. */
static int
take_name(struct domain_def *live, const char *name)
{
	char *copy = strdup(name);

	if (!copy)
		return -ENOMEM;
	free(live->name);
	live->name = copy;
	return 0;
}

/* It runs under its name, which a definition may have taken while nobody was there. */
static bool
keep_name(struct vms *vms, const struct domain_def *live)
{
	struct domain *named = domains_find_name(vms->domains, live->name);
	struct rpc_error error;

	if (!named)
		return true;
	if (named->vm || !named->config ||
		domains_make_way(vms->domains, named, &error) != RPC_DONE)
		return false;
	log_info("definition %s: another machine runs under that name: it is that of domain %s now",
		log_quote(live->name), log_quote(named->config->name));
	return true;
}

/* The domain that runs under this lease, with its `live`; NULL without memory. */
static struct domain *
find_domain(struct vms *vms, const struct ipc_lease_found *found)
{
	struct domain *domain = domains_find_uuid(vms->domains, found->uuid);
	domain_def_auto struct domain_def *live = NULL;
	int r = vm_status_read_def(found->uuid, vms->env, &live);

	if (r != 0 && domain)
		r = domain_def_live(domain->config, vms->env, &live);
	if (r == 0 && domain)
		r = take_name(live, domain->config->name);
	/* Nothing says what it is, or its name cannot be had. */
	if (r != 0 || (!domain && !keep_name(vms, live))) {
		live = domain_def_free(live);
		if (lost_def(vms, found, &live) != 0)
			return NULL;
	}
	if (!domain)
		domain = domains_add_transient(vms->domains, live);
	else
		domain->live = live;
	if (domain)
		(void)take_ptr(live);
	return domain;
}

static int
adopt(struct vms *vms, const struct ipc_lease_found *found)
{
	struct domain *domain = domains_find_uuid(vms->domains, found->uuid);
	struct vm_status status;
	struct vm *vm;

	if (domain && domain->vm)
		return -EEXIST;
	domain = find_domain(vms, found);
	if (!domain)
		return -ENOMEM;
	vm = vm_new(vms, domain);
	if (!vm) {
		domains_settle(vms->domains, domain);
		return -ENOMEM;
	}
	domain->id = (int32_t)found->id;
	/* Until it says how it is: not shut off. */
	domain->state = DOMAIN_STATE_RUNNING;
	domain->reason = DOMAIN_RUNNING_UNKNOWN;
	vm->lease = VM_LEASE_HELD;
	vm->pid = found->pid;
	vm->grant = (struct vm_grant){.vcpus = found->vcpus, .memory_kib = found->memory_kib};
	if (vm_status_read(found->uuid, &status) == 0 && status.id == domain->id) {
		domain->state = (enum domain_state)status.state;
		domain->reason = status.reason;
		vm->since = status.since;
		vm->landlock = status.landlock;
		vm->autodestroy = status.autodestroy;
	}
	vm->started = true;
	vms->n_adopting++;
	if (vm_adopt(vm, reached, vms) < 0)
		vms->n_adopting--;
	/* The connection that it was to end with has ended with the worker that served it. */
	if (vm->autodestroy)
		vm_stop(vm, VM_END_DESTROYED);
	return 0;
}

void
vms_lease_found(struct vms *vms, int err, const struct ipc_lease_found *found)
{
	int r = err;

	if (!vms->adopted)
		return;
	if (err == 0) {
		r = adopt(vms, found);
		if (r < 0)
			log_error("the machine with id %" PRIu32 " runs and cannot be shown: %s",
				found->id, strerror(-r));
		r = uplink_ask_next_lease(vms->uplink, found->id, 1);
		if (r == 0)
			return;
		r = -EPIPE;
	}
	if (r == -ENOENT)
		adopted_one(vms);
	else
		vms->adopted(vms, r);
}

void
vms_adopt(struct vms *vms, void (*adopted)(struct vms *vms, int err))
{
	vms->adopted = adopted;
	vms->n_adopting = 1;
	if (uplink_ask_next_lease(vms->uplink, 0, 1) != 0)
		adopted(vms, -EPIPE);
}
