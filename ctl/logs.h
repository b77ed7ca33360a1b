/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * logs.h: the files of an audit log.
 *
 * Runs as whoever calls qemudctl.
 */
#ifndef CTL_LOGS_H
#define CTL_LOGS_H

#include <stdbool.h>
#include <stddef.h>

#define LOGS_DIR     "/var/log/qemud"
#define LOGS_CURRENT "audit.log"

struct logs {
	char **paths; /* owned */
	size_t n;
	bool whole; /* they are all that a folder has */
};

/** Those of a folder, the oldest first. Returns 0, or a status after it was told. */
int logs_of_dir(const char *dir, struct logs *ret);
/** Those that are named, in that order. The same. */
int logs_of_names(char *const *names, size_t n, struct logs *ret);
void logs_free(struct logs *logs);

/** Open one for reading. Returns it, or -1 after it was told why not. */
int logs_open(const char *path);

#endif
