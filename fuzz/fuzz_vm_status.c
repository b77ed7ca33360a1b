/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_vm_status.c: the note that one worker leaves of a running VM for the next, as anything.
 *
 * Oracle: what is read is in its ranges, can be written, and reads as the same; what is refused
 * leaves nothing half read.
 */
#include <stdlib.h>
#include <string.h>

#include "worker/store/domains.h"
#include "worker/vm/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int holds)
{
	if (!holds)
		abort();
}

static void
check(const struct vm_status *status)
{
	struct vm_status again;
	char text[VM_STATUS_TEXT_MAX], second[VM_STATUS_TEXT_MAX];
	int n;

	require(status->id > 0 && status->landlock >= -1 && status->reason >= 0);
	require(status->state >= DOMAIN_STATE_RUNNING &&
		status->state <= DOMAIN_STATE_PMSUSPENDED && status->state != DOMAIN_STATE_SHUTOFF);
	n = vm_status_format(status, text);
	require(n > 0 && (size_t)n == strlen(text));
	require(vm_status_parse(text, (size_t)n, &again) == 0);
	require(vm_status_format(&again, second) == n && strcmp(text, second) == 0);
	/* Not a line less. */
	require(vm_status_parse(text, (size_t)(strrchr(text, '=') - text), &again) ==
		VM_STATUS_E_BAD);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of the exact size, so that a byte too many is seen. */
	char *text = malloc(size ? size : 1);
	struct vm_status status, before;

	require(text != NULL);
	memcpy(text, data, size);
	memset(&status, 0x5a, sizeof(status));
	before = status;
	if (vm_status_parse(text, size, &status) == 0)
		check(&status);
	else
		require(memcmp(&status, &before, sizeof(status)) == 0);
	free(text);
	return 0;
}
