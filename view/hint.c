/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hint.c: whose virtual machine a definition is about, as far as its text says; see hint.h.
 *
 * Runs in the view. Never to be taken for a decision.
 */
#include "view/hint.h"

#include <string.h>

#include "protocol/rpc/frame.h"
#include "protocol/rpc/types.h"

const char *
hint_definition(const struct rpc_procedure *procedure, const void *args)
{
	if (procedure->program != RPC_PROGRAM_REMOTE)
		return NULL;
	if (procedure->number == RPC_PROC_DOMAIN_DEFINE_XML)
		return ((const struct rpc_domain_define_xml_args *)args)->xml;
	if (procedure->number == RPC_PROC_DOMAIN_DEFINE_XML_FLAGS)
		return ((const struct rpc_domain_define_xml_flags_args *)args)->xml;
	if (procedure->number == RPC_PROC_DOMAIN_CREATE_XML)
		return ((const struct rpc_domain_create_xml_args *)args)->xml_desc;
	return NULL;
}

static int
nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool
hint_uuid(const char *xml, uint8_t ret[static UUID_SIZE])
{
	static const char tag[] = "<uuid>";
	const char *at = strstr(xml, tag);
	unsigned n = 0;

	if (!at)
		return false;
	at += sizeof(tag) - 1;
	at += strspn(at, " \t\r\n");
	for (; n < 2 * UUID_SIZE; at++) {
		int digit = nibble(*at);

		if (digit < 0 && (*at != '-' || n == 0))
			return false;
		if (digit < 0)
			continue;
		ret[n / 2] = (uint8_t)(n % 2 ? ret[n / 2] | digit : digit << 4);
		n++;
	}
	return true;
}
