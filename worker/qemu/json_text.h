/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json_text.h: a JSON value as text. Runs in the worker; pure.
 */
#ifndef WORKER_QEMU_JSON_TEXT_H
#define WORKER_QEMU_JSON_TEXT_H

#include <jansson.h>

/** The value in one line, the caller's to free; NULL without memory. */
char *json_text(const json_t *value);

#endif
