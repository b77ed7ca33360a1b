/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device.h: what all devices have: alias and address.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_DEVICE_H
#define WORKER_DOMAIN_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

struct _xmlNode;
struct domain_parse;
struct writer;

/* 0: not said. */
enum domain_switch { DOMAIN_ON = 1, DOMAIN_OFF };

/* A place on the PCI buses of domain 0; bus is the index of the PCI controller. */
struct domain_pci_address {
	bool set;
	uint8_t bus, slot, function;
	enum domain_switch multifunction; /* 0: not said, which QEMU takes as off */
};

/* Where an ISA device is, as far as that is said. */
struct domain_isa_address {
	bool set;
	bool iobase_set, irq_set;
	uint16_t iobase;
	uint8_t irq;
};

/* A port of a USB controller; bus is its index. */
struct domain_usb_address {
	bool set;          /* the bus is said */
	uint8_t bus, port; /* port 0: any */
};

/* A place on a controller for disks: its index, and what else libvirt tells places apart by. */
struct domain_drive_address {
	bool set;
	uint32_t controller, bus, target, unit;
};

/* A port of a virtio-serial controller; 0: of a channel, any. */
struct domain_virtio_serial_address {
	bool set;
	uint8_t controller, port;
};

/* The kinds of <address>; a device takes one kind. */
enum domain_address {
	DOMAIN_ADDRESS_NONE,
	DOMAIN_ADDRESS_PCI,
	DOMAIN_ADDRESS_ISA,
	DOMAIN_ADDRESS_USB,
	DOMAIN_ADDRESS_DRIVE,
	DOMAIN_ADDRESS_VIRTIO_SERIAL
};

/* The first member of every device's struct. */
struct domain_device {
	char *alias; /* id in QEMU: the user's if it begins with "ua-", else ours; may be NULL */
	enum domain_address address; /* what it takes; PCI: domain_pci_assign() finds a place */
	bool conventional; /* PCI and not PCI Express: goes behind a bridge where there is Express */
	uint8_t prefers[2]; /* slots of bus 0: it gets the first that is free; 0: none */
	uint16_t
		slotmates; /* those with one number share a slot, pci.function is its own; 0: none */
	struct domain_pci_address pci;
	struct domain_isa_address isa;
	struct domain_usb_address usb; /* domain_usb_assign() finds a port */
	struct domain_drive_address drive;
	struct domain_virtio_serial_address virtio_serial;
	uint32_t boot_order; /* devices from which a guest can boot only; 0: none */
};

/**
 * The device's <alias>, and its <address>, which must be of the kind that it takes; that is kept in
 * device->address. Without DOMAIN_DEF_LIVE only the user's own alias ("ua-...") is kept, as in
 * libvirt: the others are made anew at each start. Returns 0, -ENOMEM or DOMAIN_E_REFUSED.
 */
int domain_device_parse(struct domain_parse *p, struct _xmlNode *node, struct domain_device *device,
	enum domain_address takes);

/** The device's <boot order>; domain_os_complete() compares them. As above. */
int domain_device_parse_boot(
	struct domain_parse *p, struct _xmlNode *node, struct domain_device *device);

/** Has the user given it an alias? */
bool domain_device_is_named(const struct domain_device *device);

/** The same elements; generated aliases only with DOMAIN_DEF_LIVE. */
void domain_device_format(struct writer *w, const struct domain_device *device, unsigned flags);
/** Each of them alone, for what has something else between the two. */
void domain_device_format_alias(
	struct writer *w, const struct domain_device *device, unsigned flags);
void domain_device_format_address(struct writer *w, const struct domain_device *device);

void domain_device_format_boot(struct writer *w, const struct domain_device *device);

void domain_device_fini(struct domain_device *device);

#endif
