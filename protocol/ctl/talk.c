/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * talk.c: what qemudctl asks, and is answered; see talk.h.
 *
 * Pure. Reads nothing behind the size that it is given.
 */
#include "protocol/ctl/talk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"
#include "lib/keyval.h"
#include "lib/utf8.h"

enum { NUMBER_MAX = 20 };

const struct talk_kind talk_kinds[TALK_KINDS] = {
	[TALK_HOST] = {"host", TALK_HOST_COLUMNS,
		{
			[TALK_HOST_PROTOCOL] = {"protocol", TALK_NUMBER},
			[TALK_HOST_VERSION] = {"version", TALK_TEXT},
			[TALK_HOST_SINCE] = {"since", TALK_NUMBER},
			[TALK_HOST_LIMITS] = {"limits", TALK_TEXT},
			[TALK_HOST_CONTROLLERS] = {"controllers", TALK_TEXT},
			[TALK_HOST_POLICY_READ] = {"policy_read", TALK_NUMBER},
			[TALK_HOST_POLICY_RULES] = {"policy_rules", TALK_NUMBER},
			[TALK_HOST_POLICY_FAILED] = {"policy_failed", TALK_FLAG},
			[TALK_HOST_WORKERS] = {"workers", TALK_NUMBER},
			[TALK_HOST_VMS] = {"vms", TALK_NUMBER},
			[TALK_HOST_CONNECTIONS] = {"connections", TALK_NUMBER},
			[TALK_HOST_MEMORY] = {"memory_kib", TALK_NUMBER},
			[TALK_HOST_AUDIT] = {"audit", TALK_TEXT},
			[TALK_HOST_AUDIT_WAITING] = {"audit_waiting", TALK_NUMBER},
			[TALK_HOST_AUDIT_LOST] = {"audit_lost", TALK_NUMBER},
		}},
	[TALK_USER] = {"user", TALK_USER_COLUMNS,
		{
			[TALK_USER_UID] = {"uid", TALK_NUMBER},
			[TALK_USER_NAME] = {"name", TALK_TEXT},
			[TALK_USER_OWN] = {"own", TALK_FLAG},
			[TALK_USER_WORKER] = {"worker", TALK_TEXT},
			[TALK_USER_ANSWERS] = {"answers", TALK_FLAG},
			[TALK_USER_CONNECTIONS] = {"connections", TALK_NUMBER},
			[TALK_USER_VMS] = {"vms", TALK_NUMBER},
			[TALK_USER_VCPUS] = {"vcpus", TALK_NUMBER},
			[TALK_USER_MEMORY] = {"memory_kib", TALK_NUMBER},
			[TALK_USER_OVERHEAD] = {"overhead_kib", TALK_NUMBER},
			[TALK_USER_REPORTED_VMS] = {"reported_vms", TALK_NUMBER},
		}},
	[TALK_VM] = {"vm", TALK_VM_COLUMNS,
		{
			[TALK_VM_UID] = {"uid", TALK_NUMBER},
			[TALK_VM_OWNER] = {"owner", TALK_TEXT},
			[TALK_VM_ID] = {"id", TALK_NUMBER},
			[TALK_VM_STATE] = {"state", TALK_TEXT},
			[TALK_VM_VCPUS] = {"vcpus", TALK_NUMBER},
			[TALK_VM_MEMORY] = {"memory_kib", TALK_NUMBER},
			[TALK_VM_OVERHEAD] = {"overhead_kib", TALK_NUMBER},
			[TALK_VM_UUID] = {"uuid", TALK_TEXT},
			[TALK_VM_REPORTED_NAME] = {"reported_name", TALK_TEXT},
			[TALK_VM_REPORTED_STATE] = {"reported_state", TALK_TEXT},
		}},
	[TALK_LIMIT] = {"limit", TALK_LIMIT_COLUMNS,
		{
			[TALK_LIMIT_UID] = {"uid", TALK_NUMBER},
			[TALK_LIMIT_NAME] = {"name", TALK_TEXT},
			[TALK_LIMIT_KEY] = {"limit", TALK_TEXT},
			[TALK_LIMIT_USED] = {"used", TALK_NUMBER},
			[TALK_LIMIT_MAX] = {"allowed", TALK_NUMBER},
			[TALK_LIMIT_RULE] = {"rule", TALK_TEXT},
		}},
	[TALK_ERROR] = {"error", TALK_ERROR_COLUMNS,
		{
			[TALK_ERROR_CODE] = {"code", TALK_TEXT},
			[TALK_ERROR_TEXT] = {"text", TALK_TEXT},
		}},
	[TALK_END] = {"end", TALK_END_COLUMNS,
		{
			[TALK_END_ROWS] = {"rows", TALK_NUMBER},
		}},
};

