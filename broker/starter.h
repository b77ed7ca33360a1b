/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * starter.h: the broker's end of its link to qemud-launch, and the questions that wait for it.
 *
 * Runs in the broker, as root. Whoever may ask has a place for its question in a struct of its own,
 * so that the queue is as long as there are askers and never grows. Questions go in lanes, each
 * with a share of the starter's attention: those that may take the starter a second each, because
 * what it is to end does not end; and, after all others, those about uids that the host is not
 * known to have (anybody can connect as thousands of these, from a user namespace).
 */
#ifndef BROKER_STARTER_H
#define BROKER_STARTER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/link.h"
#include "lib/loop.h"
#include "protocol/ipc/ipc.h"

struct starter;
struct question;

/* The body of any question. */
union question_body {
	struct ipc_worker worker;
	struct ipc_view view;
	struct ipc_resolve resolve;
	struct ipc_box box;
	struct ipc_leaf leaf;
	struct ipc_leaf_limit leaf_limit;
	struct ipc_leaf_freeze leaf_freeze;
	struct ipc_user_limit user_limit;
	struct ipc_audit audit;
};

struct question_ops {
	enum ipc_type type;
	/*
	 * Fill in what is sent, when it is sent; *ret_fd is a descriptor to send along, closed
	 * afterwards. Returns 0 or a negative errno, which is the answer then.
	 */
	int (*fill)(struct question *question, union question_body *ret, int *ret_fd);
	/*
	 * The answer, always from the loop: err is 0 or a negative errno; body and fds are the
	 * answer's, NULL on an error. Descriptors that are kept are set to -1.
	 */
	void (*answered)(struct question *question, int err, const void *body, int *fds);
};

enum starter_lane { LANE_KNOWN, LANE_ENDS, LANE_STRANGERS, LANE_N };

enum {
	STARTER_ENDS_MAX = 16,
	STARTER_STRANGERS_MAX = 4 /* a quarter of what the starter looks up at once */
};

/* Embedded in its asker, who stays where it is while the question is open. */
struct question {
	const struct question_ops *ops;
	struct question *next;
	enum starter_lane lane;
	bool open; /* from starter_ask() until it is answered */
};

struct starter_queue {
	struct question *first, **last;
	unsigned n_sent;
};

struct starter {
	struct loop *loop;
	struct link link;
	struct starter_queue lanes[LANE_N];
	struct deferred sending;
	/* The starter is gone, or broke this rule with that message: nothing can be started. */
	void (*ended)(struct starter *starter, enum ipc_fault fault, uint16_t type);
};

/* How qemud-launch is called. */
struct starter_command {
	const char *libexec; /* the folder of the programs */
	const char *users;
	const char *cgroup;    /* "": none */
	const char *log_level; /* its name */
	bool kvm;              /* machines may use the host's */
	bool enforce;          /* none without limits */
};

/**
 * Fork and exec qemud-launch with its end of a link as descriptor 3. Before the broker is boxed,
 * and before its loop. Returns 0 with the broker's end, or a negative errno; a program that cannot
 * be executed shows as the end of the link, after a line on stderr.
 */
int starter_exec(const struct starter_command *command, int *ret_fd);

/** Serve the link (taken over). Returns 0 or a negative errno. */
int starter_start(struct starter *starter, struct loop *loop, int fd,
	void (*ended)(struct starter *starter, enum ipc_fault fault, uint16_t type));
void starter_stop(struct starter *starter);

/** Put a question that is not open; the answer comes from the loop. */
void starter_ask(struct starter *starter, struct question *question, const struct question_ops *ops,
	enum starter_lane lane);

#endif
