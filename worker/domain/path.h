/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * path.h: paths of the host's files that a definition names.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_PATH_H
#define WORKER_DOMAIN_PATH_H

#include "worker/domain/parse.h"

/**
 * Is this a path that a definition may hold: absolute, shorter than PATH_MAX, without control
 * characters? element is its element's name, for the error. Whether the file exists, and whose it
 * is, shows when it is opened, by the user.
 */
int domain_path_check(struct domain_parse *p, const char *element, const char *path);

/** The path in the child element of that name, as a copy; NULL if there is none. */
int domain_path_parse(struct domain_parse *p, xmlNode *node, const char *element, char **ret_path);

#endif
