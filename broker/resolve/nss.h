/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nss.h: one account from the host's name service, with all its groups.
 *
 * Runs in qemud-resolve, as nobody: the one place of the project that asks the name service, which
 * may load modules into the process and wait for the network.
 */
#ifndef BROKER_RESOLVE_NSS_H
#define BROKER_RESOLVE_NSS_H

#include <stdint.h>

#include "protocol/ipc/account.h"

enum nss_error {
	NSS_E_NO_ACCOUNT = 1,
	NSS_E_TOO_LONG,   /* a name, home or group list that struct account has no room for */
	NSS_E_CONFLICTING /* the answer is about another account than the question */
};

/**
 * Look an account up by name, or by uid when name is NULL. All but `subordinate` is filled in.
 * Returns 0, NSS_E_*, or a negative errno when the name service did not answer.
 */
int nss_find(const char *name, uint32_t uid, struct account *ret);

#endif