enum { NAME_MAX_LEN = 8 };

_Static_assert(NAME_MAX_LEN + TALK_COLUMNS_MAX * (TALK_TEXT_MAX + 1) + 1 <= TALK_ROW_MAX,
	"the longest row has room");

/* --- texts -------------------------------------------------------------------------------- */

/* May it stand in a line? */
static bool
is_text(const char *text, size_t size)
{
	for (size_t at = 0, n; at < size; at += n) {
		uint32_t c;

		n = utf8_next(text + at, size - at, &c);
		if (n == 0 || utf8_is_control(c))
			return false;
	}
	return true;
}

/* As much of it as there is room for. */
static size_t
write_text(const char *text, char *ret)
{
	size_t size = strlen(text), length = 0;

	for (size_t at = 0, n; at < size; at += n) {
		uint32_t c;
		bool bad;

		n = utf8_next(text + at, size - at, &c);
		bad = n == 0 || utf8_is_control(c);
		n += n == 0;
		if (length + n > TALK_TEXT_MAX)
			break;
		if (bad)
			ret[length++] = '?';
		else
			memcpy(ret + length, text + at, n);
		length += bad ? 0 : n;
	}
	return length;
}

/* --- the question ------------------------------------------------------------------------- */

static const char *const asks[] = {
	[TALK_ASK_STATUS] = "status", [TALK_ASK_VMS] = "vms", [TALK_ASK_LIMITS] = "limits"};

size_t
talk_question_write(const struct talk_question *question, char ret[static TALK_QUESTION_MAX])
{
	const char *user = question->user;
	int n;

	if (!is_text(user, strlen(user)))
		return 0;
	n = snprintf(ret, TALK_QUESTION_MAX, "%d\t%s%s%s\n", TALK_PROTOCOL, asks[question->ask],
		*user ? "\t" : "", user);
	return (size_t)n;
}

int
talk_question_read(const char *line, size_t size, struct talk_question *ret)
{
	char text[TALK_QUESTION_MAX], *rest = text;
	const char *protocol, *ask, *user;
	uint64_t number;

	*ret = (struct talk_question){.user = ""};
	if (size >= sizeof text || memchr(line, '\0', size))
		return TALK_E_BAD;
	memcpy(text, line, size);
	text[size] = '\0';
	protocol = strsep(&rest, "\t");
	if (keyval_number(protocol, 1, UINT32_MAX, &number) != 0)
		return TALK_E_BAD;
	if (number != TALK_PROTOCOL)
		return TALK_E_PROTOCOL;
	ask = strsep(&rest, "\t");
	user = strsep(&rest, "\t");
	for (unsigned i = TALK_ASK_STATUS; ask && i <= TALK_ASK_LIMITS; i++)
		if (strcmp(ask, asks[i]) == 0)
			ret->ask = (enum talk_ask)i;
	if (ret->ask == 0 || rest)
		return TALK_E_BAD;
	if (!user)
		return 0;
	if (ret->ask != TALK_ASK_LIMITS || *user == '\0' || strlen(user) >= sizeof ret->user ||
		!is_text(user, strlen(user)))
		return TALK_E_BAD;
	memcpy(ret->user, user, strlen(user) + 1);
	return 0;
}

