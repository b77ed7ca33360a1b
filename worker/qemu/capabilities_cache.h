/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capabilities_cache.h: the capabilities of each QEMU binary, kept from one worker to the next.
 *
 * Runs in the worker, as the user, on a folder of hers: no user reads what another one wrote. A
 * cache that is absent, stale or spoilt is as good as none: the binary is asked again.
 */
#ifndef WORKER_QEMU_CAPABILITIES_CACHE_H
#define WORKER_QEMU_CAPABILITIES_CACHE_H

#include "worker/qemu/capabilities_text.h"

enum capabilities_cache_error { CAPABILITIES_CACHE_E_NONE = 1 /* nothing that could be used */ };

/**
 * What a binary is now. kvm: the host's device, if boxes have it; it is let try KVM if the user may
 * open that. NULL: it is not. Returns 0, or a negative errno when
 * there is none (-ENOENT), or it cannot be looked at.
 */
int capabilities_stamp_read(const char *path, const char *kvm, struct capabilities_stamp *ret);

/**
 * What the folder has about exactly this binary. Returns 0, CAPABILITIES_CACHE_E_NONE or -ENOMEM.
 */
int capabilities_cache_load(
	int dir_fd, const struct capabilities_stamp *stamp, struct capabilities **ret);

/** Keep it, instead of what was known about a binary of that name. Returns 0 or a negative errno:
 * it is known then for as long as this worker runs. */
int capabilities_cache_store(int dir_fd, const struct capabilities_stamp *stamp,
	const struct capabilities *capabilities);

#endif
