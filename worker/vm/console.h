/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * console.h: one serial port of a running VM: what the guest says goes to its log, and to the one
 * client that is attached.
 *
 * Runs in the worker, as the user. QEMU is not trusted, nor is the guest behind it: what they say
 * is bytes, of any number at any speed. Nobody waits for a client that does not read: it is
 * detached. A client's input waits for the guest, in bounded memory, and is dropped when the guest
 * takes none of it for CONSOLE_PATIENCE_S: the far end of the line is off. A channel's is connected
 * while somebody is attached, so that the user's own programs can talk to the guest when nobody is.
 */
#ifndef WORKER_VM_CONSOLE_H
#define WORKER_VM_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/loop.h"

struct vm_log;
struct console;
struct console_client;

enum {
	CONSOLE_INPUT_MAX = 64 * 1024, /* bytes of a client that the guest has not taken */
	CONSOLE_PATIENCE_S = 10
};

struct console_client_ops {
	/* What the guest said. Returns false when the client has to be detached: it does not read. */
	bool (*output)(struct console_client *client, const uint8_t *data, size_t size);
	/* There is room for input again, after console_input() took less than all. */
	void (*writable)(struct console_client *client);
	/*
	 * It is attached no more, and was not asked: the VM has ended (taken is false), or another
	 * client has forced its way (true). Not after console_detach().
	 */
	void (*detached)(struct console_client *client, bool taken);
};

/* Embedded in whoever attaches. */
struct console_client {
	const struct console_client_ops *ops;
	struct console *console; /* NULL: attached to none */
};

struct console {
	struct loop *loop;
	struct vm_log *log; /* borrowed; NULL: what the guest says is not kept */
	struct io io;
	int fd; /* owned; -1 when not connected */
	struct console_client *client;
	uint8_t *input; /* CONSOLE_INPUT_MAX bytes while there are any; owned */
	size_t n_input;
	struct timer patience;
	bool on_demand; /* connected while somebody is attached, and what she has said is not taken */
	bool off; /* the guest takes nothing: what it does not take at once is dropped, not kept */
};

/** Not connected to anything; log is borrowed, or NULL. */
void console_init(struct console *console, struct loop *loop, struct vm_log *log);
/** Talk over a connected stream socket (taken over, also on failure). 0 or a negative errno. */
int console_connect(struct console *console, int fd);
/** The VM has ended, or this worker leaves: detach, close, release. It may be connected again. */
void console_close(struct console *console);

/**
 * Attach; with force, whoever is attached is detached first. Returns 0 or -EBUSY. A console that is
 * not connected (QEMU's end is lost) can be attached to and is silent.
 */
int console_attach(struct console *console, struct console_client *client, bool force);
/** Nothing happens when it is attached to none. What it has said still goes to the guest. */
void console_detach(struct console_client *client);
/** What the client says. Returns how many bytes were taken; the rest when writable() is called. */
size_t console_input(struct console_client *client, const uint8_t *data, size_t size);

#endif
