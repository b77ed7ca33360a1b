/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * derived_uuid.h: the UUID under which somebody else's virtual machine is shown.
 *
 * Runs in the worker, which writes it into XML, and in the view, which has it in handles. Whoever
 * copies another's UUID into a definition of her own has a VM with another derived one.
 */
#ifndef LIB_DERIVED_UUID_H
#define LIB_DERIVED_UUID_H

#include <stdint.h>

#include "lib/uuid.h"

/**
 * A UUID of version 8 (RFC 9562, section 5.8): the first 16 bytes of the SHA-256 of
 * "qemud-derived-v8", the owner's uid in four bytes, most significant first, and the VM's own UUID.
 */
void derived_uuid(
	uint32_t uid, const uint8_t uuid[static UUID_SIZE], uint8_t ret[static UUID_SIZE]);

#endif
