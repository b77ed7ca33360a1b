/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * group.h: which number a group's name stands for, and the text in which that travels.
 *
 * Pure. The text is `key = value` (lib/keyval.h): group, gid. Written by qemud-resolve, which runs
 * as nobody, so the reader checks all of it; read by the broker.
 */
#ifndef PROTOCOL_IPC_GROUP_H
#define PROTOCOL_IPC_GROUP_H

#include <stddef.h>
#include <stdint.h>

enum group_error { GROUP_E_BAD = 1 };

/**
 * Read the text of the answer about the group of that name. Each key is there once, no other is.
 * Returns 0, or GROUP_E_BAD when it is anything else, or about another group.
 */
int group_read(const char *text, size_t size, const char *name, uint32_t *ret_gid);
/**
 * Write the text with its NUL into buf. Returns its length, -ENOSPC, or -EINVAL for a name or gid
 * that group_read() would not take.
 */
int group_format(const char *name, uint32_t gid, char *buf, size_t size);

#endif
