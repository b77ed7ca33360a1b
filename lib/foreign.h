/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * foreign.h: closing what others can fill, without being held up by what they put there.
 *
 * Runs in every program, root's included. A descriptor may be the last one of a socket that closes
 * slowly (SO_LINGER with a peer that takes nothing), and a UNIX socket's queue may hold such
 * descriptors; whoever closes the last of them, or reads past them, waits, up to an hour each
 * (measured). Two things keep us from that:
 *
 *   - foreign_refuse(): the kernel takes no descriptor into the queue (SO_PASSRIGHTS, Linux 6.16);
 *   - foreign_begin() and foreign_end() around a close or a read: a signal that is pending ends the
 *     kernel's waiting, for all descriptors of that call, after FOREIGN_WAIT_US.
 */
#ifndef LIB_FOREIGN_H
#define LIB_FOREIGN_H

#include <stdbool.h>

enum { FOREIGN_WAIT_US = 2000 };

/** Give SIGALRM a handler that does nothing: to be called before a system call filter is loaded. */
void foreign_prepare(void);
/** From here on no call waits longer than FOREIGN_WAIT_US... */
void foreign_begin(void);
/** ... until here. errno is kept. */
void foreign_end(void);
/** fd_close() between the two. */
void foreign_close(int *fd);

/**
 * Let no descriptor (allow: let descriptors again) into the queue of this UNIX socket, or into
 * those of the connections that a listening one will accept. Kernels that cannot do it are as they
 * were.
 */
void foreign_refuse(int sock);
void foreign_allow(int sock);

#endif
