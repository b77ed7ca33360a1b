/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keyval.c: the one reader of "key = value" text.
 *
 * Runs in every program, root's included; pure, no I/O. Never reads past the line it is in.
 */
#include "lib/keyval.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/utf8.h"

void
keyval_init(struct keyval *kv, const char *data, size_t size)
{
	*kv = (struct keyval){.data = data, .size = size};
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_key_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static enum keyval_result
bad(struct keyval *kv, const char *error)
{
	kv->error = error;
	return KEYVAL_BAD;
}

static const char *
value_error(const char *value, size_t size)
{
	for (size_t at = 0, n; at < size; at += n) {
		uint32_t c;

		n = utf8_next(value + at, size - at, &c);
		if (n == 0)
			return "the value is not valid UTF-8";
		if (c == '\r')
			return "a carriage return: save the file with UNIX line ends";
		if (utf8_is_control(c))
			return "a control byte in the value";
	}
	return NULL;
}

/* Read a line of size bytes, of which the first is visible and no comment. */
static enum keyval_result
read_pair(struct keyval *kv, const char *line, size_t size)
{
	const char *value, *end = line + size, *error;
	size_t n_key = 0, n_value;

	while (n_key < size && is_key_byte(line[n_key]))
		n_key++;
	value = line + n_key;
	while (value < end && is_blank(*value))
		value++;
	if (n_key == 0 || value == end || *value != '=')
		return bad(kv, "not of the form key = value (a key is of a-z, 0-9, _ and -)");
	if (n_key >= sizeof kv->key)
		return bad(kv, "the key is too long");
	value++;
	while (value < end && is_blank(*value))
		value++;
	while (end > value && is_blank(end[-1]))
		end--;
	n_value = (size_t)(end - value);
	error = value_error(value, n_value);
	if (error)
		return bad(kv, error);
	memcpy(kv->key, line, n_key);
	kv->key[n_key] = '\0';
	memcpy(kv->value, value, n_value);
	kv->value[n_value] = '\0';
	return KEYVAL_PAIR;
}

enum keyval_result
keyval_next(struct keyval *kv)
{
	kv->error = NULL;
	while (kv->at < kv->size) {
		const char *line = kv->data + kv->at;
		const char *end = memchr(line, '\n', kv->size - kv->at);
		size_t size = end ? (size_t)(end - line) : kv->size - kv->at;

		kv->at += size + (end ? 1 : 0);
		kv->line++;
		if (size > KEYVAL_LINE_MAX)
			return bad(kv, "the line is too long");
		if (memchr(line, '\0', size))
			return bad(kv, "a NUL byte in the line");
		while (size > 0 && is_blank(*line)) {
			line++;
			size--;
		}
		if (size > 0 && *line != '#')
			return read_pair(kv, line, size);
	}
	return KEYVAL_END;
}

int
keyval_number(const char *value, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t n = 0;
	bool over = false;

	if (*value == '\0' || (value[0] == '0' && value[1] != '\0'))
		return -EINVAL;
	for (; *value != '\0'; value++) {
		if (*value < '0' || *value > '9')
			return -EINVAL;
		over |= __builtin_mul_overflow(n, 10u, &n);
		over |= __builtin_add_overflow(n, (unsigned)(*value - '0'), &n);
	}
	if (over || n < min || n > max)
		return -ERANGE;
	*ret = n;
	return 0;
}

int
keyval_bool(const char *value, int *ret)
{
	if (strcmp(value, "yes") == 0)
		*ret = 1;
	else if (strcmp(value, "no") == 0)
		*ret = 0;
	else
		return -EINVAL;
	return 0;
}
