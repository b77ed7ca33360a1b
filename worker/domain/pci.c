/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pci.c: PCI address assignment for the two boards.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/pci.h"

#include <errno.h>
#include <string.h>

#include "worker/domain/controller.h"

#define SLOTS       32
#define FUNCTIONS   8
#define BUSES       256
#define PLUGGED_MAX 1024 /* more than there are places */

enum bus { BUS_PORT = 0, BUS_ROOT, BUS_BRIDGE };

struct buses {
	struct rpc_error *error;
	enum bus kind[BUSES];
	uint8_t used[BUSES][SLOTS]; /* a bit a function */
	bool shared[SLOTS];         /* of bus 0: the slot holds root ports, one a function */
	unsigned n;
};

/* What stands on bus 0 and is no device of the definition: bridges, power management. */
static const struct built_in {
	enum domain_chipset chipset;
	uint8_t slot, functions;
} built_in[] = {
	{DOMAIN_CHIPSET_I440FX, 0, 1 << 0},
	{DOMAIN_CHIPSET_I440FX, 1, 1 << 0 | 1 << 1 | 1 << 3},
	{DOMAIN_CHIPSET_Q35, 0, 1 << 0},
	{DOMAIN_CHIPSET_Q35, 0x1f, 1 << 0 | 1 << 2 | 1 << 3},
};

static bool
is_bridge(const struct domain_controller *c)
{
	return c->model == DOMAIN_MODEL_PCIE_TO_PCI_BRIDGE;
}

static bool
is_port(const struct domain_controller *c)
{
	return c->model == DOMAIN_MODEL_PCIE_ROOT_PORT;
}

/* Controllers at a fixed place of the board are counted as built in. */
static bool
is_built_in(const struct domain_def *def, const struct domain_pci_address *a)
{
	for (size_t i = 0; i < sizeof(built_in) / sizeof(built_in[0]); i++)
		if (built_in[i].chipset == def->os.chipset && a->bus == 0 &&
			built_in[i].slot == a->slot && built_in[i].functions & 1 << a->function)
			return true;
	return false;
}

/* The order in which libvirt gives places. */
static const struct {
	const struct domain_kind *kind;
	size_t from, to; /* of its devices */
} order[] = {
	{&domain_video_kind, 0, 1},
	{&domain_interface_kind, 0, SIZE_MAX},
	{&domain_sound_kind, 0, SIZE_MAX},
	{&domain_controller_kind, 0, SIZE_MAX},
	{&domain_disk_kind, 0, SIZE_MAX},
	{&domain_memballoon_kind, 0, SIZE_MAX},
	{&domain_rng_kind, 0, SIZE_MAX},
	{&domain_watchdog_kind, 0, SIZE_MAX},
	{&domain_video_kind, 1, SIZE_MAX},
	{&domain_input_kind, 0, SIZE_MAX},
	{&domain_serial_kind, 0, SIZE_MAX},
};

static bool
is_plugged(const struct domain_def *def, const struct domain_kind *kind, size_t i)
{
	if (kind == &domain_controller_kind)
		return domain_controller_is_plugged(def, &def->controllers[i]);
	return domain_kind_at(kind, def, i)->address == DOMAIN_ADDRESS_PCI;
}

/* Controllers that the definition does not name come behind all that it names. */
static bool
comes_late(const struct domain_def *def, const struct domain_kind *kind, size_t i)
{
	return kind == &domain_controller_kind && def->controllers[i].added;
}

/* The devices that are plugged into a slot, in the order in which they get one. */
static size_t
list_plugged(struct domain_def *def, struct domain_device *plugged[PLUGGED_MAX])
{
	size_t n = 0;

	for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
		const struct domain_kind *kind = order[k].kind;
		size_t count = domain_kind_count(kind, def);

		for (unsigned late = 0; late < 2; late++)
			for (size_t i = order[k].from; i < count && i < order[k].to; i++)
				if (is_plugged(def, kind, i) && n < PLUGGED_MAX &&
					comes_late(def, kind, i) == late)
					plugged[n++] = domain_kind_at(kind, def, i);
	}
	return n;
}

/*
 * The device whose slot this one shares: the first of them that has a place, or else comes before.
 * NULL: it has a slot for itself, or is the first.
 */
static struct domain_device *
find_slotmate(struct domain_device *plugged[], size_t n, size_t i)
{
	struct domain_device *before = NULL;

	if (!plugged[i]->slotmates)
		return NULL;
	for (size_t j = 0; j < n; j++) {
		if (j == i || plugged[j]->slotmates != plugged[i]->slotmates)
			continue;
		if (plugged[j]->pci.set)
			return plugged[j];
		if (j < i && !before)
			before = plugged[j];
	}
	return before;
}

