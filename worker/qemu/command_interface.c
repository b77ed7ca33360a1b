/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_interface.c: network interfaces.
 *
 * Runs in the worker, as the user. Pure. QEMU has no network: each interface ends in a socket, whose
 * other end the relay of the VM holds.
 */
#include "worker/qemu/command_devices.h"

#include "worker/qemu/command_pci.h"

/* A definition that orders whole classes of devices means the first interface by "network". */
static uint32_t
boot_index(const struct domain_def *def, size_t i)
{
	uint32_t index = def->interfaces[i].device.boot_order;

	for (uint32_t place = 0; place < def->os.n_boot && i == 0; place++)
		if (def->os.boot[place] == DOMAIN_BOOT_NETWORK)
			index = place + 1;
	return index;
}

static void
add_interface(struct command_line *line, size_t i)
{
	const struct domain_interface *interface = &line->def->interfaces[i];
	const char *alias = interface->device.alias;
	const uint8_t *mac = interface->mac;
	uint32_t order = boot_index(line->def, i);
	int fd = command_line_add_fd(line, QEMU_FILE_INTERFACE, i);

	command_line_add_json(line, "-netdev",
		json_pack("{ss so sb s{ss so}}", "type", "stream", "id",
			json_sprintf("host%s", alias), "server", false, "addr", "type", "fd", "str",
			json_sprintf("%d", fd)));
	command_pci_add(line, domain_interface_driver(interface->model), &interface->device,
		json_pack("{so so so*}", "netdev", json_sprintf("host%s", alias), "mac",
			json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
				mac[3], mac[4], mac[5]),
			"bootindex", order ? json_integer(order) : NULL));
}

void
command_add_interfaces(struct command_line *line)
{
	for (size_t i = 0; i < line->def->n_interfaces; i++)
		add_interface(line, i);
}
