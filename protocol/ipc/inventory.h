/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inventory.h: the list of one user's VMs, as her worker leaves it with the broker for views.
 *
 * Pure. Written by the worker, kept unread by the broker, read by the view, which trusts no byte of
 * it: an inventory may say anything of its own user's VMs, and is shown as hers alone.
 *
 * It is text, one line a VM, its fields separated by one TAB:
 *
 *   id      0 when it does not run
 *   state   virDomainState
 *   reason  of that state
 *   flags   p: it has a definition; a: it starts with the host; in this order, "-" without any
 *   UUID    its own, 36 characters in lower case
 *   name    1 to 200 bytes of UTF-8 without control characters, '/' or ':', no '.' in front
 *
 * The lines are in the order of their names (strcmp()), each name once. The last line is "+N": so many VMs more
 * were left out for want of room, 0 as a rule. Nothing says that an id or a UUID is there once, or is
 * the user's at all: which ids are, the broker knows (IPC_INVENTORY_FOUND).
 */
#ifndef PROTOCOL_IPC_INVENTORY_H
#define PROTOCOL_IPC_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/uuid.h"

enum { INVENTORY_MAX = 64 * 1024, INVENTORY_NAME_MAX = 200, INVENTORY_STATE_LAST = 7 };

struct inventory_vm {
	uint32_t id; /* at most INT32_MAX; 0: it does not run */
	uint32_t state;
	uint32_t reason; /* at most INT32_MAX */
	bool persistent, autostart;
	uint8_t uuid[UUID_SIZE];
	char name[INVENTORY_NAME_MAX + 1];
};

struct inventory_writer {
	char *text; /* borrowed, size bytes */
	size_t size, length;
	uint32_t n_left_out;
	char last[INVENTORY_NAME_MAX + 1]; /* name */
};

/** Begin to write into text; size is INVENTORY_MAX, less only in tests: never below 16. */
void inventory_write(struct inventory_writer *writer, char *text, size_t size);
/**
 * One more VM, whose name follows the last one's. What does not fit, and all that follow it, are
 * counted. Returns 0, or -EINVAL for what inventory_next() would not take: nothing is written then.
 */
int inventory_add(struct inventory_writer *writer, const struct inventory_vm *vm);
/** All of them were added. Returns the length of the text, which has no NUL. */
size_t inventory_end(struct inventory_writer *writer);

struct inventory_reader {
	const char *text; /* borrowed, size bytes */
	size_t size, at;
	char last[INVENTORY_NAME_MAX + 1];
	uint32_t n_left_out; /* after INVENTORY_END */
	const char *error;   /* after INVENTORY_BAD, a constant */
};

enum inventory_result { INVENTORY_END = 0, INVENTORY_VM = 1, INVENTORY_BAD = 2 };

/** Begin to read. The text is whatever somebody else wrote, of any size. */
void inventory_read(struct inventory_reader *reader, const char *text, size_t size);
/**
 * The next VM. After INVENTORY_BAD nothing that was read before it need be true either; there is no
 * reading on. A text that ends before its "+N" is bad.
 */
enum inventory_result inventory_next(struct inventory_reader *reader, struct inventory_vm *ret);

#endif
