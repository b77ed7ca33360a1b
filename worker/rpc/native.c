/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * native.c: the procedure that shows how a definition would be run.
 *
 * Runs in the worker.
 */
#include "worker/qemu/native.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/take.h"
#include "protocol/rpc/handlers.h"
#include "serve/client.h"
#include "serve/server.h"
#include "worker/estate.h"
#include "worker/rpc/serving.h"
#include "worker/vm/clock.h"

/* A definition as it would be started. Returns RPC_DONE or RPC_FAILED. */
static int
make_live(struct rpc_call *call, const char *xml, struct domain_def **ret_live)
{
	const struct domain_env *env = &call_estate(call)->env;
	domain_def_auto struct domain_def *def = NULL;
	int r = domain_def_parse(xml, strlen(xml), 0, env, &call->error, &def);

	if (r > 0)
		return RPC_FAILED;
	if (r == 0)
		r = domain_def_live(def, env, ret_live);
	if (r < 0)
		return domains_not_live(&call->error, r);
	if (domain_cpu_check(*ret_live, env, &call->error) != 0)
		return RPC_FAILED;
	return vm_clock_begin(&(*ret_live)->clock, &call->error);
}

int
rpc_connect_domain_xml_to_native(struct rpc_call *call,
	const struct rpc_connect_domain_xml_to_native_args *args,
	struct rpc_connect_domain_xml_to_native_ret *ret)
{
	domain_def_auto struct domain_def *live = NULL;
	free_auto char *text = NULL;

	if (call_check_flags(call, args->flags, 0) != RPC_DONE)
		return RPC_FAILED;
	if (strcmp(args->nativeFormat, "qemu-argv") != 0)
		return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_QEMU,
			"invalid argument: unsupported config type %s", args->nativeFormat);
	if (make_live(call, args->domainXml, &live) != RPC_DONE)
		return RPC_FAILED;
	if (qemu_native(live, &text) < 0)
		return call_out_of_memory(call);
	return call_return_string(call, text, &ret->nativeConfig);
}
