/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * heap.h: an intrusive pairing heap ordered by a 64-bit key. No allocation, so no failure.
 *
 * Runs in every program, root's included. The nodes belong to the caller.
 */
#ifndef LIB_HEAP_H
#define LIB_HEAP_H

#include <stdbool.h>
#include <stdint.h>

struct heap_node {
	uint64_t key;
	struct heap_node *child; /* first of the nodes below, all with keys >= ours */
	struct heap_node *next;  /* next sibling */
	struct heap_node *prev;  /* previous sibling, or the parent for a first child */
	bool in;
};

struct heap {
	struct heap_node *root;
};

void heap_insert(struct heap *heap, struct heap_node *node, uint64_t key);
/** Remove a node; nothing happens when it is in no heap. */
void heap_remove(struct heap *heap, struct heap_node *node);
/** The node with the smallest key, or NULL. */
struct heap_node *heap_first(const struct heap *heap);

#endif
