/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inventory.c: the list of one user's VMs, written and read; see inventory.h.
 *
 * Pure. The reader takes bytes of any user's making. What it accepts is written again as the same
 * bytes: there is one text for a list.
 */
#include "protocol/ipc/inventory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"
#include "lib/utf8.h"

enum {
	REST_MAX = sizeof "+4294967295\n" - 1,
	NUMBER_MAX = 10,
	/* Three numbers, flags, UUID, name, five tabs, the end of the line. */
	LINE_MAX_SIZE = 3 * NUMBER_MAX + 2 + UUID_TEXT_SIZE - 1 + INVENTORY_NAME_MAX + 6,
	N_FLAGS = 2
};

/* --- what reader and writer ask alike ------------------------------------------------------ */

static bool
name_valid(const char *name)
{
	size_t size = strlen(name);

	if (size == 0 || size > INVENTORY_NAME_MAX || name[0] == '.')
		return false;
	for (size_t at = 0, n; at < size; at += n) {
		uint32_t c;

		n = utf8_next(name + at, size - at, &c);
		if (n == 0 || utf8_is_control(c) || c == '/' || c == ':')
			return false;
	}
	return true;
}

/* Why this cannot be the VM after the one that is called last, or NULL. */
static const char *
fault(const struct inventory_vm *vm, const char *last)
{
	if (vm->id > INT32_MAX || vm->reason > INT32_MAX)
		return "an id or a reason is out of range";
	if (vm->state > INVENTORY_STATE_LAST)
		return "a state is out of range";
	if (!name_valid(vm->name))
		return "a name is none that a VM can have";
	return strcmp(vm->name, last) > 0 ? NULL : "a name is not behind the one before it";
}

/* The flags as text; returns their number. */
static unsigned
format_flags(const struct inventory_vm *vm, char ret[static N_FLAGS + 1])
{
	unsigned n = 0;

	if (vm->persistent)
		ret[n++] = 'p';
	if (vm->autostart)
		ret[n++] = 'a';
	if (n == 0)
		ret[n++] = '-';
	ret[n] = '\0';
	return n;
}

/* --- writing ------------------------------------------------------------------------------- */

void
inventory_write(struct inventory_writer *writer, char *text, size_t size)
{
	*writer = (struct inventory_writer){.text = text, .size = size};
	ASSERT(size > REST_MAX);
}

int
inventory_add(struct inventory_writer *writer, const struct inventory_vm *vm)
{
	char line[LINE_MAX_SIZE + 1], flags[N_FLAGS + 1], uuid[UUID_TEXT_SIZE];
	size_t length;
	int n;

	if (fault(vm, writer->last))
		return -EINVAL;
	(void)format_flags(vm, flags);
	n = snprintf(line, sizeof line, "%" PRIu32 "\t%" PRIu32 "\t%" PRIu32 "\t%s\t%s\t%s\n",
		vm->id, vm->state, vm->reason, flags, uuid_format(vm->uuid, uuid), vm->name);
	ASSERT(n > 0 && (size_t)n < sizeof line);
	length = (size_t)n;
	(void)snprintf(writer->last, sizeof writer->last, "%s", vm->name);
	if (writer->n_left_out > 0 || length > writer->size - REST_MAX - writer->length) {
		writer->n_left_out++;
		return 0;
	}
	memcpy(writer->text + writer->length, line, length);
	writer->length += length;
	return 0;
}

size_t
inventory_end(struct inventory_writer *writer)
{
	char rest[REST_MAX + 1];
	int n = snprintf(rest, sizeof rest, "+%" PRIu32 "\n", writer->n_left_out);

	ASSERT(n > 0 && (size_t)n < sizeof rest);
	memcpy(writer->text + writer->length, rest, (size_t)n);
	writer->length += (size_t)n;
	return writer->length;
}

/* --- reading ------------------------------------------------------------------------------- */

