/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * take.h: owners that are cleaned by scope, and the explicit hand-over of what they own.
 *
 * Runs in every program, root's included. An owner is declared empty (-1 or NULL) at its first
 * use and marked with one of the *_auto attributes; whoever keeps what it owns takes it in the
 * same expression that stores it.
 */
#ifndef LIB_TAKE_H
#define LIB_TAKE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void
take_cleanup_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static inline void
take_cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void
take_cleanup_file(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

#define AUTO(cleanup_fn) __attribute__((cleanup(cleanup_fn)))
#define fd_auto          AUTO(take_cleanup_fd)
#define free_auto        AUTO(take_cleanup_free)
#define file_auto        AUTO(take_cleanup_file)

/** Give away the descriptor in *fd: returns it and leaves -1 behind. */
static inline int
take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/** Give away the pointer in lvalue p: yields it and leaves NULL behind. */
#define take_ptr(p)                         \
	({                                  \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})

#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - __builtin_offsetof(type, member)))

#endif
