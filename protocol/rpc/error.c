/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.c: errors for clients; see error.h.
 */
#include "protocol/rpc/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "protocol/rpc/codec.h"
#include "protocol/rpc/frame.h"
#include "protocol/rpc/procedure.h"
#include "protocol/rpc/types.h"

/* Where to cut s, of which size bytes are there, so that no character is left in part. */
static size_t
character_boundary(const char *s, size_t size)
{
	while (size > 0 && ((uint8_t)s[size] & 0xc0) == 0x80)
		size--;
	return size;
}

__attribute__((format(printf, 2, 0))) static void
set_message(struct rpc_error *error, const char *fmt, va_list args)
{
	char message[RPC_ERROR_MESSAGE_SIZE + 1]; /* shows whether the last character goes on */
	size_t max = sizeof(error->message) - 1;
	int n = vsnprintf(message, sizeof(message), fmt, args);
	size_t size = n < 0 ? 0 : (size_t)n;

	if (size > max)
		size = character_boundary(message, max);
	memcpy(error->message, message, size);
	error->message[size] = '\0';
}

int
rpc_error_set(struct rpc_error *error, enum vir_error_code code, enum vir_error_domain domain,
	const char *fmt, ...)
{
	va_list args;

	*error = (struct rpc_error){
		.code = (int32_t)code, .domain = (int32_t)domain, .level = VIR_ERR_ERROR};
	va_start(args, fmt);
	set_message(error, fmt, args);
	va_end(args);
	return RPC_FAILED;
}

int
rpc_error_set_errno(
	struct rpc_error *error, int errnum, enum vir_error_domain domain, const char *fmt, ...)
{
	char what[RPC_ERROR_MESSAGE_SIZE];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	(void)rpc_error_set(error, VIR_ERR_SYSTEM_ERROR, domain, "%s: %s", what, strerror(errnum));
	error->errnum = errnum;
	return RPC_FAILED;
}

int
rpc_error_encode(
	const struct rpc_error *error, const struct rpc_header *header, struct rpc_buffer *buffer)
{
	char message[RPC_ERROR_MESSAGE_SIZE], template[] = "%s";
	struct rpc_remote_error wire = {
		.code = error->code,
		.domain = error->domain,
		.message = message,
		.level = error->level,
		.str1 = template,
		.str2 = message,
		.int1 = error->errnum ? error->errnum : -1,
		.int2 = -1,
	};

	memcpy(message, error->message, sizeof(message));
	return rpc_encode_frame(header, 0, &rpc_shapes[RPC_SHAPE_REMOTE_ERROR], &wire, buffer);
}

int
rpc_error_reply(
	const struct rpc_error *error, const struct rpc_header *call, struct rpc_buffer *buffer)
{
	struct rpc_header header = rpc_header_reply(call, RPC_ERROR);

	return rpc_error_encode(error, &header, buffer);
}
