/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * census.h: for how many users and virtual machines there are folders in the ledger.
 *
 * Runs in the broker, as root, before it is boxed. Tables are sized once: whoever lowers a limit
 * below what runs still gets a broker that has room for all of it.
 */
#ifndef BROKER_CENSUS_H
#define BROKER_CENSUS_H

#include <stdint.h>

#include "protocol/ipc/ipc.h"

struct census {
	uint32_t n_users, n_vms;
};

/**
 * Count what is named like it in the folder cgroup ("": there is none); see broker/launch/ledger.h
 * for the names. Never too few: what is no user's or no virtual machine's after all may be among
 * them. Returns 0 or a negative errno.
 */
int census_take(const char *cgroup, struct census *ret);

/** Which controllers limit what is in the ledger, at dir_fd, by now; -1: there is none. */
enum ipc_controllers census_controllers(int dir_fd);

#endif
