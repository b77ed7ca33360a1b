/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device.c: alias and address of a device.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/domain/parse.h"

#define ALIAS_MAX 64

static bool
is_users(const char *alias)
{
	return strncmp(alias, "ua-", 3) == 0;
}

static int
parse_alias(struct domain_parse *p, xmlNode *node, struct domain_device *device)
{
	xmlNode *alias = xml_child(node, "alias");
	const char *name = alias ? xml_attr(alias, "name") : NULL;

	if (!name || !(is_users(name) || p->flags & DOMAIN_DEF_LIVE))
		return 0;
	/* The characters that QEMU takes in an id. */
	if (!*name || strlen(name) > ALIAS_MAX ||
		name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				  "._-")])
		return refuse_unsupported(p,
			"alias '%.100s' may have %d letters, digits, dots, dashes and underscores",
			name, ALIAS_MAX);
	device->alias = strdup(name);
	return device->alias ? 0 : -ENOMEM;
}

/* One number of an address. */
static int
parse_part(struct domain_parse *p, xmlNode *address, const char *name, uint32_t max,
	uint32_t *ret_value)
{
	int r = xml_attr_number(address, name, 0, UINT32_MAX, 0, p->error, ret_value);

	if (r == 0 && *ret_value > max)
		return domain_refuse(p->error, VIR_ERR_XML_ERROR, VIR_FROM_NONE,
			"Invalid PCI address %s='0x%x', must be <= 0x%X", name, *ret_value, max);
	return r;
}

static int
parse_pci(struct domain_parse *p, xmlNode *address, struct domain_device *device)
{
	struct domain_pci_address *pci = &device->pci;
	uint32_t domain = 0, bus = 0, slot = 0, function = 0;
	unsigned multifunction = 0;
	int r;

	r = parse_part(p, address, "domain", 0xffff, &domain);
	if (r == 0)
		r = parse_part(p, address, "bus", 0xff, &bus);
	if (r == 0)
		r = parse_part(p, address, "slot", 0x1f, &slot);
	if (r == 0)
		r = parse_part(p, address, "function", 7, &function);
	if (r == 0)
		r = xml_attr_word(address, "multifunction", xml_on_off, p->error, &multifunction);
	if (r)
		return r;
	if (domain > 0)
		return refuse_xml(p,
			"Invalid PCI address %04x:%02x:%02x.%u. Only PCI domain 0 is available",
			domain, bus, slot, function);
	pci->set = bus > 0 || slot > 0; /* 0000:00:00.0 asks for any */
	if (!pci->set && (function > 0 || multifunction))
		return refuse_unsupported(
			p, "a PCI address with function or multifunction needs a bus or a slot");
	pci->bus = (uint8_t)bus;
	pci->slot = (uint8_t)slot;
	pci->function = (uint8_t)function;
	pci->multifunction = multifunction;
	return 0;
}

static int
parse_isa(struct domain_parse *p, xmlNode *address, struct domain_device *device)
{
	struct domain_isa_address *isa = &device->isa;
	uint32_t iobase = 0, irq = 0;
	int r;

	isa->set = true;
	isa->iobase_set = xml_attr(address, "iobase");
	isa->irq_set = xml_attr(address, "irq");
	r = xml_attr_number(address, "iobase", 0, 0xffff, 0, p->error, &iobase);
	if (r == 0)
		r = xml_attr_number(address, "irq", 0, 15, 0, p->error, &irq);
	isa->iobase = (uint16_t)iobase;
	isa->irq = (uint8_t)irq;
	return r;
}

