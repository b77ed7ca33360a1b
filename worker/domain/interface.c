/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * interface.c: network interfaces of kind user: what the guest reaches, its user reaches.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/interface.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/domain/forward.h"
#include "worker/domain/parse.h"

/* The prefix of names that are made when a VM starts; as libvirt's. */
#define GENERATED "vnet"

static const struct xml_word types[] = {{"user", 1}, {NULL, 0}};
static const struct xml_word backends[] = {{"passt", 1}, {"default", 2}, {NULL, 0}};
static const struct xml_word families[] = {{"ipv4", DOMAIN_IPV4}, {"ipv6", DOMAIN_IPV6}, {NULL, 0}};
static const struct xml_word links[] = {
	{"up", DOMAIN_LINK_UP}, {"down", DOMAIN_LINK_DOWN}, {NULL, 0}};
static const struct xml_word models[] = {
	{"rtl8139", DOMAIN_INTERFACE_RTL8139},
	{"virtio", DOMAIN_INTERFACE_VIRTIO},
	{"virtio-transitional", DOMAIN_INTERFACE_VIRTIO_TRANSITIONAL},
	{"virtio-non-transitional", DOMAIN_INTERFACE_VIRTIO_NON_TRANSITIONAL},
	{"e1000", DOMAIN_INTERFACE_E1000},
	{"e1000e", DOMAIN_INTERFACE_E1000E},
	{"ne2k_pci", DOMAIN_INTERFACE_NE2K_PCI},
	{"pcnet", DOMAIN_INTERFACE_PCNET},
	{"vmxnet3", DOMAIN_INTERFACE_VMXNET3},
	{NULL, 0},
};

static const struct driver {
	const char *name;
	bool express;
} drivers[] = {
	[DOMAIN_INTERFACE_RTL8139] = {"rtl8139", false},
	[DOMAIN_INTERFACE_VIRTIO] = {"virtio-net-pci", true},
	[DOMAIN_INTERFACE_VIRTIO_TRANSITIONAL] = {"virtio-net-pci-transitional", false},
	[DOMAIN_INTERFACE_VIRTIO_NON_TRANSITIONAL] = {"virtio-net-pci-non-transitional", true},
	[DOMAIN_INTERFACE_E1000] = {"e1000", false},
	[DOMAIN_INTERFACE_E1000E] = {"e1000e", true},
	/* libvirt does not know these two, and has room for them where express devices go. */
	[DOMAIN_INTERFACE_NE2K_PCI] = {"ne2k_pci", true},
	[DOMAIN_INTERFACE_PCNET] = {"pcnet", true},
	[DOMAIN_INTERFACE_VMXNET3] = {"vmxnet3", false},
};

const char *
domain_interface_driver(enum domain_interface_model model)
{
	return drivers[model].name;
}

/* Six numbers of one or two hexadecimal digits, with colons between them. */
static bool
read_mac(const char *text, uint8_t mac[DOMAIN_MAC_SIZE])
{
	for (unsigned i = 0; i < DOMAIN_MAC_SIZE; i++) {
		size_t n = strspn(text, "0123456789abcdefABCDEF");

		if (n < 1 || n > 2 || text[n] != (i + 1 < DOMAIN_MAC_SIZE ? ':' : '\0'))
			return false;
		mac[i] = (uint8_t)strtoul(text, NULL, 16);
		text += n + 1;
	}
	return true;
}

/* Of the range that QEMU's and libvirt's guests have; the rest is chance. */
static void
make_mac(struct domain_parse *p, uint8_t mac[DOMAIN_MAC_SIZE])
{
	uint8_t uuid[16];

	p->env->new_uuid(p->env->arg, uuid);
	memcpy(mac, (const uint8_t[]){0x52, 0x54, 0x00}, 3);
	memcpy(mac + 3, uuid + sizeof(uuid) - 3, 3);
}

