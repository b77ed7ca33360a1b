/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_block.c: procedures that tell what went through a domain's disks, how large they are, and
 * what is wrong with them.
 *
 * Runs in the worker. Errors are libvirt 9.0.0's (measured).
 */
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "protocol/rpc/handlers.h"
#include "worker/qemu/block_stats.h"
#include "worker/rpc/ask.h"
#include "worker/rpc/domain_find.h"
#include "worker/rpc/params.h"
#include "worker/vm/image.h"
#include "worker/vm/open.h"

enum { PARAMETERS_MAX = 16 /* REMOTE_DOMAIN_BLOCK_STATS_PARAMETERS_MAX */ };
enum { DISK_ERRORS_MAX = 256 /* REMOTE_DOMAIN_DISK_ERRORS_MAX */ };

/* The disk with that target, or of that source; NULL: there is none. */
static const struct domain_disk *
find_disk(const struct domain_def *def, const char *path)
{
	for (size_t i = 0; i < def->n_disks; i++) {
		const struct domain_disk *disk = &def->disks[i];

		if (strcmp(disk->target, path) == 0 ||
			(disk->source.path && strcmp(disk->source.path, path) == 0))
			return disk;
	}
	return NULL;
}

static int
check_disk(struct rpc_call *call, const struct domain *domain, const char *path)
{
	if (!*path || find_disk(domain_def_now(domain), path))
		return RPC_DONE;
	return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_QEMU,
		"invalid argument: invalid path: %s", path);
}

/* --- counters ----------------------------------------------------------------------------- */

/* In libvirt's order. */
static const struct {
	const char *name;
	size_t offset;
} counters[] = {
	{"wr_bytes", offsetof(struct block_stats, wr_bytes)},
	{"wr_operations", offsetof(struct block_stats, wr_operations)},
	{"rd_bytes", offsetof(struct block_stats, rd_bytes)},
	{"rd_operations", offsetof(struct block_stats, rd_operations)},
	{"flush_operations", offsetof(struct block_stats, flush_operations)},
	{"wr_total_times", offsetof(struct block_stats, wr_total_times)},
	{"rd_total_times", offsetof(struct block_stats, rd_total_times)},
	{"flush_total_times", offsetof(struct block_stats, flush_total_times)},
};
enum { N_COUNTERS = sizeof(counters) / sizeof(counters[0]) };

static uint64_t *
counter(struct block_stats *stats, size_t i)
{
	return (uint64_t *)(void *)((char *)stats + counters[i].offset);
}

/* Of one disk, or with an empty path of all of them together. */
static int
sum_up(struct rpc_call *call, const struct domain *domain, const char *path,
	const struct inquiry_answers *answers, struct block_stats *ret)
{
	const struct domain_def *def = domain_def_now(domain);

	*ret = (struct block_stats){.rd_bytes = 0};
	if (check_disk(call, domain, path) != RPC_DONE)
		return RPC_FAILED;
	for (size_t i = 0; i < def->n_disks; i++) {
		const struct domain_disk *disk = &def->disks[i];
		struct block_stats stats;

		if (*path && disk != find_disk(def, path))
			continue;
		if (!disk->device.alias || !block_stats_read(answers->values[INQUIRY_BLOCK_STATS],
						   disk->device.alias, &stats))
			return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU,
				"internal error: cannot find statistics for device '%s'",
				disk->target);
		for (size_t j = 0; j < N_COUNTERS; j++)
			*counter(ret, j) += *counter(&stats, j);
	}
	return RPC_DONE;
}

static int
block_stats(struct rpc_call *call, const void *args_, const struct domain *domain,
	const struct inquiry_answers *answers)
{
	const struct rpc_domain_block_stats_args *args = args_;
	struct rpc_domain_block_stats_ret *ret = call->ret;
	struct block_stats stats;

	if (sum_up(call, domain, args->path, answers, &stats) != RPC_DONE)
		return RPC_FAILED;
	ret->rd_req = (int64_t)stats.rd_operations;
	ret->rd_bytes = (int64_t)stats.rd_bytes;
	ret->wr_req = (int64_t)stats.wr_operations;
	ret->wr_bytes = (int64_t)stats.wr_bytes;
	ret->errs = -1; /* nobody counts them */
	return RPC_DONE;
}

