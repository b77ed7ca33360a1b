/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process.h: a process that the starter has started, until it has ended and is reaped.
 *
 * Runs in qemud-launch. The broker has a pidfd of its own for each; who ends a child is its
 * matter. Here its stderr is relayed, its end is logged, and what it leaves in the ledger is
 * removed.
 *
 * A child that its user may trace (QEMU, once it runs) can be kept by her: whoever traces it is
 * told of its end first, and nobody can reap it before (ptrace(2)). Such a child costs a descriptor
 * and a number of a process each, so who keeps several gets no more boxes.
 */
#ifndef BROKER_LAUNCH_PROCESS_H
#define BROKER_LAUNCH_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "broker/launch/ledger.h"
#include "broker/launch/relay.h"
#include "broker/launch/spawn.h"
#include "lib/loop.h"

struct process;

enum { PROCESS_KEPT_MAX = 8 };

/*
 * The child has ended and been reaped; it is freed after this call. code is CLD_EXITED, CLD_KILLED
 * or CLD_DUMPED, status the exit status or the signal.
 */
typedef void process_end_fn(struct process *child, int code, int status);

struct process {
	LIST_ENTRY(process) running; /* whatever runs is in one list, and reachable from it */
	pid_t pid;
	int pidfd; /* owned */
	uint32_t uid;
	const char *name;           /* of the program */
	char leaf[LEDGER_LEAF_MAX]; /* of its user in the ledger; "": none */
	bool quiet;                 /* its end is its starter's to log */
	bool kept;                  /* it has ended, and cannot be reaped yet */
	struct io end_io;
	struct relay relay;
	struct deferred freeing;
	process_end_fn *end;
	void *arg; /* end's */
};

/**
 * Start what spawn says (errors_fd is filled in here) and watch it. Returns 0 or a negative errno.
 * The child frees itself after its end.
 */
int process_start(struct loop *loop, struct spawn *spawn, const char *name, process_end_fn *end,
	void *arg, struct process **ret);

/** SIGKILL; its end is told as ever. */
void process_kill(const struct process *child);

/** How many of that user's have ended and are kept. */
unsigned process_n_kept(uint32_t uid);

#endif
