/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * status.h: what the next worker has to know of a running VM: UUID.vm, "key = value", and UUID.xml,
 * the definition as it was started; both in the run-time folder (rundir.h).
 *
 * Runs in the worker, as the user. Written before the VM runs and at each change of its state;
 * read by the worker that adopts it, which trusts it as little as any file.
 */
#ifndef WORKER_VM_STATUS_H
#define WORKER_VM_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/domain/def.h"

struct vm_status {
	int32_t id;
	int32_t state, reason; /* as last known: a pause's reason is nowhere else */
	int landlock;          /* the level that the box enforces; -1: not known yet */
	uint64_t since;        /* CLOCK_REALTIME seconds of the start */
	bool autodestroy; /* it ends with the connection that started it, thus with its worker */
};

enum { VM_STATUS_TEXT_MAX = 256 };

enum vm_status_error {
	VM_STATUS_E_BAD = 1 /* it is there, and not what vm_status_write() wrote */
};

/** The text of UUID.vm. Returns its length, or -EINVAL for what could not be read. */
int vm_status_format(const struct vm_status *status, char out[static VM_STATUS_TEXT_MAX]);
/** Read that text: each key once, in its range, and nothing else. Returns 0 or VM_STATUS_E_BAD. */
int vm_status_parse(const char *text, size_t size, struct vm_status *ret);

/** Write UUID.vm. Returns 0 or a negative errno: -EINVAL for what could not be read. */
int vm_status_write(const uint8_t uuid[static 16], const struct vm_status *status);
/** Read it. Returns 0, VM_STATUS_E_BAD, or a negative errno. */
int vm_status_read(const uint8_t uuid[static 16], struct vm_status *ret);

/**
 * Write UUID.xml. Returns 0 or a negative errno: -EFBIG for a definition that is too large to be
 * parsed again once its aliases are in it.
 */
int vm_status_write_def(const struct domain_def *live, int32_t id);
/**
 * The definition in such a file, of that UUID and with all aliases (domain_def_free()). xml: size
 * bytes, not trusted. Returns 0, VM_STATUS_E_BAD, or -ENOMEM.
 */
int vm_status_parse_def(const uint8_t uuid[static 16], const char *xml, size_t size,
	const struct domain_env *env, struct domain_def **ret_def);
/** Read it. Returns as above, or another negative errno. */
int vm_status_read_def(
	const uint8_t uuid[static 16], const struct domain_env *env, struct domain_def **ret_def);

#endif
