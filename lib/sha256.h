/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sha256.h: SHA-256 (FIPS 180-4) of bytes that come in pieces.
 *
 * Runs in every program. It is here because neither libc nor what root's programs and the view may
 * link has one. Nothing is kept secret by it: it is not made to run in constant time.
 */
#ifndef LIB_SHA256_H
#define LIB_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_SIZE = 32, SHA256_BLOCK = 64 };

struct sha256 {
	uint32_t state[8];
	uint64_t size; /* in bytes, of all that came */
	uint8_t block[SHA256_BLOCK];
};

void sha256_init(struct sha256 *sha);
/** size more bytes; data may be NULL when size is 0. */
void sha256_add(struct sha256 *sha, const void *data, size_t size);
/** The digest of all that came. sha must be initialised again before it is used again. */
void sha256_end(struct sha256 *sha, uint8_t ret[static SHA256_SIZE]);

#endif
