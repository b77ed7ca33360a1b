/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * utf8.h: one character of UTF-8, checked.
 *
 * Runs in every program, root's included; pure. Well-formed is what Unicode's table 3-7 allows: no
 * overlong forms, no surrogates, nothing above U+10FFFF.
 */
#ifndef LIB_UTF8_H
#define LIB_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Read the character at text, which has size bytes. Returns its length, 1 to 4, or 0 when there is
 * no well-formed one.
 */
size_t utf8_next(const char *text, size_t size, uint32_t *ret_char);
/** C0, DEL and C1: what a terminal or a reader of lines may act on. */
bool utf8_is_control(uint32_t c);
/** Controls, and what is invisible or reorders the text around it: not to be shown as it is. */
bool utf8_is_hidden(uint32_t c);

#endif