/* --- the answer --------------------------------------------------------------------------- */

size_t
talk_row_write(const struct talk_row *row, char ret[static TALK_ROW_MAX])
{
	const struct talk_kind *kind = &talk_kinds[row->kind];
	size_t n = strlen(kind->name);

	memcpy(ret, kind->name, n);
	for (unsigned i = 0; i < kind->n_columns; i++) {
		const struct talk_value *value = &row->values[i];

		ret[n++] = '\t';
		if (!value->known)
			continue;
		if (kind->columns[i].type == TALK_TEXT)
			n += write_text(value->text, ret + n);
		else
			n += (size_t)snprintf(ret + n, NUMBER_MAX + 1, "%" PRIu64, value->number);
	}
	ret[n++] = '\n';
	ASSERT(n <= TALK_ROW_MAX);
	return n;
}

static bool
read_value(char *text, enum talk_type type, struct talk_value *ret)
{
	*ret = (struct talk_value){.known = *text != '\0', .text = text};
	if (!ret->known)
		return true;
	if (type == TALK_TEXT)
		return strlen(text) <= TALK_TEXT_MAX && is_text(text, strlen(text));
	return keyval_number(text, 0, type == TALK_FLAG ? 1 : UINT64_MAX, &ret->number) == 0;
}

/* Of a line with its NUL, which has no other. */
static bool
read_row(char *line, struct talk_row *ret)
{
	char *rest = line;
	const char *name = strsep(&rest, "\t");

	*ret = (struct talk_row){.kind = TALK_HOST};
	while (ret->kind < TALK_KINDS && strcmp(talk_kinds[ret->kind].name, name) != 0)
		ret->kind++;
	if (ret->kind == TALK_KINDS)
		return false;
	for (unsigned i = 0; i < talk_kinds[ret->kind].n_columns; i++) {
		char *field = strsep(&rest, "\t");

		if (!field ||
			!read_value(field, talk_kinds[ret->kind].columns[i].type, &ret->values[i]))
			return false;
	}
	return !rest;
}

static enum talk_result
bad(struct talk_reader *reader, const char *error)
{
	reader->error = error;
	return TALK_BAD;
}

enum talk_result
talk_next(struct talk_reader *reader, struct talk_row *ret)
{
	char *line = reader->text + reader->at;
	size_t left = reader->size - reader->at;
	char *end = left > 0 ? memchr(line, '\n', left) : NULL;

	if (!end)
		return bad(reader, left > 0 ? "a line is cut" : "its end is missing");
	*end = '\0';
	reader->at += (size_t)(end - line) + 1;
	if (strlen(line) != (size_t)(end - line) || !read_row(line, ret))
		return bad(reader, "a line is none of an answer");
	if (ret->kind != TALK_END && reader->n_rows == TALK_ROWS_MAX)
		return bad(reader, "it has more lines than an answer may have");
	if (ret->kind != TALK_END) {
		reader->n_rows++;
		return TALK_ROW;
	}
	if (!ret->values[TALK_END_ROWS].known ||
		ret->values[TALK_END_ROWS].number != reader->n_rows)
		return bad(reader, "lines are missing");
	return reader->at == reader->size ? TALK_WHOLE : bad(reader, "it goes on behind its end");
}

/* Each field has its NUL now. */
char *
talk_again(char *line, struct talk_row *ret)
{
	char *field = line + strlen(line) + 1;

	*ret = (struct talk_row){.kind = TALK_HOST};
	while (ret->kind < TALK_KINDS && strcmp(talk_kinds[ret->kind].name, line) != 0)
		ret->kind++;
	ASSERT(ret->kind < TALK_KINDS);
	for (unsigned i = 0; i < talk_kinds[ret->kind].n_columns; i++) {
		ASSERT(read_value(field, talk_kinds[ret->kind].columns[i].type, &ret->values[i]));
		field += strlen(field) + 1;
	}
	return field;
}
