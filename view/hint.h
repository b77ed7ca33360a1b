/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hint.h: whose virtual machine a definition is about, as far as its text says.
 *
 * Runs in the view, which reads no XML. What comes of it is a direction and no right: whichever owner
 * it names, the broker has said what may be done with hers, and her worker reads the text and judges
 * it. A text that misleads goes to a worker that its sender may send to anyway.
 */
#ifndef VIEW_HINT_H
#define VIEW_HINT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/uuid.h"
#include "protocol/rpc/procedure.h"

/** The definition that a call gives to a VM, borrowed from its arguments; NULL: it gives none. */
const char *hint_definition(const struct rpc_procedure *procedure, const void *args);
/** The UUID behind the first "<uuid>", with or without hyphens. Returns whether there is one. */
bool hint_uuid(const char *xml, uint8_t ret[static UUID_SIZE]);

#endif
