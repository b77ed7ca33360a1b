/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * console.c: virtio consoles, and libvirt's pairing of console and first serial port.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/console.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "worker/domain/def.h"
#include "worker/domain/parse.h"

enum { TARGET_SERIAL = 1, TARGET_VIRTIO };

static const struct xml_word targets[] = {
	{"serial", TARGET_SERIAL},
	{"virtio", TARGET_VIRTIO},
	{NULL, 0},
};

static bool
is_same(const char *a, const char *b)
{
	return !a || (b && strcmp(a, b) == 0);
}

static bool
is_elsewhere(const struct domain_device *console, const struct domain_device *port)
{
	const struct domain_pci_address *a = &console->pci, *b = &port->pci;
	const struct domain_isa_address *c = &console->isa, *d = &port->isa;
	const struct domain_usb_address *e = &console->usb, *f = &port->usb;

	return (a->set && (!b->set || a->bus != b->bus || a->slot != b->slot ||
				  a->function != b->function ||
				  (a->multifunction && a->multifunction != b->multifunction))) ||
	       (c->set && !d->set) ||
	       (c->iobase_set && (!d->iobase_set || c->iobase != d->iobase)) ||
	       (c->irq_set && (!d->irq_set || c->irq != d->irq)) ||
	       (e->set && (!f->set || e->bus != f->bus || e->port != f->port));
}

/*
 * What libvirt drops: a console that has something which the port, whose other name it is, has not.
 * A path that is not kept (of a pty, of a running machine's socket) is not compared.
 */
static int
check_same(struct domain_parse *p, const struct domain_chardev *console,
	const struct domain_chardev *port)
{
	const char *what = NULL;

	if (console->type != port->type)
		what = "a type";
	else if (!is_same(console->path, port->path) || console->connect != port->connect ||
		 (console->append && console->append != port->append))
		what = "a source";
	else if (!is_same(console->log, port->log) ||
		 (console->log_append && console->log_append != port->log_append))
		what = "a log";
	else if (!is_same(console->device.alias, port->device.alias))
		what = "an alias";
	else if (is_elsewhere(&console->device, &port->device))
		what = "an address";
	if (!what)
		return 0;
	return refuse_unsupported(p,
		"the first <console> is the first <serial>, and has %s of its own; say it there, "
		"or give it <target type='virtio'/>",
		what);
}

/* It is the first serial port's other name. */
static int
pair(struct domain_parse *p, xmlNode *node, struct domain_chardev *chardev)
{
	const struct domain_chardev *port = p->def->n_serials ? &p->def->serials[0].chardev : NULL;
	int r;

	if (p->console)
		return domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
			"Only the first console can be a serial port");
	r = domain_device_parse(
		p, node, &chardev->device, port ? port->device.address : DOMAIN_ADDRESS_ISA);
	if (r == 0)
		r = port ? check_same(p, chardev, port) : domain_serial_add(p, chardev);
	p->def->serial_console = true;
	return r;
}

static int
add(struct domain_parse *p, xmlNode *node, struct domain_console *console)
{
	int r = domain_device_parse(
		p, node, &console->chardev.device, DOMAIN_ADDRESS_VIRTIO_SERIAL);

	if (r)
		return r;
	return domain_kind_insert(
		&domain_console_kind, p->def, p->def->n_consoles, console, p->error);
}

/* They are numbered as they come. */
static int
check_port(struct domain_parse *p, xmlNode *target)
{
	const char *port = xml_attr(target, "port");

	if (port && (!*port || port[strspn(port, "0123456789")]))
		return refuse_xml(p, "Invalid port number: %.100s", port);
	return 0;
}

static int
parse(struct domain_parse *p, xmlNode *node)
{
	struct domain_console console = {0};
	xmlNode *target = xml_child(node, "target");
	unsigned type = 0;
	int r = domain_chardev_parse(p, node, &console.chardev, true);

	(void)xml_attr(node, "tty");
	if (r == 0 && target) {
		r = check_port(p, target);
	}
	if (r == 0 && target) {
		r = xml_attr_word(target, "type", targets, p->error, &type);
	}
	if (r == 0 && type == TARGET_VIRTIO)
		r = add(p, node, &console);
	else if (r == 0)
		r = pair(p, node, &console.chardev);
	p->console = true;
	domain_kind_fini(&domain_console_kind, &console);
	return r;
}

/* As in libvirt, where a machine that has a port on ISA has such a console too. */
static int
complete(struct domain_parse *p)
{
	if (p->def->n_serials > 0 && p->def->serials[0].target == DOMAIN_SERIAL_ISA)
		p->def->serial_console = true;
	return 0;
}

static void
format_one(struct writer *w, const struct domain_chardev *chardev, const char *target, size_t port,
	unsigned flags)
{
	domain_chardev_format(w, "console", chardev, flags);
	writer_start(w, "target");
	writer_attr(w, "type", target);
	writer_attr_f(w, "port", "%zu", port);
	writer_end(w, "target");
	domain_device_format(w, &chardev->device, flags);
	writer_end(w, "console");
}

static void
format_all(struct writer *w, const struct domain_def *def, unsigned flags)
{
	size_t first = def->serial_console ? 1 : 0;

	if (def->serial_console)
		format_one(w, &def->serials[0].chardev, "serial", def->serials[0].port, flags);
	for (size_t i = 0; i < def->n_consoles; i++)
		format_one(w, &def->consoles[i].chardev, "virtio", first + i, flags);
}

/* The serial port's other name is one of the consoles. */
static int
name(const struct domain_def *def, size_t i, char **ret)
{
	if (asprintf(ret, "console%zu", i + (def->serial_console ? 1 : 0)) >= 0)
		return 0;
	*ret = NULL;
	return -ENOMEM;
}

const struct domain_kind domain_console_kind = {
	.element = "console",
	DOMAIN_KIND_LIST(consoles, domain_console),
	.max = DOMAIN_CONSOLES_MAX,
	.parse = parse,
	.complete = complete,
	.format_all = format_all,
	.name = name,
	.fini = domain_chardev_fini,
};