static int
parse_usb(struct domain_parse *p, xmlNode *address, struct domain_device *device)
{
	const char *port = xml_attr(address, "port");
	uint32_t bus = 0;
	unsigned long number = 0;
	char *end = NULL;
	int r = xml_attr_number(address, "bus", 10, UINT8_MAX, 0, p->error, &bus);

	if (r)
		return r;
	if (port) {
		number = strtoul(port, &end, 10);
		if (*port < '0' || *port > '9' || (*end && *end != '.'))
			return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_DOMAIN,
				"Cannot parse <address> 'port' attribute");
		if (*end)
			return domain_refuse(p->error, VIR_ERR_XML_ERROR, VIR_FROM_NONE,
				"there is no hub at port %lu in USB address bus: %u port: %.20s",
				number, bus, port);
		if (number == 0 || number > UINT8_MAX)
			return domain_refuse(p->error, VIR_ERR_XML_ERROR, VIR_FROM_NONE,
				"requested USB port %lu not present on USB bus %u", number, bus);
	}
	device->usb.set = xml_attr(address, "bus");
	device->usb.bus = (uint8_t)bus;
	device->usb.port = (uint8_t)number;
	return 0;
}

static int
parse_drive(struct domain_parse *p, xmlNode *address, struct domain_device *device)
{
	struct domain_drive_address *drive = &device->drive;
	int r = xml_attr_number(
		address, "controller", 10, UINT32_MAX, 0, p->error, &drive->controller);

	if (r == 0)
		r = xml_attr_number(address, "bus", 10, UINT32_MAX, 0, p->error, &drive->bus);
	if (r == 0)
		r = xml_attr_number(address, "target", 10, UINT32_MAX, 0, p->error, &drive->target);
	if (r == 0)
		r = xml_attr_number(address, "unit", 10, UINT32_MAX, 0, p->error, &drive->unit);
	drive->set = true;
	return r;
}

/* QEMU's controller has one bus. */
static int
parse_virtio_serial(struct domain_parse *p, xmlNode *address, struct domain_device *device)
{
	struct domain_virtio_serial_address *a = &device->virtio_serial;
	uint32_t controller = 0, bus = 0, port = 0;
	int r;

	r = xml_attr_number(address, "controller", 10, UINT8_MAX, 0, p->error, &controller);
	if (r == 0)
		r = xml_attr_number(address, "bus", 10, 0, 0, p->error, &bus);
	if (r == 0)
		r = xml_attr_number(address, "port", 10, UINT8_MAX, 0, p->error, &port);
	*a = (struct domain_virtio_serial_address){
		.set = true, .controller = (uint8_t)controller, .port = (uint8_t)port};
	return r;
}

static const struct address {
	const char *type;
	int (*parse)(struct domain_parse *p, xmlNode *address, struct domain_device *device);
} addresses[] = {
	[DOMAIN_ADDRESS_PCI] = {"pci", parse_pci},
	[DOMAIN_ADDRESS_ISA] = {"isa", parse_isa},
	[DOMAIN_ADDRESS_USB] = {"usb", parse_usb},
	[DOMAIN_ADDRESS_DRIVE] = {"drive", parse_drive},
	[DOMAIN_ADDRESS_VIRTIO_SERIAL] = {"virtio-serial", parse_virtio_serial},
};

static int
parse_address(struct domain_parse *p, xmlNode *node, struct domain_device *device)
{
	const struct address *takes = &addresses[device->address];
	xmlNode *address = xml_child(node, "address");
	const char *type;

	if (!address)
		return 0;
	type = xml_attr(address, "type");
	if (!type)
		return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_DOMAIN,
			"No type specified for device address");
	if (strcmp(type, takes->type) != 0)
		return refuse_unsupported(p,
			"address type '%.100s' of element <%s> is not supported by qemud yet; "
			"use '%s'",
			type, (const char *)node->name, takes->type);
	return takes->parse(p, address, device);
}

int
domain_device_parse(struct domain_parse *p, xmlNode *node, struct domain_device *device,
	enum domain_address takes)
{
	int r = parse_alias(p, node, device);

	device->address = takes;
	/* Where none is taken, an <address> is refused as what nobody reads. */
	return r || takes == DOMAIN_ADDRESS_NONE ? r : parse_address(p, node, device);
}

