/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * channels.c: has somebody in the guest opened a channel, and is its agent there?
 *
 * Runs in the worker, as the user. What follows is what libvirt 9.0 makes of it (qemu_driver.c,
 * processSerialChangedEvent; qemu_process.c, qemuProcessRefreshChannelVirtioState).
 */
#include "worker/vm/channels.h"

#include <string.h>

#include "worker/vm/vm.h"

static void
set_state(struct vm *vm, struct domain_channel *channel, enum domain_channel_state state,
	enum happening_agent reason)
{
	struct happening what = {.kind = HAPPENED_AGENT_LIFECYCLE,
		.agent = {.connected = state == DOMAIN_CHANNEL_CONNECTED, .reason = reason}};

	if (channel->state == state)
		return;
	channel->state = state;
	if (channel->name && strcmp(channel->name, DOMAIN_CHANNEL_AGENT) == 0)
		vm_happened(vm, &what);
}

static enum domain_channel_state
state_of(bool open)
{
	return open ? DOMAIN_CHANNEL_CONNECTED : DOMAIN_CHANNEL_DISCONNECTED;
}

void
vm_channels_begin(struct vm *vm)
{
	struct domain_def *live = vm->domain->live;

	for (size_t i = 0; i < live->n_channels; i++)
		set_state(
			vm, &live->channels[i], DOMAIN_CHANNEL_DISCONNECTED, AGENT_DOMAIN_STARTED);
}

void
vm_channel_changed(struct vm *vm, const char *alias, bool open)
{
	struct domain_def *live = vm->domain->live;

	for (size_t i = 0; i < live->n_channels; i++)
		if (strcmp(live->channels[i].chardev.device.alias, alias) == 0)
			set_state(vm, &live->channels[i], state_of(open), AGENT_CHANNEL);
}

void
vm_channels_take(struct vm *vm, const json_t *chardevs)
{
	size_t i;
	const json_t *chardev;

	json_array_foreach (chardevs, i, chardev) {
		const char *label = json_string_value(json_object_get(chardev, "label"));
		const json_t *open = json_object_get(chardev, "frontend-open");

		/* Its host's end is named charALIAS. */
		if (label && strncmp(label, "char", 4) == 0 && json_is_boolean(open))
			vm_channel_changed(vm, label + 4, json_is_true(open));
	}
}
