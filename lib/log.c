/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log.c: one line a record on stderr, through one escaping printer.
 *
 * Runs in every program, root's included. No stdio and no allocation, so that a line is one
 * write(2) in a trace too, works with any amount of memory, and two programs never mix theirs in a
 * pipe.
 */
#include "lib/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/utf8.h"

enum { PROGRAM_MAX = 32 };

static const char *const level_names[] = {
	[LEVEL_ERROR] = "error",
	[LEVEL_WARNING] = "warning",
	[LEVEL_INFO] = "info",
	[LEVEL_DEBUG] = "debug",
};

static const char *log_program = "qemud";
static enum log_level log_max = LEVEL_INFO;

void
log_open(const char *program, enum log_level max)
{
	log_program = program;
	log_max = max;
}

enum log_level
log_level_read(const char *name)
{
	for (enum log_level level = LEVEL_ERROR; level <= LEVEL_DEBUG; level++)
		if (strcmp(name, level_names[level]) == 0)
			return level;
	return 0;
}

const char *
log_level_name(enum log_level level)
{
	return level_names[level];
}

/*
 * Write what stands for the n bytes at text into unit. special are the printable bytes that may not
 * stand for themselves; a backslash among them is doubled. Returns the length written.
 */
static size_t
escape_unit(char unit[static 4], const char *text, size_t n, const char *special)
{
	static const char hex[] = "0123456789abcdef";

	if (n == 1 && (*text == '\0' || strchr(special, *text))) {
		n = 0;
		if (*text == '\\') {
			unit[0] = unit[1] = '\\';
			return 2;
		}
	}
	if (n > 0) {
		memcpy(unit, text, n);
		return n;
	}
	unit[0] = '\\';
	unit[1] = 'x';
	unit[2] = hex[(uint8_t)*text >> 4];
	unit[3] = hex[(uint8_t)*text & 15];
	return 4;
}

static size_t
escape(char *out, size_t out_size, const char *text, size_t size, const char *special)
{
	static const char cut[] = "...";
	size_t at = 0, len = 0, room_for_cut = 0;

	while (at < size) {
		char unit[4];
		uint32_t c;
		size_t n = utf8_next(text + at, size - at, &c), n_unit;

		if (n > 0 && utf8_is_hidden(c)) {
			/* Byte by byte: the bytes that follow stand alone, and are not valid. */
			n_unit = escape_unit(unit, text + at, 0, special);
			n = 1;
		} else {
			n_unit = escape_unit(unit, text + at, n, special);
			n += n == 0;
		}
		if (len + n_unit >= out_size) {
			len = room_for_cut;
			memcpy(out + len, cut, sizeof cut - 1);
			len += sizeof cut - 1;
			break;
		}
		memcpy(out + len, unit, n_unit);
		len += n_unit;
		at += n;
		if (len + sizeof cut <= out_size)
			room_for_cut = len;
	}
	out[len] = '\0';
	return len;
}

size_t
log_escape(char *out, size_t out_size, const char *text, size_t size)
{
	return escape(out, out_size, text, size, "\\");
}

const char *
log_quote_into(char buf[static LOG_QUOTE_MAX], const char *text)
{
	size_t len;

	buf[0] = '"';
	len = 1 + escape(buf + 1, LOG_QUOTE_MAX - 2, text, strlen(text), "\\\"");
	buf[len] = '"';
	buf[len + 1] = '\0';
	return buf;
}

/* One record. errno is kept: a log call stands between a failure and its handling. */
__attribute__((format(printf, 2, 0))) static void
record(enum log_level level, const char *fmt, va_list ap)
{
	char line[LOG_LINE_MAX + 1], text[LOG_LINE_MAX];
	int err = errno, prefix, n;
	size_t len;

	if (level > log_max)
		return;
	n = vsnprintf(text, sizeof text, fmt, ap);
	if (n < 0)
		n = snprintf(text, sizeof text, "(a message that cannot be formatted)");
	if ((size_t)n >= sizeof text)
		n = sizeof text - 1;
	prefix = snprintf(
		line, sizeof line, "%.*s: %s: ", PROGRAM_MAX, log_program, level_names[level]);
	/*
	 * Backslashes stay: what log_quote() made is not escaped again. The text buffer is cut
	 * later than the line, so a character cut in two by vsnprintf() is never shown.
	 */
	len = (size_t)prefix +
	      escape(line + prefix, LOG_LINE_MAX - (size_t)prefix, text, (size_t)n, "");
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0) {
		/* There is nobody left to tell. */
	}
	errno = err;
}

#define LOG_FUNCTION(name, level)       \
	void name(const char *fmt, ...) \
	{                               \
		va_list ap;             \
                                        \
		va_start(ap, fmt);      \
		record(level, fmt, ap); \
		va_end(ap);             \
	}

LOG_FUNCTION(log_error, LEVEL_ERROR)
LOG_FUNCTION(log_warning, LEVEL_WARNING)
LOG_FUNCTION(log_info, LEVEL_INFO)
LOG_FUNCTION(log_debug, LEVEL_DEBUG)
