/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rulefiles.h: the texts of the site's policy: DIR/policy.conf, then DIR/policy.d/NAME.conf, in the
 * order of their names.
 *
 * Runs in the broker, as root, also while it is boxed. All of them or none: folders and files that
 * somebody else owns or may write, that are links, no plain files, too large or too many are an
 * error, and told by name. What stands in them is policy's to read (policy/).
 */
#ifndef BROKER_RULEFILES_H
#define BROKER_RULEFILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
	RULEFILES_MAX = 64,              /* policy.conf, and in policy.d: policy/policy.h */
	RULEFILES_SIZE_MAX = 256 * 1024, /* bytes of all of them */
	RULEFILES_NAME_MAX = 96,         /* "policy.d/NAME.conf" with its NUL */
	RULEFILES_ERROR_MAX = 512
};

struct rulefile {
	char name[RULEFILES_NAME_MAX]; /* below the folder */
	char *text;                    /* owned; not terminated */
	size_t size;
};

struct rulefiles {
	struct rulefile files[RULEFILES_MAX];
	unsigned n;
	bool has_main; /* policy.conf is there, and the first of them */
};

enum rulefiles_error { RULEFILES_E_BAD = 1 };

/**
 * Read them; owner is who has to own them. Neither the folder nor anything in it has to be there: n
 * is 0 then. Returns 0, or RULEFILES_E_BAD with "PATH: what is wrong, and what to do" in error, and
 * nothing in *ret.
 */
int rulefiles_read(const char *dir, uid_t owner, struct rulefiles *ret,
	char error[static RULEFILES_ERROR_MAX]);
/** Release the texts; zeroed is nothing. */
void rulefiles_free(struct rulefiles *files);

#endif
