/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.h: why a domain definition was refused, in libvirt's terms.
 *
 * Runs in the worker, as the user. The texts hold pieces of the user's own definition: whoever
 * logs one uses the escaping printer. Never logs by itself.
 */
#ifndef WORKER_DOMAIN_ERROR_H
#define WORKER_DOMAIN_ERROR_H

#include "protocol/rpc/error.h"

/** Positive result of the parsers here: the definition is refused, the error is filled in. */
#define DOMAIN_E_REFUSED 1

/**
 * Fill in an error: the code's prefix in libvirt ("XML error: ", "unsupported configuration: "
 * and so on), then the text. Returns DOMAIN_E_REFUSED.
 */
int domain_refuse(struct rpc_error *error, enum vir_error_code code, enum vir_error_domain domain,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
