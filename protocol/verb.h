/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verb.h: what a connection may do, as a set of verbs.
 *
 * Pure. The broker decides the set from policy, CONN_PASS carries it, and the column `verb` of
 * protocol/rpc/procedures.tsv names what each procedure needs. A set is closed: console, power
 * and manage include view, manage includes all; console and power do not include each other.
 */
#ifndef PROTOCOL_VERB_H
#define PROTOCOL_VERB_H

enum verb {
	VERB_VIEW = 1,    /* see, change nothing: all that the read-only socket gives */
	VERB_CONSOLE = 2, /* serial console, graphics, screenshots, keys */
	VERB_POWER = 4,   /* start, stop, reset, suspend, save */
	VERB_MANAGE = 8   /* define, change, everything else */
};

enum {
	VERBS_NONE = 0,
	VERBS_VIEW = VERB_VIEW,
	VERBS_ALL = VERB_VIEW | VERB_CONSOLE | VERB_POWER | VERB_MANAGE
};

#endif
