/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * monitor.h: the conversation with the QEMU of one VM, from its greeting on.
 *
 * Runs in the worker, as the user. Opening says qmp_capabilities, checks that this QEMU is the VM
 * that it should be, and asks how it is; only then commands may be given. QEMU is not trusted: see
 * worker/qemu/qmp.h.
 */
#ifndef WORKER_VM_MONITOR_H
#define WORKER_VM_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/qemu/qmp.h"

struct monitor;

enum monitor_state { MONITOR_CLOSED = 0, MONITOR_OPENING, MONITOR_OPEN };

struct monitor_ops {
	/* It is open; status is QEMU's RunState ("running", "paused", "prelaunch"...), borrowed. */
	void (*opened)(struct monitor *monitor, const char *status);
	/* The answer to monitor_ask(). */
	void (*reply)(struct monitor *monitor, uint64_t cookie, const struct qmp_reply *reply);
	/* An event; also while it opens. */
	void (*event)(struct monitor *monitor, const char *name, const json_t *data);
	/*
	 * It is closed, and was not asked to be: why is for people. While opening or later; answers
	 * that are still open will not come. Called from the loop.
	 */
	void (*lost)(struct monitor *monitor, const char *why);
};

struct monitor {
	struct qmp qmp;
	const struct monitor_ops *ops;
	enum monitor_state state;
	unsigned question; /* of those at the opening, that is asked */
	uint8_t uuid[16];  /* of the VM */
	uint64_t n_doings; /* commands that were given, questions aside, and events, of all times */
};

/**
 * Open it over a connected socket (taken over). The struct is zeroed or closed. Returns 0 or a
 * negative errno; then no callback follows.
 */
int monitor_open(struct monitor *monitor, struct loop *loop, int fd, const uint8_t uuid[static 16],
	const struct monitor_ops *ops);
/** Close it; no callback follows. Nothing happens when it is closed, or zeroed. */
void monitor_close(struct monitor *monitor);
/** End it as if QEMU had: lost() is called before this returns. From a callback, or the loop. */
void monitor_lose(struct monitor *monitor, const char *why);
/**
 * Give a command; arguments (NULL for none) are taken over. Returns 0, -ENOTCONN when it is not
 * open, or as qmp_command().
 */
int monitor_ask(struct monitor *monitor, const char *command, json_t *arguments, uint64_t cookie);
/** The same as qmp_question(): what changes nothing, and is asked often. */
int monitor_question(
	struct monitor *monitor, const char *command, json_t *arguments, uint64_t cookie);
/** The same with a descriptor (taken over), as qmp_command_fd(). */
int monitor_ask_fd(
	struct monitor *monitor, const char *command, json_t *arguments, int fd, uint64_t cookie);

#endif
