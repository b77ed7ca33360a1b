/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * screen.h: connections of a client to screens: what client and QEMU say goes through the view, as it comes.
 *
 * Runs in the view, for OPEN_GRAPHICS and OPEN_GRAPHICS_FD. A descriptor that QEMU was given nobody takes
 * back; so QEMU has the one end of a pair, and the view what is at the other. Whoever loses `console` over
 * an owner's machines, or ends her connection, has no screen of them any more. Neither side is trusted: what
 * one does not take is held up to SCREEN_WAITING_MAX bytes, and the other is not read meanwhile.
 */
#ifndef VIEW_SCREEN_H
#define VIEW_SCREEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "serve/call.h"

struct screen;
struct viewer;

LIST_HEAD(screens, screen);

enum { SCREENS_MAX = 16 /* of one connection */, SCREEN_WAITING_MAX = 64 * 1024 };

/** Does that procedure open one? */
bool screen_is_opened_by(const struct rpc_procedure *procedure);
/**
 * Before it goes to the worker of an owner: the descriptor that goes with it, if one does, is an end of the
 * view's from then on; *ret_n_fds is how many go. Returns RPC_DONE, or RPC_FAILED with the call's error.
 */
int screen_prepare(struct rpc_call *call, unsigned *ret_n_fds);
/**
 * When that owner's worker has done it; what came with its answer is call->reply_fd, if something did. Returns
 * as above: then QEMU's end is closed.
 */
int screen_open(struct rpc_call *call, uint32_t owner_uid);
/** End those that the connection may not have any more. */
void screens_check(struct viewer *viewer);
/** The connection ends, and all of them. */
void screens_end(struct viewer *viewer);

#endif
