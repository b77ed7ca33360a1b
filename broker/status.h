/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * status.h: how host and users are, for qemudctl: what its views ask, and are told.
 *
 * Runs in the broker, as root. Each ask is about one thing and answered at once; going through them,
 * waiting and putting into words is the view's (view/asker.h). A view is told of its principal
 * herself, of owners over whom she has `view`, and of the host as a whole if nobody is hidden from her.
 */
#ifndef BROKER_STATUS_H
#define BROKER_STATUS_H

#include "protocol/ipc/ipc.h"

struct view;

/** One of STATUS, STATUS_USER, STATUS_LIMIT and STATUS_VM; it is answered, or the view is ended. */
void status_hear(struct view *view, const struct ipc_message *message);

#endif
