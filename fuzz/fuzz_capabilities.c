/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_capabilities.c: the file of capabilities, which its user may edit.
 *
 * Oracle: what is read is written, read again the same, and written the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/take.h"
#include "worker/qemu/capabilities_text.h"

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
	static struct capabilities_stamp stamp, again_stamp;
	capabilities_auto struct capabilities *capabilities = NULL, *again = NULL;
	/* Of the exact size, so that a byte too many is seen. */
	free_auto char *text = malloc(size ? size : 1);
	free_auto char *first = NULL, *second = NULL;
	size_t first_size, second_size;
	int r;

	require(text != NULL);
	memcpy(text, data, size);
	r = capabilities_read(text, size, &stamp, &capabilities);
	require(r == 0 || r == CAPABILITIES_E_BAD);
	require((r == 0) == (capabilities != NULL));
	if (r)
		return 0;
	require(capabilities_format(capabilities, &stamp, &first, &first_size) == 0);
	require(capabilities_read(first, first_size, &again_stamp, &again) == 0);
	require(capabilities_stamp_same(&stamp, &again_stamp));
	require(capabilities_format(again, &again_stamp, &second, &second_size) == 0);
	require(first_size == second_size && memcmp(first, second, first_size) == 0);
	return 0;
}