/* --- addresses that the definition gives -------------------------------------------------- */

static int
refuse(struct buses *buses, const struct domain_pci_address *a, const char *why)
{
	return domain_refuse(buses->error, VIR_ERR_XML_ERROR, VIR_FROM_DOMAIN,
		"Invalid PCI address 0000:%02x:%02x.%u. %s", a->bus, a->slot, a->function, why);
}

static int
reserve(struct buses *buses, const struct domain_pci_address *a)
{
	uint8_t *slot = &buses->used[a->bus][a->slot];

	if (*slot & 1 << a->function)
		return domain_refuse(buses->error, VIR_ERR_XML_ERROR, VIR_FROM_DOMAIN,
			"Attempted double use of PCI Address 0000:%02x:%02x.%u", a->bus, a->slot,
			a->function);
	*slot |= (uint8_t)(1 << a->function);
	return 0;
}

static int
reserve_port(struct buses *buses, const struct domain_pci_address *a)
{
	if (a->bus > 0)
		return refuse(buses, a, "A pcie-root-port goes on bus 0");
	if (a->slot == 0)
		return refuse(buses, a, "slot must be >= 1");
	if (buses->used[0][a->slot] == 0)
		buses->shared[a->slot] = true;
	return reserve(buses, a);
}

static int
reserve_plugged(struct buses *buses, const struct domain_pci_address *a)
{
	if (a->bus >= buses->n)
		return refuse(buses, a, "The machine has bus 0 only");
	if (buses->kind[a->bus] != BUS_PORT && a->slot == 0)
		return refuse(buses, a, "slot must be >= 1");
	if (buses->kind[a->bus] == BUS_PORT && a->slot > 0)
		return refuse(buses, a, "slot must be <= 0");
	return reserve(buses, a);
}

/* Where such a device stands on a real board, unless something else does. */
static int
reserve_preferred(struct buses *buses, struct domain_device *device)
{
	struct domain_pci_address *a = &device->pci;
	uint8_t slot = device->prefers[0];

	if (slot && buses->used[0][slot])
		slot = device->prefers[1];
	if (a->set || !slot || buses->used[0][slot])
		return 0;
	*a = (struct domain_pci_address){
		.set = true, .slot = slot, .multifunction = a->multifunction};
	return reserve(buses, a);
}

static int
reserve_given(struct domain_def *def, struct buses *buses, struct domain_device *plugged[],
	size_t n_plugged)
{
	int r = 0;

	for (size_t i = 0; i < def->n_controllers && r == 0; i++) {
		const struct domain_controller *c = &def->controllers[i];
		const struct domain_pci_address *a = &c->device.pci;

		if (!a->set)
			continue;
		if (is_port(c))
			r = reserve_port(buses, a);
		else if (is_bridge(c) && a->bus == c->index)
			r = domain_refuse(buses->error, VIR_ERR_XML_ERROR, VIR_FROM_DOMAIN,
				"The device at PCI address 0000:%02x:%02x.%u cannot be plugged "
				"into the PCI controller with index='%u'. It requires a controller "
				"that accepts a pcie-to-pci-bridge.",
				a->bus, a->slot, a->function, c->index);
		else if (is_bridge(c))
			r = reserve_plugged(buses, a);
		else if (!domain_controller_is_plugged(def, c) && !is_built_in(def, a))
			r = reserve(buses, a);
	}
	for (size_t i = 0; i < n_plugged && r == 0; i++)
		if (plugged[i]->pci.set)
			r = reserve_plugged(buses, &plugged[i]->pci);
	for (size_t i = 0; i < n_plugged && r == 0; i++)
		r = reserve_preferred(buses, plugged[i]);
	return r;
}

/* --- root ports --------------------------------------------------------------------------- */

static int
place_port(struct buses *buses, struct domain_pci_address *a)
{
	for (uint8_t slot = 1; slot < SLOTS; slot++) {
		uint8_t used = buses->used[0][slot];

		if (used == 0)
			buses->shared[slot] = true;
		if (used == 0xff || !buses->shared[slot])
			continue;
		*a = (struct domain_pci_address){
			.set = true,
			.slot = slot,
			.function = (uint8_t)__builtin_ctz(~(unsigned)used),
			.multifunction = a->multifunction,
		};
		return reserve(buses, a);
	}
	return domain_refuse(buses->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_QEMU,
		"no room for another pcie-root-port on the machine");
}

