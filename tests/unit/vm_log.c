/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a VM says is kept up to a bound that holds whatever is said and whatever fails; what is
 * shown of it drives nobody's terminal.
 */
#include "worker/vm/log.h"

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/take.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/filtered.h"
#include "tests/unit/test.h"

static char root[] = "/tmp/qemud-log-XXXXXX";
static int folder = -1;
static unsigned n_before;
static struct vm_log vm_log;

static void
run(const char *command)
{
	CHECK(system(command) == 0);
}

/* A file of the folder, with a NUL behind; "" if there is none. Lives until the next call. */
static const char *
contents(const char *name, size_t *ret_size)
{
	static char *text;
	fd_auto int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);

	free(take_ptr(text));
	*ret_size = 0;
	if (fd < 0 || fd_read_all(fd, 64 * 1024 * 1024, &text, ret_size) < 0)
		text = strdup("");
	return text;
}

static off_t
size_of(const char *name)
{
	struct stat st;

	return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_size : -1;
}

static mode_t
mode_of(const char *name)
{
	struct stat st;

	return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_mode & 07777 : 0;
}

static void
begin(void)
{
	run("find . -mindepth 1 -delete");
	vm_log_init(&vm_log);
	CHECK(vm_log_open(&vm_log, folder, "vm", "log") == 0);
}

static void
append(const char *text)
{
	vm_log_append(&vm_log, text, strlen(text));
}

/* So many bytes in lines of 16, each with its number. */
static void
append_lines(unsigned from, unsigned n)
{
	static char block[VM_LOG_MAX + 1];
	size_t at = 0;

	for (unsigned i = from; i < from + n; i++) {
		at += (size_t)snprintf(block + at, 17, "%015u\n", i);
		if (at == VM_LOG_MAX || i + 1 == from + n) {
			vm_log_append(&vm_log, block, at);
			at = 0;
		}
	}
}

/* --- opening ------------------------------------------------------------------------------ */

static void
test_open(void)
{
	mode_t before = umask(0777);
	size_t size;

	begin();
	CHECK(mode_of("vm.log") == 0600);
	append("a\n");
	vm_log_close(&vm_log);
	(void)umask(0);
	run("chmod 0666 vm.log");
	CHECK(vm_log_open(&vm_log, folder, "vm", "log") == 0);
	CHECK(mode_of("vm.log") == 0600);
	append("b\n");
	CHECK_STR(contents("vm.log", &size), "a\nb\n");
	CHECK(vm_log_end(&vm_log) == 4);
	vm_log_close(&vm_log);
	vm_log_close(&vm_log);
	(void)umask(before);
}

static int
open_one(const char *name, const char *kind)
{
	int r;

	vm_log_init(&vm_log);
	r = vm_log_open(&vm_log, folder, name, kind);
	CHECK((r == 0) == (vm_log.fd >= 0));
	vm_log_close(&vm_log);
	return r;
}

static void
test_refused(void)
{
	char name[256];

	begin();
	vm_log_close(&vm_log);
	run("echo secret >target && ln -s target link.log && mkfifo pipe.log && mkdir folder.log "
	    "&& "
	    "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"socket.log\")'");
	CHECK(open_one("link", "log") == -ELOOP);
	CHECK(open_one("pipe", "log") == -EPERM);
	CHECK(open_one("folder", "log") == -EPERM);
	CHECK(open_one("socket", "log") == -EPERM);
	CHECK(open_one("../vm", "log") == -EINVAL);
	if (geteuid() == 0) {
		run("touch theirs.log && chown 12345 theirs.log");
		CHECK(open_one("theirs", "log") == -EPERM);
	}
	memset(name, 'n', sizeof(name));
	name[200] = '\0';
	CHECK(open_one(name, "console") == 0);
	name[200] = 'n';
	name[249] = '\0';
	CHECK(open_one(name, "log") == 0);
	name[249] = 'n';
	name[250] = '\0';
	CHECK(open_one(name, "log") == -ENAMETOOLONG);
	name[250] = 'n';
	name[255] = '\0';
	CHECK(open_one(name, "log") == -ENAMETOOLONG);
	CHECK(vm_log_open(&vm_log, -1, "vm", "log") == -EBADF);
	run("grep -q secret target");
}