int
rpc_domain_block_stats(struct rpc_call *call, const struct rpc_domain_block_stats_args *args,
	struct rpc_domain_block_stats_ret *ret)
{
	struct domain *domain = call_find_running(call, &args->dom);

	(void)ret;
	if (!domain || check_disk(call, domain, args->path) != RPC_DONE)
		return RPC_FAILED;
	return call_ask(call, args, domain, 1U << INQUIRY_BLOCK_STATS, block_stats);
}

static int
block_stats_flags(struct rpc_call *call, const void *args_, const struct domain *domain,
	const struct inquiry_answers *answers)
{
	const struct rpc_domain_block_stats_flags_args *args = args_;
	struct rpc_domain_block_stats_flags_ret *ret = call->ret;
	struct params params = {.arena = &call->arena};
	bool any = *args->path || domain_def_now(domain)->n_disks > 0;
	struct block_stats stats;

	if (sum_up(call, domain, args->path, answers, &stats) != RPC_DONE)
		return RPC_FAILED;
	for (size_t i = 0; any && i < N_COUNTERS && i < (size_t)args->nparams; i++)
		params_llong(&params, (int64_t)*counter(&stats, i), "%s", counters[i].name);
	if (params.failed)
		return call_out_of_memory(call);
	ret->params = params.list;
	ret->n_params = params.n;
	return RPC_DONE;
}

int
rpc_domain_block_stats_flags(struct rpc_call *call,
	const struct rpc_domain_block_stats_flags_args *args,
	struct rpc_domain_block_stats_flags_ret *ret)
{
	struct domain *domain;

	if (call_check_nparams(call, args->nparams, PARAMETERS_MAX) != RPC_DONE)
		return RPC_FAILED;
	/* VIR_TYPED_PARAM_STRING_OKAY changes nothing: there are no strings. */
	if (call_check_flags(call, args->flags & ~(uint32_t)TYPED_PARAM_STRING_OKAY, 0) != RPC_DONE)
		return RPC_FAILED;
	domain = call_find_running(call, &args->dom);
	if (!domain || check_disk(call, domain, args->path) != RPC_DONE)
		return RPC_FAILED;
	if (args->nparams > 0)
		return call_ask(call, args, domain, 1U << INQUIRY_BLOCK_STATS, block_stats_flags);
	/* How many there are. */
	ret->nparams = *args->path || domain_def_now(domain)->n_disks > 0 ? N_COUNTERS : 0;
	return RPC_DONE;
}

/* --- sizes -------------------------------------------------------------------------------- */

/* The disk of a call about its size; NULL: the call's error says why not. */
static const struct domain_disk *
find_medium(struct rpc_call *call, const struct domain *domain, const char *path)
{
	const struct domain_disk *disk = find_disk(domain_def_now(domain), path);

	if (!disk)
		(void)rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_QEMU,
			"invalid argument: invalid path %s not assigned to domain", path);
	else if (!disk->source.path)
		(void)rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_QEMU,
			"invalid argument: disk '%s' does not currently have a source assigned",
			path);
	return disk && disk->source.path ? disk : NULL;
}

/* What QEMU says; but of a file that nothing was written to, how long it is. As libvirt does. */
static int
block_info(struct rpc_call *call, const void *args_, const struct domain *domain,
	const struct inquiry_answers *answers)
{
	const struct rpc_domain_get_block_info_args *args = args_;
	const struct domain_disk *disk = find_medium(call, domain, args->path);
	const json_t *all = answers->values[INQUIRY_BLOCK_STATS];
	const json_t *nodes = answers->values[INQUIRY_BLOCK_NODES];
	struct rpc_domain_get_block_info_ret *ret = call->ret;
	struct block_stats stats;
	struct block_size size;
	struct image image;

	if (!disk)
		return RPC_FAILED;
	if (!disk->device.alias || !block_stats_read(all, disk->device.alias, &stats) ||
		!block_size_read(all, nodes, disk->device.alias, &size))
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU,
			"internal error: failed to gather stats for disk '%s'", disk->target);
	ret->capacity = size.capacity;
	ret->allocation = stats.highest ? stats.highest : size.physical;
	ret->physical = size.physical;
	/* QEMU counts blocks, of which a device has none. */
	if ((!stats.highest || !size.physical) && image_read(disk, &image) == 0)
		ret->physical = image.physical;
	return RPC_DONE;
}

