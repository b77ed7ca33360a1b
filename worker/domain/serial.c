/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * serial.c: ISA serial ports, and libvirt's pairing of console and first serial port.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/serial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/domain/device.h"

#define PORT_OPEN UINT8_MAX /* until domain_serial_complete() */

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

/* Takes what the serial port owns, also on failure. */
static int
append(struct domain_parse *p, struct domain_serial *serial)
{
	struct domain_def *def = p->def;
	struct domain_serial *serials = NULL;

	if (def->n_serials < DOMAIN_SERIALS_MAX)
		serials = array_insert(
			def->serials, def->n_serials, sizeof(*serials), def->n_serials);
	if (!serials) {
		domain_serial_fini(serial);
		return def->n_serials < DOMAIN_SERIALS_MAX ? -ENOMEM : refuse_number(p);
	}
	def->serials = serials;
	serials[def->n_serials++] = *serial;
	return 0;
}

int
domain_serial_parse(struct domain_parse *p, xmlNode *node)
{
	struct domain_serial serial = {0};
	int r = parse_host_end(p, node);

	if (r == 0)
		r = parse_target(p, node, &serial);
	if (r == 0)
		r = domain_device_parse_alias(p, node, &serial.device);
	if (r) {
		domain_serial_fini(&serial);
		return r;
	}
	return append(p, &serial);
}

int
domain_console_parse(struct domain_parse *p, xmlNode *node)
{
	xmlNode *target = xml_child(node, "target");
	AUTO(domain_serial_fini) struct domain_serial serial = {0};
	int r = parse_host_end(p, node);
	unsigned value;

	(void)xml_attr(node, "tty");
	if (r == 0 && target) {
		/* Whatever it says, it is the port of the first serial port. */
		(void)xml_attr(target, "port");
		r = xml_attr_word(target, "type", console_targets, p->error, &value);
	}
	if (r == 0)
		r = domain_device_parse_alias(p, node, &serial.device);
	if (r)
		return r;
	if (p->console)
		return domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
			"Only the first console can be a serial port");
	p->console = true;
	if (p->def->n_serials > 0)
		return 0;
	serial.port = PORT_OPEN;
	r = append(p, &serial);
	memset(&serial, 0, sizeof(serial));
	return r;
}

int
domain_serial_complete(struct domain_parse *p)
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
format_serial(struct writer *w, const struct domain_serial *serial, unsigned flags)
{
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

static void
format_console(struct writer *w, const struct domain_serial *serial, unsigned flags)
{
	writer_start(w, "console");
	writer_attr(w, "type", "pty");
	writer_start(w, "target");
	writer_attr(w, "type", "serial");
	writer_attr_f(w, "port", "%u", serial->port);
	writer_end(w, "target");
	domain_device_format(w, &serial->device, flags);
	writer_end(w, "console");
}

void
domain_serial_format(struct writer *w, const struct domain_def *def, unsigned flags)
{
	for (size_t i = 0; i < def->n_serials; i++)
		format_serial(w, &def->serials[i], flags);
	if (def->n_serials > 0)
		format_console(w, &def->serials[0], flags);
}

void
domain_serial_fini(struct domain_serial *serial)
{
	domain_device_fini(&serial->device);
}