static void
test_closed(void)
{
	char out[64] = "unset";

	vm_log_init(&vm_log);
	append("lost");
	vm_log_note(&vm_log, "lost");
	vm_log_trim(&vm_log);
	CHECK(vm_log_end(&vm_log) == 0);
	vm_log_tail(&vm_log, 0, out, sizeof(out));
	CHECK_STR(out, "");
	vm_log_close(&vm_log);
}

static void
test_note(void)
{
	static const char line[] = "^[0-9]{4}-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9]"
				   "\\.[0-9]{3}\\+0000: starting vm 7\n$";
	static char large[4096];
	const char *text;
	size_t size;
	regex_t regex;

	begin();
	vm_log_note(&vm_log, "starting %s %d", "vm", 7);
	CHECK(regcomp(&regex, line, REG_EXTENDED | REG_NOSUB) == 0);
	text = contents("vm.log", &size);
	CHECK(regexec(&regex, text, 0, NULL, 0) == 0 || !printf("# %s", text));
	regfree(&regex);
	memset(large, 'x', sizeof(large) - 1);
	vm_log_note(&vm_log, "%s", large);
	text = contents("vm.log", &size);
	CHECK(size > 1000 && size < 1200 && strcmp(text + size - 5, "x...\n") == 0);
	vm_log_close(&vm_log);
}

/* --- the bound ---------------------------------------------------------------------------- */

static void
test_rotation(void)
{
	enum { LINES = VM_LOG_MAX / 16 };
	const char *text;
	size_t size;

	begin();
	append_lines(0, LINES - 1);
	CHECK(size_of("vm.log.1") == -1);
	append_lines(LINES - 1, 1);
	append_lines(LINES, 2);
	CHECK(size_of("vm.log.1") == VM_LOG_MAX && mode_of("vm.log.1") == 0600);
	text = contents("vm.log.1", &size);
	CHECK(strncmp(text, "000000000000000\n", 16) == 0);
	CHECK(atoi(text + VM_LOG_MAX - 16) == LINES - 1);
	text = contents("vm.log", &size);
	CHECK(size == 32 && atoi(text) == LINES);
	/* The next one replaces it. */
	append_lines(LINES + 2, LINES);
	text = contents("vm.log.1", &size);
	CHECK(size == VM_LOG_MAX && atoi(text) == LINES);
	CHECK(size_of("vm.log") == 32);
	vm_log_close(&vm_log);
}

static void
test_one_large_append(void)
{
	static char block[5 * VM_LOG_MAX / 2];

	begin();
	append("x");
	memset(block, 'y', sizeof(block));
	vm_log_append(&vm_log, block, sizeof(block));
	CHECK(size_of("vm.log") == VM_LOG_MAX / 2 + 1);
	CHECK(size_of("vm.log.1") == VM_LOG_MAX);
	vm_log_close(&vm_log);
}

/* QEMU writes by itself, without anybody looking, through a descriptor of its own. */
static void
test_flood_of_qemu(void)
{
	static char block[VM_LOG_MAX];
	fd_auto int qemu = -1;
	const char *text;
	size_t size;

	begin();
	qemu = openat(folder, "vm.log", O_WRONLY | O_APPEND | O_CLOEXEC);
	for (int i = 0; i < 3; i++) {
		memset(block, 'a' + i, sizeof(block));
		CHECK(fd_write_all(qemu, block, sizeof(block)) == 0);
	}
	CHECK(fd_write_all(qemu, "the end", 7) == 0);
	vm_log_trim(&vm_log);
	text = contents("vm.log.1", &size);
	CHECK(size == VM_LOG_MAX && text[0] == 'c');
	CHECK_STR(text + VM_LOG_MAX - 7, "the end");
	text = contents("vm.log", &size);
	CHECK(strstr(text, "2097159 bytes of this log are lost: more than 1048576 were written"));
	/* Its descriptor goes on at the new end. */
	CHECK(fd_write_all(qemu, "more\n", 5) == 0);
	text = contents("vm.log", &size);
	CHECK(size < 200 && strcmp(text + size - 5, "more\n") == 0);
	vm_log_trim(&vm_log);
	CHECK(size_of("vm.log") == (off_t)size);
	vm_log_close(&vm_log);
}

