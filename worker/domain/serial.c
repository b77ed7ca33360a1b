/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * serial.c: serial and parallel ports.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/serial.h"

#include <stdbool.h>
#include <string.h>

#include "worker/domain/def.h"
#include "worker/domain/parse.h"

#define PORT_OPEN UINT8_MAX /* until complete_serials() */

/* The model is QEMU's name of the device, here the same. */
static const struct xml_word targets[] = {
	{"isa-serial", DOMAIN_SERIAL_ISA},
	{"pci-serial", DOMAIN_SERIAL_PCI},
	{"usb-serial", DOMAIN_SERIAL_USB},
	{NULL, 0},
};

static int
refuse_number(struct domain_parse *p)
{
	return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_DOMAIN,
		"Maximum supported number of ISA serial ports is '%d'", DOMAIN_ISA_SERIALS_MAX);
}

static int
parse_port(struct domain_parse *p, xmlNode *target, uint8_t *ret_port)
{
	uint32_t port;
	int r;

	if (!target || !xml_attr(target, "port"))
		return 0;
	r = xml_attr_number(target, "port", 10, UINT32_MAX, 0, p->error, &port);
	if (r == 0 && port >= PORT_OPEN)
		return refuse_unsupported(p, "port '%u' is higher than %d", port, PORT_OPEN - 1);
	*ret_port = (uint8_t)port;
	return r;
}

static int
parse_target(struct domain_parse *p, xmlNode *node, struct domain_serial *serial)
{
	xmlNode *target = xml_child(node, "target");
	xmlNode *model = target ? xml_child(target, "model") : NULL;
	unsigned type = 0, name = 0;
	int r = 0;

	serial->port = PORT_OPEN;
	if (target)
		r = xml_attr_word(target, "type", targets, p->error, &type);
	if (r == 0 && model)
		r = xml_attr_word(model, "name", targets, p->error, &name);
	if (r)
		return r;
	serial->target = type ? type : DOMAIN_SERIAL_ISA;
	if (name && name != serial->target)
		return domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
			"Target model '%s' requires target type '%s'", xml_word(targets, name),
			xml_word(targets, name));
	r = parse_port(p, target, &serial->port);
	for (size_t i = 0; i < p->def->n_serials && r == 0; i++)
		if (serial->port != PORT_OPEN && p->def->serials[i].port == serial->port)
			r = refuse_xml(p, "Multiple serial devices with port '%u'", serial->port);
	return r;
}

static int
parse_place(struct domain_parse *p, xmlNode *node, struct domain_serial *serial)
{
	static const enum domain_address places[] = {
		[DOMAIN_SERIAL_ISA] = DOMAIN_ADDRESS_ISA,
		[DOMAIN_SERIAL_PCI] = DOMAIN_ADDRESS_PCI,
		[DOMAIN_SERIAL_USB] = DOMAIN_ADDRESS_USB,
	};
	static const char *const names[] = {
		[DOMAIN_SERIAL_ISA] = "isa",
		[DOMAIN_SERIAL_PCI] = "pci",
		[DOMAIN_SERIAL_USB] = "usb",
	};
	struct domain_device *device = &serial->chardev.device;
	xmlNode *address = xml_child(node, "address");
	const char *type = address ? xml_attr(address, "type") : NULL;

	if (type && strcmp(type, names[serial->target]) != 0)
		return domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
			"Target type '%s' requires address type '%s'",
			xml_word(targets, serial->target), names[serial->target]);
	device->conventional = serial->target == DOMAIN_SERIAL_PCI;
	return domain_device_parse(p, node, device, places[serial->target]);
}

static int
append(struct domain_parse *p, struct domain_serial *serial)
{
	return domain_kind_insert(&domain_serial_kind, p->def, p->def->n_serials, serial, p->error);
}

static int
parse_serial(struct domain_parse *p, xmlNode *node)
{
	struct domain_serial serial = {0};
	int r = domain_chardev_parse(p, node, &serial.chardev, true);

	if (r == 0)
		r = parse_target(p, node, &serial);
	if (r == 0)
		r = parse_place(p, node, &serial);
	if (r == 0)
		r = append(p, &serial);
	domain_kind_fini(&domain_serial_kind, &serial);
	return r;
}

int
domain_serial_add(struct domain_parse *p, struct domain_chardev *chardev)
{
	struct domain_serial serial = {.target = DOMAIN_SERIAL_ISA, .port = PORT_OPEN};
	int r;

	serial.chardev = *chardev;
	r = append(p, &serial);
	/* Not taken: it is the caller's still. */
	if (r == 0)
		memset(chardev, 0, sizeof(*chardev));
	return r;
}

