/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * box.h: the broker gives up what it no longer needs, for good.
 *
 * Runs in the broker, as root, once everything is opened and the starter is running: what comes
 * after cannot open a user's file, start a program, or get a capability back.
 */
#ifndef BROKER_BOX_H
#define BROKER_BOX_H

/**
 * Keep CAP_KILL in the effective and permitted sets and nothing in any other set; no_new_privs;
 * filter_broker; read back that it is so. Returns 0, or a negative errno with the step that failed
 * in *ret_step, for people.
 */
int box_enter(const char **ret_step);

#endif
