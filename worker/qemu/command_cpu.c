/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_cpu.c: the CPUs.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/qemu/command_machine.h"

#include <inttypes.h>

/*
 * libvirt works out a named model with features that comes near what the host has; QEMU's own word
 * for that is exact. "minimum" asks for the same. A model of which something is missing is refused
 * by QEMU, where the definition wants a check.
 */
static void
add_cpu(struct command_line *line)
{
	const struct domain_cpu *cpu = &line->def->cpu;
	bool kvm = line->def->type == DOMAIN_TYPE_KVM;

	command_line_add(line, "-cpu");
	if (cpu->mode == DOMAIN_CPU_HOST_PASSTHROUGH)
		command_line_add_f(
			line, "host,migratable=%s", cpu->migratable == DOMAIN_OFF ? "off" : "on");
	else if (cpu->mode == DOMAIN_CPU_HOST_MODEL || cpu->match == DOMAIN_CPU_MINIMUM)
		command_line_add(line, kvm ? "host,migratable=on" : "max");
	else
		command_line_add_f(line, "%s%s", cpu->model,
			cpu->check == DOMAIN_CPU_CHECK_NONE ? "" : ",enforce=on");
}

/* Timers that the CPU has. */
static void
add_timers(struct command_line *line)
{
	const struct domain_clock *clock = &line->def->clock;

	for (size_t i = 0; i < clock->n_timers; i++) {
		const struct domain_timer *timer = &clock->timers[i];

		if (timer->name == DOMAIN_TIMER_KVMCLOCK && timer->present)
			command_line_append(
				line, ",kvmclock=%s", timer->present == DOMAIN_ON ? "on" : "off");
		else if (timer->name == DOMAIN_TIMER_HYPERVCLOCK && timer->present == DOMAIN_ON)
			command_line_append(line, ",hv-time=on");
		else if (timer->name == DOMAIN_TIMER_TSC && timer->frequency)
			command_line_append(line, ",tsc-frequency=%" PRIu64, timer->frequency);
	}
}

static void
add_vcpus(struct command_line *line)
{
	uint32_t vcpus = line->def->vcpus, current = line->def->current_vcpus;

	command_line_add(line, "-smp");
	if (current == vcpus)
		command_line_add_f(line, "%u,sockets=%u,cores=1,threads=1", vcpus, vcpus);
	else
		command_line_add_f(
			line, "%u,maxcpus=%u,sockets=%u,cores=1,threads=1", current, vcpus, vcpus);
}

void
command_add_cpu(struct command_line *line)
{
	add_cpu(line);
	add_timers(line);
	add_vcpus(line);
}
