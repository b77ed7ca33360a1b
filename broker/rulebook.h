/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rulebook.h: the policy in force: where it comes from, and when it changes.
 *
 * Runs in the broker, as root. The files of the site (rulefiles.h) are read at the start and on
 * SIGHUP, whole or not at all: with a mistake in them the start fails, and a reload changes nothing.
 * The names in them are looked up first (names.h): nobody is let in before they are known, and a
 * reload holds when they are; from time to time they are looked up again. What follows from a change
 * for who is connected is authority.h's. Without files there is one rule for everyone, built in: her
 * own, and all of it.
 */
#ifndef BROKER_RULEBOOK_H
#define BROKER_RULEBOOK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "broker/names.h"
#include "policy/held.h"
#include "policy/policy.h"

struct broker;

/* What a look-up of names is for. */
enum rulebook_run { RUN_NONE = 0, RUN_START, RUN_RELOAD, RUN_REFRESH };

struct rulebook {
	struct broker *broker;
	uid_t owner;          /* who has to own the files */
	struct policy *now;   /* in force; owned */
	struct policy *next;  /* being loaded, or none; owned */
	bool has_main;        /* policy.conf is part of what is in force ... */
	bool next_has_main;   /* ... or would be */
	uint64_t read_s;      /* when it was: seconds of 1970 UTC ... */
	uint64_t next_read_s; /* ... and the other */
	bool failed;          /* what was read since holds not */
	bool known;           /* the names at the start are */
	bool reload_again;    /* a SIGHUP came during a reload */
	enum rulebook_run run;
	struct names names;
	struct account root;          /* root's own; "" as name: not looked up, or there is none */
	struct policy_held root_held; /* see broker/members.h */
	uint64_t refresh_ns;          /* when the names are looked up again */
};

/** Make room. Returns 0 or -ENOMEM. */
int rulebook_init(struct rulebook *rulebook, struct broker *broker);
void rulebook_fini(struct rulebook *rulebook);
/** Read the files, for the start. Returns 0, or 1 after it has told what is wrong. */
int rulebook_load(struct rulebook *rulebook);
/** Look the names up; broker_policy_known() follows, or broker_policy_failed(). */
void rulebook_start(struct rulebook *rulebook);
/** Read the files again. What is wrong with them is told, and changes nothing. */
void rulebook_reload(struct rulebook *rulebook);
/** Look the names up again, if that is due. */
void rulebook_refresh(struct rulebook *rulebook);

/** Look them up again as soon as may be: who is in which group hangs on it. */
void rulebook_hasten(struct rulebook *rulebook);

/** What decides now. */
const struct policy *rulebook_policy(const struct rulebook *rulebook);
/** Root's own account, where rules speak of groups; else, and where there is none, NULL. */
const struct account *rulebook_root(const struct rulebook *rulebook);

#endif
