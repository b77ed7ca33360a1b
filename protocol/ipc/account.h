/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * account.h: what the host knows of one account, and the text in which it travels.
 *
 * Pure. The text is `key = value` (lib/keyval.h): name, uid, gid, home, groups (numbers separated
 * by blanks; the primary group is among them), subordinate (yes when the uid lies in somebody's
 * subordinate range of /etc/subuid). Written by qemud-resolve, which runs as nobody, so the reader
 * checks all of it; read by the broker and, once more, by the starter.
 */
#ifndef PROTOCOL_IPC_ACCOUNT_H
#define PROTOCOL_IPC_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ACCOUNT_NAME_MAX = 64, ACCOUNT_HOME_MAX = 1024, ACCOUNT_GROUPS_MAX = 256 };

struct account {
	uint32_t uid, gid;
	bool subordinate;
	unsigned n_groups;
	uint32_t groups[ACCOUNT_GROUPS_MAX]; /* ascending, without doubles */
	char name[ACCOUNT_NAME_MAX];         /* see account_name_valid() */
	char home[ACCOUNT_HOME_MAX]; /* absolute; no control byte, no "..", no blank at its end */
};

enum account_error { ACCOUNT_E_BAD = 1 };

/** [A-Za-z0-9_.@-]+, perhaps with a $ behind; no '-' in front; fits ACCOUNT_NAME_MAX. */
bool account_name_valid(const char *name);
/**
 * Does what the account owns stand behind its name, for others? Not behind "system", which is the system
 * account's, nor behind a number, which is an account's by its uid; those that are called so, and those
 * without a name, stand behind their uid.
 */
bool account_name_shown(const char *name);
/**
 * Read the text. Every key is there once, no other is. Returns 0, or ACCOUNT_E_BAD with what is
 * wrong in *ret_why (a constant).
 */
int account_read(const char *text, size_t size, struct account *ret, const char **ret_why);
/**
 * Write the text with its NUL into buf. Returns its length, -ENOSPC, or -EINVAL for an account that
 * account_read() would not take.
 */
int account_format(const struct account *account, char *buf, size_t size);

#endif
