/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grammar.h: a line of words as rules.
 *
 * Pure. Runs in the broker, as root, and in tools as anybody. The lines are
 *
 *	allow SUBJECT VERB TARGET
 *	deny SUBJECT [VERB [TARGET]]
 *	limit SUBJECT KEY VALUE [KEY VALUE]...
 *	network SUBJECT user | bridge NAME | none
 *
 *	SUBJECT  everyone | user NAME | uid NUMBER | group NAME; of allow and deny also tls "NAME",
 *	         of limit also host
 *	VERB     view | console | power | manage
 *	TARGET   own | all | system | user NAME | uid NUMBER | group NAME
 *	KEY      vms | vcpus | memory | vm-vcpus | vm-memory | pids | cpu-weight; of host the first three
 *	VALUE    NUMBER | unlimited; of memory and vm-memory NUMBER{K,M,G,T}; of memory of host also N%
 */
#ifndef POLICY_GRAMMAR_H
#define POLICY_GRAMMAR_H

struct policy;
struct words;

/** Add what the line says to the policy, or complain there; the file is that which is parsed. */
void grammar_line(struct policy *policy, const struct words *words);

#endif
