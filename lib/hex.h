/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hex.h: bytes as lower-case hexadecimal digits, and back.
 *
 * Runs in every program; pure.
 */
#ifndef LIB_HEX_H
#define LIB_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEX_SIZE(n_bytes) (2 * (n_bytes) + 1) /* with the NUL */

/** Two digits a byte into ret, which has room for HEX_SIZE(size). Returns ret. */
const char *hex_format(const uint8_t *data, size_t size, char *ret);
/** The value of a digit, of either case; -1 for what is none. */
int hex_digit(char c);
/** Exactly size bytes from text, which has nothing else in it. */
bool hex_parse(const char *text, uint8_t *ret, size_t size);

#endif
