/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * heap.c: the first node is always the smallest, whatever was inserted and removed before.
 */
#include "lib/heap.h"

#include "tests/unit/test.h"

enum { N = 300, STEPS = 30000 };

static struct heap_node nodes[N];

static uint32_t
next_random(void)
{
	static uint32_t x = 2463534242;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x;
}

/* Every node below node has a key that is not smaller, and the links agree. Returns their number.
 */
static unsigned
walk(const struct heap_node *node)
{
	const struct heap_node *prev = node;
	unsigned n = 1;

	for (const struct heap_node *child = node->child; child; child = child->next) {
		CHECK(child->key >= node->key && child->in);
		CHECK(child->prev == prev);
		prev = child;
		n += walk(child);
	}
	return n;
}

static void
starts_empty(void)
{
	struct heap heap = {NULL};
	struct heap_node node = {.in = false};

	CHECK(!heap_first(&heap));
	heap_remove(&heap, &node);
	heap_insert(&heap, &node, 5);
	CHECK(heap_first(&heap) == &node && node.key == 5 && node.in);
	heap_remove(&heap, &node);
	CHECK(!heap_first(&heap) && !node.in);
	heap_remove(&heap, &node);
	CHECK(!heap_first(&heap));
}

static void
sorts(void)
{
	struct heap heap = {NULL};
	uint64_t last = 0;
	unsigned n = 0;

	memset(nodes, 0, sizeof nodes);
	for (unsigned i = 0; i < N; i++)
		heap_insert(&heap, &nodes[i], next_random() % 50);
	for (struct heap_node *first; (first = heap_first(&heap)); n++) {
		CHECK(first->key >= last);
		last = first->key;
		heap_remove(&heap, first);
	}
	CHECK(n == N);
}

static void
extremes(void)
{
	struct heap heap = {NULL};

	memset(nodes, 0, sizeof nodes);
	heap_insert(&heap, &nodes[0], UINT64_MAX);
	heap_insert(&heap, &nodes[1], 0);
	heap_insert(&heap, &nodes[2], (uint64_t)1 << 63);
	CHECK(heap_first(&heap) == &nodes[1]);
	heap_remove(&heap, &nodes[1]);
	CHECK(heap_first(&heap) == &nodes[2]);
	heap_remove(&heap, &nodes[2]);
	CHECK(heap_first(&heap) == &nodes[0]);
}

static void
model(void)
{
	struct heap heap = {NULL};

	memset(nodes, 0, sizeof nodes);
	for (unsigned step = 0; step < STEPS; step++) {
		struct heap_node *node = &nodes[next_random() % N], *first;
		uint64_t least = UINT64_MAX;
		unsigned n = 0;

		if (node->in)
			heap_remove(&heap, node);
		else
			heap_insert(&heap, node, next_random() % 1000);
		for (unsigned i = 0; i < N; i++) {
			n += nodes[i].in;
			if (nodes[i].in && nodes[i].key < least)
				least = nodes[i].key;
		}
		first = heap_first(&heap);
		CHECK((first != NULL) == (n > 0));
		CHECK(!first || first->key == least);
		CHECK(!first || (!first->next && !first->prev));
		if (step % 100 == 0 && first)
			CHECK(walk(first) == n);
		if (test_this_failed)
			break;
	}
}

int
main(void)
{
	TEST("an empty heap has no first; removing what is in none does nothing", starts_empty);
	TEST("nodes come out in order, equal keys included", sorts);
	TEST("the smallest and largest keys are ordinary keys", extremes);
	TEST("random inserts and removals agree with a plain search", model);
	return TEST_END();
}