static int
parse_mac(struct domain_parse *p, xmlNode *node, uint8_t mac[DOMAIN_MAC_SIZE])
{
	xmlNode *element = xml_child(node, "mac");
	const char *text = element ? xml_attr(element, "address") : NULL;

	if (!text) {
		make_mac(p, mac);
		return 0;
	}
	if (!read_mac(text, mac))
		return refuse_xml(p, "unable to parse mac address '%.100s'", text);
	if (mac[0] & 1)
		return refuse_xml(
			p, "expected unicast mac address, found multicast '%.100s'", text);
	return 0;
}

/* --- addresses of the guest --------------------------------------------------------------- */

static int
parse_ip(struct domain_parse *p, xmlNode *node, struct domain_interface *interface)
{
	const char *address = xml_attr(node, "address");
	struct domain_ip *ip;
	unsigned family;
	int r = xml_attr_word(node, "family", families, p->error, &family);

	if (r)
		return r;
	if (!address)
		return refuse_xml(p, "Missing required address in <ip>");
	if (!domain_is_address(address, family))
		return refuse_xml(p, "Invalid address '%.100s' in <ip>", address);
	if (!family)
		family = domain_is_address(address, DOMAIN_IPV4) ? DOMAIN_IPV4 : DOMAIN_IPV6;
	ip = family == DOMAIN_IPV4 ? &interface->ipv4 : &interface->ipv6;
	if (ip->address)
		return domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
			"Only one %s address per interface is allowed",
			family == DOMAIN_IPV4 ? "IPv4" : "IPv6");
	r = xml_attr_number(node, "prefix", 10, UINT32_MAX, 0, p->error, &ip->prefix);
	if (r == 0 && ip->prefix > (family == DOMAIN_IPV4 ? 32 : 128))
		return refuse_xml(p, "Invalid prefix value '%u' in <ip>", ip->prefix);
	if (r)
		return r;
	ip->address = strdup(address);
	return ip->address ? 0 : -ENOMEM;
}

static void
format_ip(struct writer *w, const struct domain_ip *ip, enum domain_family family)
{
	if (!ip->address)
		return;
	writer_start(w, "ip");
	writer_attr(w, "address", ip->address);
	writer_attr(w, "family", xml_word(families, family));
	if (ip->prefix)
		writer_attr_f(w, "prefix", "%u", ip->prefix);
	writer_end(w, "ip");
}

/* --- the rest ----------------------------------------------------------------------------- */

/* <source dev> and <target dev>. */
static int
parse_name(struct domain_parse *p, xmlNode *node, const char *element, char **ret)
{
	xmlNode *child = xml_child(node, element);
	const char *name = child ? xml_attr(child, "dev") : NULL;

	if (!name || !*name)
		return 0;
	if (!domain_is_netdev(name))
		return refuse_unsupported(p,
			"attribute 'dev' of element <%s> below <interface> is '%.100s': it may "
			"have "
			"%d letters, digits, dots, dashes and underscores",
			element, name, DOMAIN_NETDEV_MAX);
	*ret = strdup(name);
	return *ret ? 0 : -ENOMEM;
}

static int
parse_target(struct domain_parse *p, xmlNode *node, struct domain_interface *interface)
{
	int r = parse_name(p, node, "target", &interface->target);

	if (r == 0 && interface->target && !(p->flags & DOMAIN_DEF_LIVE) &&
		strncmp(interface->target, GENERATED, strlen(GENERATED)) == 0) {
		free(interface->target);
		interface->target = NULL;
	}
	return r;
}

/* The word of an attribute of a child; 0 where there is none. */
static int
parse_word(struct domain_parse *p, xmlNode *node, const char *element, const char *attribute,
	const struct xml_word *words, unsigned *ret)
{
	xmlNode *child = xml_child(node, element);
	const char *text = child ? xml_attr(child, attribute) : NULL;

	*ret = 0;
	return text && *text ? xml_attr_word(child, attribute, words, p->error, ret) : 0;
}