static int
place_given_ports(struct domain_def *def, struct buses *buses)
{
	int r = 0;

	for (size_t i = 0; i < def->n_controllers && r == 0; i++) {
		struct domain_controller *c = &def->controllers[i];

		if (is_port(c) && !c->device.pci.set)
			r = place_port(buses, &c->device.pci);
	}
	return r;
}

static int
add_bus(struct domain_def *def, struct buses *buses, enum domain_controller_model model,
	unsigned index)
{
	int r;

	if (index >= BUSES)
		return domain_refuse(buses->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_QEMU,
			"the machine has too many PCI controllers");
	if (index >= buses->n)
		buses->n = index + 1;
	r = domain_controller_add_bus(def, model, (uint8_t)index, buses->error);
	if (r == 0 && model == DOMAIN_MODEL_PCIE_ROOT_PORT)
		r = place_port(buses, &domain_controller_find_pci(def, index)->device.pci);
	else if (r == 0)
		buses->kind[index] = BUS_BRIDGE;
	return r;
}

static unsigned
count_free(const struct buses *buses, unsigned bus)
{
	unsigned n = 0;

	if (buses->kind[bus] == BUS_PORT)
		return buses->used[bus][0] == 0;
	for (unsigned slot = 1; slot < SLOTS; slot++)
		n += buses->used[bus][slot] == 0;
	return n;
}

/* One more device that wants a port: is one free, or has to be added? */
static int
want_port(struct domain_def *def, struct buses *buses, unsigned *free_ports)
{
	if (*free_ports > 0) {
		--*free_ports;
		return 0;
	}
	return add_bus(def, buses, DOMAIN_MODEL_PCIE_ROOT_PORT, buses->n);
}

/* One more that wants a slot of a bridge, which wants a port itself. */
static int
want_slot(struct domain_def *def, struct buses *buses, unsigned *free_ports, unsigned *free_slots)
{
	int r;

	if (*free_slots > 0) {
		--*free_slots;
		return 0;
	}
	r = want_port(def, buses, free_ports);
	if (r == 0)
		r = add_bus(def, buses, DOMAIN_MODEL_PCIE_TO_PCI_BRIDGE, buses->n);
	*free_slots = SLOTS - 2;
	return r;
}

/* Ports for the buses that are named and not there; ports and bridges for what wants a place. */
static int
add_buses(struct domain_def *def, struct buses *buses, bool was_named)
{
	struct domain_device *plugged[PLUGGED_MAX];
	unsigned free_ports = 0, free_slots = 0;
	size_t n_plugged;
	int r = 0;

	for (unsigned i = 1; i < buses->n && r == 0; i++) {
		if (!domain_controller_find_pci(def, i))
			r = add_bus(def, buses, DOMAIN_MODEL_PCIE_ROOT_PORT, i);
		*(buses->kind[i] == BUS_PORT ? &free_ports : &free_slots) += count_free(buses, i);
	}
	for (size_t i = 0; i < def->n_controllers && r == 0; i++)
		if (is_bridge(&def->controllers[i]) && !def->controllers[i].device.pci.set)
			r = want_port(def, buses, &free_ports);
	n_plugged = list_plugged(def, plugged);
	for (size_t i = 0; i < n_plugged && r == 0; i++) {
		if (plugged[i]->pci.set || find_slotmate(plugged, n_plugged, i))
			continue;
		r = plugged[i]->conventional ? want_slot(def, buses, &free_ports, &free_slots)
					     : want_port(def, buses, &free_ports);
		/* The list of controllers may have moved. */
		n_plugged = list_plugged(def, plugged);
	}
	/* One for hot-plug. */
	if (r == 0 && !was_named && buses->n > 1 && free_ports == 0)
		r = add_bus(def, buses, DOMAIN_MODEL_PCIE_ROOT_PORT, buses->n);
	return r;
}

/* Numbers that QEMU needs beside the address: libvirt's rule is index, and slot and function. */
static int
number_ports(struct domain_def *def, struct rpc_error *error)
{
	bool taken[BUSES] = {false};

	for (size_t i = 0; i < def->n_controllers; i++) {
		struct domain_controller *c = &def->controllers[i];

		if (!is_port(c))
			continue;
		if (c->chassis < 0)
			c->chassis = c->index;
		if (c->port < 0)
			c->port = (int16_t)(c->device.pci.slot << 3 | c->device.pci.function);
		if (taken[c->chassis])
			return domain_refuse(error, VIR_ERR_XML_ERROR, VIR_FROM_DOMAIN,
				"chassis '%d' used for more than one pcie-root-port", c->chassis);
		taken[c->chassis] = true;
	}
	return 0;
}

