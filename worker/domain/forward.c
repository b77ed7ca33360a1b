/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * forward.c: the ports of the host by which a guest is reached.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/domain/parse.h"

static const struct xml_word protocols[] = {{"tcp", DOMAIN_TCP}, {"udp", DOMAIN_UDP}, {NULL, 0}};
static const struct xml_word switches[] = {{"yes", DOMAIN_ON}, {"no", DOMAIN_OFF}, {NULL, 0}};

bool
domain_is_address(const char *text, enum domain_family family)
{
	unsigned char address[sizeof(struct in6_addr)];

	return (family != DOMAIN_IPV6 && inet_pton(AF_INET, text, address) == 1) ||
	       (family != DOMAIN_IPV4 && inet_pton(AF_INET6, text, address) == 1);
}

bool
domain_is_netdev(const char *text)
{
	size_t n =
		strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

	return n > 0 && n <= DOMAIN_NETDEV_MAX && !text[n];
}

/* 0 where it is not said. */
static int
parse_port(struct domain_parse *p, xmlNode *range, const char *name, uint16_t *ret)
{
	uint32_t port = 0;
	int r;

	if (!xml_attr(range, name))
		return 0;
	r = xml_attr_number(range, name, 10, UINT32_MAX, 0, p->error, &port);
	if (r)
		return r;
	if (port == 0)
		return domain_refuse(p->error, VIR_ERR_XML_ERROR, VIR_FROM_XML,
			"Invalid value for attribute '%s' in element 'range': Zero is not "
			"permitted",
			name);
	if (port > UINT16_MAX)
		return refuse_unsupported(p,
			"attribute '%s' of element <range> is %u: ports are 1 to 65535", name,
			port);
	*ret = (uint16_t)port;
	return 0;
}

static int
check_range(struct domain_parse *p, const struct domain_range *range)
{
	unsigned last = range->end ? range->end : range->start;

	if (!range->start)
		return refuse_unsupported(
			p, "element <range> of <portForward> needs a port as 'start'");
	if (last < range->start)
		return refuse_unsupported(p,
			"the range of ports from %u to %u of <portForward> is empty", range->start,
			last);
	if (range->to && range->excluded == DOMAIN_ON)
		return refuse_unsupported(p,
			"a range of ports that is excluded from <portForward> goes nowhere: it "
			"has no 'to'");
	if (range->to && range->to + (last - range->start) > UINT16_MAX)
		return refuse_unsupported(p,
			"the range of ports from %u to %u of <portForward> goes beyond 65535",
			range->start, last);
	return 0;
}

static int
parse_range(struct domain_parse *p, xmlNode *node, struct domain_range *range)
{
	unsigned excluded;
	int r = parse_port(p, node, "start", &range->start);

	if (r == 0)
		r = parse_port(p, node, "end", &range->end);
	if (r == 0)
		r = parse_port(p, node, "to", &range->to);
	if (r == 0)
		r = xml_attr_word(node, "exclude", switches, p->error, &excluded);
	if (r)
		return r;
	range->excluded = excluded;
	return check_range(p, range);
}

static int
parse_text(struct domain_parse *p, xmlNode *node, const char *name, char **ret)
{
	const char *text = xml_attr(node, name);

	if (!text || !*text)
		return 0;
	if (strcmp(name, "address") == 0 && !domain_is_address(text, 0))
		return refuse_xml(p, "Invalid address '%.100s' in <portForward>", text);
	if (strcmp(name, "dev") == 0 && !domain_is_netdev(text))
		return refuse_unsupported(
			p, "'%.100s' of <portForward> is not the name of a network device", text);
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int
parse_ranges(struct domain_parse *p, xmlNode *node, struct domain_forward *forward)
{
	xmlNode *range = NULL;
	size_t n = 0;
	int r = 0;

	while ((range = xml_each(node, "range", range)))
		n++;
	if (n > DOMAIN_RANGES_MAX)
		return refuse_unsupported(
			p, "more than %d elements <range> in a <portForward>", DOMAIN_RANGES_MAX);
	forward->ranges = n ? calloc(n, sizeof(*forward->ranges)) : NULL;
	if (n && !forward->ranges)
		return -ENOMEM;
	while (r == 0 && (range = xml_each(node, "range", range)))
		r = parse_range(p, range, &forward->ranges[forward->n_ranges++]);
	return r;
}

static int
parse_forward(struct domain_parse *p, xmlNode *node, struct domain_forward *forward)
{
	unsigned protocol;
	int r = xml_attr_word(node, "proto", protocols, p->error, &protocol);

	if (r == 0 && !protocol)
		return domain_refuse(p->error, VIR_ERR_XML_ERROR, VIR_FROM_XML,
			"Missing required attribute 'proto' in element 'portForward'");
	forward->protocol = protocol;
	if (r == 0)
		r = parse_text(p, node, "address", &forward->address);
	if (r == 0)
		r = parse_text(p, node, "dev", &forward->device);
	return r ? r : parse_ranges(p, node, forward);
}

int
domain_forwards_parse(struct domain_parse *p, xmlNode *node, struct domain_interface *interface)
{
	xmlNode *forward = NULL;
	size_t n = 0;
	int r = 0;

	while ((forward = xml_each(node, "portForward", forward)))
		n++;
	if (n > DOMAIN_FORWARDS_MAX)
		return refuse_unsupported(p,
			"more than %d elements <portForward> in an <interface>",
			DOMAIN_FORWARDS_MAX);
	if (n == 0)
		return 0;
	interface->forwards = calloc(n, sizeof(*interface->forwards));
	if (!interface->forwards)
		return -ENOMEM;
	while (r == 0 && (forward = xml_each(node, "portForward", forward)))
		r = parse_forward(p, forward, &interface->forwards[interface->n_forwards++]);
	return r;
}

static void
format_range(struct writer *w, const struct domain_range *range)
{
	writer_start(w, "range");
	writer_attr_f(w, "start", "%u", range->start);
	if (range->end)
		writer_attr_f(w, "end", "%u", range->end);
	if (range->to)
		writer_attr_f(w, "to", "%u", range->to);
	if (range->excluded)
		writer_attr(w, "exclude", xml_word(switches, range->excluded));
	writer_end(w, "range");
}

void
domain_forwards_format(struct writer *w, const struct domain_interface *interface)
{
	for (size_t i = 0; i < interface->n_forwards; i++) {
		const struct domain_forward *forward = &interface->forwards[i];

		writer_start(w, "portForward");
		writer_attr(w, "proto", xml_word(protocols, forward->protocol));
		if (forward->address)
			writer_attr(w, "address", forward->address);
		if (forward->device)
			writer_attr(w, "dev", forward->device);
		for (size_t j = 0; j < forward->n_ranges; j++)
			format_range(w, &forward->ranges[j]);
		writer_end(w, "portForward");
	}
}

void
domain_forwards_fini(struct domain_interface *interface)
{
	for (size_t i = 0; i < interface->n_forwards; i++) {
		free(interface->forwards[i].address);
		free(interface->forwards[i].device);
		free(interface->forwards[i].ranges);
	}
	free(interface->forwards);
}
