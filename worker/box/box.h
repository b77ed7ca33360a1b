/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * box.h: the inner half of the box, from the seed to the program, stage by stage.
 *
 * In qemud-box, as the user. The starter has made the outer half: namespaces, ids, no capability,
 * no_new_privs. The stages, in order; a failure is reported by the stage's name and ends it:
 *
 *   seed      Should refuse to go on with any privilege or without its socket. Mustn't trust that
 *             the outer half was made well.
 *   handover  Should take the plan and its descriptors, once. Mustn't wait for ever.
 *   place     Should leave each descriptor at its number. Mustn't leave any other open.
 *   process   Should leave nothing of the parent: signals, umask, working folder.
 *   landlock  Should leave the program's own files. Mustn't go on below the kernel's level.
 *   seccomp   Should leave the program's own system calls. What follows has no others either.
 *   limits    Should go down to what plan and profile say. Late: they are the program's, not the
 * box's. exec      Should answer, and be the program, with an environment from scratch.
 */
#ifndef WORKER_BOX_BOX_H
#define WORKER_BOX_BOX_H

#include "worker/box/handover.h"

enum { BOX_SOCKET = 3 };

struct box {
	struct handover handover;
	int landlock;           /* the level that is enforced */
	char why[PLAN_WHY_MAX]; /* of a stage that failed */
};

/** Go through all stages. Returns only when one failed, after the answer has been sent. */
void box_run(struct box *box);

#endif
