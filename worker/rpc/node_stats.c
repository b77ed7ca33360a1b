/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * node_stats.c: procedures that tell what the host is doing: processor time, memory.
 *
 * Runs in the worker. Errors are libvirt 9.0.0's (measured), and so are the functions that they name.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/take.h"
#include "protocol/rpc/handlers.h"
#include "serve/client.h"
#include "serve/server.h"
#include "worker/estate.h"
#include "worker/qemu/host_load.h"
#include "worker/rpc/serving.h"

/* REMOTE_NODE_CPU_STATS_MAX, REMOTE_NODE_MEMORY_STATS_MAX, REMOTE_NODE_MAX_CELLS. */
enum { CPU_STATS_MAX = 16, MEMORY_STATS_MAX = 16, CELLS_MAX = 1024 };
enum { N_CPU_STATS = 4, N_MEMORY_STATS = 4, N_CELL_STATS = 2 };

static const struct host *
call_host(const struct rpc_call *call)
{
	return &call_estate(call)->host;
}

static int
open_root(void)
{
	return open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int
invalid(struct rpc_call *call, const char *words)
{
	return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_NONE, "%s", words);
}

static int
cannot_read(struct rpc_call *call, int err)
{
	return rpc_error_set_errno(
		&call->error, -err, VIR_FROM_NONE, "the host's statistics cannot be read");
}

/* --- processors --------------------------------------------------------------------------- */

static int
check_cpu_call(struct rpc_call *call, const struct rpc_node_get_cpu_stats_args *args)
{
	if (call_check_nparams(call, args->nparams, CPU_STATS_MAX) != RPC_DONE)
		return RPC_FAILED;
	if (args->cpuNum < HOST_ALL)
		return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_DOMAIN,
			"cpuNum in virNodeGetCPUStats only accepts -1 as a negative value");
	return call_check_flags(call, args->flags, 0);
}

int
rpc_node_get_cpu_stats(struct rpc_call *call, const struct rpc_node_get_cpu_stats_args *args,
	struct rpc_node_get_cpu_stats_ret *ret)
{
	static char kernel[] = "kernel", user[] = "user", idle[] = "idle", iowait[] = "iowait";
	struct rpc_node_cpu_stat *stats;
	struct host_times times;
	fd_auto int root_fd = -1;
	int r;

	if (check_cpu_call(call, args) != RPC_DONE)
		return RPC_FAILED;
	if (args->nparams == 0) {
		ret->nparams = N_CPU_STATS;
		return RPC_DONE;
	}
	if (args->nparams != N_CPU_STATS)
		return invalid(call, "nparams in virHostCPUGetStatsLinux must be equal to 4");
	root_fd = open_root();
	r = root_fd < 0 ? -errno : host_times_read(root_fd, args->cpuNum, &times);
	if (r == -ENOENT)
		return invalid(call, "Invalid cpuNum in virHostCPUGetStatsLinux");
	if (r < 0)
		return cannot_read(call, r);
	stats = rpc_arena_array(&call->arena, N_CPU_STATS, sizeof(*stats));
	if (!stats)
		return call_out_of_memory(call);
	stats[0] = (struct rpc_node_cpu_stat){kernel, times.kernel};
	stats[1] = (struct rpc_node_cpu_stat){user, times.user};
	stats[2] = (struct rpc_node_cpu_stat){idle, times.idle};
	stats[3] = (struct rpc_node_cpu_stat){iowait, times.iowait};
	ret->params = stats;
	ret->n_params = N_CPU_STATS;
	return RPC_DONE;
}

/* --- memory ------------------------------------------------------------------------------- */

static int
check_memory_call(struct rpc_call *call, const struct rpc_node_get_memory_stats_args *args)
{
	const struct host *host = call_host(call);

	if (call_check_nparams(call, args->nparams, MEMORY_STATS_MAX) != RPC_DONE)
		return RPC_FAILED;
	if (args->cellNum < HOST_ALL)
		return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_DOMAIN,
			"cellNum in virNodeGetMemoryStats only accepts -1 as a negative value");
	if (call_check_flags(call, args->flags, 0) != RPC_DONE)
		return RPC_FAILED;
	/* Cells are counted by their ids. */
	if (args->cellNum != HOST_ALL &&
		(unsigned)args->cellNum > host->nodes[host->n_nodes - 1].id)
		return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_NONE,
			"cellNum in virHostMemGetStats must be less than or equal to %u",
			host->nodes[host->n_nodes - 1].id);
	return RPC_DONE;
}