/* --- everything else ---------------------------------------------------------------------- */

static int
place_plugged(const struct domain_def *def, struct buses *buses, struct domain_device *device)
{
	struct domain_pci_address *a = &device->pci;
	enum bus kind = device->conventional ? BUS_BRIDGE : BUS_PORT;
	unsigned bus = 0;

	if (def->os.chipset == DOMAIN_CHIPSET_Q35)
		for (bus = 1; bus < buses->n; bus++)
			if (buses->kind[bus] == kind && count_free(buses, bus) > 0)
				break;
	if (bus == buses->n || count_free(buses, bus) == 0)
		return domain_refuse(buses->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_QEMU,
			"no free PCI slot left on machine '%s'; machine 'q35' has more",
			def->os.machine);
	*a = (struct domain_pci_address){.set = true,
		.bus = (uint8_t)bus,
		.function = device->slotmates ? a->function : 0,
		.multifunction = a->multifunction};
	if (buses->kind[bus] != BUS_PORT)
		a->slot = 1;
	while (buses->used[bus][a->slot])
		a->slot++;
	return reserve(buses, a);
}

/* Into the slot of another. */
static int
place_beside(struct buses *buses, struct domain_device *device, const struct domain_device *mate)
{
	device->pci.set = true;
	device->pci.bus = mate->pci.bus;
	device->pci.slot = mate->pci.slot;
	return reserve(buses, &device->pci);
}

/* Function 0 says that a slot has more than one function. */
static void
mark_multifunction(const struct buses *buses, struct domain_pci_address *a)
{
	if (a->set && a->function == 0 && !a->multifunction && buses->used[a->bus][a->slot] != 1)
		a->multifunction = DOMAIN_ON;
}

static void
know_buses(const struct domain_def *def, struct buses *buses)
{
	buses->kind[0] = BUS_ROOT;
	for (size_t i = 0; i < sizeof(built_in) / sizeof(built_in[0]); i++)
		if (built_in[i].chipset == def->os.chipset)
			buses->used[0][built_in[i].slot] = built_in[i].functions;
	for (size_t i = 0; i < def->n_controllers; i++) {
		const struct domain_controller *c = &def->controllers[i];

		if (!is_port(c) && !is_bridge(c))
			continue;
		if (is_bridge(c))
			buses->kind[c->index] = BUS_BRIDGE;
		if (c->index >= buses->n)
			buses->n = c->index + 1u;
	}
}

/* What is left: bridges first, since they are on ports themselves. */
static int
place_all(struct domain_def *def, struct buses *buses)
{
	struct domain_device *plugged[PLUGGED_MAX];
	size_t n = list_plugged(def, plugged);
	int r = 0;

	for (size_t i = 0; i < def->n_controllers && r == 0; i++)
		if (is_bridge(&def->controllers[i]) && !def->controllers[i].device.pci.set)
			r = place_plugged(def, buses, &def->controllers[i].device);
	for (size_t i = 0; i < n && r == 0; i++) {
		const struct domain_device *mate = find_slotmate(plugged, n, i);

		if (plugged[i]->pci.set)
			continue;
		r = mate ? place_beside(buses, plugged[i], mate)
			 : place_plugged(def, buses, plugged[i]);
	}
	for (size_t i = 0; i < n && r == 0; i++)
		mark_multifunction(buses, &plugged[i]->pci);
	for (size_t i = 0; i < def->n_controllers && r == 0; i++)
		if (is_port(&def->controllers[i]))
			mark_multifunction(buses, &def->controllers[i].device.pci);
	return r;
}

int
domain_pci_assign(struct domain_def *def, struct rpc_error *error)
{
	struct domain_device *plugged[PLUGGED_MAX];
	struct buses buses = {.error = error, .n = 1};
	bool pcie = def->os.chipset == DOMAIN_CHIPSET_Q35;
	size_t n_plugged = list_plugged(def, plugged);
	bool was_named;
	int r;

	know_buses(def, &buses);
	was_named = buses.n > 1;
	for (size_t i = 0; i < n_plugged && pcie; i++)
		if (plugged[i]->pci.set && plugged[i]->pci.bus >= buses.n)
			buses.n = plugged[i]->pci.bus + 1u;
	r = reserve_given(def, &buses, plugged, n_plugged);
	if (r == 0 && pcie)
		r = place_given_ports(def, &buses);
	if (r == 0 && pcie)
		r = add_buses(def, &buses, was_named);
	if (r == 0)
		r = number_ports(def, error);
	return r ? r : place_all(def, &buses);
}
