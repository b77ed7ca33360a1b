/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uuid.h: 16 bytes and their text, as RFC 4122 writes them.
 *
 * Runs in every program.
 */
#ifndef LIB_UUID_H
#define LIB_UUID_H

#include <stdbool.h>
#include <stdint.h>

enum { UUID_SIZE = 16, UUID_TEXT_SIZE = 37 /* with the NUL */ };

/** Lower case, with its four hyphens. Returns text. */
const char *uuid_format(const uint8_t uuid[static UUID_SIZE], char text[static UUID_TEXT_SIZE]);
/** A fresh random one (version 4). Returns false when the kernel gives no random bytes. */
bool uuid_random(uint8_t ret[static UUID_SIZE]);

#endif
