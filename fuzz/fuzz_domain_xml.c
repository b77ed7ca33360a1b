/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_domain_xml.c: domain definitions, from anybody who may define one.
 *
 * Oracle: a refusal has a code and words in UTF-8; what is accepted is written, read again, and
 * written the same, as a stored definition and as a running one, and has a command line that the
 * box takes.
 */
#include <libxml/xmlstring.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/domain/alias.h"
#include "worker/domain/def.h"
#include "worker/qemu/command.h"
#include "worker/qemu/native.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct domain_machine machines[] = {
	{"pc-i440fx-7.2", "pc", "qemu64", 255},
	{"pc-q35-7.2", "q35", "qemu64", 288},
};

static void
no_uuid(void *arg, uint8_t uuid[16])
{
	(void)arg;
	memset(uuid, 0, 16);
}

static const struct domain_env env = {
	.emulator = "/usr/bin/qemu-system-x86_64",
	.run = "/run/qemud/users/1000",
	.machine = "pc",
	.machines = machines,
	.n_machines = 2,
	.kvm = true,
	.new_uuid = no_uuid,
};

static void
require(int holds)
{
	if (!holds)
		abort();
}

static void
read_again(const struct domain_def *def, unsigned flags)
{
	domain_def_auto struct domain_def *again = NULL;
	free_auto char *first = NULL, *second = NULL;
	struct rpc_error error;

	require(domain_def_format(def, flags, 1, &first) == 0);
	require(domain_def_parse(first, strlen(first), flags, &env, &error, &again) == 0);
	require(domain_def_format(again, flags, 1, &second) == 0);
	require(strcmp(first, second) == 0);
}

/* As it is started. */
static void
make_command(const struct domain_def *def)
{
	static struct qemu_command command;
	static struct plan plan;
	domain_def_auto struct domain_def *live = NULL;
	free_auto char *native = NULL, *data = NULL;
	char why[PLAN_WHY_MAX];
	size_t size;

	require(domain_def_live(def, &env, &live) == 0);
	require(qemu_native(live, &native) == 0 && native[0] != '\0');
	require(qemu_command_make(live, &command) == 0);
	plan_init(&plan);
	plan.program = PLAN_QEMU_X86_64;
	plan.profile = PLAN_VM;
	for (unsigned i = 0; i < command.n_args; i++)
		plan.args[plan.n_args++] = command.args[i];
	for (unsigned i = 0; i < command.n_fds; i++)
		plan.fds[plan.n_fds++] = command.fds[i].number;
	require(plan_encode(&plan, &data, &size, why) == 0);
	qemu_command_fini(&command);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	domain_def_auto struct domain_def *def = NULL;
	struct rpc_error error = {.code = 0};
	/* Of the exact size, so that a byte too many is seen. */
	free_auto char *text = malloc(size ? size : 1);
	int r;

	require(text != NULL);
	memcpy(text, data, size);
	r = domain_def_parse(text, size, 0, &env, &error, &def);
	require(r == 0 || r == DOMAIN_E_REFUSED);
	if (r) {
		require(error.code != 0 && error.message[0] != '\0' && !def);
		require(xmlCheckUTF8((const unsigned char *)error.message));
		return 0;
	}
	read_again(def, 0);
	make_command(def);
	require(domain_alias_assign(def) == 0);
	read_again(def, DOMAIN_DEF_LIVE);
	return 0;
}
