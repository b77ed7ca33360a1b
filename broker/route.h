/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * route.h: the way of a connection: who is it, what may it do, whose child serves it.
 *
 * Runs in the broker, as root. Decides by what the kernel and the account database say, and by no
 * byte of the client.
 */
#ifndef BROKER_ROUTE_H
#define BROKER_ROUTE_H

#include <stdarg.h>

#include "broker/conns.h"
#include "broker/listener.h"
#include "broker/users.h"

struct broker;

enum {
	ROUTE_PENDING_MAX = 64, /* connections of one uid that wait for its account */
	ROUTE_PENDING_S = 10,   /* as long they wait */
	ROUTE_NO_ACCOUNT_S =
		5 /* an answer is good that long when there is none, or none could be had */
};

/** A listener has accepted fd (taken over). */
void route_accepted(struct listener *listener, int fd);

/**
 * Pass a connection to the refuser, which tells its client why; one that was refused already, or
 * that the refuser has no room for, is closed.
 */
void route_refuse(struct broker *broker, struct conn *conn, enum ipc_refusal refusal,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void route_refuse_va(struct broker *broker, struct conn *conn, enum ipc_refusal refusal,
	const char *fmt, va_list ap) __attribute__((format(printf, 4, 0)));

/** To the worker of the owner that the channel is for; or refused, as any connection. */
void route_channel(struct broker *broker, struct conn *channel);

/** Ask what the user's uid resolves to, unless that is being asked; then route who waits for it. */
void route_look_up(struct broker *broker, struct user *user);

#endif
