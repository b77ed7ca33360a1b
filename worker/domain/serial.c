/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * serial.c: ISA serial ports, and libvirt's pairing of console and first serial port.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/serial.h"

#include <stdbool.h>

#include "worker/domain/def.h"
#include "worker/domain/parse.h"

#define PORT_OPEN UINT8_MAX /* until complete_serials() */

static const struct xml_word types[] = {{"pty", 1}, {NULL, 0}};
static const struct xml_word serial_targets[] = {{"isa-serial", 1}, {NULL, 0}};
static const struct xml_word serial_models[] = {{"isa-serial", 1}, {NULL, 0}};
static const struct xml_word console_targets[] = {{"serial", 1}, {NULL, 0}};

/* The host's end: a pty in name; its path comes and goes with the running VM. */
static int
parse_host_end(struct domain_parse *p, xmlNode *node)
{
	xmlNode *source = xml_child(node, "source");
	unsigned type;

	if (source)
		(void)xml_attr(source, "path");
	return xml_attr_word(node, "type", types, p->error, &type);
}

static int
refuse_number(struct domain_parse *p)
{
	return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_DOMAIN,
		"Maximum supported number of ISA serial ports is '%d'", DOMAIN_SERIALS_MAX);
}

static int
parse_target(struct domain_parse *p, xmlNode *node, struct domain_serial *serial)
{
	xmlNode *target = xml_child(node, "target");
	xmlNode *model = target ? xml_child(target, "model") : NULL;
	unsigned value;
	uint32_t port;
	int r = 0;

	serial->port = PORT_OPEN;
	if (target)
		r = xml_attr_word(target, "type", serial_targets, p->error, &value);
	if (r == 0 && model)
		r = xml_attr_word(model, "name", serial_models, p->error, &value);
	if (r || !target || !xml_attr(target, "port"))
		return r;
	r = xml_attr_number(target, "port", 10, UINT32_MAX, 0, p->error, &port);
	if (r)
		return r;
	if (port >= DOMAIN_SERIALS_MAX)
		return refuse_number(p);
	for (size_t i = 0; i < p->def->n_serials; i++)
		if (p->def->serials[i].port == port)
			return refuse_xml(p, "Multiple serial devices with port '%u'", port);
	serial->port = (uint8_t)port;
	return 0;
}

static int
append(struct domain_parse *p, struct domain_serial *serial)
{
	size_t n = p->def->n_serials;

	if (n == DOMAIN_SERIALS_MAX)
		return refuse_number(p);
	return domain_kind_insert(&domain_serial_kind, p->def, n, serial, p->error);
}

static int
parse_serial(struct domain_parse *p, xmlNode *node)
{
	struct domain_serial serial = {0};
	int r = parse_host_end(p, node);

	if (r == 0)
		r = parse_target(p, node, &serial);
	if (r == 0)
		r = domain_device_parse(p, node, &serial.device, DOMAIN_ADDRESS_NONE);
	if (r == 0)
		r = append(p, &serial);
	domain_kind_fini(&domain_serial_kind, &serial);
	return r;
}

static int
parse_console(struct domain_parse *p, xmlNode *node)
{
	xmlNode *target = xml_child(node, "target");
	struct domain_serial serial = {0};
	int r = parse_host_end(p, node);
	unsigned value;

	(void)xml_attr(node, "tty");
	if (r == 0 && target) {
		/* Whatever it says, it is the port of the first serial port. */
		(void)xml_attr(target, "port");
		r = xml_attr_word(target, "type", console_targets, p->error, &value);
	}
	if (r == 0 && p->console)
		r = domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
			"Only the first console can be a serial port");
	p->console = true;
	if (r == 0)
		r = domain_device_parse(p, node, &serial.device, DOMAIN_ADDRESS_NONE);
	serial.port = PORT_OPEN;
	if (r == 0 && p->def->n_serials == 0)
		r = append(p, &serial);
	domain_kind_fini(&domain_serial_kind, &serial);
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
		if (def->serials[i].port != PORT_OPEN)
			continue;
		if (next >= DOMAIN_SERIALS_MAX)
			return refuse_number(p);
		def->serials[i].port = (uint8_t)next++;
	}
	return 0;
}

static void
format_serial(struct writer *w, const struct domain_def *def, size_t i, unsigned flags)
{
	const struct domain_serial *serial = &def->serials[i];

	writer_start(w, "serial");
	writer_attr(w, "type", "pty");
	writer_start(w, "target");
	writer_attr(w, "type", "isa-serial");
	writer_attr_f(w, "port", "%u", serial->port);
	writer_start(w, "model");
	writer_attr(w, "name", "isa-serial");
	writer_end(w, "model");
	writer_end(w, "target");
	domain_device_format(w, &serial->device, flags);
	writer_end(w, "serial");
}

/* It goes with the first of them. */
static void
format_console(struct writer *w, const struct domain_def *def, unsigned flags)
{
	const struct domain_serial *serial = def->serials;

	if (def->n_serials == 0)
		return;
	writer_start(w, "console");
	writer_attr(w, "type", "pty");
	writer_start(w, "target");
	writer_attr(w, "type", "serial");
	writer_attr_f(w, "port", "%u", serial->port);
	writer_end(w, "target");
	domain_device_format(w, &serial->device, flags);
	writer_end(w, "console");
}

const struct domain_kind domain_serial_kind = {
	.element = "serial",
	DOMAIN_KIND_LIST(serials, domain_serial),
	.max = DOMAIN_SERIALS_MAX,
	.parse = parse_serial,
	.complete = complete_serials,
	.format = format_serial,
	.alias = "serial",
};

const struct domain_kind domain_console_kind = {
	.element = "console",
	.parse = parse_console,
	.format_all = format_console,
};
