/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * asker.h: connections of qemudctl: one question each, and its answer (protocol/ctl/talk.h).
 *
 * Runs in qemud-view --ctl, on bytes of its principal. What there is is asked of the broker, one thing
 * after the other, and never kept from one question to the next; names are from the owners' inventories.
 * Whether a worker answers shows when the broker is asked about its user again, a little later: at most
 * ASKER_PATIENCE_MS. Of a crowd each asks when its turn comes.
 */
#ifndef VIEW_ASKER_H
#define VIEW_ASKER_H

#include <sys/queue.h>

#include "lib/loop.h"
#include "lib/uplink.h"
#include "protocol/ctl/talk.h"
#include "protocol/rpc/buffer.h"
#include "view/owners.h"
#include "view/report.h"

enum {
	ASKER_QUESTION_S = 10, /* as long the question may take, */
	ASKER_ANSWER_S = 30,   /* and the answer, with who reads it */
	ASKER_PATIENCE_MS = 1000,
	ASKERS_OPEN_MAX =
		16 /* asks of the broker, which ends a view that does not read its answers */
};

enum asker_step {
	ASKER_LISTENS = 1, /* the question is not there to its end */
	ASKER_WAITS,       /* for what the broker knows of owners */
	ASKER_HOST,        /* how is the host? So the next, of each subject */
	ASKER_PINGS,       /* has its worker read what it was told? It is told something */
	ASKER_USERS,
	ASKER_VMS,
	ASKER_LIMITS,
	ASKER_SENDS /* all is asked */
};

struct askers;

struct asker {
	LIST_ENTRY(asker) entry;
	TAILQ_ENTRY(asker) turn; /* of those that wait for theirs to ask */
	struct askers *all;
	struct uplink_conn conn;
	struct io io;
	int fd; /* owned */
	struct timer deadline, pause;
	enum asker_step step;
	uint64_t cookie; /* of the ask that is open; 0: none is */
	struct report_subject self;
	char line[TALK_QUESTION_MAX];
	size_t n_line;
	struct talk_question question;
	struct owners_wait wait;
	bool waits; /* for its turn */
	bool sees_all;
	struct report_subject *subjects; /* owned */
	unsigned n_subjects, at;
	unsigned limit;                 /* the next of those that are asked for */
	uint64_t patient_ns;            /* a worker that has read nothing by then does not answer */
	struct ipc_status_vm_told *vms; /* owned: leases of the subject */
	unsigned n_vms;
	struct rpc_buffer out;
	size_t n_rows, n_bytes; /* said */
};

LIST_HEAD(asker_list, asker);
TAILQ_HEAD(asker_turns, asker);

struct askers {
	struct loop *loop;
	struct uplink *uplink;
	struct owners owners;
	struct asker_list list;
	unsigned n;
	uint64_t last_cookie;
	unsigned n_open; /* asks, also those of who has gone */
	struct asker_turns waiting;
	void (*occupied)(struct askers *askers, bool occupied); /* there is one, or none */
};

void askers_init(struct askers *askers, struct loop *loop, struct uplink *uplink,
	void (*occupied)(struct askers *askers, bool occupied));
/** End all. They must still be forgotten (lib/uplink.h). */
void askers_fini(struct askers *askers);
/** Those whose question is not there yet end. */
void askers_drain(struct askers *askers);

/** A connection; fd is owned from here on, also on failure. Returns 0 or a negative errno. */
int asker_start(struct askers *askers, const struct ipc_conn_pass *pass, int fd);
/** Release an ended one. */
void asker_free(struct asker *asker);
/** The broker's answer to an ask for one of them. */
void askers_told(struct askers *askers, uint64_t cookie, int err, const void *body);
/** What its principal may do is another. Returns 0, or -ENOENT when it has gone. */
int askers_change(struct askers *askers, const struct ipc_ticket_change *change);

#endif
