/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_keyval.c: the one reader of "key = value" text, on anything.
 *
 * Oracle: reading ends, counts lines as they are, and a pair that was read and is written again
 * reads as the same pair; a number or boolean that was read is written as it was.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/keyval.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int holds)
{
	if (!holds)
		abort();
}

static void
read_again(const struct keyval *kv)
{
	static struct keyval again;
	char line[sizeof kv->key + sizeof kv->value + 4], number[32];
	uint64_t n;
	int yes;

	/* Without blanks the written line is never longer than the one that was read. */
	(void)snprintf(line, sizeof line, "%s=%s", kv->key, kv->value);
	keyval_init(&again, line, strlen(line));
	require(keyval_next(&again) == KEYVAL_PAIR);
	require(strcmp(again.key, kv->key) == 0 && strcmp(again.value, kv->value) == 0);
	require(keyval_next(&again) == KEYVAL_END);
	if (keyval_number(kv->value, 0, UINT64_MAX, &n) == 0) {
		(void)snprintf(number, sizeof number, "%llu", (unsigned long long)n);
		require(strcmp(number, kv->value) == 0);
	}
	if (keyval_bool(kv->value, &yes) == 0)
		require(strcmp(kv->value, yes ? "yes" : "no") == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct keyval kv;
	/* Of the exact size, so that a byte too many is seen. */
	char *text = malloc(size ? size : 1);
	enum keyval_result result;
	unsigned last = 0, n_lines = 0;

	require(text != NULL);
	memcpy(text, data, size);
	for (size_t i = 0; i < size; i++)
		n_lines += text[i] == '\n' || i + 1 == size;
	keyval_init(&kv, text, size);
	while ((result = keyval_next(&kv)) != KEYVAL_END) {
		require(kv.line > last && kv.at <= size);
		require((result == KEYVAL_BAD) == (kv.error != NULL));
		last = kv.line;
		if (result == KEYVAL_PAIR)
			read_again(&kv);
	}
	require(kv.at == size && kv.line == n_lines);
	free(text);
	return 0;
}