int
domain_device_parse_boot(struct domain_parse *p, xmlNode *node, struct domain_device *device)
{
	xmlNode *boot = xml_child(node, "boot");
	int r;

	if (!boot)
		return 0;
	if (!xml_attr(boot, "order"))
		return domain_refuse(p->error, VIR_ERR_XML_ERROR, VIR_FROM_XML,
			"Missing required attribute 'order' in element 'boot'");
	r = xml_attr_number(boot, "order", 10, INT32_MAX, 0, p->error, &device->boot_order);
	if (r == 0 && device->boot_order == 0)
		return domain_refuse(p->error, VIR_ERR_XML_ERROR, VIR_FROM_XML,
			"Invalid value for attribute 'order' in element 'boot': Zero is not "
			"permitted");
	return r;
}

bool
domain_device_is_named(const struct domain_device *device)
{
	return device->alias && is_users(device->alias);
}

static void
format_pci(struct writer *w, const struct domain_pci_address *pci)
{
	writer_start(w, "address");
	writer_attr(w, "type", "pci");
	writer_attr(w, "domain", "0x0000");
	writer_attr_f(w, "bus", "0x%02x", pci->bus);
	writer_attr_f(w, "slot", "0x%02x", pci->slot);
	writer_attr_f(w, "function", "0x%x", pci->function);
	if (pci->multifunction)
		writer_attr(w, "multifunction", xml_word(xml_on_off, pci->multifunction));
	writer_end(w, "address");
}

static void
format_isa(struct writer *w, const struct domain_isa_address *isa)
{
	writer_start(w, "address");
	writer_attr(w, "type", "isa");
	if (isa->iobase_set)
		writer_attr_f(w, "iobase", "0x%x", isa->iobase);
	if (isa->irq_set)
		writer_attr_f(w, "irq", "0x%x", isa->irq);
	writer_end(w, "address");
}

static void
format_usb(struct writer *w, const struct domain_usb_address *usb)
{
	writer_start(w, "address");
	writer_attr(w, "type", "usb");
	writer_attr_f(w, "bus", "%u", usb->bus);
	writer_attr_f(w, "port", "%u", usb->port);
	writer_end(w, "address");
}

static void
format_drive(struct writer *w, const struct domain_drive_address *drive)
{
	writer_start(w, "address");
	writer_attr(w, "type", "drive");
	writer_attr_f(w, "controller", "%u", drive->controller);
	writer_attr_f(w, "bus", "%u", drive->bus);
	writer_attr_f(w, "target", "%u", drive->target);
	writer_attr_f(w, "unit", "%u", drive->unit);
	writer_end(w, "address");
}

static void
format_virtio_serial(struct writer *w, const struct domain_virtio_serial_address *a)
{
	writer_start(w, "address");
	writer_attr(w, "type", "virtio-serial");
	writer_attr_f(w, "controller", "%u", a->controller);
	writer_attr(w, "bus", "0");
	writer_attr_f(w, "port", "%u", a->port);
	writer_end(w, "address");
}

void
domain_device_format_alias(struct writer *w, const struct domain_device *device, unsigned flags)
{
	if (device->alias && (domain_device_is_named(device) || flags & DOMAIN_DEF_LIVE)) {
		writer_start(w, "alias");
		writer_attr(w, "name", device->alias);
		writer_end(w, "alias");
	}
}

void
domain_device_format_address(struct writer *w, const struct domain_device *device)
{
	if (device->pci.set)
		format_pci(w, &device->pci);
	if (device->isa.set)
		format_isa(w, &device->isa);
	if (device->usb.port)
		format_usb(w, &device->usb);
	if (device->drive.set)
		format_drive(w, &device->drive);
	if (device->virtio_serial.set)
		format_virtio_serial(w, &device->virtio_serial);
}

void
domain_device_format(struct writer *w, const struct domain_device *device, unsigned flags)
{
	domain_device_format_alias(w, device, flags);
	domain_device_format_address(w, device);
}

void
domain_device_format_boot(struct writer *w, const struct domain_device *device)
{
	if (!device->boot_order)
		return;
	writer_start(w, "boot");
	writer_attr_f(w, "order", "%u", device->boot_order);
	writer_end(w, "boot");
}

void
domain_device_fini(struct domain_device *device)
{
	free(device->alias);
	device->alias = NULL;
}
