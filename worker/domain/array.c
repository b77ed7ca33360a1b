/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * array.c: grows the arrays of a definition.
 *
 * Runs in the worker, as the user. Pure.
 */
#include <stdlib.h>
#include <string.h>

#include "worker/domain/parse.h"

void *
array_insert(void *array, size_t n, size_t size, size_t at)
{
	char *grown = reallocarray(array, n + 1, size);

	if (!grown)
		return NULL;
	memmove(grown + (at + 1) * size, grown + at * size, (n - at) * size);
	memset(grown + at * size, 0, size);
	return grown;
}
