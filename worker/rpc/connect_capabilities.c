/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * connect_capabilities.c: procedures that tell what a definition may have here.
 *
 * Runs in the worker. Errors are libvirt 9.0.0's (measured).
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/take.h"
#include "protocol/rpc/handlers.h"
#include "serve/client.h"
#include "serve/server.h"
#include "worker/estate.h"
#include "worker/qemu/domain_capabilities.h"
#include "worker/rpc/serving.h"

/* --- one machine type --------------------------------------------------------------------- */

static const struct domain_machine *
find_machine(const struct domain_env *env, const char *name)
{
	if (!name)
		name = env->machine;
	for (size_t i = 0; i < env->n_machines; i++) {
		const struct domain_machine *machine = &env->machines[i];

		if (strcmp(machine->name, name) == 0 ||
			(machine->alias && strcmp(machine->alias, name) == 0))
			return machine;
	}
	return NULL;
}

static int
check_emulator(struct rpc_call *call, const struct rpc_connect_get_domain_capabilities_args *args)
{
	const struct estate *estate = call_estate(call);

	if (args->arch && strcmp(args->arch, estate->capabilities->arch) != 0)
		return rpc_error_set(&call->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_QEMU,
			"unsupported configuration: unable to find any emulator to serve '%s' "
			"architecture",
			args->arch);
	if (args->emulatorbin && strcmp(args->emulatorbin, estate->env.emulator) != 0)
		return rpc_error_set(&call->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_QEMU,
			"unsupported configuration: emulator '%s' is not run by qemud; use '%s'",
			args->emulatorbin, estate->env.emulator);
	return RPC_DONE;
}

/* 0: the call's error says why not. */
static enum domain_type
choose_type(struct rpc_call *call, const char *name)
{
	const struct domain_env *env = &call_estate(call)->env;

	if (!name)
		return env->kvm ? DOMAIN_TYPE_KVM : DOMAIN_TYPE_QEMU;
	if (strcmp(name, "qemu") == 0)
		return DOMAIN_TYPE_QEMU;
	if (strcmp(name, "kvm") == 0 && env->kvm)
		return DOMAIN_TYPE_KVM;
	if (strcmp(name, "kvm") == 0)
		(void)rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_QEMU,
			"invalid argument: the accel 'kvm' is not supported by '%s' on this host",
			env->emulator);
	else
		(void)rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_QEMU,
			"invalid argument: unknown virttype: %s", name);
	return 0;
}

int
rpc_connect_get_domain_capabilities(struct rpc_call *call,
	const struct rpc_connect_get_domain_capabilities_args *args,
	struct rpc_connect_get_domain_capabilities_ret *ret)
{
	const struct estate *estate = call_estate(call);
	const struct domain_machine *machine;
	free_auto char *xml = NULL;
	enum domain_type type;

	if (call_check_flags(call, args->flags, 0) != RPC_DONE)
		return RPC_FAILED;
	type = choose_type(call, args->virttype);
	if (!type || check_emulator(call, args) != RPC_DONE)
		return RPC_FAILED;
	machine = find_machine(&estate->env, args->machine);
	if (!machine)
		return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_QEMU,
			"invalid argument: the machine '%s' is not supported by emulator '%s'",
			args->machine ? args->machine : "", estate->env.emulator);
	if (domain_capabilities_xml(estate->capabilities, &estate->env, machine, type, &xml) < 0)
		return call_out_of_memory(call);
	return call_return_string(call, xml, &ret->capabilities);
}

/* --- all of them -------------------------------------------------------------------------- */

int
rpc_connect_get_cpu_model_names(struct rpc_call *call,
	const struct rpc_connect_get_cpu_model_names_args *args,
	struct rpc_connect_get_cpu_model_names_ret *ret)
{
	const struct capabilities *capabilities = call_estate(call)->capabilities;

	if (call_check_flags(call, args->flags, 0) != RPC_DONE)
		return RPC_FAILED;
	if (strcmp(args->arch, capabilities->arch) != 0)
		return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_QEMU,
			"invalid argument: cannot find architecture %s", args->arch);
	ret->ret = (int32_t)capabilities->n_models;
	if (!args->need_results)
		return RPC_DONE;
	ret->models = rpc_arena_array(&call->arena, capabilities->n_models, sizeof(*ret->models));
	if (!ret->models)
		return call_out_of_memory(call);
	for (size_t i = 0; i < capabilities->n_models; i++)
		ret->models[ret->n_models++] = capabilities->models[i].name;
	return RPC_DONE;
}

/* What libvirt has always said of QEMU without KVM; a machine type may have more. */
enum { MAX_VCPUS_TCG = 16 };

int
rpc_connect_get_max_vcpus(struct rpc_call *call, const struct rpc_connect_get_max_vcpus_args *args,
	struct rpc_connect_get_max_vcpus_ret *ret)
{
	const struct domain_env *env = &call_estate(call)->env;
	const char *type = args->type ? args->type : "qemu";

	if (strcasecmp(type, "qemu") == 0) {
		ret->max_vcpus = MAX_VCPUS_TCG;
		return RPC_DONE;
	}
	if (strcasecmp(type, "kvm") != 0)
		return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_QEMU,
			"invalid argument: unknown type '%s'", type);
	if (!env->kvm)
		return rpc_error_set(&call->error, VIR_ERR_SYSTEM_ERROR, VIR_FROM_NONE,
			"Unable to open /dev/kvm: KVM cannot be used here");
	ret->max_vcpus = (int32_t)find_machine(env, NULL)->max_vcpus;
	return RPC_DONE;
}