static void
test_obstacles(void)
{
	enum { LINES = VM_LOG_MAX / 16 };
	size_t size;

	/* Whatever has the name of the one before is replaced, and nothing written through. */
	begin();
	run("echo secret >target && ln -s target vm.log.1");
	append_lines(0, LINES + 1);
	CHECK(size_of("vm.log.1") == VM_LOG_MAX && size_of("vm.log") == 16);
	run("grep -q secret target && test ! -h vm.log.1");
	vm_log_close(&vm_log);
	begin();
	run("mkfifo vm.log.1");
	append_lines(0, LINES + 1);
	CHECK(size_of("vm.log.1") == VM_LOG_MAX && size_of("vm.log") == 16);
	vm_log_close(&vm_log);
	/* Where it cannot be, the bound holds, and what is lost is told. */
	begin();
	run("mkdir vm.log.1");
	append_lines(0, LINES + 1);
	CHECK(size_of("vm.log") < 200);
	CHECK(strstr(contents("vm.log", &size),
		": 1048576 bytes of this log are lost: vm.log.1 cannot be written: Is a directory\n"
		"000000000065536\n"));
	vm_log_close(&vm_log);
}

/* --- what is shown ------------------------------------------------------------------------ */

static void
shows(const char *said, size_t out_size, const char *want)
{
	char out[512];
	off_t since = vm_log_end(&vm_log);

	CHECK(out_size <= sizeof(out));
	append(said);
	memset(out, 'z', sizeof(out));
	vm_log_tail(&vm_log, since, out, out_size);
	CHECK(memchr(out, '\0', out_size));
	CHECK_STR(out, want);
}

static void
test_tail(void)
{
	begin();
	shows("", 100, "");
	shows("\n\n", 100, "");
	shows("one\n", 100, "one");
	shows("one\ntwo", 100, "one\ntwo");
	shows("one\n\ntwo\n\n", 100, "one\n\ntwo");
	shows("\none\n", 100, "\none");
	shows("a\tb\033[31m\x7f\\ \xc3\xa9 \xff\r\n", 100,
		"a\\x09b\\x1b[31m\\x7f\\\\ \xc3\xa9 \\xff\\x0d");
	/* Right-to-left override: hidden, and not for a terminal. */
	shows("\xe2\x80\xae"
	      "abc\n",
		100,
		"\\xe2\\x80\\xae"
		"abc");
	/* As many whole lines as there is room for. */
	shows("first\nsecond\nthird\n", 19, "first\nsecond\nthird");
	shows("first\nsecond\nthird\n", 18, "second\nthird");
	shows("first\nsecond\nthird\n", 13, "second\nthird");
	shows("first\nsecond\nthird\n", 12, "third");
	shows("first\n\nthird\n", 8, "\nthird");
	shows("first\nsecond\n123456789\n", 10, "123456789");
	shows("first\nsecond\n123456789\n", 9, "12345...");
	shows("\033\033\033\033\n", 8, "\\x1b...");
	vm_log_close(&vm_log);
}

static void
test_tail_of_much(void)
{
	static char block[8192], out[20000];
	off_t since;

	begin();
	append("not of now\n");
	since = vm_log_end(&vm_log);
	for (unsigned i = 0; i < 2000; i++)
		append("a line\n");
	append("the end\n");
	vm_log_tail(&vm_log, since, out, sizeof(out));
	/* It begins and ends with a line. */
	CHECK(strlen(out) > 3000 && strlen(out) < 4096);
	CHECK(strncmp(out, "a line\n", 7) == 0);
	CHECK_STR(out + strlen(out) - 14, "a line\nthe end");
	/* One line that is longer than what is looked at. */
	memset(block, '\033', sizeof(block) - 1);
	since = vm_log_end(&vm_log);
	append(block);
	vm_log_tail(&vm_log, since, out, sizeof(out));
	CHECK(strlen(out) == 4UL * 4096 && strspn(out, "\\x1b") == strlen(out));
	vm_log_tail(&vm_log, since, out, 100);
	CHECK_STR(out + strlen(out) - 7, "\\x1b...");
	/* The file has begun anew since. */
	CHECK(ftruncate(vm_log.fd, 0) == 0);
	append("anew\n");
	vm_log_tail(&vm_log, since, out, sizeof(out));
	CHECK_STR(out, "anew");
	vm_log_close(&vm_log);
}