static int
complete_serials(struct domain_parse *p)
{
	struct domain_def *def = p->def;
	unsigned next = 0;

	for (size_t i = 0; i < def->n_serials; i++)
		if (def->serials[i].port != PORT_OPEN && def->serials[i].port >= next)
			next = def->serials[i].port + 1u;
	for (size_t i = 0; i < def->n_serials; i++) {
		struct domain_serial *serial = &def->serials[i];

		if (serial->port == PORT_OPEN && next < PORT_OPEN)
			serial->port = (uint8_t)next++;
		if (serial->port == PORT_OPEN || (serial->target == DOMAIN_SERIAL_ISA &&
							 serial->port >= DOMAIN_ISA_SERIALS_MAX))
			return refuse_number(p);
	}
	return 0;
}

static void
format_serial(struct writer *w, const struct domain_def *def, size_t i, unsigned flags)
{
	const struct domain_serial *serial = &def->serials[i];

	domain_chardev_format(w, "serial", &serial->chardev, flags);
	writer_start(w, "target");
	writer_attr(w, "type", xml_word(targets, serial->target));
	writer_attr_f(w, "port", "%u", serial->port);
	writer_start(w, "model");
	writer_attr(w, "name", xml_word(targets, serial->target));
	writer_end(w, "model");
	writer_end(w, "target");
	domain_device_format(w, &serial->chardev.device, flags);
	writer_end(w, "serial");
}

const struct domain_kind domain_serial_kind = {
	.element = "serial",
	DOMAIN_KIND_LIST(serials, domain_serial),
	.max = DOMAIN_SERIALS_MAX,
	.parse = parse_serial,
	.complete = complete_serials,
	.format = format_serial,
	.alias = "serial",
	.fini = domain_chardev_fini,
};

/* --- parallel ports ----------------------------------------------------------------------- */

static int
parse_parallel(struct domain_parse *p, xmlNode *node)
{
	struct domain_parallel parallel = {.port = PORT_OPEN};
	int r = domain_chardev_parse(p, node, &parallel.chardev, true);

	if (r == 0)
		r = parse_port(p, xml_child(node, "target"), &parallel.port);
	for (size_t i = 0; i < p->def->n_parallels && r == 0; i++)
		if (parallel.port != PORT_OPEN && p->def->parallels[i].port == parallel.port)
			r = refuse_xml(
				p, "Multiple parallel devices with port '%u'", parallel.port);
	if (r == 0)
		r = domain_device_parse(p, node, &parallel.chardev.device, DOMAIN_ADDRESS_NONE);
	if (r == 0)
		r = domain_kind_insert(
			&domain_parallel_kind, p->def, p->def->n_parallels, &parallel, p->error);
	domain_kind_fini(&domain_parallel_kind, &parallel);
	return r;
}

static int
complete_parallels(struct domain_parse *p)
{
	struct domain_def *def = p->def;
	unsigned next = 0;

	for (size_t i = 0; i < def->n_parallels; i++)
		if (def->parallels[i].port != PORT_OPEN && def->parallels[i].port >= next)
			next = def->parallels[i].port + 1u;
	for (size_t i = 0; i < def->n_parallels; i++) {
		if (def->parallels[i].port == PORT_OPEN)
			def->parallels[i].port = (uint8_t)next++;
		if (def->parallels[i].port >= DOMAIN_PARALLELS_MAX)
			return refuse_unsupported(
				p, "a PC has %d parallel ports, from 0 on", DOMAIN_PARALLELS_MAX);
	}
	return 0;
}

static void
format_parallel(struct writer *w, const struct domain_def *def, size_t i, unsigned flags)
{
	const struct domain_parallel *parallel = &def->parallels[i];

	domain_chardev_format(w, "parallel", &parallel->chardev, flags);
	writer_start(w, "target");
	writer_attr_f(w, "port", "%u", parallel->port);
	writer_end(w, "target");
	domain_device_format(w, &parallel->chardev.device, flags);
	writer_end(w, "parallel");
}

const struct domain_kind domain_parallel_kind = {
	.element = "parallel",
	DOMAIN_KIND_LIST(parallels, domain_parallel),
	.max = DOMAIN_PARALLELS_MAX,
	.parse = parse_parallel,
	.complete = complete_parallels,
	.format = format_parallel,
	.alias = "parallel",
	.fini = domain_chardev_fini,
};
