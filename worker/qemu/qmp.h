/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qmp.h: one conversation with one QEMU over its QMP socket.
 *
 * Runs in the worker. QEMU is not trusted: it may have been taken over by its guest. A line is
 * bounded, the number of open commands is bounded, what is not JSON, not QMP or answers nothing
 * ends the conversation and harms that VM alone.
 *
 * One message is one line (QMP without "pretty"): the greeting, then answers to our commands by
 * their ids, and events at any time. Commands are sent at once; QEMU answers them in order, and one
 * without an id is answered without one.
 */
#ifndef WORKER_QEMU_QMP_H
#define WORKER_QEMU_QMP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/loop.h"

enum {
	QMP_LINE_MAX = 4 * 1024 * 1024, /* bytes of one message from QEMU */
	QMP_VALUES_MAX = 128 * 1024,    /* values in one: each takes some hundred bytes here */
	QMP_OPEN_MAX = 64,              /* commands that wait for their answer */
	QMP_OUTPUT_MAX = 256 * 1024     /* bytes of commands that QEMU has not read */
};

struct qmp;

/*
 * An answer. Borrowed: gone when the callback returns. Where it has an integer beyond 64 bits with a
 * sign, all of its numbers are real ones.
 */
struct qmp_reply {
	json_t *value;           /* "return", or NULL when it failed */
	const char *error_class; /* NULL when it did not */
	const char *error_text;
};

/* Why a conversation ended. */
enum qmp_end {
	QMP_END_CLOSED = 1, /* QEMU closed it, as at its end */
	QMP_END_LONG,       /* a line beyond QMP_LINE_MAX or QMP_VALUES_MAX */
	QMP_END_JSON,       /* not JSON, or not an object */
	QMP_END_GREETING,   /* something else came first */
	QMP_END_ANSWER,     /* an answer to nothing, or out of order */
	QMP_END_MEMORY      /* this process has none for what QEMU sends */
};

const char *qmp_end_text(enum qmp_end end);

struct qmp_ops {
	/* The greeting has come; version is its "QMP"."version", borrowed. */
	void (*greeting)(struct qmp *qmp, json_t *version);
	void (*reply)(struct qmp *qmp, uint64_t cookie, const struct qmp_reply *reply);
	void (*event)(struct qmp *qmp, const char *name, json_t *data);
	/*
	 * It is over and stopped; answers still open will not come. Called once, from the loop,
	 * never from inside a call of the owner's; not after qmp_stop().
	 */
	void (*end)(struct qmp *qmp, enum qmp_end why);
};

struct qmp {
	struct loop *loop;
	const struct qmp_ops *ops;
	int fd; /* owned; -1 when over */
	struct io io;
	bool greeted;
	uint64_t first_id, next_id; /* of the oldest open command, and of the next */
	uint64_t cookies[QMP_OPEN_MAX];
	uint64_t without_id; /* a bit for each place in cookies */
	char *input;
	size_t n_input, input_room, scanned;
	char *output;
	size_t n_output, at_output;
	int passed;          /* descriptor that waits to be sent, or -1; owned */
	size_t at_passed;    /* byte of output with which it goes */
	struct timer ending; /* set while the end has yet to be told */
	enum qmp_end why;
};

/**
 * Talk over a connected socket, which is taken over. The struct is new or stopped, and not inside
 * one of its own callbacks. Returns 0 or a negative errno (fd closed).
 */
int qmp_start(struct qmp *qmp, struct loop *loop, int fd, const struct qmp_ops *ops);
/**
 * Stop and release; no callback follows. Nothing happens when it is stopped, or zeroed. It may be
 * called from a callback, but the struct must live until that returns.
 */
void qmp_stop(struct qmp *qmp);
/**
 * Send a command; arguments (NULL for none) are taken over, also on failure. cookie comes back with
 * the answer. Returns 0, or a negative errno: -ENOBUFS when QMP_OPEN_MAX are open or QEMU reads
 * nothing, -EPIPE when it is over, -ENOMEM.
 */
int qmp_command(struct qmp *qmp, const char *name, json_t *arguments, uint64_t cookie);
/**
 * The same without an id, for what is asked again and again: QEMU 7.2 reads its monitor byte by byte,
 * at four to five microseconds each (bench/PROFILES.md). Only when the first commands with ids have been
 * answered is it sure that what comes answers this conversation, and not the one before.
 */
int qmp_question(struct qmp *qmp, const char *name, json_t *arguments, uint64_t cookie);
/**
 * The same with a descriptor that goes with it ("getfd", "add-fd"), taken over, also on failure.
 * QEMU keeps the last one that came: do not send another before the answer. -EBUSY: another has not
 * been sent yet.
 */
int qmp_command_fd(struct qmp *qmp, const char *name, json_t *arguments, int fd, uint64_t cookie);

#endif
