/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * os.c: the board, and what it begins with; see os.h.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/os.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/domain/devices.h"
#include "worker/domain/parse.h"
#include "worker/domain/path.h"

static const struct xml_word boots[] = {
	{"fd", DOMAIN_BOOT_FD},
	{"hd", DOMAIN_BOOT_HD},
	{"cdrom", DOMAIN_BOOT_CDROM},
	{"network", DOMAIN_BOOT_NETWORK},
	{NULL, 0},
};

static const struct xml_word architectures[] = {{"x86_64", 1}, {NULL, 0}};

/* The families whose boards qemud knows; the rest of the name is QEMU's version. */
static const struct xml_word families[] = {
	{"pc-i440fx-", DOMAIN_CHIPSET_I440FX},
	{"pc-q35-", DOMAIN_CHIPSET_Q35},
	{NULL, 0},
};

enum domain_chipset
domain_chipset_of(const char *machine)
{
	for (const struct xml_word *f = families; f->word; f++)
		if (strncmp(machine, f->word, strlen(f->word)) == 0)
			return f->value;
	return 0;
}

static int
find_machine(struct domain_parse *p, const char *wanted)
{
	const struct domain_env *env = p->env;
	struct domain_os *os = &p->def->os;

	for (size_t i = 0; i < env->n_machines && !p->machine; i++) {
		const struct domain_machine *m = &env->machines[i];

		if (strcmp(m->name, wanted) == 0 || (m->alias && strcmp(m->alias, wanted) == 0))
			p->machine = m;
	}
	if (!p->machine)
		return refuse_unsupported(p, "Emulator '%s' does not support machine type '%.100s'",
			env->emulator, wanted);
	os->chipset = domain_chipset_of(p->machine->name);
	if (!os->chipset)
		return refuse_unsupported(p,
			"machine type '%s' is not supported by qemud yet; use 'pc' or 'q35'",
			wanted);
	os->machine = strdup(p->machine->name);
	return os->machine ? 0 : -ENOMEM;
}

static int
parse_type(struct domain_parse *p, xmlNode *os)
{
	xmlNode *node = os ? xml_child(os, "type") : NULL;
	free_auto char *type = NULL;
	const char *machine;
	unsigned architecture;
	int r;

	if (!node)
		return refuse_xml(p, "an os <type> must be specified");
	r = xml_text(node, &type);
	if (r)
		return r;
	if (!*type)
		return refuse_xml(p, "an os <type> must be specified");
	if (strcmp(type, "hvm") != 0)
		return refuse_unsupported(p, "Emulator '%s' does not support os type '%.100s'",
			p->env->emulator, type);
	r = xml_attr_word(node, "arch", architectures, p->error, &architecture);
	if (r)
		return r;
	machine = xml_attr(node, "machine");
	return find_machine(p, machine && *machine ? machine : p->env->machine);
}

static int
parse_boot(struct domain_parse *p, xmlNode *node)
{
	struct domain_os *os = &p->def->os;
	xmlNode *boot = NULL;
	unsigned device;
	int r;

	while ((boot = xml_each(node, "boot", boot))) {
		r = xml_attr_word(boot, "dev", boots, p->error, &device);
		if (r)
			return r;
		if (!device)
			return domain_refuse(p->error, VIR_ERR_XML_ERROR, VIR_FROM_XML,
				"Missing required attribute 'dev' in element 'boot'");
		if (os->n_boot == DOMAIN_BOOT_MAX)
			return refuse_unsupported(
				p, "more than %d <boot> elements below <os>", DOMAIN_BOOT_MAX);
		os->boot[os->n_boot++] = device;
	}
	return 0;
}

/* --- firmware ----------------------------------------------------------------------------- */

static const struct xml_word smbios_modes[] = {
	{"emulate", DOMAIN_SMBIOS_EMULATE},
	{"sysinfo", DOMAIN_SMBIOS_SYSINFO},
	{NULL, 0},
};

static int
parse_boot_menu(struct domain_parse *p, xmlNode *os_node)
{
	xmlNode *node = xml_child(os_node, "bootmenu");
	struct domain_os *os = &p->def->os;
	unsigned enable = 0;
	int r;

	if (!node)
		return 0;
	r = xml_attr_choice(node, "enable", xml_yes_no, p->error, &enable);
	os->boot_menu = enable;
	if (r || enable != DOMAIN_ON)
		return r;
	os->has_menu_timeout = xml_attr(node, "timeout") != NULL;
	r = xml_attr_number(node, "timeout", 10, UINT32_MAX, 0, p->error, &os->menu_timeout_ms);
	if (r == 0 && os->menu_timeout_ms > UINT16_MAX)
		return refuse_unsupported(
			p, "invalid value for boot menu timeout, must be in range [0,65535]");
	return r;
}

static int
parse_bios(struct domain_parse *p, xmlNode *os_node)
{
	xmlNode *node = xml_child(os_node, "bios");
	const char *timeout = node ? xml_attr(node, "rebootTimeout") : NULL;
	struct domain_os *os = &p->def->os;
	unsigned serial = 0;
	char *end;
	long ms;
	int r = node ? xml_attr_choice(node, "useserial", xml_yes_no, p->error, &serial) : 0;

	os->bios_serial = serial;
	if (r || !timeout)
		return r;
	errno = 0;
	ms = strtol(timeout, &end, 10);
	if (end == timeout || *end || errno || ms < -1 || ms > UINT16_MAX)
		return refuse_unsupported(
			p, "invalid value for rebootTimeout, must be in range [-1,65535]");
	os->has_reboot_timeout = true;
	os->reboot_timeout_ms = (int32_t)ms;
	return 0;
}

