/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * report.h: rows for qemudctl, from what the broker says, and what owners' workers list.
 *
 * Runs in the view. What a worker lists is its word, and stands in columns that say so.
 */
#ifndef VIEW_REPORT_H
#define VIEW_REPORT_H

#include "protocol/ctl/talk.h"
#include "protocol/ipc/ipc.h"
#include "view/owners.h"

/* Somebody of whom there are rows. */
struct report_subject {
	uint32_t uid;
	bool own;
	char name[IPC_NAME_MAX];
};

/* The longest life of a row's texts that are made for it. */
struct report {
	struct talk_row row;
	char uuid[UUID_TEXT_SIZE];
};

void report_host(const struct ipc_status *status, struct report *ret);
/** owner: her VMs are listed; NULL: it is not known whether she has any. */
void report_user(const struct report_subject *subject, const struct ipc_status_user_told *told,
	const struct owner *owner, struct report *ret);
/** subject NULL: the host. */
void report_limit(const struct report_subject *subject, enum ipc_limit limit,
	const struct ipc_status_limit_told *told, struct report *ret);
/** A VM that is listed, that has a lease, or both: one of the two is not NULL. */
void report_vm(const struct report_subject *subject, const struct owner *owner,
	const struct owner_vm *listed, const struct ipc_status_vm_told *lease, struct report *ret);

#endif
