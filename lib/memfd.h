/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memfd.h: text and bytes that travel between our programs as sealed memfds.
 *
 * Runs in every program, root's included. The reader trusts nothing: size and all four seals
 * (SHRINK, GROW, WRITE, SEAL) are checked before a byte is read, so the writer cannot change what
 * was checked.
 */
#ifndef LIB_MEMFD_H
#define LIB_MEMFD_H

#include <stddef.h>

enum { MEMFD_TEXT_MAX = 16 * 1024 };

enum memfd_error {
	MEMFD_E_NOT_SEALED = 1, /* not a memfd that can be read, or a seal is missing */
	MEMFD_E_SIZE            /* empty or larger than the reader allows */
};

/** Make a sealed, close-on-exec memfd with these bytes. Returns the descriptor or a negative errno.
 */
int memfd_make(const char *name, const void *data, size_t size);
/** The same in steps: an empty one that the caller fills. Returns it or a negative errno. */
int memfd_begin(const char *name);
/** Nobody writes to it any more: set all four seals. Returns 0 or a negative errno. */
int memfd_seal(int fd);
/**
 * Room of size bytes, all zero, for somebody else to write into: it neither grows nor shrinks.
 * Returns the descriptor or a negative errno.
 */
int memfd_room(const char *name, size_t size);
/**
 * Copy the contents out of a sealed memfd of 1 to max bytes into a new buffer with a NUL after
 * them (freed by the caller). Returns 0, MEMFD_E_*, or a negative errno.
 */
int memfd_read(int fd, size_t max, char **ret_data, size_t *ret_size);

#endif
