/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools.h: the boxes in which workers have QEMU's tools run, from the ask to the end.
 *
 * Runs in the broker, as root. A worker asks, the starter makes the box, the worker gets the seed's
 * socket, and the pidfd stays here. Tools are bounded in number, pace and time, whatever a worker
 * does with them, and end with the worker that asked: none is left for the next one.
 */
#ifndef BROKER_TOOLS_H
#define BROKER_TOOLS_H

#include <stdint.h>

#include "broker/bucket.h"
#include "broker/starter.h"
#include "lib/loop.h"
#include "protocol/ipc/ipc.h"

struct broker;
struct user;

enum {
	TOOLS_MAX = 256,    /* at a time, of all users */
	TOOLS_USER_MAX = 4, /* at a time, of one */
	TOOLS_PROBE_S = 60, /* a probe answers within seconds; one that nobody used ends then too */
	TOOLS_FILES = 1024  /* as many descriptors as a plan can number */
};

/* What a user has of them. Zeroed: nothing. */
struct tools_share {
	uint32_t n; /* asked for, or not ended yet */
	struct bucket pace;
};

struct tool {
	struct user *user; /* NULL: free */
	enum ipc_tool_kind kind;
	uint32_t serial; /* of the worker's ask; 0: nobody waits for the answer any more */
	struct question start;
	struct io end_io; /* on pidfd */
	int pidfd;        /* owned; -1 when there is no process */
	uint32_t pid;     /* for logs */
	struct timer deadline;
};

struct tools {
	struct broker *broker;
	uint32_t n;
	struct tool table[TOOLS_MAX];
};

void tools_init(struct tools *tools, struct broker *broker);

/**
 * The user's worker asks. Returns 0, and the answer follows by wishes_answer_tool() from the loop;
 * -EDQUOT: she has as many as she may have; -EAGAIN: she asks too often, or the host has as many as
 * there may be.
 */
int tools_ask(struct tools *tools, struct user *user, enum ipc_tool_kind kind, uint32_t serial);
/** The user's worker has ended: so do its tools. */
void tools_end(struct tools *tools, const struct user *user);
/** End all of them, and close what is open. */
void tools_fini(struct tools *tools);

#endif
