/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qcow2.c: reads the header of a qcow2 image.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/qemu/qcow2.h"

#include <stdint.h>
#include <string.h>

enum {
	VERSION = 4,
	BACKING_OFFSET = 8,
	BACKING_SIZE = 16,
	V2_LENGTH = 72,
	INCOMPATIBLE = 72,
	V3_LENGTH_FIELD = 100,
	V3_LENGTH_MIN = 104,
	EXTENSION = 8, /* bytes of type and length of an extension */
	EXTERNAL_DATA = 1 << 2
};
#define EXTENSION_BACKING_FORMAT UINT32_C(0xe2792aca)

static uint64_t
number(const unsigned char *data, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value = value << 8 | data[i];
	return value;
}

/* A text of that length without a NUL in it. */
static bool
take_text(const unsigned char *from, uint64_t length, size_t max, char *to)
{
	if (length > max || memchr(from, '\0', (size_t)length))
		return false;
	memcpy(to, from, (size_t)length);
	to[length] = '\0';
	return true;
}

/* Extensions stand between the header and the name of the backing file, or its end. */
static int
parse_extensions(const unsigned char *data, size_t at, size_t end, struct qcow2 *ret)
{
	while (end - at >= EXTENSION) {
		uint32_t type = (uint32_t)number(data + at, 4);
		uint64_t length = number(data + at + 4, 4);

		if (type == 0)
			return 0;
		at += EXTENSION;
		if (length > end - at)
			return QCOW2_E_BAD;
		if (type == EXTENSION_BACKING_FORMAT &&
			!take_text(data + at, length, QCOW2_FORMAT_MAX, ret->format))
			return QCOW2_E_BAD;
		length = (length + 7) & ~UINT64_C(7);
		if (length > end - at)
			return 0;
		at += (size_t)length;
	}
	return 0;
}

int
qcow2_parse(const unsigned char *data, size_t size, struct qcow2 *ret)
{
	uint64_t version, offset, length, header = V2_LENGTH;

	memset(ret, 0, sizeof(*ret));
	if (size < V2_LENGTH || memcmp(data, "QFI\xfb", 4) != 0)
		return QCOW2_E_OTHER;
	version = number(data + VERSION, 4);
	if (version != 2 && version != 3)
		return QCOW2_E_OTHER;
	if (version == 3) {
		if (size < V3_LENGTH_MIN)
			return QCOW2_E_BAD;
		header = number(data + V3_LENGTH_FIELD, 4);
		ret->external_data = number(data + INCOMPATIBLE, 8) & EXTERNAL_DATA;
		if (header < V3_LENGTH_MIN || header > size)
			return QCOW2_E_BAD;
	}
	offset = number(data + BACKING_OFFSET, 8);
	length = number(data + BACKING_SIZE, 4);
	if (offset == 0)
		return 0;
	if (length == 0 || offset < header || offset > size || length > size - offset ||
		!take_text(data + offset, length, QCOW2_BACKING_MAX, ret->backing))
		return QCOW2_E_BAD;
	return parse_extensions(data, (size_t)header, (size_t)offset, ret);
}