static int
parse_link(struct domain_parse *p, xmlNode *node, struct domain_interface *interface)
{
	xmlNode *link = xml_child(node, "link");
	const char *state = link ? xml_attr(link, "state") : NULL;

	if (!state)
		return 0;
	interface->link = xml_word_value(links, state);
	if (!interface->link)
		return domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
			"unknown interface link state '%.100s'", state);
	return 0;
}

static int
parse_device(struct domain_parse *p, xmlNode *node, struct domain_interface *interface)
{
	unsigned model = 0, backend = 0;
	int r = parse_word(p, node, "model", "type", models, &model);

	if (r == 0)
		r = parse_word(p, node, "backend", "type", backends, &backend);
	interface->model = model ? model : DOMAIN_INTERFACE_RTL8139;
	interface->backend = backend == 1 ? DOMAIN_ON : 0;
	if (r == 0)
		r = parse_link(p, node, interface);
	if (r == 0)
		r = domain_device_parse_boot(p, node, &interface->device);
	if (r == 0)
		r = domain_device_parse(p, node, &interface->device, DOMAIN_ADDRESS_PCI);
	interface->device.conventional = !drivers[interface->model].express;
	return r;
}

static int
parse_all(struct domain_parse *p, xmlNode *node, struct domain_interface *interface)
{
	xmlNode *ip = NULL;
	unsigned type;
	int r = xml_attr_word(node, "type", types, p->error, &type);

	if (r == 0)
		r = parse_mac(p, node, interface->mac);
	if (r == 0)
		r = parse_name(p, node, "source", &interface->source);
	while (r == 0 && (ip = xml_each(node, "ip", ip)))
		r = parse_ip(p, ip, interface);
	if (r == 0)
		r = domain_forwards_parse(p, node, interface);
	if (r == 0)
		r = parse_target(p, node, interface);
	return r ? r : parse_device(p, node, interface);
}

static int
parse(struct domain_parse *p, xmlNode *node)
{
	struct domain_interface interface = {0};
	int r = parse_all(p, node, &interface);

	if (r == 0)
		r = domain_kind_insert(
			&domain_interface_kind, p->def, p->def->n_interfaces, &interface, p->error);
	domain_kind_fini(&domain_interface_kind, &interface);
	return r;
}

/* An element with one attribute, where there is a value. */
static void
format_one(struct writer *w, const char *element, const char *attribute, const char *value)
{
	if (!value)
		return;
	writer_start(w, element);
	writer_attr(w, attribute, value);
	writer_end(w, element);
}

static void
format(struct writer *w, const struct domain_def *def, size_t i, unsigned flags)
{
	const struct domain_interface *interface = &def->interfaces[i];
	const uint8_t *mac = interface->mac;

	writer_start(w, "interface");
	writer_attr(w, "type", "user");
	writer_start(w, "mac");
	writer_attr_f(w, "address", "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		mac[4], mac[5]);
	writer_end(w, "mac");
	format_one(w, "source", "dev", interface->source);
	format_ip(w, &interface->ipv4, DOMAIN_IPV4);
	format_ip(w, &interface->ipv6, DOMAIN_IPV6);
	domain_forwards_format(w, interface);
	format_one(w, "target", "dev", interface->target);
	format_one(w, "model", "type", xml_word(models, interface->model));
	format_one(w, "backend", "type", interface->backend ? "passt" : NULL);
	format_one(w, "link", "state", interface->link ? xml_word(links, interface->link) : NULL);
	domain_device_format_boot(w, &interface->device);
	domain_device_format(w, &interface->device, flags);
	writer_end(w, "interface");
}

static void
fini(void *device)
{
	struct domain_interface *interface = device;

	free(interface->source);
	free(interface->ipv4.address);
	free(interface->ipv6.address);
	free(interface->target);
	domain_forwards_fini(interface);
}

const struct domain_kind domain_interface_kind = {
	.element = "interface",
	DOMAIN_KIND_LIST(interfaces, domain_interface),
	.max = DOMAIN_INTERFACES_MAX,
	.parse = parse,
	.format = format,
	.alias = "net",
	.fini = fini,
};
