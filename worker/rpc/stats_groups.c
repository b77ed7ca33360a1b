/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stats_groups.c: the groups of a domain's statistics; see stats_groups.h.
 *
 * Runs in the worker. Names, types and order are libvirt 9.0.0's (measured: virsh domstats, and the
 * wire).
 */
#include "worker/rpc/stats_groups.h"

#include "worker/qemu/block_stats.h"
#include "worker/qemu/guest_memory.h"
#include "worker/qemu/iothread_info.h"
#include "worker/vm/image.h"
#include "worker/vm/traffic.h"
#include "worker/vm/usage.h"
#include "worker/vm/vm.h"

/* What the groups of one domain are made from. */
struct source {
	const struct domain *domain;
	const struct domain_def *def;
	bool active;
	struct usage usage;                    /* of its QEMU; what cannot be told is 0 */
	const struct inquiry_answers *answers; /* NULL: none */
};

/* --- state, cpu-total, balloon ------------------------------------------------------------ */

static void
add_state(struct params *params, const struct source *source)
{
	params_int(params, (int32_t)source->domain->state, "state.state");
	params_int(params, source->domain->reason, "state.reason");
}

static void
add_cpu(struct params *params, const struct source *source)
{
	const struct usage *usage = &source->usage;

	params_ullong(params, usage->user_ns + usage->system_ns, "cpu.time");
	params_ullong(params, usage->user_ns, "cpu.user");
	params_ullong(params, usage->system_ns, "cpu.system");
	if (!source->active)
		return;
	/* A definition has no monitors of caches. */
	params_uint(params, 0, "cpu.cache.monitor.count");
	/* Only KVM polls before it halts. */
	if (source->def->type == DOMAIN_TYPE_QEMU) {
		params_ullong(params, 0, "cpu.haltpoll.success.time");
		params_ullong(params, 0, "cpu.haltpoll.fail.time");
	}
}

static const json_t *
guest_stats(const struct inquiry_answers *answers)
{
	return answers ? answers->values[INQUIRY_GUEST_STATS] : NULL;
}

static void
add_balloon(struct params *params, const struct source *source)
{
	const struct domain_def *def = source->def;
	bool has_balloon = def->memballoon.virtio != 0;
	uint64_t value, current = has_balloon ? def->current_memory_kib : def->memory_kib;

	if (source->domain->vm)
		current = vm_memory_kib(source->domain->vm);
	params_ullong(params, current, "balloon.current");
	params_ullong(params, def->memory_kib, "balloon.maximum");
	if (!source->active)
		return;
	for (size_t i = 0; has_balloon && i < GUEST_MEMORY_STATS; i++)
		if ((source->answers || !def->memballoon.stats_period_s) &&
			guest_memory_read(guest_stats(source->answers), i, &value))
			params_ullong(params, value, "balloon.%s", guest_memory_stats[i].name);
	params_ullong(params, source->usage.rss_kib, "balloon.rss");
}

/* --- vcpu --------------------------------------------------------------------------------- */

enum { VCPU_RUNNING = 1 /* virVcpuState */ };

static void
add_vcpu(struct params *params, const struct source *source)
{
	const struct domain_def *def = source->def;
	const struct vcpu_usage *vcpus;

	params_uint(params, def->current_vcpus, "vcpu.current");
	params_uint(params, def->vcpus, "vcpu.maximum");
	if (!source->domain->vm)
		return;
	vcpus = vm_vcpus(source->domain->vm);
	if (!vcpus) {
		params->failed = true;
		return;
	}
	for (uint32_t i = 0; i < def->vcpus; i++) {
		const struct vcpu_usage *vcpu = &vcpus[i];

		if (!vcpu->wanted || !vcpu->tid)
			continue;
		params_int(params, VCPU_RUNNING, "vcpu.%u.state", i);
		params_ullong(
			params, vcpu->usage.user_ns + vcpu->usage.system_ns, "vcpu.%u.time", i);
		params_ullong(params, vcpu->wait_ns, "vcpu.%u.wait", i);
		params_ullong(params, vcpu->delay_ns, "vcpu.%u.delay", i);
	}
}

/* --- interface ---------------------------------------------------------------------------- */

