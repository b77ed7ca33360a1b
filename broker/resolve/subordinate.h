/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * subordinate.h: the ranges of /etc/subuid, with which a user namespace of one account can connect
 * under many other uids.
 *
 * Pure, no I/O; used by qemud-resolve, as nobody.
 */
#ifndef BROKER_RESOLVE_SUBORDINATE_H
#define BROKER_RESOLVE_SUBORDINATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Does uid lie in a range of text (subuid(5): OWNER:FIRST:COUNT lines, OWNER a name or a uid) that
 * belongs to another account than name, uid? Lines of another form are skipped, as those who hand
 * the ranges out (newuidmap) do.
 */
bool subordinate_holds(const char *text, size_t size, const char *name, uint32_t uid);

#endif
