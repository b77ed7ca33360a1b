/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guests get the servers that systemd-resolved asks, where it is the host's only resolver; whatever
 * else stands in these files, or does not, leaves it to passt.
 */
#include "worker/vm/resolver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/test.h"

static char root[] = "/tmp/qemud-resolver-XXXXXX";

/* The servers that come of these two texts, with a blank behind each; NULL: no such file. */
static const char *
found(const char *etc, const char *resolved)
{
	static char text[256];
	static struct passt passt;
	const char *const texts[] = {etc, resolved};
	char paths[2][64];

	for (int i = 0; i < 2; i++) {
		FILE *f;

		(void)snprintf(paths[i], sizeof(paths[i]), "%s/%d", root, i);
		(void)unlink(paths[i]);
		f = texts[i] ? fopen(paths[i], "w") : NULL;
		if (f && fputs(texts[i], f) >= 0)
			(void)fclose(f);
	}
	/* What was there before is forgotten. */
	passt.n_dns = 1;
	resolver_fill(&passt, paths[0], paths[1]);
	text[0] = '\0';
	for (unsigned i = 0; i < passt.n_dns; i++)
		(void)strcat(strcat(text, passt.dns[i]), " ");
	return text;
}

#define STUB "# of systemd\nnameserver 127.0.0.53\noptions edns0 trust-ad\nsearch .\n"

static void
test_resolved(void)
{
	CHECK_STR(
		found(STUB, "nameserver 192.0.2.1\nnameserver 2001:db8::1\nnameserver 192.0.2.2\n"),
		"192.0.2.1 192.0.2.2 ");
	CHECK_STR(found("nameserver ::1", "nameserver 192.0.2.1"), "192.0.2.1 ");
	/* Three, as resolv.conf(5) has it. */
	CHECK_STR(found(STUB, "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n"
			      "nameserver 192.0.2.4\n"),
		"192.0.2.1 192.0.2.2 192.0.2.3 ");
	CHECK_STR(found(STUB, "nameserver 127.0.0.1\nnameserver 192.0.2.2\n"), "192.0.2.2 ");
}

static void
test_none(void)
{
	static const char one[] = "nameserver 192.0.2.1\n";

	CHECK_STR(found("nameserver 192.0.2.9\n", one), "");
	CHECK_STR(found(STUB "nameserver 192.0.2.9\n", one), "");
	CHECK_STR(found(STUB "nameserver 2001:db8::1\n", one), "");
	CHECK_STR(found(NULL, one), "");
	CHECK_STR(found("", one), "");
	CHECK_STR(found("nameserver\nnameserver x\n", one), "");
	CHECK_STR(found(STUB, NULL), "");
	CHECK_STR(
		found(STUB, "nameserver 192.0.2\nnameserver 192.0.2.1/24\nnameserver fe80::1%eth0\n"
			    "nameserver --fd\nserver 192.0.2.1\n"),
		"");
}

static void
test_no_text(void)
{
	size_t size = 1 << 20;
	char *text = malloc(size), *lines = malloc(size);

	if (!text || !lines)
		abort();
	memset(text, 'x', size - 1);
	text[size - 1] = '\0';
	CHECK_STR(found(STUB, text), "");
	CHECK_STR(found(text, "nameserver 192.0.2.1"), "");
	/* A line without an end, within the bound. */
	(void)snprintf(lines, size, "nameserver %.*s", 4096, text);
	CHECK_STR(found(STUB, lines), "");
	free(text);
	free(lines);
}

int
main(void)
{
	char shell[80];

	if (!mkdtemp(root))
		abort();
	TEST("those that systemd-resolved asks", test_resolved);
	TEST("none, where passt finds some, or there are none", test_none);
	TEST("what is no such file", test_no_text);
	(void)snprintf(shell, sizeof(shell), "rm -r %s", root);
	CHECK(system(shell) == 0);
	return TEST_END();
}
