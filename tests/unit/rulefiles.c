/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rulefiles.c: the files of the policy are read in their order, all of them or none; what others
 * could have put there is refused by name.
 */
#include "broker/rulefiles.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/test.h"

static char root[] = "/tmp/qemud-rulefiles-XXXXXX";
static char error[RULEFILES_ERROR_MAX];
static struct rulefiles files;

static const char *
path_of(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static void
write_size(const char *name, size_t size, const char *text)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ASSERT(fd >= 0 && fchmod(fd, 0644) == 0);
	ASSERT(fd_write_all(fd, text, strlen(text)) == 0);
	ASSERT(size == 0 || ftruncate(fd, (off_t)size) == 0);
	fd_close(&fd);
}

static void
write_file(const char *name, const char *text)
{
	write_size(name, 0, text);
}

static void
begin(void)
{
	memcpy(root + sizeof(root) - 7, "XXXXXX", 6);
	ASSERT(mkdtemp(root) && chmod(root, 0755) == 0);
}

static void
make_more(void)
{
	ASSERT(mkdir(path_of("policy.d"), 0755) == 0);
}

static void
end(void)
{
	char shell[64];

	(void)snprintf(shell, sizeof(shell), "rm -r %s", root);
	CHECK(system(shell) == 0);
}

static int
read_all(void)
{
	error[0] = '\0';
	return rulefiles_read(root, geteuid(), &files, error);
}

/* It is refused, in words that begin with the path of that name. */
static void
check_bad(const char *name, const char *words)
{
	CHECK(read_all() == RULEFILES_E_BAD && files.n == 0);
	CHECK(strncmp(error, root, strlen(root)) == 0);
	if (name[0])
		CHECK(strncmp(error + strlen(root) + 1, name, strlen(name)) == 0);
	CHECK(strstr(error, words) || !printf("# said: %s\n", error));
}

static void
test_none(void)
{
	begin();
	CHECK(read_all() == 0 && files.n == 0 && !files.has_main);
	make_more();
	CHECK(read_all() == 0 && files.n == 0);
	end();
	CHECK(read_all() == 0 && files.n == 0);
}

static void
test_order(void)
{
	static const char *const names[] = {
		"policy.conf", "policy.d/10-a.conf", "policy.d/2.conf", "policy.d/b.conf"};

	begin();
	make_more();
	write_file("policy.d/b.conf", "b");
	write_file("policy.d/10-a.conf", "ten");
	write_file("policy.d/2.conf", "two");
	CHECK(read_all() == 0 && files.n == 3 && !files.has_main);
	rulefiles_free(&files);
	write_file("policy.conf", "");
	/* None of these is one. */
	write_file("policy.d/b.conf~", "x");
	write_file("policy.d/.b.conf", "x");
	write_file("policy.d/README", "x");
	write_file("policy.d/.conf", "x");
	CHECK(read_all() == 0 && files.n == 4 && files.has_main);
	for (unsigned i = 0; i < files.n; i++)
		CHECK_STR(files.files[i].name, names[i]);
	CHECK(files.files[0].size == 0);
	CHECK(files.files[1].size == 3 && memcmp(files.files[1].text, "ten", 3) == 0);
	rulefiles_free(&files);
	end();
}

static void
test_owner_and_mode(void)
{
	static const mode_t modes[] = {0664, 0646, 0666};

	begin();
	make_more();
	write_file("policy.conf", "x");
	write_file("policy.d/a.conf", "x");
	CHECK(rulefiles_read(root, geteuid() + 1, &files, error) == RULEFILES_E_BAD);
	CHECK(strstr(error, "it belongs to uid") && strstr(error, "chown"));
	for (unsigned i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		CHECK(chmod(path_of("policy.conf"), modes[i]) == 0);
		check_bad("policy.conf", "chmod go-w");
		CHECK(chmod(path_of("policy.conf"), 0600) == 0);
		CHECK(chmod(path_of("policy.d/a.conf"), modes[i]) == 0);
		check_bad("policy.d/a.conf", "chmod go-w");
		CHECK(chmod(path_of("policy.d/a.conf"), 0640) == 0);
	}
	CHECK(read_all() == 0);
	rulefiles_free(&files);
	CHECK(chmod(path_of("policy.d"), 0775) == 0);
	check_bad("policy.d", "chmod go-w");
	CHECK(chmod(path_of("policy.d"), 0755) == 0);
	CHECK(chmod(root, 01777) == 0);
	check_bad("", "chmod go-w");
	end();
}