static void
add_interface(struct params *params, const struct source *source)
{
	const struct vm *vm = source->domain->vm;
	size_t n = vm ? traffic_count(vm) : 0;

	if (!source->active)
		return;
	params_uint(params, (uint32_t)n, "net.count");
	for (size_t i = 0; i < n; i++) {
		struct traffic traffic;

		if (!traffic_read(vm, i, &traffic))
			continue;
		params_string(params, traffic.name, "net.%zu.name", i);
		params_ullong(params, traffic.rx_bytes, "net.%zu.rx.bytes", i);
		params_ullong(params, traffic.rx_packets, "net.%zu.rx.pkts", i);
		params_ullong(params, traffic.rx_errs, "net.%zu.rx.errs", i);
		params_ullong(params, traffic.rx_drop, "net.%zu.rx.drop", i);
		params_ullong(params, traffic.tx_bytes, "net.%zu.tx.bytes", i);
		params_ullong(params, traffic.tx_packets, "net.%zu.tx.pkts", i);
		params_ullong(params, traffic.tx_errs, "net.%zu.tx.errs", i);
		params_ullong(params, traffic.tx_drop, "net.%zu.tx.drop", i);
	}
}

/* --- block -------------------------------------------------------------------------------- */

static void
add_counters(struct params *params, size_t i, const struct block_stats *stats)
{
	params_ullong(params, stats->rd_operations, "block.%zu.rd.reqs", i);
	params_ullong(params, stats->rd_bytes, "block.%zu.rd.bytes", i);
	params_ullong(params, stats->rd_total_times, "block.%zu.rd.times", i);
	params_ullong(params, stats->wr_operations, "block.%zu.wr.reqs", i);
	params_ullong(params, stats->wr_bytes, "block.%zu.wr.bytes", i);
	params_ullong(params, stats->wr_total_times, "block.%zu.wr.times", i);
	params_ullong(params, stats->flush_operations, "block.%zu.fl.reqs", i);
	params_ullong(params, stats->flush_total_times, "block.%zu.fl.times", i);
}

/* The file itself; what it does not say is left out. */
static void
add_image(struct params *params, size_t i, const struct domain_disk *disk)
{
	struct image image;

	if (image_read(disk, &image) != 0)
		return;
	if (image.allocation)
		params_ullong(params, image.allocation, "block.%zu.allocation", i);
	if (image.capacity)
		params_ullong(params, image.capacity, "block.%zu.capacity", i);
	if (image.physical)
		params_ullong(params, image.physical, "block.%zu.physical", i);
}

static void
add_drive(struct params *params, size_t i, const struct domain_disk *disk,
	const struct inquiry_answers *answers)
{
	const json_t *all = answers ? answers->values[INQUIRY_BLOCK_STATS] : NULL;
	const json_t *nodes = answers ? answers->values[INQUIRY_BLOCK_NODES] : NULL;
	const char *alias = disk->device.alias;
	struct block_stats stats;
	struct block_size size;
	struct image image;

	if (!alias || !block_stats_read(all, alias, &stats))
		return;
	add_counters(params, i, &stats);
	if (!disk->source.path || !block_size_read(all, nodes, alias, &size))
		return;
	params_ullong(params, stats.highest, "block.%zu.allocation", i);
	if (size.capacity)
		params_ullong(params, size.capacity, "block.%zu.capacity", i);
	/* Of a file without content its length is told, as libvirt does. */
	if (!size.physical && image_read(disk, &image) == 0)
		size.physical = image.physical;
	if (size.physical)
		params_ullong(params, size.physical, "block.%zu.physical", i);
}

static void
add_block(struct params *params, const struct source *source)
{
	const struct domain_def *def = source->def;
	params_uint(params, (uint32_t)def->n_disks, "block.count");
	for (size_t i = 0; i < def->n_disks && !params->failed; i++) {
		const struct domain_disk *disk = &def->disks[i];

		params_string(params, disk->target, "block.%zu.name", i);
		if (disk->source.path)
			params_string(params, disk->source.path, "block.%zu.path", i);
		if (disk->source.path && source->active)
			params_uint(params, disk->source.node, "block.%zu.backingIndex", i);
		if (source->active)
			add_drive(params, i, disk, source->answers);
		else if (disk->source.path)
			add_image(params, i, disk);
	}
}

