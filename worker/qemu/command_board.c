/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_board.c: the board and what it has.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/qemu/command_machine.h"

/* On, unless the timer is said not to be there. */
static bool
has_hpet(const struct domain_def *def)
{
	const struct domain_timer *hpet = domain_clock_timer(&def->clock, DOMAIN_TIMER_HPET);

	return !hpet || hpet->present != DOMAIN_OFF;
}

void
command_add_board(struct command_line *line)
{
	const struct domain_def *def = line->def;

	command_line_add(line, "-machine");
	command_line_add_f(line, "%s,usb=off,dump-guest-core=off,memory-backend=pc.ram,acpi=%s%s",
		def->os.machine, def->acpi ? "on" : "off", has_hpet(def) ? "" : ",hpet=off");
	command_line_add(line, "-accel");
	command_line_add(line, def->type == DOMAIN_TYPE_KVM ? "kvm" : "tcg");
}
