/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * connect.h: the end of a CONNECT_OPEN that had to wait.
 *
 * Runs in the worker.
 */
#ifndef WORKER_RPC_CONNECT_H
#define WORKER_RPC_CONNECT_H

#include <stdbool.h>

struct client;

/** What the client's CONNECT_OPEN waited for is decided: its connection is open, or is not. */
void connect_opened(struct client *client, bool ok);

#endif