/* Of a domain that does not run. */
static int
file_info(struct rpc_call *call, const struct domain_disk *disk,
	struct rpc_domain_get_block_info_ret *ret)
{
	struct image image;
	int r = image_read(disk, &image);

	if (r == VM_FILE_E_KIND)
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_STORAGE,
			"internal error: '%s' is neither a regular file nor a block device",
			disk->source.path);
	if (r < 0)
		return rpc_error_set_errno(&call->error, -r, VIR_FROM_QEMU,
			"Failed to open file '%s'", disk->source.path);
	ret->capacity = image.capacity;
	ret->allocation = image.allocation;
	ret->physical = image.physical;
	return RPC_DONE;
}

int
rpc_domain_get_block_info(struct rpc_call *call, const struct rpc_domain_get_block_info_args *args,
	struct rpc_domain_get_block_info_ret *ret)
{
	const struct domain_disk *disk;
	struct domain *domain;

	if (!*args->path)
		return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_DOMAIN,
			"string disk in virDomainGetBlockInfo must not be empty");
	if (call_check_flags(call, args->flags, 0) != RPC_DONE)
		return RPC_FAILED;
	domain = call_find_domain(call, &args->dom);
	disk = domain ? find_medium(call, domain, args->path) : NULL;
	if (!disk)
		return RPC_FAILED;
	if (!domain_is_active(domain))
		return file_info(call, disk, ret);
	return call_ask(call, args, domain, 1U << INQUIRY_BLOCK_STATS | 1U << INQUIRY_BLOCK_NODES,
		block_info);
}

/* --- errors ------------------------------------------------------------------------------- */

static int
disk_errors(struct rpc_call *call, const void *args_, const struct domain *domain,
	const struct inquiry_answers *answers)
{
	const struct rpc_domain_get_disk_errors_args *args = args_;
	struct rpc_domain_get_disk_errors_ret *ret = call->ret;
	const struct domain_def *def = domain_def_now(domain);

	if (!answers->values[INQUIRY_BLOCK_STATE])
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU,
			"internal error: QEMU has not told how its disks are");
	ret->errors = rpc_arena_array(&call->arena, def->n_disks, sizeof(*ret->errors));
	if (!ret->errors)
		return call_out_of_memory(call);
	for (size_t i = 0; i < def->n_disks && ret->n_errors < args->maxerrors; i++) {
		const struct domain_disk *disk = &def->disks[i];
		struct rpc_domain_disk_error *error = &ret->errors[ret->n_errors];

		if (!disk->device.alias)
			continue;
		error->error = (int32_t)block_error_read(
			answers->values[INQUIRY_BLOCK_STATE], disk->device.alias);
		if (error->error == BLOCK_ERROR_NONE)
			continue;
		error->disk = rpc_arena_strdup(&call->arena, disk->target);
		if (!error->disk)
			return call_out_of_memory(call);
		ret->n_errors++;
	}
	ret->nerrors = (int32_t)ret->n_errors;
	return RPC_DONE;
}

int
rpc_domain_get_disk_errors(struct rpc_call *call,
	const struct rpc_domain_get_disk_errors_args *args,
	struct rpc_domain_get_disk_errors_ret *ret)
{
	struct domain *domain;

	if (args->maxerrors > DISK_ERRORS_MAX)
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_RPC,
			"internal error: maxerrors too large");
	if (call_check_flags(call, args->flags, 0) != RPC_DONE)
		return RPC_FAILED;
	domain = call_find_running(call, &args->dom);
	if (!domain)
		return RPC_FAILED;
	/* How many there can be. */
	ret->nerrors = (int32_t)domain_def_now(domain)->n_disks;
	if (args->maxerrors == 0 || ret->nerrors == 0)
		return RPC_DONE;
	return call_ask(call, args, domain, 1U << INQUIRY_BLOCK_STATE, disk_errors);
}
