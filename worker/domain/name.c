/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * name.c: checks the names of virtual machines.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/name.h"

#include <stdbool.h>
#include <string.h>

#include "lib/utf8.h"
#include "worker/domain/def.h"

static bool
is_plain(const char *name)
{
	size_t left = strlen(name), n;
	uint32_t c;

	for (; left > 0; name += n, left -= n) {
		n = utf8_next(name, left, &c);
		if (n == 0 || utf8_is_control(c))
			return false;
	}
	return true;
}

int
domain_name_check(const char *name, struct rpc_error *error)
{
	const char *wrong = NULL;

	if (!*name)
		return domain_refuse(error, VIR_ERR_NO_NAME, VIR_FROM_DOMAIN, "%s", "");
	if (strlen(name) > DOMAIN_NAME_MAX)
		return domain_refuse(error, VIR_ERR_XML_ERROR, VIR_FROM_DOMAIN,
			"name %.40s... is longer than %d bytes", name, DOMAIN_NAME_MAX);
	if (!is_plain(name))
		return domain_refuse(error, VIR_ERR_XML_ERROR, VIR_FROM_DOMAIN,
			"name must be UTF-8 without control characters");
	if (strchr(name, '/'))
		wrong = "cannot contain '/'";
	else if (strchr(name, ':'))
		wrong = "cannot contain ':'";
	else if (*name == '.')
		wrong = "cannot begin with '.'";
	if (wrong)
		return domain_refuse(
			error, VIR_ERR_XML_ERROR, VIR_FROM_DOMAIN, "name %s %s", name, wrong);
	return 0;
}
