/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guise.h: how a user's VM looks to somebody else who may see it.
 *
 * Runs in the worker, as the user. Pure. Its name is OWNER:NAME, its UUID the one that derived_uuid.h
 * makes of it, and an element in <metadata> says whose it is and which UUID the guest has:
 *
 *   <qemud:vm xmlns:qemud="https://qemud.org/xmlns/vm/1" owner="NAME" uid="N" uuid="REAL"/>
 *
 * What somebody else defines comes in the same guise, or without it.
 */
#ifndef WORKER_DOMAIN_GUISE_H
#define WORKER_DOMAIN_GUISE_H

#include <stdint.h>

#include "worker/domain/def.h"

struct guise {
	const char
		*owner; /* an account's name, "system", or a number: no colon, nothing to escape */
	uint32_t uid;
};

/**
 * A copy of a definition as others see it, freed with domain_def_free(); flags as of
 * domain_def_parse(). Returns 0, -ENOMEM, or DOMAIN_E_REFUSED with an error.
 */
int domain_guise_put_on(const struct domain_def *def, const struct guise *guise, unsigned flags,
	const struct domain_env *env, struct rpc_error *error, struct domain_def **ret_def);
/**
 * Parse what somebody else has written: as domain_def_parse(), without the owner in front of the name
 * and without that element. The UUID is as it was written.
 */
int domain_guise_parse(const char *xml, const struct guise *guise, const struct domain_env *env,
	struct rpc_error *error, struct domain_def **ret_def);
/** The name without the owner in front of it; borrowed from the name. */
const char *domain_guise_plain(const struct guise *guise, const char *name);

#endif
