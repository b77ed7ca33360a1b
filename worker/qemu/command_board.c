/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_board.c: the board and what it has.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/qemu/command_machine.h"

#include <inttypes.h>

static const char *
on_off(enum domain_switch value)
{
	return value == DOMAIN_ON ? "on" : "off";
}

/* On, unless the timer is said not to be there. */
static bool
has_hpet(const struct domain_def *def)
{
	const struct domain_timer *hpet = domain_clock_timer(&def->clock, DOMAIN_TIMER_HPET);

	return !hpet || hpet->present != DOMAIN_OFF;
}

static void
add_machine(struct command_line *line)
{
	const struct domain_def *def = line->def;
	const struct domain_features *features = &def->features;

	command_line_add(line, "-machine");
	command_line_add_f(line, "%s,usb=off", def->os.machine);
	if (features->states[DOMAIN_FEATURE_VMPORT])
		command_line_append(
			line, ",vmport=%s", on_off(features->states[DOMAIN_FEATURE_VMPORT]));
	if (features->states[DOMAIN_FEATURE_SMM])
		command_line_append(line, ",smm=%s", on_off(features->states[DOMAIN_FEATURE_SMM]));
	if (features->ioapic)
		command_line_append(line, ",kernel_irqchip=%s",
			features->ioapic == DOMAIN_IOAPIC_QEMU ? "split" : "on");
	command_line_append(line, ",dump-guest-core=%s", on_off(def->dump_core));
	if (def->backing.nosharepages)
		command_line_append(line, ",mem-merge=off");
	if (def->numa.n_cells == 0)
		command_line_append(line, ",memory-backend=pc.ram");
	command_line_append(line, ",acpi=%s", on_off(features->states[DOMAIN_FEATURE_ACPI]));
	if (!has_hpet(def))
		command_line_append(line, ",hpet=off");
	if (def->os.bios_serial == DOMAIN_ON)
		command_line_append(line, ",graphics=off");
}

static void
add_accelerator(struct command_line *line)
{
	const struct domain_def *def = line->def;
	const struct domain_features *features = &def->features;

	command_line_add(line, "-accel");
	command_line_add(line, def->type == DOMAIN_TYPE_KVM ? "kvm" : "tcg");
	if (def->type == DOMAIN_TYPE_KVM && features->kvm[DOMAIN_KVM_DIRTY_RING] == DOMAIN_ON)
		command_line_append(line, ",dirty-ring-size=%u", features->dirty_ring_size);
	if (features->tb_cache_mib)
		command_line_append(line, ",tb-size=%" PRIu64, features->tb_cache_mib);
}

void
command_add_board(struct command_line *line)
{
	const struct domain_features *features = &line->def->features;

	add_machine(line);
	add_accelerator(line);
	if (features->has_tseg) {
		command_line_add(line, "-global");
		command_line_add_f(line, "mch.extended-tseg-mbytes=%u", features->tseg_mib);
	}
}
