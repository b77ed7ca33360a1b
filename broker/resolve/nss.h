/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nss.h: one account from the host's name service, with all its groups; or one group's number.
 *
 * Runs in qemud-resolve, as nobody: the one place of the project that asks the name service, which
 * may load modules into the process and wait for the network.
 */
#ifndef BROKER_RESOLVE_NSS_H
#define BROKER_RESOLVE_NSS_H

#include <stdint.h>

#include "protocol/ipc/account.h"

enum nss_error {
	NSS_E_NONE = 1,   /* no such account or group */
	NSS_E_TOO_LONG,   /* a name, home or group list that struct account has no room for */
	NSS_E_CONFLICTING /* the answer is about another account than the question */
};

/**
 * Look an account up by name, or by uid when name is NULL. All but `subordinate` is filled in.
 * Returns 0, NSS_E_*, or a negative errno when the name service did not answer.
 */
int nss_find(const char *name, uint32_t uid, struct account *ret);
/** The gid of the group of that name. Returns as above. */
int nss_find_group(const char *name, uint32_t *ret_gid);

#endif