void
inventory_read(struct inventory_reader *reader, const char *text, size_t size)
{
	*reader = (struct inventory_reader){.text = text, .size = size};
}

static enum inventory_result
bad(struct inventory_reader *reader, const char *error)
{
	reader->error = error;
	return INVENTORY_BAD;
}

/* A number as it is written: no sign, no leading zero. Ends at the first other byte. */
static bool
read_number(const char **at, uint32_t *ret)
{
	const char *digit = *at;
	uint64_t number = 0;

	for (; *digit >= '0' && *digit <= '9' && digit - *at < NUMBER_MAX; digit++)
		number = number * 10 + (uint64_t)(*digit - '0');
	if (digit == *at || (**at == '0' && digit - *at > 1) || number > UINT32_MAX)
		return false;
	*at = digit;
	*ret = (uint32_t)number;
	return true;
}

static bool
read_tab(const char **at)
{
	return *(*at)++ == '\t';
}

static bool
read_flags(const char **at, struct inventory_vm *vm)
{
	char again[N_FLAGS + 1];
	size_t length = strcspn(*at, "\t");
	unsigned n;

	vm->persistent = memchr(*at, 'p', length);
	vm->autostart = memchr(*at, 'a', length);
	n = format_flags(vm, again);
	if (length != n || memcmp(*at, again, n) != 0)
		return false;
	*at += n;
	return true;
}

static int
nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
read_uuid(const char **at, uint8_t ret[static UUID_SIZE])
{
	const char *text = *at;

	for (unsigned i = 0; i < UUID_SIZE; i++) {
		int high, low;

		if ((i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
			return false;
		high = nibble(text[0]);
		low = high < 0 ? -1 : nibble(text[1]);
		if (low < 0)
			return false;
		ret[i] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	*at = text;
	return true;
}

/* One whole line, without its end. */
static const char *
read_line(const char *line, const char *last, struct inventory_vm *ret)
{
	const char *at = line;
	size_t length;

	*ret = (struct inventory_vm){.id = 0};
	if (!read_number(&at, &ret->id) || !read_tab(&at) || !read_number(&at, &ret->state) ||
		!read_tab(&at) || !read_number(&at, &ret->reason) || !read_tab(&at))
		return "id, state or reason is no number";
	if (!read_flags(&at, ret) || !read_tab(&at))
		return "the flags are none";
	if (!read_uuid(&at, ret->uuid) || !read_tab(&at))
		return "a UUID is none";
	length = strlen(at);
	if (length > INVENTORY_NAME_MAX)
		return "a name is too long";
	memcpy(ret->name, at, length);
	return fault(ret, last);
}

/* "+N", behind which there is nothing. */
static enum inventory_result
read_rest(struct inventory_reader *reader, const char *line)
{
	const char *at = line + 1;

	if (!read_number(&at, &reader->n_left_out) || *at != '\0' || reader->at != reader->size)
		return bad(reader, "the end is none");
	return INVENTORY_END;
}

enum inventory_result
inventory_next(struct inventory_reader *reader, struct inventory_vm *ret)
{
	const char *from = reader->text + reader->at, *end, *why;
	char line[LINE_MAX_SIZE + 1];
	size_t length;

	if (reader->error)
		return INVENTORY_BAD;
	if (reader->at == reader->size)
		return bad(reader, "there is no end");
	end = memchr(from, '\n', reader->size - reader->at);
	length = end ? (size_t)(end - from) : 0;
	if (!end || length >= sizeof line || memchr(from, '\0', length))
		return bad(reader, "a line is cut, too long, or has a NUL");
	memcpy(line, from, length);
	line[length] = '\0';
	reader->at += length + 1;
	if (line[0] == '+')
		return read_rest(reader, line);
	why = read_line(line, reader->last, ret);
	if (why)
		return bad(reader, why);
	memcpy(reader->last, ret->name, sizeof reader->last);
	return INVENTORY_VM;
}
