/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command.h: what a command of qemudctl is.
 *
 * Runs as whoever calls qemudctl.
 */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

/* Exit statuses. */
enum ctl_status {
	CTL_OK = 0,
	CTL_FOUND = 1,  /* something is wrong with what was looked at, or it is refused */
	CTL_USAGE = 2,  /* it was called wrongly */
	CTL_FAILED = 3, /* it could not be looked at */
};

/** argv[0] is the last word of the command. What is wrong is told on stderr. Returns an enum ctl_status. */
typedef int command_fn(int argc, char **argv);

command_fn audit_verify, audit_tail, policy_check, policy_explained, status_show, limits_show;

#endif
