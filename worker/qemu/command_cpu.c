/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_cpu.c: the CPUs.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/qemu/command_machine.h"

#include <inttypes.h>
#include <string.h>

#include "worker/domain/hyperv.h"

static const char *
on_off(enum domain_switch value)
{
	return value == DOMAIN_ON ? "on" : "off";
}

static void
append_switch(struct command_line *line, const char *name, enum domain_switch value)
{
	if (value)
		command_line_append(line, ",%s=%s", name, on_off(value));
}

/*
 * libvirt works out a named model with features that comes near what the host has; QEMU's own word
 * for that is exact. "minimum" asks for the same. A model of which something is missing is refused
 * by QEMU, where the definition wants a check.
 */
static void
add_model(struct command_line *line)
{
	const struct domain_cpu *cpu = &line->def->cpu;
	bool kvm = line->def->type == DOMAIN_TYPE_KVM;

	command_line_add(line, "-cpu");
	if (cpu->mode == DOMAIN_CPU_MAXIMUM) {
		command_line_add(line, "max");
		append_switch(line, "migratable", cpu->migratable);
	} else if (cpu->mode == DOMAIN_CPU_HOST_PASSTHROUGH) {
		command_line_add_f(line, "host,migratable=%s", on_off(cpu->migratable));
	} else if (cpu->mode == DOMAIN_CPU_HOST_MODEL || cpu->match == DOMAIN_CPU_MINIMUM) {
		command_line_add(line, kvm ? "host,migratable=on" : "max");
	} else {
		command_line_add_f(line, "%s%s", cpu->model,
			cpu->check == DOMAIN_CPU_CHECK_NONE ? "" : ",enforce=on");
	}
	if (*cpu->vendor_id)
		command_line_append(line, ",vendor=%s", cpu->vendor_id);
	for (size_t i = 0; i < cpu->n_features; i++) {
		enum domain_cpu_policy policy = cpu->features[i].policy;
		bool off = policy == DOMAIN_CPU_DISABLE || policy == DOMAIN_CPU_FORBIDDEN;

		command_line_append(line, ",%s=%s", cpu->features[i].name, off ? "off" : "on");
	}
}

/* Timers that the CPU has. */
static void
add_timers(struct command_line *line)
{
	const struct domain_clock *clock = &line->def->clock;

	for (size_t i = 0; i < clock->n_timers; i++) {
		const struct domain_timer *timer = &clock->timers[i];

		if (timer->name == DOMAIN_TIMER_KVMCLOCK)
			append_switch(line, "kvmclock", timer->present);
		else if (timer->name == DOMAIN_TIMER_HYPERVCLOCK && timer->present == DOMAIN_ON)
			command_line_append(line, ",hv-time=on");
		else if (timer->name == DOMAIN_TIMER_TSC && timer->frequency)
			command_line_append(line, ",tsc-frequency=%" PRIu64, timer->frequency);
	}
}

/* "vendor_id" is "hv-vendor-id" in QEMU. */
static void
append_hyperv(struct command_line *line, enum domain_hyperv feature)
{
	const struct domain_features *features = &line->def->features;
	char name[32];

	(void)snprintf(name, sizeof(name), "hv-%s", domain_hyperv_word(feature));
	for (char *c = name; *c; c++)
		if (*c == '_')
			*c = '-';
	if (feature == DOMAIN_HYPERV_SPINLOCKS)
		command_line_append(line, ",%s=0x%x", name, features->spinlock_retries);
	else if (feature == DOMAIN_HYPERV_VENDOR_ID)
		command_line_append(line, ",%s=%s", name, features->hyperv_vendor);
	else
		command_line_append(line, ",%s=on", name);
	if (feature == DOMAIN_HYPERV_STIMER && features->stimer_direct)
		command_line_append(line, ",hv-stimer-direct=on");
}