/* Any bytes give a text without a control byte but newlines, ended within its room. */
static void
test_tail_of_any_bytes(void)
{
	uint32_t seed = 1;
	char out[300];

	begin();
	for (int i = 0; i < 2000; i++) {
		size_t n = (seed >> 8) % 400, out_size = 8 + (seed >> 20) % (sizeof(out) - 8);
		off_t since = vm_log_end(&vm_log);
		char said[400];

		for (size_t k = 0; k < n; k++) {
			seed = seed * 1664525 + 1013904223;
			said[k] = (char)((seed >> 16) % 5 == 0 ? '\n' : (int)(seed >> 24));
		}
		vm_log_append(&vm_log, said, n);
		memset(out, 'z', sizeof(out));
		vm_log_tail(&vm_log, since, out, out_size);
		CHECK(memchr(out, '\0', out_size));
		for (const char *c = out; *c; c++)
			CHECK((uint8_t)*c >= ' ' || *c == '\n');
		seed = seed * 1664525 + 1013904223;
	}
	vm_log_close(&vm_log);
}

/* --- a file system that is full ----------------------------------------------------------- */

static bool
small_file_system(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("small", root, "tmpfs", 0, "size=1536k,mode=0700") == 0 && chdir(root) == 0;
}

/* There is room for the log and half of a copy. */
static void
test_full(void)
{
	enum { LINES = VM_LOG_MAX / 16 };
	const char *text;
	size_t size;

	fd_close(&folder);
	folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	begin();
	append_lines(0, LINES + 1);
	CHECK(size_of("vm.log") < 200);
	text = contents("vm.log", &size);
	CHECK(strstr(text, "bytes of this log are lost: vm.log.1 cannot be written: No space left "
			   "on device\n000000000065536\n"));
	CHECK(size_of("vm.log.1") > 400000 && size_of("vm.log.1") < VM_LOG_MAX);
	/* Nothing at all fits: what is said is lost, and later it goes on. */
	run("dd if=/dev/zero of=filler bs=64k 2>/dev/null; dd if=/dev/zero of=filler2 bs=1k "
	    "2>/dev/null; true");
	append_lines(0, LINES);
	CHECK(size_of("vm.log") <= 4096);
	vm_log_note(&vm_log, "lost as well");
	run("rm filler filler2");
	append("again\n");
	text = contents("vm.log", &size);
	CHECK(size > 6 && strcmp(text + size - 6, "again\n") == 0);
	vm_log_close(&vm_log);
}

/* --- as the worker runs ------------------------------------------------------------------- */

static void
behind_the_filter(void)
{
	static char block[VM_LOG_MAX + 1];
	char out[100];

	CHECK(vm_log_open(&vm_log, folder, "vm", "console") == 0);
	vm_log_append(&vm_log, block, sizeof(block));
	vm_log_note(&vm_log, "noted");
	vm_log_tail(&vm_log, 0, out, sizeof(out));
	CHECK(strstr(out, "+0000: noted"));
	CHECK(size_of("vm.console.1") == VM_LOG_MAX);
	vm_log_close(&vm_log);
}

static void
test_filtered(void)
{
	begin();
	vm_log_close(&vm_log);
	filtered(behind_the_filter);
}

static void
none_left_open(void)
{
	CHECK(n_descriptors() == n_before);
}

int
main(void)
{
	if (!mkdtemp(root) || chdir(root) < 0)
		return EXIT_FAILURE;
	folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n_before = n_descriptors();
	/* First: what libc does only once, it does there. */
	TEST("it works behind the worker's system call list", test_filtered);
	TEST("the file is the user's alone, and goes on where it ended", test_open);
	TEST("what is no file of hers is not opened", test_refused);
	TEST("a closed log takes everything and keeps nothing", test_closed);
	TEST("a line of our own has its time", test_note);
	TEST("at its bound the log becomes the one before", test_rotation);
	TEST("a single append cannot pass the bound", test_one_large_append);
	TEST("what QEMU wrote past the bound is cut to its end", test_flood_of_qemu);
	TEST("the bound holds whatever has the name of the one before", test_obstacles);
	TEST("the last whole lines are shown, escaped", test_tail);
	TEST("of much the end is shown", test_tail_of_much);
	TEST("of any bytes nothing is shown that acts on a terminal", test_tail_of_any_bytes);
	TEST("no descriptor is left open", none_left_open);
	run("find . -mindepth 1 -delete");
	if (geteuid() == 0 && small_file_system()) {
		TEST("on a full file system the bound holds, and it goes on later", test_full);
		fd_close(&folder);
		CHECK(chdir("/") == 0 && umount2(root, MNT_DETACH) == 0);
	} else {
		printf("ok %d - a full file system # SKIP needs root and a mount\n", ++test_n);
	}
	fd_close(&folder);
	CHECK(chdir("/") == 0 && rmdir(root) == 0);
	return TEST_END();
}
