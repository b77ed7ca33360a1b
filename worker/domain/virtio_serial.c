/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * virtio_serial.c: which port of which virtio-serial controller each channel is on; libvirt's
 * domain_addr.c (virDomainVirtioSerialAddrSet...).
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/virtio_serial.h"

#include "worker/domain/controller.h"

struct ports {
	struct domain_def *def;
	struct rpc_error *error;
	uint32_t used[DOMAIN_CONTROLLERS_MAX]; /* by the controller's index: a bit a port */
};

static struct domain_controller *
find(const struct domain_def *def, unsigned index)
{
	for (size_t i = 0; i < def->n_controllers; i++)
		if (def->controllers[i].type == DOMAIN_CONTROLLER_VIRTIO_SERIAL &&
			def->controllers[i].index == index)
			return &def->controllers[i];
	return NULL;
}

static unsigned
ports_of(const struct domain_controller *c)
{
	return c->ports < 0 ? DOMAIN_VIRTIO_SERIAL_PORTS : (unsigned)c->ports;
}

static int
want(struct ports *ports, const struct domain_device *device)
{
	return domain_controller_add_virtio_serial(
		ports->def, device->virtio_serial.controller, ports->error);
}

static int
want_controllers(struct ports *ports)
{
	int r = 0;

	for (size_t i = 0; i < ports->def->n_channels && r == 0; i++)
		r = want(ports, &ports->def->channels[i].chardev.device);
	for (size_t i = 0; i < ports->def->n_consoles && r == 0; i++)
		r = want(ports, &ports->def->consoles[i].chardev.device);
	return r;
}

static int
reserve(struct ports *ports, const struct domain_device *device)
{
	const struct domain_virtio_serial_address *a = &device->virtio_serial;
	const struct domain_controller *c = find(ports->def, a->controller);

	if (!c || a->port >= ports_of(c))
		return domain_refuse(ports->error, VIR_ERR_XML_ERROR, VIR_FROM_DOMAIN,
			"virtio serial controller %u does not have port %u", a->controller,
			a->port);
	if (ports->used[a->controller] & UINT32_C(1) << a->port)
		return domain_refuse(ports->error, VIR_ERR_XML_ERROR, VIR_FROM_DOMAIN,
			"virtio serial port %u on controller %u is already occupied", a->port,
			a->controller);
	ports->used[a->controller] |= UINT32_C(1) << a->port;
	return 0;
}

/* Port 0 is for consoles. */
static bool
is_complete(const struct domain_device *device)
{
	return device->virtio_serial.set && device->virtio_serial.port > 0;
}

static int
reserve_given(struct ports *ports)
{
	int r = 0;

	for (size_t i = 0; i < ports->def->n_consoles && r == 0; i++) {
		const struct domain_device *device = &ports->def->consoles[i].chardev.device;

		if (device->virtio_serial.set)
			r = reserve(ports, device);
	}
	for (size_t i = 0; i < ports->def->n_channels && r == 0; i++)
		if (is_complete(&ports->def->channels[i].chardev.device))
			r = reserve(ports, &ports->def->channels[i].chardev.device);
	return r;
}

/* Returns 0 when there is none. */
static uint8_t
take_port(struct ports *ports, const struct domain_controller *c)
{
	for (unsigned port = 1; port < ports_of(c); port++) {
		if (ports->used[c->index] & UINT32_C(1) << port)
			continue;
		ports->used[c->index] |= UINT32_C(1) << port;
		return (uint8_t)port;
	}
	return 0;
}

static bool
place_on(struct ports *ports, const struct domain_controller *c, struct domain_device *device)
{
	uint8_t port = take_port(ports, c);

	if (port > 0)
		device->virtio_serial = (struct domain_virtio_serial_address){
			.set = true, .controller = c->index, .port = port};
	return port > 0;
}

/* On the first controller that has one, or on a new one. */
static int
place(struct ports *ports, struct domain_device *device)
{
	for (unsigned i = 0; i < DOMAIN_CONTROLLERS_MAX; i++) {
		const struct domain_controller *c = find(ports->def, i);

		if (c && place_on(ports, c, device))
			return 0;
	}
	for (unsigned i = 0; i < DOMAIN_CONTROLLERS_MAX; i++) {
		int r;

		if (find(ports->def, i))
			continue;
		r = domain_controller_add_virtio_serial(ports->def, (uint8_t)i, ports->error);
		if (r)
			return r;
		if (place_on(ports, find(ports->def, i), device))
			return 0;
	}
	return domain_refuse(ports->error, VIR_ERR_XML_ERROR, VIR_FROM_DOMAIN,
		"Unable to find a free virtio-serial port");
}

static int
refuse_full(struct ports *ports, unsigned index)
{
	return domain_refuse(ports->error, VIR_ERR_XML_ERROR, VIR_FROM_DOMAIN,
		"Unable to find a free port on virtio-serial controller %u", index);
}

static int
place_on_given(struct ports *ports, struct domain_device *device)
{
	unsigned index = device->virtio_serial.controller;
	const struct domain_controller *c = find(ports->def, index);

	return c && place_on(ports, c, device) ? 0 : refuse_full(ports, index);
}

/* A console on port 0 stays there, and libvirt keeps one more port from channels for it. */
static int
spare_ports(struct ports *ports)
{
	for (size_t i = 0; i < ports->def->n_consoles; i++) {
		const struct domain_virtio_serial_address *a =
			&ports->def->consoles[i].chardev.device.virtio_serial;

		if (a->set && a->port == 0 &&
			take_port(ports, find(ports->def, a->controller)) == 0)
			return refuse_full(ports, a->controller);
	}
	return 0;
}

int
domain_virtio_serial_assign(struct domain_def *def, struct rpc_error *error)
{
	struct ports ports = {.def = def, .error = error};
	int r = want_controllers(&ports);

	if (r == 0)
		r = reserve_given(&ports);
	if (r == 0)
		r = spare_ports(&ports);
	for (size_t i = 0; i < def->n_channels && r == 0; i++) {
		struct domain_device *device = &def->channels[i].chardev.device;

		if (is_complete(device))
			continue;
		r = device->virtio_serial.set ? place_on_given(&ports, device)
					      : place(&ports, device);
	}
	return r;
}
