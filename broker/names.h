/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * names.h: which numbers the users and groups stand for that the policy speaks of.
 *
 * Runs in the broker, as root, which asks the name service nothing: qemud-resolve does (RESOLVE), a
 * few names at a time. One run goes over all names of one policy and binds them there; where rules
 * speak of groups it also tells which of them root's own account is in, as root's entry among the users
 * has what the system account's name stands for.
 */
#ifndef BROKER_NAMES_H
#define BROKER_NAMES_H

#include <stdbool.h>

#include "broker/starter.h"
#include "policy/policy.h"
#include "protocol/ipc/account.h"

struct names;

enum { NAMES_AT_ONCE = 8 };

struct names_slot {
	struct names *names;
	struct question question;
	unsigned name; /* number of it; as many as there are: root's account */
};

struct names {
	struct starter *starter;
	struct policy *policy; /* whose names; borrowed; NULL: there is no run */
	unsigned next, n, n_open;
	bool patient; /* who gets no answer in time asks again, without end */
	/* Of this run: how many are others than before; how many could not be told, and the first. */
	unsigned n_changed, n_failed;
	const char *failed;
	unsigned n_runs;                    /* that have begun */
	struct account root;                /* root's own account, as this run has it */
	bool has_root;                      /* it was told; "" as name: there is none */
	void (*known)(struct names *names); /* the run is over, from the loop */
	struct deferred beginning;
	struct names_slot slots[NAMES_AT_ONCE];
};

void names_init(struct names *names, struct starter *starter, void (*known)(struct names *names));
/**
 * Begin a run, when there is none. A name that cannot be told now stays as it is; when patient, one
 * for which no answer came in time is asked for again. known() follows, always from the loop.
 */
void names_look_up(struct names *names, struct policy *policy, bool patient);

#endif
