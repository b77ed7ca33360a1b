/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A connection URI comes apart as RFC 3986 says, or is refused.
 */
#include "serve/uri.h"

#include <errno.h>

#include "tests/unit/test.h"

#include "protocol/rpc/arena.h"

static const struct {
	const char *text;
	struct uri uri;
} good[] = {
	{"qemu:///system", {"qemu", "", "", "/system", ""}},
	{"qemu://host:1/system?a=b#c", {"qemu", "host:1", "host:1", "/system", "?a=b#c"}},
	{"qemu://me@host/x", {"qemu", "me@host", "host", "/x", ""}},
	{"qemu://me@/x", {"qemu", "me@", "", "/x", ""}},
	{"a+b-c.1:x", {"a+b-c.1", "", "", "x", ""}},
	{"qemu://host", {"qemu", "host", "host", "", ""}},
	{"qemu://host?q", {"qemu", "host", "host", "", "?q"}},
	{"qemu:///%73%79s%2Ft%41", {"qemu", "", "", "/sys/tA", ""}},
	{"qemu:///x?%41", {"qemu", "", "", "/x", "?%41"}},
	{"/path/only", {NULL, "", "", "/path/only", ""}},
	{"//host/path", {NULL, "host", "host", "/path", ""}},
	{"", {NULL, "", "", "", ""}},
	{"#f", {NULL, "", "", "", "#f"}},
	{"x/y:z", {NULL, "", "", "x/y:z", ""}},
};

static const char *const bad[] = {":", "://", "1a:x", "+:x", "a b", "a\tb", "a\nb", "a\177",
	"a\200", "qemu:///\303\251", "%", "%1", "%1g", "%g1", "%00", "a%0", "<", ">", "\"", "\\",
	"^", "`", "{", "|", "}"};

static void
check_part(const char *got, const char *want)
{
	if (want)
		CHECK_STR(got, want);
	else
		CHECK(!got);
}

static void
test_good(void)
{
	struct rpc_arena arena;
	struct uri uri;

	rpc_arena_init(&arena, 65536);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		CHECK(uri_read(good[i].text, &arena, &uri) == 0);
		check_part(uri.scheme, good[i].uri.scheme);
		CHECK_STR(uri.authority, good[i].uri.authority);
		CHECK_STR(uri.host, good[i].uri.host);
		CHECK_STR(uri.path, good[i].uri.path);
		CHECK_STR(uri.rest, good[i].uri.rest);
	}
	rpc_arena_fini(&arena);
}

static void
test_bad(void)
{
	struct rpc_arena arena;
	struct uri uri;

	rpc_arena_init(&arena, 65536);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK(uri_read(bad[i], &arena, &uri) == URI_E_BAD);
	rpc_arena_fini(&arena);
}

/* Whatever allocation fails, it is told. */
static void
test_no_memory(void)
{
	struct rpc_arena arena;
	struct uri uri;
	size_t limit = 0;

	for (; limit < 64; limit++) {
		int r;

		rpc_arena_init(&arena, limit);
		r = uri_read("qemu://me@host/system?q", &arena, &uri);
		rpc_arena_fini(&arena);
		if (r == 0)
			break;
		CHECK(r == -ENOMEM);
	}
	CHECK(limit > 20 && limit < 64);
}

int
main(void)
{
	TEST("parts", test_good);
	TEST("what is no URI", test_bad);
	TEST("no memory", test_no_memory);
	return TEST_END();
}