int
rpc_node_get_memory_stats(struct rpc_call *call, const struct rpc_node_get_memory_stats_args *args,
	struct rpc_node_get_memory_stats_ret *ret)
{
	static char total[] = "total", free_[] = "free", buffers[] = "buffers", cached[] = "cached";
	int32_t n = args->cellNum == HOST_ALL ? N_MEMORY_STATS : N_CELL_STATS;
	struct rpc_node_memory_stat *stats;
	struct host_memory memory;
	fd_auto int root_fd = -1;
	int r;

	if (check_memory_call(call, args) != RPC_DONE)
		return RPC_FAILED;
	if (args->nparams == 0) {
		ret->nparams = n;
		return RPC_DONE;
	}
	if (args->nparams != n)
		return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_NONE,
			"nparams in virHostMemGetStatsLinux must be %d", n);
	root_fd = open_root();
	r = root_fd < 0 ? -errno : host_memory_read(root_fd, args->cellNum, &memory);
	if (r < 0)
		return cannot_read(call, r);
	stats = rpc_arena_array(&call->arena, N_MEMORY_STATS, sizeof(*stats));
	if (!stats)
		return call_out_of_memory(call);
	stats[0] = (struct rpc_node_memory_stat){total, memory.total};
	stats[1] = (struct rpc_node_memory_stat){free_, memory.free};
	stats[2] = (struct rpc_node_memory_stat){buffers, memory.buffers};
	stats[3] = (struct rpc_node_memory_stat){cached, memory.cached};
	ret->params = stats;
	ret->n_params = (uint32_t)n;
	return RPC_DONE;
}

/* Bytes that are free on a node; where there is no NUMA, of the whole host. */
static int
free_bytes(struct rpc_call *call, int root_fd, unsigned id, uint64_t *ret)
{
	struct host_memory memory;
	int r = host_memory_read(root_fd, (int)id, &memory);

	if (r == -ENOENT && call_host(call)->n_nodes == 1)
		r = host_memory_read(root_fd, HOST_ALL, &memory);
	if (r < 0)
		return cannot_read(call, r);
	*ret = memory.free * 1024;
	return RPC_DONE;
}

int
rpc_node_get_free_memory(struct rpc_call *call, struct rpc_node_get_free_memory_ret *ret)
{
	const struct host *host = call_host(call);
	fd_auto int root_fd = open_root();

	if (root_fd < 0)
		return cannot_read(call, -errno);
	for (size_t i = 0; i < host->n_nodes; i++) {
		uint64_t bytes = 0;

		if (free_bytes(call, root_fd, host->nodes[i].id, &bytes) != RPC_DONE)
			return RPC_FAILED;
		ret->freeMem += bytes;
	}
	return RPC_DONE;
}

static int
check_cells_call(struct rpc_call *call, const struct rpc_node_get_cells_free_memory_args *args)
{
	const struct host *host = call_host(call);
	unsigned last = host->nodes[host->n_nodes - 1].id;

	if (args->maxcells < 0 || args->maxcells > CELLS_MAX)
		return rpc_error_set(&call->error, VIR_ERR_RPC, VIR_FROM_RPC,
			args->maxcells < 0 ? "maxcells must be non-negative"
					   : "maxcells > REMOTE_NODE_MAX_CELLS");
	if (args->maxcells == 0 || args->startCell < 0)
		return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_DOMAIN,
			args->maxcells == 0
				? "maxCells in virNodeGetCellsFreeMemory must be greater than zero"
				: "startCell in virNodeGetCellsFreeMemory must be zero or greater");
	if ((unsigned)args->startCell > last)
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_NONE,
			"internal error: start cell %d out of range (0-%u)", args->startCell, last);
	return RPC_DONE;
}

int
rpc_node_get_cells_free_memory(struct rpc_call *call,
	const struct rpc_node_get_cells_free_memory_args *args,
	struct rpc_node_get_cells_free_memory_ret *ret)
{
	const struct host *host = call_host(call);
	fd_auto int root_fd = -1;

	if (check_cells_call(call, args) != RPC_DONE)
		return RPC_FAILED;
	ret->cells = rpc_arena_array(&call->arena, (size_t)args->maxcells, sizeof(*ret->cells));
	if (!ret->cells)
		return call_out_of_memory(call);
	root_fd = open_root();
	if (root_fd < 0)
		return cannot_read(call, -errno);
	for (size_t i = 0; i < host->n_nodes && ret->n_cells < (uint32_t)args->maxcells; i++) {
		if (host->nodes[i].id < (unsigned)args->startCell)
			continue;
		if (free_bytes(call, root_fd, host->nodes[i].id, &ret->cells[ret->n_cells]) !=
			RPC_DONE)
			return RPC_FAILED;
		ret->n_cells++;
	}
	return RPC_DONE;
}
