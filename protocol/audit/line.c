/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * line.c: one line of the audit log, written and read; see line.h.
 *
 * Pure. Must never write more than a line has room for, whatever the texts of a record are, and
 * believes nothing of a line that is read.
 */
#include "protocol/audit/line.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"
#include "lib/hex.h"
#include "lib/utc.h"
#include "lib/utf8.h"
#include "lib/uuid.h"

/* --- writing ------------------------------------------------------------------------------ */

struct out {
	char *text;
	size_t len;
};

/* All texts of a record, each byte as \ufffd, and what else is in a line. */
_Static_assert(6 * (IPC_LABEL_MAX + IPC_NAME_MAX + AUDIT_RULE_MAX + IPC_REASON_MAX) + 1000 <
		       AUDIT_LINE_MAX,
	"every line fits");

__attribute__((format(printf, 2, 3))) static void
add(struct out *out, const char *fmt, ...)
{
	size_t room = AUDIT_LINE_MAX - out->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(out->text + out->len, room, fmt, ap);
	va_end(ap);
	ASSERT(n >= 0 && (size_t)n < room);
	out->len += (size_t)n;
}

static void
add_char(struct out *out, const char *text, size_t n, uint32_t c)
{
	if (n == 0)
		add(out, "\\ufffd");
	else if (c == '"' || c == '\\')
		add(out, "\\%c", (char)c);
	else if (!utf8_is_hidden(c))
		add(out, "%.*s", (int)n, text);
	else if (c < 0x10000)
		add(out, "\\u%04" PRIx32, c);
	else
		add(out, "\\u%04" PRIx32 "\\u%04" PRIx32, 0xd800 + ((c - 0x10000) >> 10),
			0xdc00 + ((c - 0x10000) & 0x3ff));
}

static void
add_text(struct out *out, const char *key, const char *text, size_t max)
{
	size_t size = strnlen(text, max);

	if (size == 0)
		return;
	add(out, ",\"%s\":\"", key);
	for (size_t at = 0; at < size;) {
		uint32_t c = 0;
		size_t n = utf8_next(text + at, size - at, &c);

		add_char(out, text + at, n, c);
		at += n > 0 ? n : 1;
	}
	add(out, "\"");
}

static void
add_number(struct out *out, const char *key, uint64_t number)
{
	if (number != 0)
		add(out, ",\"%s\":%" PRIu64, key, number);
}

static void
add_time(struct out *out, uint64_t time_us)
{
	struct utc utc = utc_of(time_us / 1000000);

	add(out, ",\"time\":\"%04u-%02u-%02uT%02u:%02u:%02u.%06uZ\"", utc.year, utc.month, utc.day,
		utc.hour, utc.minute, utc.second, (unsigned)(time_us % 1000000));
}

size_t
audit_line_format(const struct ipc_audit_record *record, const struct audit_place *place,
	char ret[static AUDIT_LINE_MAX])
{
	static const uint8_t no_uuid[IPC_UUID_SIZE];
	const struct audit_words *words = audit_words(record->kind);
	const char *verdict = audit_verdict_word(record->verdict);
	char hex[HEX_SIZE(SHA256_SIZE)], uuid[UUID_TEXT_SIZE];
	struct out out = {.text = ret};

	add(&out, "{\"seq\":%" PRIu64, place->seq);
	add_time(&out, record->time_us);
	add(&out, ",\"kind\":\"%s\",\"verb\":\"%s\"", words->noun, words->verb);
	if (verdict)
		add(&out, ",\"verdict\":\"%s\"", verdict);
	add(&out, ",\"uid\":%" PRIu32, record->uid);
	add_number(&out, "pid", record->pid);
	add_text(&out, "label", record->label, sizeof record->label);
	add_number(&out, "conn", record->conn_id);
	add_text(&out, "target", record->target, sizeof record->target);
	add_number(&out, "vm", record->vm);
	if (memcmp(record->uuid, no_uuid, sizeof no_uuid) != 0)
		add(&out, ",\"reported_uuid\":\"%s\"", uuid_format(record->uuid, uuid));
	add_number(&out, "memory_kib", record->memory_kib);
	add_number(&out, "vcpus", record->vcpus);
	add_text(&out, "rule", record->rule, sizeof record->rule);
	add_text(&out, words->reported ? "reported_outcome" : "outcome", record->outcome,
		sizeof record->outcome);
	if (record->count > 1)
		add_number(&out, "count", record->count);
	add_number(&out, "torn", place->torn);
	add_number(&out, "removed", place->removed);
	add(&out, ",\"prev\":\"%s\"}\n", hex_format(place->prev, SHA256_SIZE, hex));
	return out.len;
}

