/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * usb.c: ports of the USB controllers.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/usb.h"

#include <string.h>

#include "worker/domain/controller.h"
#include "worker/domain/usb_controller.h"

enum { BUSES = 256 };

struct ports {
	struct rpc_error *error;
	unsigned n[BUSES];    /* 0: no such bus */
	uint32_t used[BUSES]; /* bit N: port N; there is no port 0 */
};

/* The order in which libvirt gives ports. */
static const struct domain_kind *const kinds[] = {
	&domain_disk_kind,
	&domain_input_kind,
	&domain_serial_kind,
	&domain_sound_kind,
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

typedef int place_fn(struct ports *ports, struct domain_usb_address *a);

static int
reserve_given(struct ports *ports, struct domain_usb_address *a)
{
	if (!a->port)
		return 0;
	if (!ports->n[a->bus])
		return domain_refuse(ports->error, VIR_ERR_XML_ERROR, VIR_FROM_NONE,
			"Missing USB bus %u", a->bus);
	if (a->port > ports->n[a->bus])
		return domain_refuse(ports->error, VIR_ERR_XML_ERROR, VIR_FROM_NONE,
			"requested USB port %u not present on USB bus %u", a->port, a->bus);
	if (ports->used[a->bus] & UINT32_C(1) << a->port)
		return domain_refuse(ports->error, VIR_ERR_XML_ERROR, VIR_FROM_NONE,
			"Duplicate USB address bus %u port %u", a->bus, a->port);
	ports->used[a->bus] |= UINT32_C(1) << a->port;
	return 0;
}

static bool
take_port(struct ports *ports, struct domain_usb_address *a, unsigned bus)
{
	for (unsigned port = 1; port <= ports->n[bus]; port++) {
		if (ports->used[bus] & UINT32_C(1) << port)
			continue;
		ports->used[bus] |= UINT32_C(1) << port;
		a->set = true;
		a->bus = (uint8_t)bus;
		a->port = (uint8_t)port;
		return true;
	}
	return false;
}

/* A bus that is said is kept to. */
static int
place(struct ports *ports, struct domain_usb_address *a)
{
	unsigned first = a->set ? a->bus : 0, last = a->set ? a->bus : BUSES - 1;

	if (a->port)
		return 0;
	for (unsigned bus = first; bus <= last; bus++)
		if (take_port(ports, a, bus))
			return 0;
	return domain_refuse(ports->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_QEMU,
		"no free USB port is left, and a USB hub is not supported by qemud yet; a "
		"controller of model 'qemu-xhci' has up to 15 ports");
}

static int
for_all(struct domain_def *def, struct ports *ports, place_fn *fn)
{
	int r = 0;

	for (size_t k = 0; k < N_KINDS; k++)
		for (size_t i = 0; i < domain_kind_count(kinds[k], def) && r == 0; i++) {
			struct domain_device *device = domain_kind_at(kinds[k], def, i);

			if (device->address == DOMAIN_ADDRESS_USB)
				r = fn(ports, &device->usb);
		}
	return r;
}

static int
know_ports(const struct domain_def *def, struct ports *ports)
{
	for (size_t i = 0; i < def->n_controllers; i++) {
		const struct domain_controller *c = &def->controllers[i];
		unsigned n = c->type == DOMAIN_CONTROLLER_USB ? domain_usb_controller_ports(c) : 0;

		if (n && ports->n[c->index])
			return domain_refuse(ports->error, VIR_ERR_XML_ERROR, VIR_FROM_NONE,
				"Duplicate USB controllers with index %u", c->index);
		if (n)
			ports->n[c->index] = n;
	}
	return 0;
}

int
domain_usb_assign(struct domain_def *def, struct rpc_error *error)
{
	struct ports ports = {.error = error};
	int r = know_ports(def, &ports);

	if (r == 0)
		r = for_all(def, &ports, reserve_given);
	return r ? r : for_all(def, &ports, place);
}
