/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json.h: what commands print for programs.
 *
 * Runs as whoever calls qemudctl.
 */
#ifndef CTL_JSON_H
#define CTL_JSON_H

#include "protocol/ctl/talk.h"

/** A string, quoted and escaped; bytes that are no UTF-8 are U+FFFD. */
void json_put_string(const char *text);
/** An object with a member for each column: null where it is not known. */
void json_put_row(const struct talk_row *row);

#endif