/* What the hypervisor shows of itself in the CPU. */
static void
add_hypervisor(struct command_line *line)
{
	const struct domain_features *features = &line->def->features;

	append_switch(line, "kvm-pv-eoi", features->apic_eoi);
	append_switch(line, "kvm-pv-unhalt", features->states[DOMAIN_FEATURE_PVSPINLOCK]);
	if (features->hyperv_mode == DOMAIN_HYPERV_PASSTHROUGH)
		command_line_append(line, ",hv-passthrough=on");
	for (enum domain_hyperv i = 0; i < DOMAIN_HYPERV_N; i++)
		if (features->hyperv[i] == DOMAIN_ON)
			append_hyperv(line, i);
	if (features->kvm[DOMAIN_KVM_HIDDEN] == DOMAIN_ON)
		command_line_append(line, ",kvm=off");
	if (features->kvm[DOMAIN_KVM_HINT_DEDICATED] == DOMAIN_ON)
		command_line_append(line, ",kvm-hint-dedicated=on");
	if (features->kvm[DOMAIN_KVM_POLL_CONTROL] == DOMAIN_ON)
		command_line_append(line, ",kvm-poll-control=on");
	if (features->kvm[DOMAIN_KVM_PV_IPI] == DOMAIN_OFF)
		command_line_append(line, ",kvm-pv-ipi=off");
	append_switch(line, "pmu", features->states[DOMAIN_FEATURE_PMU]);
}

static void
add_cache(struct command_line *line)
{
	const struct domain_cpu *cpu = &line->def->cpu;
	bool like_host =
		cpu->mode == DOMAIN_CPU_HOST_PASSTHROUGH || cpu->mode == DOMAIN_CPU_MAXIMUM;

	switch (cpu->cache) {
	case DOMAIN_CACHE_EMULATE:
		command_line_append(
			line, ",l3-cache=on%s", like_host ? ",host-cache-info=off" : "");
		break;
	case DOMAIN_CACHE_PASSTHROUGH:
		command_line_append(line, ",host-cache-info=on,l3-cache=off");
		break;
	case DOMAIN_CACHE_DISABLE:
		command_line_append(
			line, "%s,l3-cache=off", like_host ? ",host-cache-info=off" : "");
		break;
	}
}

static void
add_addresses(struct command_line *line)
{
	const struct domain_cpu *cpu = &line->def->cpu;

	if (cpu->address == DOMAIN_ADDRESS_PASSTHROUGH)
		command_line_append(line, ",host-phys-bits=on");
	else if (cpu->address == DOMAIN_ADDRESS_EMULATE)
		command_line_append(line, ",phys-bits=%u", cpu->address_bits);
}

/* Those that the machine is made with, and keeps. */
static uint32_t
count_fixed(const struct domain_def *def)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < def->vcpus; i++)
		n += !domain_vcpu_hotpluggable(def, i);
	return n;
}

static void
add_topology(struct command_line *line)
{
	const struct domain_cpu *cpu = &line->def->cpu;
	uint32_t vcpus = line->def->vcpus, fixed = count_fixed(line->def);

	command_line_add(line, "-smp");
	command_line_add_f(line, "%u", fixed);
	if (fixed != vcpus)
		command_line_append(line, ",maxcpus=%u", vcpus);
	if (cpu->sockets)
		command_line_append(line, ",sockets=%u,dies=%u,cores=%u,threads=%u", cpu->sockets,
			cpu->dies, cpu->cores, cpu->threads);
	else
		command_line_append(line, ",sockets=%u,cores=1,threads=1", vcpus);
}

/* One that can be taken away is a device, of the type of all of them (QEMU 7.2, hw/i386/x86.c). */
static void
add_vcpu(struct command_line *line, uint32_t id, const char *model)
{
	const struct domain_cpu *cpu = &line->def->cpu;
	bool given = cpu->sockets > 0;
	uint32_t threads = given ? cpu->threads : 1, cores = given ? cpu->cores : 1;
	uint32_t dies = given ? cpu->dies : 1;

	command_line_add(line, "-device");
	command_line_add_f(line,
		"%.*s-x86_64-cpu,id=vcpu%u,socket-id=%u,die-id=%u,core-id=%u,thread-id=%u",
		(int)strcspn(model, ","), model, id, id / (threads * cores * dies),
		id / (threads * cores) % dies, id / threads % cores, id % threads);
}

/* model: as "-cpu" has it, with what follows. */
static void
add_vcpus(struct command_line *line, const char *model)
{
	const struct domain_def *def = line->def;
	uint32_t ids[DOMAIN_VCPUS_MAX], n = domain_vcpus_in_order(def, ids);

	for (uint32_t i = 0; i < n; i++)
		if (domain_vcpu_hotpluggable(def, ids[i]))
			add_vcpu(line, ids[i], model);
}

void
command_add_cpu(struct command_line *line)
{
	size_t at = line->command->n_args + 1; /* behind "-cpu" */

	add_model(line);
	add_timers(line);
	add_hypervisor(line);
	add_cache(line);
	add_addresses(line);
	add_topology(line);
	if (!line->failed)
		add_vcpus(line, line->command->args[at]);
}