/* --- reading ------------------------------------------------------------------------------ */

void
audit_members_init(struct audit_members *members, const char *text, size_t size)
{
	*members = (struct audit_members){.text = text, .size = size};
}

/* The byte at the place of reading; a newline where there is none: no member has one. */
static char
peek(const struct audit_members *members)
{
	if (members->at == members->size)
		return '\n';
	return members->text[members->at];
}

static bool
skip(struct audit_members *members, char c)
{
	if (peek(members) != c || c == '\n')
		return false;
	members->at++;
	return true;
}

static bool
read_unit(struct audit_members *members, uint32_t *ret)
{
	*ret = 0;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(peek(members));

		if (digit < 0)
			return false;
		*ret = *ret << 4 | (uint32_t)digit;
		members->at++;
	}
	return true;
}

static size_t
encode(uint32_t c, char ret[static 4])
{
	if (c < 0x80) {
		ret[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		ret[0] = (char)(0xc0 | c >> 6);
		ret[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		ret[0] = (char)(0xe0 | c >> 12);
		ret[1] = (char)(0x80 | (c >> 6 & 0x3f));
		ret[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	ret[0] = (char)(0xf0 | c >> 18);
	ret[1] = (char)(0x80 | (c >> 12 & 0x3f));
	ret[2] = (char)(0x80 | (c >> 6 & 0x3f));
	ret[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* Behind "\u". A half of a pair alone, and NUL, stand for no character. */
static bool
read_escape(struct audit_members *members, uint32_t *ret)
{
	uint32_t low;

	if (!read_unit(members, ret))
		return false;
	if (*ret >= 0xd800 && *ret < 0xdc00) {
		size_t at = members->at;

		if (skip(members, '\\') && skip(members, 'u') && read_unit(members, &low) &&
			low >= 0xdc00 && low < 0xe000) {
			*ret = 0x10000 + ((*ret - 0xd800) << 10) + (low - 0xdc00);
			return true;
		}
		members->at = at;
	}
	if (*ret == 0 || (*ret >= 0xd800 && *ret < 0xe000))
		*ret = 0xfffd;
	return true;
}

/* One character of a string, of at most four bytes, as it is or escaped. Returns its length, or 0. */
static size_t
read_char(struct audit_members *members, char ret[static 4])
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *which;
	uint32_t c = 0;
	size_t n;

	if (!skip(members, '\\')) {
		n = utf8_next(members->text + members->at, members->size - members->at, &c);
		if (n == 0 || c < 0x20)
			return 0;
		memcpy(ret, members->text + members->at, n);
		members->at += n;
		return n;
	}
	if (skip(members, 'u'))
		return read_escape(members, &c) ? encode(c, ret) : 0;
	which = peek(members) == '\0' ? NULL : strchr(from, peek(members));
	if (!which)
		return 0;
	members->at++;
	ret[0] = to[which - from];
	return 1;
}

static bool
read_string(struct audit_members *members, char *ret, size_t max)
{
	size_t len = 0;

	if (!skip(members, '"'))
		return false;
	while (!skip(members, '"')) {
		char c[4];
		size_t n = members->at < members->size ? read_char(members, c) : 0;

		if (n == 0 || len + n >= max)
			return false;
		memcpy(ret + len, c, n);
		len += n;
	}
	ret[len] = '\0';
	return true;
}

static bool
read_number(struct audit_members *members)
{
	size_t begin = members->at;

	members->number = 0;
	while (peek(members) >= '0' && peek(members) <= '9') {
		uint64_t digit = (uint64_t)(peek(members) - '0');

		if (__builtin_mul_overflow(members->number, 10, &members->number) ||
			__builtin_add_overflow(members->number, digit, &members->number))
			return false;
		members->at++;
	}
	if (members->at == begin || (members->text[begin] == '0' && members->at > begin + 1))
		return false;
	memcpy(members->value, members->text + begin, members->at - begin);
	members->value[members->at - begin] = '\0';
	return true;
}

int
audit_members_next(struct audit_members *members)
{
	bool first = members->at == 0;

	if (first && !skip(members, '{'))
		return -1;
	if (!first && skip(members, '}'))
		return members->at + 1 == members->size && members->text[members->at] == '\n' ? 0
											      : -1;
	if (!first && !skip(members, ','))
		return -1;
	if (!read_string(members, members->key, sizeof members->key) || !skip(members, ':'))
		return -1;
	members->is_number = peek(members) != '"';
	if (members->is_number)
		return read_number(members) ? 1 : -1;
	return read_string(members, members->value, sizeof members->value) ? 1 : -1;
}

struct reading {
	struct audit_line line;
	char noun[AUDIT_KEY_MAX], verb[AUDIT_KEY_MAX];
	bool has_prev;
};

/* What matters of one member; false when it is not of the kind that it must be, or there twice. */
static bool
read_member(const struct audit_members *members, struct reading *ret)
{
	struct audit_place *place = &ret->line.place;
	const struct {
		const char *key;
		uint64_t *number;
		char *text;
	} known[] = {{"seq", &place->seq, NULL}, {"torn", &place->torn, NULL},
		{"removed", &place->removed, NULL}, {"kind", NULL, ret->noun},
		{"verb", NULL, ret->verb}};

	if (strcmp(members->key, "prev") == 0) {
		if (ret->has_prev || members->is_number)
			return false;
		ret->has_prev = true;
		return hex_parse(members->value, place->prev, SHA256_SIZE);
	}
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (strcmp(members->key, known[i].key) != 0)
			continue;
		if (members->is_number != (known[i].number != NULL))
			return false;
		if (known[i].number) {
			/* None of them is ever 0. */
			if (*known[i].number != 0 || members->number == 0)
				return false;
			*known[i].number = members->number;
			return true;
		}
		if (known[i].text[0] != '\0' || strlen(members->value) >= AUDIT_KEY_MAX)
			return false;
		memcpy(known[i].text, members->value, strlen(members->value) + 1);
		return true;
	}
	return true;
}

static bool
is_kind(const struct reading *reading, enum audit_kind kind)
{
	const struct audit_words *words = audit_words(kind);

	return strcmp(reading->noun, words->noun) == 0 && strcmp(reading->verb, words->verb) == 0;
}

bool
audit_line_read(const char *text, size_t size, struct audit_line *ret)
{
	struct audit_members members;
	struct reading reading = {.has_prev = false};
	int r;

	if (size > AUDIT_LINE_MAX)
		return false;
	audit_members_init(&members, text, size);
	while ((r = audit_members_next(&members)) > 0)
		if (!read_member(&members, &reading))
			return false;
	if (r < 0 || !reading.has_prev || reading.line.place.seq == 0)
		return false;
	*ret = reading.line;
	ret->repair = is_kind(&reading, AUDIT_REPAIR);
	ret->remove = is_kind(&reading, AUDIT_REMOVE);
	return true;
}

/* What stands between seq and prev. */
static const char *
middle(const char *text, size_t size, size_t *ret_size)
{
	static const size_t tail = sizeof ",\"prev\":\"\"}\n" - 1 + HEX_SIZE(SHA256_SIZE) - 1;
	const char *begin = memchr(text, ',', size);
	size_t skipped = begin ? (size_t)(begin - text) : size;

	*ret_size = size - skipped > tail ? size - skipped - tail : 0;
	return begin;
}

bool
audit_line_same(const char *a, size_t a_size, const char *b, size_t b_size)
{
	size_t a_len, b_len;
	const char *a_middle = middle(a, a_size, &a_len), *b_middle = middle(b, b_size, &b_len);

	return a_len > 0 && a_len == b_len && memcmp(a_middle, b_middle, a_len) == 0;
}
