/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uri.c: the connection URI that a client opens; see uri.h.
 */
#include "serve/uri.h"

#include <errno.h>
#include <string.h>

#include "protocol/rpc/arena.h"

static const char ALPHA[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char SCHEME[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.";
static const char HEX[] = "0123456789ABCDEF0123456789abcdef";

/* The value of an escape's two digits, 0 when it is none, or says NUL. */
static char
unescape(const char *digits)
{
	const char *high = digits[0] ? strchr(HEX, digits[0]) : NULL;
	const char *low = high && digits[1] ? strchr(HEX, digits[1]) : NULL;

	if (!low)
		return 0;
	return (char)(((high - HEX) % 16) << 4 | ((low - HEX) % 16));
}

static int
check(const char *text)
{
	for (; *text; text++) {
		if (*text <= ' ' || *text > '~' || strchr("\"<>\\^`{|}", *text))
			return URI_E_BAD;
		if (*text == '%' && !unescape(text + 1))
			return URI_E_BAD;
	}
	return 0;
}

static char *
copy(struct rpc_arena *arena, const char *text, size_t size)
{
	char *s = rpc_arena_bytes(arena, size + 1);

	if (s) {
		memcpy(s, text, size);
		s[size] = '\0';
	}
	return s;
}

static void
decode(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (*text == '%') {
			*to++ = unescape(text + 1);
			text += 2;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

int
uri_read(const char *text, struct rpc_arena *arena, struct uri *ret)
{
	size_t n = strspn(text, SCHEME);
	const char *scheme = NULL, *authority = "", *host;
	char *path;

	if (check(text) != 0)
		return URI_E_BAD;
	if (text[n] == ':') {
		if (n == 0 || !strchr(ALPHA, text[0]))
			return URI_E_BAD;
		scheme = copy(arena, text, n);
		if (!scheme)
			return -ENOMEM;
		text += n + 1;
	}
	if (strncmp(text, "//", 2) == 0) {
		text += 2;
		n = strcspn(text, "/?#");
		authority = copy(arena, text, n);
		text += n;
	}
	n = strcspn(text, "?#");
	path = copy(arena, text, n);
	if (!authority || !path)
		return -ENOMEM;
	decode(path);
	host = strrchr(authority, '@');
	*ret = (struct uri){.scheme = scheme,
		.authority = authority,
		.host = host ? host + 1 : authority,
		.path = path,
		.rest = rpc_arena_strdup(arena, text + n)};
	return ret->rest ? 0 : -ENOMEM;
}
