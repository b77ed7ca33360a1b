/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * launch.h: the broker's asks (WORKER, VIEW, RESOLVE, BOX, AUDIT; see leaves.h for the others) and what
 * becomes of them.
 *
 * Runs in qemud-launch, as root. Every ask is answered, now or when a look-up has ended; what
 * fails costs that ask alone, and is told here, once, with what to do next. The end of the link is
 * the end of the starter: its children see the end of their own. VMs go on, in leaves by which the
 * next starter finds them; where there is no ledger they end with this one.
 */
#ifndef BROKER_LAUNCH_LAUNCH_H
#define BROKER_LAUNCH_LAUNCH_H

#include "broker/launch/leaves.h"
#include "broker/launch/ledger.h"
#include "broker/launch/program.h"
#include "broker/launch/lookup.h"
#include "broker/launch/sweep.h"
#include "lib/link.h"
#include "lib/loop.h"

/*
 * What is in the leaf of a VM when one more process is asked for: QEMU, a relay, a passt for each
 * network interface, and as many that have yet to end.
 */
enum { LAUNCH_LEAF_PROCESSES_MAX = 20 };

struct launch {
	struct loop *loop;
	struct link link;
	struct program_set programs;
	struct ledger ledger;
	struct sweep left; /* what earlier starters left in it */
	struct leaves leaves;
	struct lookup_queue lookups;
	const char *users_path; /* borrowed */
	int users_fd;           /* O_PATH, the parent of the users' folders */
	int null_fd;
	int self_fd;      /* its own pidfd */
	uint32_t n_tools; /* boxes of tools so far */
	bool enforce;     /* no VM without limits */
	bool kvm;         /* machines may use the host's, as far as their users may */
};

/**
 * Serve the link fd (owned from here on); all other fields are filled. Returns 0 or a negative
 * errno. At the end of the link the loop quits: with 0 when the broker closed it, with 1 when it
 * broke a rule.
 */
int launch_serve(struct launch *starter, int fd);

#endif
