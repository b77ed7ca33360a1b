/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * channel.c: channels.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/domain/def.h"
#include "worker/domain/parse.h"

static const struct xml_word targets[] = {{"virtio", 1}, {NULL, 0}};
static const struct xml_word states[] = {
	{"connected", DOMAIN_CHANNEL_CONNECTED},
	{"disconnected", DOMAIN_CHANNEL_DISCONNECTED},
	{NULL, 0},
};

static int
parse_name(struct domain_parse *p, xmlNode *target, struct domain_channel *channel)
{
	const char *name = xml_attr(target, "name");

	if (!name)
		return 0;
	if (!*name || strlen(name) > DOMAIN_CHANNEL_NAME_MAX)
		return refuse_unsupported(p, "name '%.100s' of a channel may have 1 to %d bytes",
			name, DOMAIN_CHANNEL_NAME_MAX);
	for (size_t i = 0; i < p->def->n_channels; i++)
		if (p->def->channels[i].name && strcmp(p->def->channels[i].name, name) == 0)
			return refuse_xml(p, "Multiple channels with name '%.200s'", name);
	channel->name = strdup(name);
	return channel->name ? 0 : -ENOMEM;
}

static int
parse_target(struct domain_parse *p, xmlNode *node, struct domain_channel *channel)
{
	xmlNode *target = xml_child(node, "target");
	const char *state;
	unsigned type = 0;
	int r;

	if (!target)
		return refuse_xml(p, "target type must be specified for channel device");
	r = xml_attr_word(target, "type", targets, p->error, &type);
	if (r == 0 && !type)
		return domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
			"unknown target type '(null)' specified for character device");
	state = xml_attr(target, "state");
	if (state && p->flags & DOMAIN_DEF_LIVE)
		channel->state = xml_word_value(states, state);
	return r ? r : parse_name(p, target, channel);
}

static int
parse(struct domain_parse *p, xmlNode *node)
{
	struct domain_channel channel = {0};
	int r = domain_chardev_parse(p, node, &channel.chardev, false);

	if (r == 0)
		r = parse_target(p, node, &channel);
	if (r == 0)
		r = domain_device_parse(
			p, node, &channel.chardev.device, DOMAIN_ADDRESS_VIRTIO_SERIAL);
	if (r == 0)
		r = domain_kind_insert(
			&domain_channel_kind, p->def, p->def->n_channels, &channel, p->error);
	domain_kind_fini(&domain_channel_kind, &channel);
	return r;
}

static void
format(struct writer *w, const struct domain_def *def, size_t i, unsigned flags)
{
	const struct domain_channel *channel = &def->channels[i];

	domain_chardev_format(w, "channel", &channel->chardev, flags);
	writer_start(w, "target");
	writer_attr(w, "type", "virtio");
	if (channel->name)
		writer_attr(w, "name", channel->name);
	if (channel->state && flags & DOMAIN_DEF_LIVE)
		writer_attr(w, "state", xml_word(states, channel->state));
	writer_end(w, "target");
	domain_device_format(w, &channel->chardev.device, flags);
	writer_end(w, "channel");
}

static void
fini(void *device)
{
	struct domain_channel *channel = device;

	free(channel->name);
	domain_chardev_fini(&channel->chardev);
}

const struct domain_kind domain_channel_kind = {
	.element = "channel",
	DOMAIN_KIND_LIST(channels, domain_channel),
	.max = DOMAIN_CHANNELS_MAX,
	.parse = parse,
	.format = format,
	.alias = "channel",
	.fini = fini,
};
