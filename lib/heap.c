/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * heap.c: an intrusive pairing heap.
 *
 * Runs in every program, root's included. Iterative throughout: its depth is not the stack's.
 */
#include "lib/heap.h"

#include <stddef.h>

#include "lib/err.h"

/* Join two trees; either may be NULL. */
static struct heap_node *
meld(struct heap_node *a, struct heap_node *b)
{
	if (!a || !b)
		return a ? a : b;
	if (b->key < a->key) {
		struct heap_node *swap = a;

		a = b;
		b = swap;
	}
	b->prev = a;
	b->next = a->child;
	if (b->next)
		b->next->prev = b;
	a->child = b;
	return a;
}

/* Make one tree of a list of siblings: pairs from the left, then the pairs from the right. */
static struct heap_node *
meld_siblings(struct heap_node *list)
{
	struct heap_node *pairs = NULL, *root = NULL;

	while (list) {
		struct heap_node *a = list, *b = a->next;

		list = b ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b)
			b->next = b->prev = NULL;
		a = meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	while (pairs) {
		struct heap_node *a = pairs;

		pairs = a->next;
		a->next = NULL;
		root = meld(root, a);
	}
	return root;
}

void
heap_insert(struct heap *heap, struct heap_node *node, uint64_t key)
{
	ASSERT(!node->in);
	*node = (struct heap_node){.key = key, .in = true};
	heap->root = meld(heap->root, node);
}

void
heap_remove(struct heap *heap, struct heap_node *node)
{
	struct heap_node *below;

	if (!node->in)
		return;
	below = meld_siblings(node->child);
	if (node == heap->root) {
		heap->root = below;
	} else {
		if (node->prev->child == node)
			node->prev->child = node->next;
		else
			node->prev->next = node->next;
		if (node->next)
			node->next->prev = node->prev;
		heap->root = meld(heap->root, below);
	}
	*node = (struct heap_node){.key = node->key};
}

struct heap_node *
heap_first(const struct heap *heap)
{
	return heap->root;
}
