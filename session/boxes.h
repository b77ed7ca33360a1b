/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * boxes.h: the boxes of a session: what the worker asks a broker for, made as the user.
 *
 * Runs in qemud-session, as the user. Every lease is granted: there is nobody whose share it would
 * take. A lease ends when its process has; in a process namespace of its own nothing of it is left
 * then, and elsewhere QEMU, which may start nothing, is all of it.
 *
 * What is for the network of a VM (a relay, a passt for each interface) outlives worker and session
 * as the VM does. It is killed with the VM; what an earlier session started is not known here, and
 * ends by itself: the relay when QEMU has left it (worker/net/control.h), passt with its socket.
 */
#ifndef SESSION_BOXES_H
#define SESSION_BOXES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "lib/link.h"
#include "lib/loop.h"

enum { BOXES_MAX = 1024 };

enum box_kind {
	BOX_TOOL = 1,
	BOX_VM,
	BOX_RELAY, /* no box: qemud-net itself */
	BOX_PASST  /* in the user's network */
};

struct box {
	LIST_ENTRY(box) entry;
	struct boxes *boxes;
	struct io io;
	int pidfd; /* owned; -1: it has ended, and the worker is to be told */
	pid_t pid;
	enum box_kind kind;
	uint32_t id; /* of the VM that it is, or is for; 0: of a tool */
	uint8_t uuid[16];
	struct deferred freeing;
};

LIST_HEAD(box_list, box);

struct boxes_files {
	int run_fd;         /* the folder of notes and sockets */
	int box_fd, net_fd; /* qemud-box, qemud-net */
	int null_fd;
};

struct boxes {
	struct loop *loop;
	struct link *link; /* to the worker, when there is one */
	struct boxes_files files;
	uint32_t last_id;
	unsigned n;
	struct box_list list;
};

/** Begin with what runs already. All files stay the caller's. Returns 0 or a negative errno. */
int boxes_init(
	struct boxes *boxes, struct loop *loop, struct link *link, const struct boxes_files *files);
/** Let go of all: what runs goes on. */
void boxes_fini(struct boxes *boxes);
/** A message of the worker's about boxes; all others are not touched. */
void boxes_message(struct boxes *boxes, const struct ipc_message *message);
/** The link has room again. */
void boxes_tell(struct boxes *boxes);
/** The worker has gone: so do its tools. Returns whether VMs are left. */
bool boxes_worker_gone(struct boxes *boxes);

#endif
