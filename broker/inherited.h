/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inherited.h: sockets that a service manager has bound, sd_listen_fds(3)'s protocol.
 *
 * Runs in the broker, as root, before anything else is opened. A manager that keeps the sockets
 * over a restart keeps the clients that connect meanwhile.
 */
#ifndef BROKER_INHERITED_H
#define BROKER_INHERITED_H

enum { INHERITED_FD_MIN = 3, INHERITED_SOCKETS = 3, INHERITED_ERROR_MAX = 256 };

enum inherited_error { INHERITED_E_BAD = 1 /* the reason is in error */ };

/**
 * Which descriptors are sockets for names[i], by the environment (LISTEN_PID, LISTEN_FDS,
 * LISTEN_FDNAMES), which is cleared of it: ret_fds[i], or -1. Each must be a listening stream socket
 * of kind UNIX; all are closed at an exec from now on. Returns how many descriptors from
 * INHERITED_FD_MIN on are the manager's in *ret_n, and 0; or INHERITED_E_BAD.
 */
int inherited_take(const char *const names[static INHERITED_SOCKETS],
	int ret_fds[static INHERITED_SOCKETS], unsigned *ret_n,
	char error[static INHERITED_ERROR_MAX]);

#endif
