/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A definition is written as the golden file beside it says, what was written is read and written
 * the same, and each broken definition is refused with the code and the words beside it.
 *
 * tests/golden/domain/NAME.xml -> NAME.out.xml; bad/NAME.xml -> bad/NAME.error: "CODE DOMAIN" on a
 * line, then the message. REGENERATE=1 writes the results anew. With a file name as argument the
 * program prints what becomes of it, and tests nothing.
 */
#include <glob.h>
#include <stdbool.h>

#include "tests/unit/domain_env.h"
#include "tests/unit/test.h"

#define FOLDER "tests/golden/domain/"

/* Parse a text and write it, or its error, as a string for the caller to free. */
static char *
answer(const char *xml, size_t size, bool *ret_accepted)
{
	domain_def_auto struct domain_def *def = NULL;
	struct domain_env env = domain_tcg;
	struct rpc_error error;
	char *out = NULL;
	int r;

	env.run = "/run/qemud/users/1000";
	r = domain_def_parse(xml, size, 0, &env, &error, &def);

	*ret_accepted = r == 0;
	if (r == 0)
		r = domain_def_format(def, 0, -1, &out);
	else if (r == DOMAIN_E_REFUSED)
		r = asprintf(&out, "%d %d\n%s\n", (int)error.code, (int)error.domain,
			    error.message) < 0;
	return r == 0 || out ? out : NULL;
}

static void
compare(const char *in, const char *expected_suffix, bool good)
{
	free_auto char *xml = NULL, *got = NULL, *again = NULL, *want = NULL, *path = NULL;
	bool accepted;
	size_t size;

	xml = domain_read_file(in, &size);
	if (asprintf(&path, "%.*s%s", (int)(strlen(in) - strlen(".xml")), in, expected_suffix) < 0)
		abort();
	got = answer(xml, size, &accepted);
	if (accepted != good)
		printf("# %s: %s\n", in, got);
	CHECK(accepted == good);
	if (getenv("REGENERATE")) {
		file_auto FILE *f = fopen(path, "we");

		CHECK(f && got && fputs(got, f) >= 0);
	}
	want = domain_read_file(path, &size);
	if (!want || !got || strcmp(got, want) != 0)
		printf("# %s\n", in);
	CHECK_STR(got, want ? want : "(no file)");
	if (good && got) {
		again = answer(got, strlen(got), &accepted);
		CHECK_STR(again, got);
	}
}

static unsigned
compare_all(const char *pattern, const char *expected_suffix, bool good)
{
	glob_t files;
	unsigned n = 0;

	if (glob(pattern, 0, NULL, &files) != 0)
		return 0;
	for (size_t i = 0; i < files.gl_pathc; i++) {
		if (strstr(files.gl_pathv[i], ".out.xml"))
			continue;
		compare(files.gl_pathv[i], expected_suffix, good);
		n++;
	}
	globfree(&files);
	return n;
}

static void
accepted_ones(void)
{
	CHECK(compare_all(FOLDER "*.xml", ".out.xml", true) >= 30);
}

static void
refused_ones(void)
{
	CHECK(compare_all(FOLDER "bad/*.xml", ".error", false) >= 60);
}

static int
print(const char *path)
{
	free_auto char *xml = NULL, *out = NULL;
	bool accepted = false;
	size_t size;

	xml = domain_read_file(path, &size);
	out = xml ? answer(xml, size, &accepted) : NULL;
	printf("%s", out ? out : "cannot be read\n");
	return accepted ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	if (argc > 1)
		return print(argv[1]);
	TEST("definitions are written as libvirt writes them, and the same when read again",
		accepted_ones);
	TEST("broken definitions are refused with libvirt's codes, in words", refused_ones);
	return TEST_END();
}