static void
test_kinds(void)
{
	begin();
	write_file("elsewhere", "allow everyone manage all\n");
	CHECK(symlink("elsewhere", path_of("policy.conf")) == 0);
	check_bad("policy.conf", "symbolic link");
	CHECK(unlink(path_of("policy.conf")) == 0);
	CHECK(mkfifo(path_of("policy.conf"), 0600) == 0);
	check_bad("policy.conf", "not a plain file");
	CHECK(unlink(path_of("policy.conf")) == 0);
	CHECK(mkdir(path_of("policy.conf"), 0700) == 0);
	check_bad("policy.conf", "not a plain file");
	CHECK(rmdir(path_of("policy.conf")) == 0);
	write_file("policy.d", "x");
	check_bad("policy.d", "Not a directory");
	CHECK(unlink(path_of("policy.d")) == 0);
	CHECK(symlink("/tmp", path_of("policy.d")) == 0);
	CHECK(read_all() == RULEFILES_E_BAD);
	end();
}

static void
test_sizes(void)
{
	char name[128];

	begin();
	make_more();
	write_size("policy.conf", RULEFILES_SIZE_MAX - 1, "x");
	CHECK(read_all() == 0 && files.files[0].size == RULEFILES_SIZE_MAX - 1);
	rulefiles_free(&files);
	write_file("policy.d/a.conf", "x");
	CHECK(read_all() == 0 && files.n == 2);
	rulefiles_free(&files);
	write_file("policy.d/b.conf", "x");
	check_bad("policy.d/b.conf", "larger than");
	write_file("policy.conf", "");
	for (unsigned i = 0; i < RULEFILES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "policy.d/%02u.conf", i);
		write_file(name, "");
	}
	check_bad("policy.d", "more than");
	end();
}

static void
test_names(void)
{
	char name[128] = "policy.d/";

	begin();
	make_more();
	write_file("policy.d/a b.conf", "x");
	check_bad("policy.d", "a name has letters");
	CHECK(unlink(path_of("policy.d/a b.conf")) == 0);
	write_file("policy.d/a\nb.conf", "x");
	check_bad("policy.d", "a name has letters");
	CHECK(unlink(path_of("policy.d/a\nb.conf")) == 0);
	memset(name + 9, 'x', RULEFILES_NAME_MAX - 9 - 6);
	(void)strcpy(name + RULEFILES_NAME_MAX - 6, ".conf");
	write_file(name, "x");
	CHECK(read_all() == 0 && files.n == 1);
	CHECK_STR(files.files[0].name, name);
	rulefiles_free(&files);
	(void)strcpy(name + RULEFILES_NAME_MAX - 6, "x.conf");
	write_file(name, "x");
	check_bad("policy.d", "a name has letters");
	end();
}

int
main(void)
{
	unsigned n = n_descriptors();

	(void)umask(022);
	TEST("nothing has to be there", test_none);
	TEST("policy.conf first, then those of policy.d in the order of their names", test_order);
	TEST("what others own or may write is refused", test_owner_and_mode);
	TEST("links, folders and pipes are refused", test_kinds);
	TEST("sizes and numbers are bounded", test_sizes);
	TEST("names are such that they can be told", test_names);
	CHECK(n_descriptors() == n);
	return TEST_END();
}
