/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xml_memory.c: what libxml2 allocates; see xml_memory.h.
 *
 * The reserve costs address space only, until it is touched. It is given out from one end and is
 * whole again when all of it has been given back, which it soon is: documents do not live long.
 */
#include "worker/domain/xml_memory.h"

#include <errno.h>
#include <libxml/xmlmemory.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

enum { RESERVE = 32 << 20, UNIT = 16 };

static struct {
	_Alignas(UNIT) uint8_t bytes[RESERVE];
	size_t used;
	unsigned n; /* pieces that are out */
} reserve;

static bool
is_reserved(const void *p)
{
	return (uintptr_t)p >= (uintptr_t)reserve.bytes &&
	       (uintptr_t)p < (uintptr_t)(reserve.bytes + RESERVE);
}

/* A piece has its size in front of it. */
static void *
take_reserved(size_t size)
{
	uint8_t *piece = reserve.bytes + reserve.used;

	if (size > RESERVE - 2 * UNIT || reserve.used > RESERVE - size - 2 * UNIT)
		die("out of memory while XML is read or written");
	memcpy(piece, &size, sizeof(size));
	reserve.used += UNIT + (size + UNIT - 1) / UNIT * UNIT;
	reserve.n++;
	return piece + UNIT;
}

static size_t
size_of_reserved(const void *p)
{
	size_t size;

	memcpy(&size, (const uint8_t *)p - UNIT, sizeof(size));
	return size;
}

static void *
allocate(size_t size)
{
	void *p = malloc(size);

	return p || size == 0 ? p : take_reserved(size);
}

static void
release(void *p)
{
	if (!is_reserved(p)) {
		free(p);
		return;
	}
	if (--reserve.n == 0)
		reserve.used = 0;
}

static void *
reallocate(void *p, size_t size)
{
	void *larger = is_reserved(p) ? NULL : realloc(p, size);
	size_t kept;

	if (larger || size == 0)
		return larger;
	larger = take_reserved(size);
	if (!p)
		return larger;
	kept = is_reserved(p) ? size_of_reserved(p) : malloc_usable_size(p);
	memcpy(larger, p, kept < size ? kept : size);
	release(p);
	return larger;
}

static char *
copy(const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(allocate(size), text, size);
}

int
xml_memory_set_up(void)
{
	return xmlMemSetup(release, allocate, reallocate, copy) == 0 ? 0 : -EINVAL;
}
