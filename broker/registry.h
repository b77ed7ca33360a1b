/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * registry.h: who ever had a worker here, one file a uid.
 *
 * Runs in the broker, as root, also while it is boxed; only below STATE_DIR/users, which is root's.
 * A file is the account's text (protocol/ipc/account.h), `first_seen`, in seconds since 1970, and,
 * where the user's worker has said that something of hers starts with the host, `autostart = yes`.
 */
#ifndef BROKER_REGISTRY_H
#define BROKER_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/ipc/account.h"

/** Had that uid a worker before? */
bool registry_has(int dir_fd, uint32_t uid);

/**
 * Write the account down, mode 0600, unless it stands there already in the same words; first_seen
 * stays what it was, or is now_s, and autostart what it was, or no. Returns 0 or a negative errno.
 */
int registry_keep(int dir_fd, const struct account *account, uint64_t now_s);
/** The same, with autostart as it is from now on. */
int registry_mark(int dir_fd, const struct account *account, uint64_t now_s, bool autostart);
/** Does something of that uid's start with the host? Not if its file cannot be read. */
bool registry_autostart(int dir_fd, uint32_t uid);

/** The account as it was kept last. Returns 0, or -ENOENT when there is none that can be read. */
int registry_account(int dir_fd, uint32_t uid, struct account *ret);

/**
 * All uids that have a file, rising; before the broker is boxed. *ret_uids is freed by the caller,
 * and NULL when there are none. Returns 0 or a negative errno.
 */
int registry_list(int dir_fd, uint32_t **ret_uids, uint32_t *ret_n);

#endif
