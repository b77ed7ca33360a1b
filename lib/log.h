/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log.h: one line a record on stderr, through one escaping printer.
 *
 * Runs in every program, root's included. A line is "PROGRAM: LEVEL: text"; every byte of the text
 * that belongs to a control or hidden character (lib/utf8.h) or is not valid UTF-8 is written as
 * \xNN, so that nothing a client, a guest or a file says can forge a line or drive a terminal. A
 * line is at most LOG_LINE_MAX bytes with its newline (longer text is cut and ends in "..."),
 * written by one write(2); a failing write is ignored. errno is kept.
 *
 * Values that come from less trusted hands are printed as log_quote(), so that they cannot
 * imitate the keys around them either, and a backslash in them stays unmistakable. Keys: uid= conn=
 * dom= op= pid=.
 */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#include <stddef.h>

enum log_level { LEVEL_ERROR = 1, LEVEL_WARNING, LEVEL_INFO, LEVEL_DEBUG };

enum { LOG_LINE_MAX = 1024, LOG_QUOTE_MAX = 256 };

/** Set the program's name (borrowed, never freed) and the most talkative level that is printed. */
void log_open(const char *program, enum log_level max);

/** Read "error", "warning", "info" or "debug". Returns 0 for anything else. */
enum log_level log_level_read(const char *name);
/** The other way round. */
const char *log_level_name(enum log_level level);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/**
 * Escape size bytes of text into out (out_size bytes with the NUL): printable UTF-8 stays,
 * everything else becomes \xNN, a backslash becomes \\. What does not fit is cut and the result
 * ends in "...". out_size must be at least 8. Returns the length written.
 */
size_t log_escape(char *out, size_t out_size, const char *text, size_t size);

/** Quote an untrusted string into buf: "text", escaped as log_escape() does, '"' as \x22. */
const char *log_quote_into(char buf[static LOG_QUOTE_MAX], const char *text);

/** An untrusted string as a quoted, escaped printf argument; lives until the end of the block. */
#define log_quote(text) log_quote_into((char[LOG_QUOTE_MAX]){0}, (text))

#endif
