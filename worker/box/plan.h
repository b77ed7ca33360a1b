/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plan.h: what a box is to become: a program, its arguments, its limits, its descriptors.
 *
 * Pure, no I/O. Written by the worker, read by qemud-box; both run as the user. A plan can only
 * name what is in the tables here: it chooses no path, no filter, no stage of the confinement.
 *
 * The text is a sequence of records `key=value`, each ended by one NUL byte, in this order and
 * in no other, so that a plan has one spelling:
 *
 *   plan=1                    the version
 *   program=NAME              of enum plan_program
 *   profile=NAME              of enum plan_profile
 *   nofile= memlock= cpu= fsize= data=
 *                             limits, each at most once, in this order; decimal
 *   fd=NUMBER                 where each further descriptor goes, in the order in which they come
 *   arg=TEXT                  an argument, in order; any bytes but NUL
 *
 * On the socket, the worker sends packets (lib/packet.h) of one byte each, with descriptors:
 * PLAN_PACKET_PLAN with a sealed memfd that holds the text; PLAN_PACKET_FDS as often as needed,
 * each with 1 to PACKET_FDS_MAX of the descriptors, the log first, then those of `fd=`;
 * PLAN_PACKET_END with none. The box answers by one packet of text (struct plan_answer) when
 * everything but the exec is done or something failed; its socket closes with the exec. An end of
 * the socket after "ok" means that the program runs; a second packet, that the exec failed.
 */
#ifndef WORKER_BOX_PLAN_H
#define WORKER_BOX_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PLAN_SIZE_MAX = 256 * 1024, /* of the text */
	PLAN_ARGS_MAX = 3072,
	PLAN_ARG_MAX = 64 * 1024, /* bytes of one argument */
	PLAN_FDS_MAX = 256,       /* descriptors besides the log */
	PLAN_FD_MIN = 10,
	PLAN_FD_MAX = 1023, /* what a soft limit of 1024 descriptors leaves room for */
	PLAN_WHY_MAX = 200,
};

enum plan_packet { PLAN_PACKET_PLAN = 'P', PLAN_PACKET_FDS = 'F', PLAN_PACKET_END = 'E' };

enum plan_program { PLAN_QEMU_X86_64 = 1, PLAN_QEMU_IMG, PLAN_PASST };

/* What the program is run for; bounds its limits (worker/box/program.h). */
enum plan_profile {
	PLAN_VM = 1, /* "vm": a virtual machine, or passt for one, as long as it lives */
	PLAN_TOOL,   /* "tool": work on an image, as long as it takes */
	PLAN_PROBE   /* "probe": a question to a program or about an image, answered in seconds */
};

enum plan_limit {
	PLAN_NOFILE,  /* one above the highest descriptor */
	PLAN_MEMLOCK, /* bytes */
	PLAN_CPU,     /* seconds of processor time */
	PLAN_FSIZE,   /* bytes of a file that it writes */
	PLAN_DATA,    /* bytes of private writable memory */
	PLAN_N_LIMITS
};

#define PLAN_LIMIT_KEEP UINT64_MAX /* not named by the plan: as inherited */

struct plan {
	enum plan_program program;
	enum plan_profile profile;
	uint64_t limits[PLAN_N_LIMITS];
	/*
	 * Numbers of the descriptors that follow the log: PLAN_FD_MIN to PLAN_FD_MAX, or 1 for a
	 * standard output that is not the log; none twice.
	 */
	unsigned n_fds;
	int fds[PLAN_FDS_MAX];
	unsigned n_args;
	const char *args[PLAN_ARGS_MAX]; /* borrowed */
};

enum plan_error { PLAN_E_BAD = 1 /* `why` says what is wrong */ };

/** An empty plan: no limit named, no descriptor, no argument. */
void plan_init(struct plan *plan);

/**
 * Write the text of a plan into a new buffer (freed by the caller). Returns 0, -ENOMEM, or
 * PLAN_E_BAD for a plan that plan_decode() would refuse.
 */
int plan_encode(
	const struct plan *plan, char **ret_data, size_t *ret_size, char why[static PLAN_WHY_MAX]);

/**
 * Read the text of a plan. The arguments in *ret point into data. Returns 0 or PLAN_E_BAD; what
 * is read is what plan_encode() writes, to the byte.
 */
int plan_decode(const char *data, size_t size, struct plan *ret, char why[static PLAN_WHY_MAX]);

/* The box's answer: "ok landlock N", or "failed STAGE: what and why". */
struct plan_answer {
	bool ok;
	int landlock;           /* ok: the level that is enforced, 0 for none */
	char why[PLAN_WHY_MAX]; /* not ok */
};

enum { PLAN_ANSWER_MAX = PLAN_WHY_MAX + sizeof "failed " - 1 };

/** Write an answer as the text of a packet. Returns its length. */
size_t plan_answer_encode(const struct plan_answer *answer, char out[static PLAN_ANSWER_MAX]);
/** Read the text of a packet. Returns 0, or PLAN_E_BAD for what no box says. */
int plan_answer_decode(const void *data, size_t size, struct plan_answer *ret);

#endif
