/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * derived_uuid.c: the UUID under which somebody else's virtual machine is shown; see derived_uuid.h.
 *
 * Runs in the worker and in the view.
 */
#include "lib/derived_uuid.h"

#include <string.h>

#include "lib/sha256.h"

void
derived_uuid(uint32_t uid, const uint8_t uuid[static UUID_SIZE], uint8_t ret[static UUID_SIZE])
{
	static const char purpose[] = "qemud-derived-v8";
	const uint8_t owner[] = {
		(uint8_t)(uid >> 24), (uint8_t)(uid >> 16), (uint8_t)(uid >> 8), (uint8_t)uid};
	uint8_t digest[SHA256_SIZE];
	struct sha256 sha;

	sha256_init(&sha);
	sha256_add(&sha, purpose, sizeof purpose - 1);
	sha256_add(&sha, owner, sizeof owner);
	sha256_add(&sha, uuid, UUID_SIZE);
	sha256_end(&sha, digest);
	memcpy(ret, digest, UUID_SIZE);
	ret[6] = (uint8_t)((ret[6] & 0x0f) | 0x80);
	ret[8] = (uint8_t)((ret[8] & 0x3f) | 0x80);
}
