/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xml_attr.c: attributes of a kind, refused in the words that libvirt has for each.
 *
 * Runs in the worker, as the user. Pure. The words are those of virxml.c of libvirt 9.0.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "worker/domain/xml.h"

/* Of a value so many bytes stand in an error. */
#define SHOWN "%.100s"

const struct xml_word xml_on_off[] = {{"on", 1}, {"off", 2}, {NULL, 0}};
const struct xml_word xml_yes_no[] = {{"yes", 1}, {"no", 2}, {NULL, 0}};

static int
refuse_absent(const xmlNode *node, const char *name, struct rpc_error *error)
{
	return domain_refuse(error, VIR_ERR_XML_ERROR, VIR_FROM_XML,
		"Missing required attribute '%s' in element '%s'", name, (const char *)node->name);
}

int
xml_attr_required(xmlNode *node, const char *name, struct rpc_error *error, const char **ret_value)
{
	*ret_value = xml_attr(node, name);
	return *ret_value && **ret_value ? 0 : refuse_absent(node, name, error);
}

int
xml_attr_choice(xmlNode *node, const char *name, const struct xml_word *words,
	struct rpc_error *error, unsigned *ret_value)
{
	const char *value = xml_attr(node, name);

	*ret_value = value ? xml_word_value(words, value) : 0;
	if (!value || *ret_value)
		return 0;
	return domain_refuse(error, VIR_ERR_XML_ERROR, VIR_FROM_XML,
		"Invalid value for attribute '%s' in element '%s': '" SHOWN "'.", name,
		(const char *)node->name, value);
}

int
xml_attr_required_choice(xmlNode *node, const char *name, const struct xml_word *words,
	struct rpc_error *error, unsigned *ret_value)
{
	int r = xml_attr_choice(node, name, words, error, ret_value);

	return r == 0 && *ret_value == 0 ? refuse_absent(node, name, error) : r;
}

int
xml_attr_u64(xmlNode *node, const char *name, uint64_t fallback, struct rpc_error *error,
	uint64_t *ret_value)
{
	const char *value = xml_attr(node, name);
	char *end;

	*ret_value = fallback;
	if (!value)
		return 0;
	errno = 0;
	*ret_value = strtoull(value, &end, 10);
	if (isdigit((unsigned char)*value) && !*end && !errno)
		return 0;
	return domain_refuse(error, VIR_ERR_XML_ERROR, VIR_FROM_XML,
		"Invalid value for attribute '%s' in element '%s': '" SHOWN
		"'. Expected non-negative integer value",
		name, (const char *)node->name, value);
}

int
xml_attr_positive(xmlNode *node, const char *name, uint32_t fallback, struct rpc_error *error,
	uint32_t *ret_value)
{
	int r = xml_attr_number(node, name, 10, UINT32_MAX, fallback, error, ret_value);

	if (r || *ret_value)
		return r;
	return domain_refuse(error, VIR_ERR_XML_ERROR, VIR_FROM_XML,
		"Invalid value for attribute '%s' in element '%s': Zero is not permitted", name,
		(const char *)node->name);
}
