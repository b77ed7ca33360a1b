/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.c: fills in the error of a refused definition; see error.h.
 *
 * Runs in the worker, as the user. Never logs.
 */
#include "worker/domain/error.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/utf8.h"

/* The texts of libvirt's virErrorMsg() that end in "%s", of the codes that are used here. */
static const struct {
	enum vir_error_code code;
	const char *text;
} prefixes[] = {
	{VIR_ERR_INTERNAL_ERROR, "internal error: "},
	{VIR_ERR_INVALID_ARG, "invalid argument: "},
	{VIR_ERR_NO_SOURCE, "missing source information for device "},
	{VIR_ERR_NO_TARGET, "missing target information for device "},
	{VIR_ERR_NO_NAME, "missing name information"},
	{VIR_ERR_XML_ERROR, "XML error: "},
	{VIR_ERR_CONFIG_UNSUPPORTED, "unsupported configuration: "},
	{VIR_ERR_OVERFLOW, "numerical overflow: "},
	{VIR_ERR_ARGUMENT_UNSUPPORTED, "argument unsupported: "},
};

static const char *
prefix_of(enum vir_error_code code)
{
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (prefixes[i].code == code)
			return prefixes[i].text;
	return "";
}

/* The subject may be anything; what clients are told is text. */
static void
make_utf8(char *text)
{
	size_t size = strlen(text), n;
	uint32_t c;

	for (size_t at = 0; at < size; at += n) {
		n = utf8_next(text + at, size - at, &c);
		if (n == 0) {
			text[at] = '?';
			n = 1;
		}
	}
}

int
domain_refuse(struct rpc_error *error, enum vir_error_code code, enum vir_error_domain domain,
	const char *fmt, ...)
{
	char text[RPC_ERROR_MESSAGE_SIZE];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	make_utf8(text);
	(void)rpc_error_set(error, code, domain, "%s%s", prefix_of(code), text);
	return DOMAIN_E_REFUSED;
}
