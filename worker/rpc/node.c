/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * node.c: procedures that tell what the host is and what runs on it.
 *
 * Runs in the worker.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/take.h"
#include "protocol/rpc/handlers.h"
#include "serve/client.h"
#include "serve/server.h"
#include "worker/estate.h"
#include "worker/qemu/capabilities_xml.h"
#include "worker/rpc/domain_find.h"
#include "worker/rpc/serving.h"

int
rpc_connect_get_version(struct rpc_call *call, struct rpc_connect_get_version_ret *ret)
{
	ret->hv_ver = call_estate(call)->capabilities->version;
	return RPC_DONE;
}

int
rpc_connect_get_capabilities(struct rpc_call *call, struct rpc_connect_get_capabilities_ret *ret)
{
	const struct estate *estate = call_estate(call);
	free_auto char *xml = NULL;

	if (capabilities_xml(&estate->host, estate->capabilities, estate_emulator, &xml) < 0)
		return call_out_of_memory(call);
	return call_return_string(call, xml, &ret->capabilities);
}

int
rpc_node_get_info(struct rpc_call *call, struct rpc_node_get_info_ret *ret)
{
	const struct host *host = &call_estate(call)->host;

	memcpy(ret->model, host->arch, strnlen(host->arch, sizeof(ret->model) - 1));
	ret->memory = host->memory_kib;
	ret->cpus = (int32_t)host->n_cpus;
	ret->mhz = (int32_t)host->mhz;
	ret->nodes = (int32_t)host->shape_nodes;
	ret->sockets = (int32_t)host->sockets;
	ret->cores = (int32_t)host->cores;
	ret->threads = (int32_t)host->threads;
	return RPC_DONE;
}

/* The processors; the map says which of them are online. */
int
rpc_node_get_cpu_map(struct rpc_call *call, const struct rpc_node_get_cpu_map_args *args,
	struct rpc_node_get_cpu_map_ret *ret)
{
	const struct host *host = &call_estate(call)->host;

	if (call_check_flags(call, args->flags, 0) != RPC_DONE)
		return RPC_FAILED;
	if (args->need_map) {
		ret->n_cpumap = (host->n_present + 7) / 8;
		ret->cpumap = rpc_arena_array(&call->arena, ret->n_cpumap, 1);
		if (!ret->cpumap)
			return call_out_of_memory(call);
		host_map(host, ret->cpumap, ret->n_cpumap);
	}
	if (args->need_online)
		ret->online = (uint32_t)host->n_cpus;
	ret->ret = (int32_t)host->n_present;
	return RPC_DONE;
}

/* The driver of security labels: none. Its NUL is counted, as libvirtd does. */
int
rpc_node_get_security_model(struct rpc_call *call, struct rpc_node_get_security_model_ret *ret)
{
	static char model[] = "none", doi[] = "0";

	(void)call;
	ret->n_model = sizeof(model);
	ret->model = model;
	ret->n_doi = sizeof(doi);
	ret->doi = doi;
	return RPC_DONE;
}

int
rpc_domain_get_security_label(struct rpc_call *call,
	const struct rpc_domain_get_security_label_args *args,
	struct rpc_domain_get_security_label_ret *ret)
{
	static char label[] = "";

	if (!call_find_domain(call, &args->dom))
		return RPC_FAILED;
	ret->n_label = sizeof(label);
	ret->label = label;
	return RPC_DONE;
}
