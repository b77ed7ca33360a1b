/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fd.h: what is done to descriptors everywhere.
 *
 * Runs in every program, root's included.
 */
#ifndef LIB_FD_H
#define LIB_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** Close *fd if it is open and leave -1; errno is kept. */
void fd_close(int *fd);
/** Write all bytes to a blocking descriptor. Returns 0 or a negative errno. */
int fd_write_all(int fd, const void *data, size_t size);
/**
 * Read until end of file, at most max bytes, into a new NUL-terminated buffer (freed by the
 * caller). Returns 0, -EFBIG when there is more, or another negative errno.
 */
int fd_read_all(int fd, size_t max, char **ret_data, size_t *ret_size);
/**
 * Raise RLIMIT_NOFILE to want: soft and, where permitted, hard. Returns 0, -EPERM when the soft
 * limit could only be raised to the hard one, or another negative errno.
 */
int fd_limit_raise(unsigned long want);
/** Is it a stream socket that does not listen? */
bool fd_is_stream(int fd);

#endif
