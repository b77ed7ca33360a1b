/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capabilities_text.h: capabilities as "key = value" text, which outlives the worker.
 *
 * Runs in the worker, as the user. Pure. The text is the user's own file, and is read as carefully
 * as anything else:
 *
 *   format = 1                   first; another number is another qemud's
 *   path = /usr/bin/qemu-...     and size, mtime, ctime, inode, kvm-asked: the stamp
 *   version = 7002022            then arch, kvm
 *   machine = NAME VCPUS CPU ALIAS [default] [deprecated]     '-' stands for none
 *   model = NAME usable|unusable [deprecated]
 */
#ifndef WORKER_QEMU_CAPABILITIES_TEXT_H
#define WORKER_QEMU_CAPABILITIES_TEXT_H

#include <limits.h>

#include "worker/qemu/capabilities.h"

enum { CAPABILITIES_TEXT_MAX = 1024 * 1024 };

/* Which binary was asked, and how: what is known of another one is worth nothing. */
struct capabilities_stamp {
	char path[PATH_MAX];
	uint64_t size, inode;
	uint64_t mtime_ns, ctime_ns; /* since 1970 */
	bool kvm_asked;              /* it was let try KVM */
	uint64_t kvm_ctime_ns;       /* of the device, when it was; rights that change, change it */
};

bool capabilities_stamp_same(
	const struct capabilities_stamp *one, const struct capabilities_stamp *other);

/** The text, NUL-terminated (freed by the caller), and its length. Returns 0 or -ENOMEM. */
int capabilities_format(const struct capabilities *capabilities,
	const struct capabilities_stamp *stamp, char **ret_text, size_t *ret_size);

/** Read such a text. Returns 0, CAPABILITIES_E_BAD or -ENOMEM. */
int capabilities_read(const char *text, size_t size, struct capabilities_stamp *ret_stamp,
	struct capabilities **ret_capabilities);

#endif
