/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_firmware.c: how the firmware begins, and what it tells the guest.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/qemu/command_machine.h"

#include <stdlib.h>

#include "lib/uuid.h"

void
command_add_boot(struct command_line *line)
{
	const struct domain_os *os = &line->def->os;

	command_line_add(line, "-boot");
	command_line_add(line, "");
	if (os->boot_menu)
		command_line_append(line, "menu=%s,", os->boot_menu == DOMAIN_ON ? "on" : "off");
	if (os->has_menu_timeout)
		command_line_append(line, "splash-time=%u,", os->menu_timeout_ms);
	if (os->has_reboot_timeout)
		command_line_append(line, "reboot-timeout=%d,", os->reboot_timeout_ms);
	command_line_append(line, "strict=on");
}

/* ",name=value", in which a comma would begin another option. */
static void
append_option(struct command_line *line, const char *name, const char *value)
{
	free_auto char *escaped = command_line_escape(line, value, ',', ',');

	command_line_append(line, ",%s=%s", name, escaped ? escaped : "");
}

static void
add_table(struct command_line *line, enum domain_smbios_table table)
{
	char *const *values = line->def->sysinfo.smbios[table];
	const char *const *strings = domain_smbios_strings(table);
	bool begun = false;

	for (size_t i = 0; strings[i]; i++) {
		if (!values[i])
			continue;
		if (!begun) {
			command_line_add(line, "-smbios");
			command_line_add_f(line, "type=%d", (int)table);
		}
		begun = true;
		append_option(line, strings[i], values[i]);
	}
}

static void
add_smbios(struct command_line *line)
{
	const struct domain_sysinfo *info = &line->def->sysinfo;

	if (line->def->os.smbios != DOMAIN_SMBIOS_SYSINFO)
		return;
	for (enum domain_smbios_table i = 0; i < DOMAIN_SMBIOS_N; i++)
		add_table(line, i);
	if (info->n_oem) {
		command_line_add(line, "-smbios");
		command_line_add(line, "type=11");
	}
	for (size_t i = 0; i < info->n_oem; i++)
		append_option(line, "value", info->oem[i]);
}

static void
add_fwcfgs(struct command_line *line)
{
	const struct domain_sysinfo *info = &line->def->sysinfo;

	for (size_t i = 0; i < info->n_fwcfgs; i++) {
		free_auto char *name = command_line_escape(line, info->fwcfgs[i].name, ',', ',');

		command_line_add(line, "-fw_cfg");
		command_line_add_f(line, "name=%s", name ? name : "");
		append_option(line, "string", info->fwcfgs[i].value);
	}
}

void
command_add_firmware(struct command_line *line)
{
	const struct domain_def *def = line->def;
	char uuid[UUID_TEXT_SIZE];

	add_smbios(line);
	add_fwcfgs(line);
	if (def->has_genid)
		command_line_add_json(line, "-device",
			json_pack("{ss ss ss}", "driver", "vmgenid", "guid",
				uuid_format(def->genid, uuid), "id", "vmgenid0"));
	if (domain_feature_is_on(&def->features, DOMAIN_FEATURE_VMCOREINFO))
		command_line_add_json(line, "-device", json_pack("{ss}", "driver", "vmcoreinfo"));
}
