/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * next_worker.h: the stage of vm_stage.h when the worker before has gone, and the next one asks the
 * broker what runs.
 */
#ifndef TESTS_UNIT_NEXT_WORKER_H
#define TESTS_UNIT_NEXT_WORKER_H

#include "tests/unit/vm_stage.h"

static int n_adopted, adopted_err;

static inline void
adopted(struct vms *vms, int err)
{
	CHECK(vms == &rig.estate.vms);
	n_adopted++;
	adopted_err = err;
	rig.estate.state = ESTATE_OPEN;
}

/* The worker before has gone; this one asks what runs. */
static inline void
begin_again(void)
{
	vms_fini(&rig.estate.vms);
	for (int i = 0; i < 4; i++)
		rig_turn(0);
	(void)told();
	/* As it comes from the disk. */
	if (farm_domain(VM)) {
		farm_domain(VM)->state = DOMAIN_STATE_SHUTOFF;
		farm_domain(VM)->reason = DOMAIN_SHUTOFF_UNKNOWN;
	}
	n_adopted = 0;
	adopted_err = 1;
	rig.estate.state = ESTATE_ADOPTING;
	vms_adopt(&rig.estate.vms, adopted);
	rig_turn(0);
}

static inline void
lists(uint32_t id, unsigned number)
{
	struct ipc_lease_found found = {.id = id, .pid = (uint32_t)getpid()};

	farm_uuid(number, found.uuid);
	CHECK(stage.next_serial != 0 && stage.next_after < id);
	broker_sends(IPC_LEASE_FOUND, stage.next_serial, 0, &found, sizeof(found), -1);
	stage.next_serial = 0;
}

static inline void
lists_no_more(int err)
{
	CHECK(stage.next_serial != 0);
	broker_sends(
		IPC_LEASE_FOUND, stage.next_serial, err, NULL, sizeof(struct ipc_lease_found), -1);
	stage.next_serial = 0;
	rig_turn(0);
}

/* The one VM, and nothing else. */
static inline void
lists_it(void)
{
	lists(ID, VM);
	rig_turn(0);
	CHECK(stage.next_after == ID);
	lists_no_more(-ENOENT);
}

static inline void
check_adopted(void)
{
	for (int i = 0; i < 100 && n_adopted == 0; i++)
		rig_turn(10);
	CHECK(n_adopted == 1 && adopted_err == 0);
	rig.estate.state = ESTATE_OPEN;
}

/* A VM that runs, of which a worker has known all, and does no more. */
static inline void
stage_adopt(const char *more)
{
	stage_run(more);
	fd_close(&qemu.monitor);
	begin_again();
}

static inline bool
is_there(const char *kind)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "00000000-0000-4000-8000-000000000001.%s", kind);
	return access(name, F_OK) == 0;
}

#endif
