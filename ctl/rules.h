/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rules.h: a policy as the broker would load it, by whoever may read its files.
 *
 * Runs as whoever calls qemudctl. Names are looked up here, which nothing of root's does.
 */
#ifndef CTL_RULES_H
#define CTL_RULES_H

#include "policy/policy.h"
#include "protocol/ipc/account.h"

#define RULES_DIR QEMUD_SYSCONFDIR "/qemud"

/**
 * Read a file, or of a folder policy.conf and policy.d/NAME.conf in the order of their names, and look
 * up all names. Returns the policy (freed by the caller), which may have complaints, or NULL after what
 * is wrong was told.
 */
struct policy *rules_load(const char *path);
/** Print all complaints on stdout. */
void rules_complain(const struct policy *policy);

/** An account by its name or uid. Returns 0, -ENOENT, or another negative errno. */
int rules_account(const char *who, struct account *ret);

#endif
