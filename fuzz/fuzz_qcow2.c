/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_qcow2.c: the header of an image, on anything.
 *
 * Oracle: what was read ends within its bounds, stands in the file as it was read, and nothing is
 * said of a file that is no image.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/qemu/qcow2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int holds)
{
	if (!holds)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of the exact size, so that a byte too many is seen. */
	uint8_t *copy = malloc(size ? size : 1);
	struct qcow2 header;
	int r;

	require(copy != NULL);
	memcpy(copy, data, size);
	r = qcow2_parse(copy, size, &header);
	require(r == 0 || r == QCOW2_E_OTHER || r == QCOW2_E_BAD);
	require(memchr(header.backing, '\0', sizeof(header.backing)) != NULL);
	require(memchr(header.format, '\0', sizeof(header.format)) != NULL);
	if (r == QCOW2_E_OTHER)
		require(!*header.backing && !*header.format && !header.external_data);
	if (r == 0 && *header.backing)
		require(memmem(copy, size, header.backing, strlen(header.backing)) != NULL);
	if (r == 0 && *header.format)
		require(*header.backing &&
			memmem(copy, size, header.format, strlen(header.format)) != NULL);
	free(copy);
	return 0;
}
