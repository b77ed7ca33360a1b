/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * size.h: sizes with a unit, as "64 MiB".
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_SIZE_H
#define WORKER_DOMAIN_SIZE_H

#include "worker/domain/parse.h"

/**
 * Bytes of a number and a unit, as virScaleInteger() of libvirt reads it: "k" and "KiB" are 1024,
 * "KB" is 1000, in any case. text: the number. where: what has it, for the error ("./memory[1]").
 * unit: may be NULL, then it is fallback. max: bytes.
 */
int domain_size_read(struct domain_parse *p, const char *text, const char *where, const char *unit,
	const char *fallback, uint64_t max, uint64_t *ret_bytes);

#endif
