/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_inventory.c: the list of a user's VMs, which views read and any worker may have written.
 *
 * Oracle: what is accepted is within its bounds, and written again it is the same bytes; what is
 * refused is told in words.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/take.h"
#include "protocol/ipc/inventory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of the exact size, so that a byte too many is seen. */
	free_auto char *text = malloc(size > 0 ? size : 1);
	free_auto char *again = malloc(size + 64);
	struct inventory_writer writer;
	struct inventory_reader reader;
	enum inventory_result result;
	struct inventory_vm vm;
	size_t length;

	ASSERT(text && again);
	if (size > 0)
		memcpy(text, data, size);
	inventory_read(&reader, text, size);
	inventory_write(&writer, again, size + 64);
	while ((result = inventory_next(&reader, &vm)) == INVENTORY_VM) {
		ASSERT(vm.id <= INT32_MAX && vm.state <= INVENTORY_STATE_LAST);
		ASSERT(vm.name[0] != '\0' && memchr(vm.name, '\0', sizeof vm.name));
		ASSERT(inventory_add(&writer, &vm) == 0);
	}
	if (result == INVENTORY_BAD) {
		ASSERT(reader.error && reader.error[0] != '\0');
		return 0;
	}
	ASSERT(writer.n_left_out == 0);
	writer.n_left_out = reader.n_left_out;
	length = inventory_end(&writer);
	ASSERT(length == size && memcmp(again, text, length) == 0);
	return 0;
}
