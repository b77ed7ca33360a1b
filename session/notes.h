/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * notes.h: which VMs run, kept in ~/.qemud/run/UUID.lease for the next qemud-session.
 *
 * Runs in qemud-session, as the user. A note names a process by its number, the time at which it
 * began and the boot of the host, so that no other is ever taken for it.
 */
#ifndef SESSION_NOTES_H
#define SESSION_NOTES_H

#include <stdint.h>
#include <sys/types.h>

struct note {
	uint8_t uuid[16];
	uint32_t id;
	pid_t pid;
};

/** Keep it, by rename. Returns 0 or a negative errno. */
int note_write(int dir_fd, const struct note *note);
/** Forget it. */
void note_remove(int dir_fd, const uint8_t uuid[static 16]);

/** A VM that runs; pidfd is the callee's. */
typedef void notes_fn(void *arg, const struct note *note, int pidfd);
/**
 * Tell of each note whose process runs; the others are removed. Returns 0 or a negative errno.
 */
int notes_read(int dir_fd, notes_fn *fn, void *arg);

#endif
