/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nobody.h: uids that are nobody to this host, and why.
 *
 * Pure. Runs in the broker, as root, and in tools as anybody. Anyone can connect as some of these:
 * stock ranges of subordinate uids let one user be 65,536 uids. So they are nobody unless policy
 * names them (policy/match.h).
 */
#ifndef POLICY_NOBODY_H
#define POLICY_NOBODY_H

#include <stdint.h>

#include "protocol/ipc/account.h"

/**
 * Ranges that are nobody whatever the account database says: 65534, (uid_t)-1, and systemd's
 * DynamicUser range, 61184 to 65519. Why in words, or NULL.
 */
const char *nobody_uid_why(uint32_t uid);
/** The same, or it has no account (NULL), or one within somebody's subordinate range. */
const char *nobody_why(uint32_t uid, const struct account *account);

#endif
