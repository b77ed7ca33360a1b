/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handover.h: what the worker hands over to a box, once: the plan and its descriptors.
 *
 * In qemud-box, as the user, before anything of the plan is done. See worker/box/plan.h for the
 * packets.
 */
#ifndef WORKER_BOX_HANDOVER_H
#define WORKER_BOX_HANDOVER_H

#include "worker/box/plan.h"

enum { HANDOVER_SECONDS = 10 /* from the first call until everything is there */ };

enum handover_error { HANDOVER_E_REFUSED = 1 /* `why` says what is wrong */ };

struct handover {
	struct plan plan; /* its arguments point into text */
	char *text;
	unsigned n_fds;
	int fds[PLAN_FDS_MAX + 1]; /* owned; the log first, then those of the plan */
};

/** Receive all of it. Returns 0, HANDOVER_E_REFUSED or a negative errno; nothing is kept then. */
int handover_receive(int sock, struct handover *ret, char why[static PLAN_WHY_MAX]);

/** Close and free what was not taken. */
void handover_fini(struct handover *handover);

#endif
