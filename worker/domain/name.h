/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * name.h: what a virtual machine may be called.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_NAME_H
#define WORKER_DOMAIN_NAME_H

#include "worker/domain/error.h"

/**
 * Is this a name that a machine can have: 1 to DOMAIN_NAME_MAX bytes of UTF-8 without '/',
 * ':', control characters, or a leading dot? It becomes a file name, and "owner:name" in the view
 * of the whole host. Returns 0, or DOMAIN_E_REFUSED with the error filled in.
 */
int domain_name_check(const char *name, struct rpc_error *error);

#endif