/* --- iothread ----------------------------------------------------------------------------- */

static void
add_iothreads(struct params *params, const struct source *source)
{
	const json_t *all = source->answers ? source->answers->values[INQUIRY_IOTHREADS] : NULL;
	uint32_t n = iothread_info_count(all);
	struct iothread_info its;

	if (n == 0)
		return;
	params_uint(params, n, "iothread.count");
	for (size_t i = 0; i < json_array_size(all); i++) {
		if (!iothread_info_read(all, i, &its) || !its.polls)
			continue;
		params_ullong(params, its.poll_max_ns, "iothread.%u.poll-max-ns", its.id);
		params_uint(params, its.poll_grow, "iothread.%u.poll-grow", its.id);
		params_uint(params, its.poll_shrink, "iothread.%u.poll-shrink", its.id);
	}
}

/* --- perf, memory, dirtyrate, vm ----------------------------------------------------------- */

/*
 * Nothing here can be made to count perf's events, or has monitors of memory bandwidth. Of a whole
 * machine KVM alone counts something.
 */
static void
add_nothing(struct params *params, const struct source *source)
{
	(void)params;
	(void)source;
}

/* Nothing here begins to measure how fast a guest writes to its memory. */
static void
add_dirtyrate(struct params *params, const struct source *source)
{
	enum { UNSTARTED = 0 /* virDomainDirtyRateStatus */ };

	if (!source->active)
		return;
	params_int(params, UNSTARTED, "dirtyrate.calc_status");
	params_llong(params, 0, "dirtyrate.calc_start_time");
	params_int(params, 0, "dirtyrate.calc_period");
	params_string(params, "page-sampling", "dirtyrate.calc_mode");
}

/* --- all of them -------------------------------------------------------------------------- */

static const struct {
	uint32_t group;
	bool running; /* of a domain that runs alone */
	void (*add)(struct params *params, const struct source *source);
} groups_in_order[] = {
	{STATS_STATE, false, add_state},
	{STATS_CPU_TOTAL, false, add_cpu},
	{STATS_BALLOON, false, add_balloon},
	{STATS_VCPU, false, add_vcpu},
	{STATS_INTERFACE, false, add_interface},
	{STATS_BLOCK, false, add_block},
	{STATS_PERF, false, add_nothing},
	{STATS_IOTHREAD, true, add_iothreads},
	{STATS_MEMORY, false, add_nothing},
	{STATS_DIRTYRATE, true, add_dirtyrate},
	{STATS_VM, true, add_nothing},
};

enum { N_GROUPS = sizeof(groups_in_order) / sizeof(groups_in_order[0]) };

uint32_t
stats_groups_supported(const struct domain *domain)
{
	uint32_t groups = 0;

	for (size_t i = 0; i < N_GROUPS; i++)
		if (!groups_in_order[i].running || domain_is_active(domain))
			groups |= groups_in_order[i].group;
	return groups;
}

unsigned
stats_groups_questions(const struct domain *domain, uint32_t groups)
{
	const struct domain_def *def = domain_def_now(domain);
	unsigned questions = 0;

	if (groups & STATS_BLOCK && def->n_disks > 0)
		questions |= 1U << INQUIRY_BLOCK_STATS | 1U << INQUIRY_BLOCK_NODES;
	/* A guest that is not asked for statistics has none. */
	if (groups & STATS_BALLOON && def->memballoon.stats_period_s > 0)
		questions |= 1U << INQUIRY_GUEST_STATS;
	if (groups & STATS_IOTHREAD && def->iothreads.n > 0)
		questions |= 1U << INQUIRY_IOTHREADS;
	return questions;
}

void
stats_groups_add(struct params *params, const struct domain *domain, uint32_t groups,
	const struct inquiry_answers *answers)
{
	struct source source = {.domain = domain,
		.def = domain_def_now(domain),
		.active = domain_is_active(domain),
		.answers = answers};

	if (domain->vm && groups & (STATS_CPU_TOTAL | STATS_BALLOON))
		(void)usage_read(domain->vm->pid, &source.usage);
	for (size_t i = 0; i < N_GROUPS; i++)
		if (groups & groups_in_order[i].group && !params->failed)
			groups_in_order[i].add(params, &source);
}
