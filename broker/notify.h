/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * notify.h: telling the service manager how the start and the end go, sd_notify(3)'s protocol.
 *
 * Runs in the broker, as root. Opened before the broker is boxed; without a manager it is silent.
 */
#ifndef BROKER_NOTIFY_H
#define BROKER_NOTIFY_H

/**
 * Connect to the datagram socket that NOTIFY_SOCKET names (the variable's value; NULL or empty:
 * nobody listens): a path, or "@NAME" in the abstract namespace. *ret_fd is the caller's, -1 when
 * nobody listens. Returns 0 or a negative errno.
 */
int notify_open(const char *socket_name, int *ret_fd);

/** Send "READY=1", "STOPPING=1"... Nothing happens when fd is -1; what cannot be sent is lost. */
void notify_send(int fd, const char *state);

#endif