static int
parse_smbios(struct domain_parse *p, xmlNode *os_node)
{
	xmlNode *node = xml_child(os_node, "smbios");
	const char *mode = node ? xml_attr(node, "mode") : NULL;

	if (!mode)
		return 0;
	/* Only root may read it. */
	if (strcmp(mode, "host") == 0)
		return refuse_unsupported(p, "Host SMBIOS information is not available");
	p->def->os.smbios = xml_word_value(smbios_modes, mode);
	return p->def->os.smbios ? 0
				 : domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED,
					   VIR_FROM_DOMAIN, "unknown smbios mode '%.100s'", mode);
}

static int
parse_firmware(struct domain_parse *p, xmlNode *os)
{
	int r = parse_boot_menu(p, os);

	if (r == 0)
		r = parse_bios(p, os);
	return r ? r : parse_smbios(p, os);
}

int
domain_os_parse(struct domain_parse *p, xmlNode *domain)
{
	xmlNode *node = xml_child(domain, "os");
	struct domain_os *os = &p->def->os;
	int r = parse_type(p, node);

	if (r == 0)
		r = parse_boot(p, node);
	if (r == 0)
		r = domain_path_parse(p, node, "kernel", &os->kernel);
	if (r == 0)
		r = domain_path_parse(p, node, "initrd", &os->initrd);
	if (r == 0)
		r = xml_child_text(node, "cmdline", &os->cmdline);
	if (r == 0)
		r = parse_firmware(p, node);
	if (r == 0 && !os->kernel && (os->initrd || os->cmdline))
		return refuse_unsupported(
			p, "<initrd> and <cmdline> below <os> need a <kernel> beside them");
	return r;
}

/* Does any device have a boot order of its own? Each order is one device's. */
static int
check_orders(struct domain_parse *p, bool *ret_any)
{
	struct domain_cursor at = {0}, other_at;
	const struct domain_device *device, *other;

	*ret_any = false;
	while ((device = domain_device_next(p->def, &at))) {
		if (!device->boot_order)
			continue;
		*ret_any = true;
		for (other_at = at; (other = domain_device_next(p->def, &other_at));)
			if (other->boot_order == device->boot_order)
				return domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED,
					VIR_FROM_DOMAIN,
					"boot order '%u' used for more than one device",
					device->boot_order);
	}
	return 0;
}

int
domain_os_complete(struct domain_parse *p)
{
	struct domain_os *os = &p->def->os;
	bool own_orders;
	int r = check_orders(p, &own_orders);

	if (r)
		return r;
	if (own_orders && os->n_boot > 0)
		return domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
			"per-device boot elements cannot be used together with os/boot elements");
	if (!own_orders && os->n_boot == 0)
		os->boot[os->n_boot++] = DOMAIN_BOOT_HD;
	if (os->bios_serial == DOMAIN_ON && p->def->n_serials == 0)
		return refuse_xml(p, "need at least one serial port to use BIOS serial output");
	return 0;
}

static void
format_firmware(struct writer *w, const struct domain_os *os)
{
	if (os->boot_menu) {
		writer_start(w, "bootmenu");
		writer_attr(w, "enable", xml_word(xml_yes_no, os->boot_menu));
		if (os->has_menu_timeout)
			writer_attr_f(w, "timeout", "%u", os->menu_timeout_ms);
		writer_end(w, "bootmenu");
	}
	if (os->bios_serial || os->has_reboot_timeout) {
		writer_start(w, "bios");
		if (os->bios_serial)
			writer_attr(w, "useserial", xml_word(xml_yes_no, os->bios_serial));
		if (os->has_reboot_timeout)
			writer_attr_f(w, "rebootTimeout", "%d", os->reboot_timeout_ms);
		writer_end(w, "bios");
	}
	if (os->smbios) {
		writer_start(w, "smbios");
		writer_attr(w, "mode", xml_word(smbios_modes, os->smbios));
		writer_end(w, "smbios");
	}
}

void
domain_os_format(struct writer *w, const struct domain_def *def)
{
	const struct domain_os *os = &def->os;

	writer_start(w, "os");
	writer_start(w, "type");
	writer_attr(w, "arch", "x86_64");
	writer_attr(w, "machine", os->machine);
	writer_end_text(w, "type", "hvm");
	if (os->kernel)
		writer_element(w, "kernel", os->kernel);
	if (os->initrd)
		writer_element(w, "initrd", os->initrd);
	if (os->cmdline)
		writer_element(w, "cmdline", os->cmdline);
	for (unsigned i = 0; i < os->n_boot; i++) {
		writer_start(w, "boot");
		writer_attr(w, "dev", xml_word(boots, os->boot[i]));
		writer_end(w, "boot");
	}
	format_firmware(w, os);
	writer_end(w, "os");
}

void
domain_os_fini(struct domain_os *os)
{
	free(os->machine);
	free(os->kernel);
	free(os->initrd);
	free(os->cmdline);
}
