/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_vm_status.c: the two files that one worker leaves of a running VM for the next, as anything:
 * its note, and its definition (what begins as XML does).
 *
 * Oracle: what is read is in its ranges, can be written, and reads as the same; what is refused
 * leaves nothing half read. A definition has all that the next worker relies on.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/take.h"
#include "tests/unit/domain_env.h"
#include "worker/domain/devices.h"
#include "worker/qemu/native.h"
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

static void
check_def(const struct domain_def *def, const struct domain_env *env)
{
	domain_def_auto struct domain_def *again = NULL;
	free_auto char *first = NULL, *second = NULL, *native = NULL;
	const unsigned flags = DOMAIN_DEF_LIVE | DOMAIN_DEF_SECURE;
	const struct domain_chardev *chardev;
	struct domain_cursor at = {0};

	while ((chardev = domain_chardev_next(def, &at)))
		require(chardev->type != DOMAIN_CHARDEV_UNIX || chardev->path);
	require(qemu_native(def, &native) == 0);
	require(domain_def_format(def, flags, 1, &first) == 0);
	require(vm_status_parse_def(def->uuid, first, strlen(first), env, &again) == 0);
	require(domain_def_format(again, flags, 1, &second) == 0 && strcmp(first, second) == 0);
}

static void
read_def(const char *xml, size_t size)
{
	domain_def_auto struct domain_def *any = NULL, *def = NULL;
	struct domain_env env = domain_tcg;
	struct rpc_error error;

	env.run = "/run/qemud/users/1000";
	/* Which UUID there is is what the file's name says. */
	if (domain_def_parse(xml, size, DOMAIN_DEF_LIVE, &env, &error, &any) == 0 &&
		vm_status_parse_def(any->uuid, xml, size, &env, &def) == 0)
		check_def(def, &env);
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
	if (size > 0 && text[0] == '<')
		read_def(text, size);
	free(text);
	return 0;
}
