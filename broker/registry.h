/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * registry.h: who ever had a worker here, one file a uid.
 *
 * Runs in the broker, as root, also while it is boxed; only below STATE_DIR/users, which is root's.
 * A file is the account's text (protocol/ipc/account.h) and `first_seen`, in seconds since 1970.
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
 * stays what it was, or is now_s. Returns 0 or a negative errno.
 */
int registry_keep(int dir_fd, const struct account *account, uint64_t now_s);

#endif
