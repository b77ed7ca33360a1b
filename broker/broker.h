/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker.h: the broker as a whole: what it holds, its start, its end.
 *
 * Runs as root. Everything that the broker knows hangs on this one struct, which is handed around;
 * there is no state elsewhere. It never waits and never grows after its start.
 */
#ifndef BROKER_BROKER_H
#define BROKER_BROKER_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/audit.h"
#include "broker/authority.h"
#include "broker/autostart.h"
#include "broker/budget.h"
#include "broker/census.h"
#include "broker/child.h"
#include "broker/config.h"
#include "broker/conns.h"
#include "broker/inventories.h"
#include "broker/leavers.h"
#include "broker/leases.h"
#include "broker/listener.h"
#include "broker/nets.h"
#include "broker/pace.h"
#include "broker/places.h"
#include "broker/rulebook.h"
#include "broker/starter.h"
#include "broker/tools.h"
#include "broker/users.h"
#include "broker/views.h"
#include "lib/loop.h"
#include "protocol/ipc/account.h"

enum {
	BROKER_SOCKETS = 3,
	BROKER_START_S = 30, /* from the start to `ready`, or it is given up */
	BROKER_STOP_S = 6,   /* five seconds for the children's jobs, and some to exit in */
	/* Connections past max_connections: there to be refused in words. */
	BROKER_SPARE_CONNS = 64
};

struct broker {
	struct loop loop;
	struct config config;
	struct places places;
	struct census census; /* before the starter has swept the ledger */
	/* Bound and listening, owned until the listeners start: rw, ro, ctl. */
	int socket_fds[BROKER_SOCKETS];
	int notify_fd; /* owned; -1: nobody listens */

	struct budget_limits limits;
	uint32_t max_conns;    /* served at once: max_connections, or what descriptors allow */
	uint32_t worker_files; /* RLIMIT_NOFILE of a worker */
	uint64_t memory_kib;   /* of the host, as it was at the start */
	uint32_t view_files;   /* of a view */

	struct rulebook rulebook;
	struct authority authority;
	struct leavers leavers;
	struct conns conns;
	struct users users;
	struct starter starter;
	struct tools tools;
	struct leases leases;
	struct nets nets;
	struct autostart autostart;
	struct inventories inventories;
	struct views views;
	struct audit audit;
	struct listener listeners[BROKER_SOCKETS];

	struct child refuser;
	struct account view; /* the refuser's, and that of all views */
	struct question view_lookup;

	uint64_t since_s; /* it runs: seconds of 1970 UTC */
	bool ready, stopping;
	uint32_t n_children;   /* that run */
	struct timer deadline; /* of the start, or of the end */
	struct pace flood, unrefused;
};

/**
 * Make the tables, and room for the descriptors that they take, here and in qemud-launch, which
 * inherits it. config and census are filled. Returns 0 or a negative errno.
 */
int broker_init(struct broker *broker);
/**
 * Serve the link to qemud-launch (taken over), and begin: ask for the accounts, for the names in the
 * policy, which is loaded (rulebook_load()), and for what runs already, start the refuser; then, from the loop, accept, and tell that it is ready. Returns 0 or
 * a negative errno.
 */
int broker_start(struct broker *broker, int starter_fd);
/**
 * Accept no more, have the children end, and quit the loop when they have, or in six seconds.
 * Virtual machines run on.
 */
void broker_stop(struct broker *broker);
/** Close and free everything. */
void broker_fini(struct broker *broker);

/** The account in a sealed memfd (borrowed). Returns 0 or a negative errno; -EBADMSG: it is none.
 */
int broker_read_account(int fd, struct account *ret);

/** The account in a sealed memfd, which is the caller's. Returns it or a negative errno. */
int broker_account_fd(const struct account *account);

/* What its parts report. */
void broker_system_known(struct broker *broker);   /* root's look-up was answered */
void broker_policy_known(struct broker *broker);   /* all names in it are */
void broker_policy_failed(struct broker *broker);  /* there is a mistake in it */
void broker_leases_known(struct broker *broker);   /* all that runs already */
void broker_leases_failed(struct broker *broker);  /* it cannot be known, or held */
void broker_refuser_serves(struct broker *broker); /* it has said HELLO */
void broker_refuser_failed(struct broker *broker); /* it could not be started */
void broker_child_ended(struct broker *broker);
void broker_audit_ended(struct broker *broker); /* after audit_stop() */

#endif
