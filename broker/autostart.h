/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * autostart.h: when the host has begun, the workers of those whose machines start with it.
 *
 * Runs in the broker, as root. Who that is stands in the registry (marks.h); what is started, and
 * that it is once, is the worker's to say (worker/vm/autostart.c). A broker that is started again
 * finds a file of the uid's name in RUNTIME_DIR/autostarted, which does not outlive the host, and
 * leaves that user alone.
 *
 * A few at a time, and a few a second: who connects meanwhile waits for none of them, and finds
 * room in the tables. What fails (an account that is not there, a home that is not mounted yet) is
 * told once, and tried again, less and less often, for an hour.
 */
#ifndef BROKER_AUTOSTART_H
#define BROKER_AUTOSTART_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/bucket.h"
#include "lib/loop.h"
#include "protocol/ipc/ipc.h"

struct broker;
struct user;

enum {
	AUTOSTART_AT_ONCE = 4,  /* users whose workers are on their way */
	AUTOSTART_WAIT_S = 60,  /* as long a worker may take to open what its user has */
	AUTOSTART_AGAIN_S = 30, /* until what failed is tried again; then twice as long, ... */
	AUTOSTART_LATE_S = 600, /* ... but never longer than this */
	AUTOSTART_PASSES = 10,  /* so often in all: an hour */
	AUTOSTART_SPARE = 8     /* one of so many entries for users stays for those who connect */
};

struct autostart_share {
	bool starting; /* a worker is wanted for it */
	bool ran;      /* this broker has made the file */
	struct timer deadline;
};

struct autostart {
	struct broker *broker;
	/* Of the registry, when the broker started; those to be tried again at the front. */
	uint32_t *uids;
	uint32_t n, next, n_again;
	unsigned pass, n_starting;
	bool begun, told_full;
	struct bucket starts;
	struct timer timer;
	struct deferred search;
};

/** Before the broker is boxed: who there is. Returns 0 or a negative errno. */
int autostart_init(struct autostart *autostart, struct broker *broker);
void autostart_fini(struct autostart *autostart);
/** The broker is ready: start them, from the loop. */
void autostart_begin(struct autostart *autostart);
/** The broker ends: start nobody any more. */
void autostart_stop(struct autostart *autostart);

/* What is reported of any user. */
void autostart_looked_up(struct user *user);   /* her account was, or could not be */
void autostart_worker_gone(struct user *user); /* it has ended, or cannot be started */
void autostart_hear(struct user *user, enum ipc_autostart_state state);

#endif
