/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sockets and notes of VMs come and go under their own names; whatever else the user puts into the
 * folder is left alone, and holds nobody up.
 *
 * test: heavy
 */
#include "worker/vm/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "lib/boot.h"
#include "lib/fd.h"
#include "lib/take.h"
#include "lib/uuid.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/filtered.h"
#include "tests/unit/test.h"

#define ONE   "01010101-0101-4101-8101-010101010101"
#define OTHER "02020202-0202-4202-8202-0202020202ef"

static const uint8_t one[UUID_SIZE] = {1, 1, 1, 1, 1, 1, 0x41, 1, 0x81, 1, 1, 1, 1, 1, 1, 1};
static const uint8_t other[UUID_SIZE] = {2, 2, 2, 2, 2, 2, 0x42, 2, 0x82, 2, 2, 2, 2, 2, 2, 0xef};

static char root[] = "/tmp/qemud-rundir-XXXXXX";

static unsigned n_before;

static void
none_left_open(void)
{
	CHECK(n_descriptors() == n_before);
}

static void
run(const char *command)
{
	CHECK(system(command) == 0);
}

static void
fresh(void)
{
	run("find . -mindepth 1 -delete");
}

static void
touch(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	fd_close(&fd);
}

static bool
is_there(const char *name)
{
	struct stat st;

	return lstat(name, &st) == 0;
}

/* --- entering ----------------------------------------------------------------------------- */

static int
enter(const char *path, const char *want)
{
	const char *why = "unset";
	int r = rundir_enter(path, &why);

	CHECK((r == -EPERM) == (why != NULL));
	CHECK(!want || (why && strstr(why, want)));
	return r;
}

static void
test_enter(void)
{
	char path[64], cwd[64];

	fresh();
	run("mkdir -m 0700 good && mkdir -m 0750 wide && mkdir -m 2700 setgid && ln -s good link "
	    "&& "
	    "touch file");
	(void)snprintf(path, sizeof(path), "%s/wide", root);
	CHECK(enter(path, "chmod 0700") == -EPERM);
	(void)snprintf(path, sizeof(path), "%s/setgid", root);
	CHECK(enter(path, "chmod 0700") == -EPERM);
	(void)snprintf(path, sizeof(path), "%s/link", root);
	CHECK(enter(path, NULL) == -ENOTDIR);
	(void)snprintf(path, sizeof(path), "%s/file", root);
	CHECK(enter(path, NULL) == -ENOTDIR);
	(void)snprintf(path, sizeof(path), "%s/absent", root);
	CHECK(enter(path, NULL) == -ENOENT);
	(void)snprintf(path, sizeof(path), "%s/good", root);
	if (geteuid() == 0) {
		run("chown 12345 good");
		CHECK(enter(path, "somebody else") == -EPERM);
		run("chown 0 good");
	}
	CHECK(getcwd(cwd, sizeof(cwd)) && strcmp(cwd, root) == 0);
	CHECK(enter(path, NULL) == 0);
	CHECK(getcwd(cwd, sizeof(cwd)) && strcmp(cwd, path) == 0);
	CHECK(enter(root, NULL) == 0);
}

/* --- sockets ------------------------------------------------------------------------------ */

/* Accepts what is connected; a byte goes each way. */
static void
talk(int listener, int client)
{
	struct pollfd wait = {.fd = listener, .events = POLLIN};
	fd_auto int server = -1;
	char byte = 0;

	CHECK(poll(&wait, 1, 60000) == 1);
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	CHECK(server >= 0);
	CHECK(write(server, "s", 1) == 1 && read(client, &byte, 1) == 1 && byte == 's');
	CHECK(write(client, "c", 1) == 1 && read(server, &byte, 1) == 1 && byte == 'c');
	CHECK(read(client, &byte, 1) == -1 && errno == EAGAIN);
}

static void
test_sockets(void)
{
	fd_auto int first = -1, second = -1, client = -1, again = -1;

	fresh();
	CHECK(rundir_connect(one, "qmp", SOCK_STREAM, &client) == -ENOENT && client == -1);
	CHECK(rundir_listen(one, "qmp", SOCK_STREAM, &first) == 0);
	CHECK(is_there(ONE ".qmp"));
	CHECK(fcntl(first, F_GETFD) & FD_CLOEXEC);
	for (int i = 0; i < 3; i++) {
		CHECK(rundir_connect(one, "qmp", SOCK_STREAM, &client) == 0);
		CHECK(fcntl(client, F_GETFD) & FD_CLOEXEC);
		CHECK(fcntl(client, F_GETFL) & O_NONBLOCK);
		talk(first, client);
		fd_close(&client);
	}
	/* A new one takes its place, and the old one is reached no more. */
	CHECK(rundir_listen(one, "qmp", SOCK_STREAM, &second) == 0);
	CHECK(rundir_connect(one, "qmp", SOCK_STREAM, &again) == 0);
	talk(second, again);
	/* What ended without tidying up is refused, not waited for. */
	fd_close(&second);
	CHECK(rundir_connect(one, "qmp", SOCK_STREAM, &client) == -ECONNREFUSED && client == -1);
}

static void
test_full_queue(void)
{
	fd_auto int listener = -1;
	int clients[64], n = 0, r = 0;

	fresh();
	CHECK(rundir_listen(one, "serial0", SOCK_STREAM, &listener) == 0);
	while (n < 64 && (r = rundir_connect(one, "serial0", SOCK_STREAM, &clients[n])) == 0)
		n++;
	CHECK(r == -EAGAIN && n >= 8);
	while (n > 0)
		fd_close(&clients[--n]);
}

static void
test_socket_names(void)
{
	static const char *const bad[] = {
		"", "a/b", "..", "UPPER", "a.b", "12345678901234567", "a\nb"};
	fd_auto int fd = -1;
	char *text = NULL;
	size_t size;

	fresh();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK(rundir_listen(one, bad[i], SOCK_STREAM, &fd) == -EINVAL && fd == -1);
		CHECK(rundir_connect(one, bad[i], SOCK_STREAM, &fd) == -EINVAL && fd == -1);
		CHECK(rundir_write(one, bad[i], "x", 1) == -EINVAL);
		CHECK(rundir_read(one, bad[i], &text, &size) == -EINVAL && !text);
	}
	run("test -z \"$(ls -A)\"");
	CHECK(rundir_listen(one, "abcdefghijklmn09", SOCK_STREAM, &fd) == 0);
	CHECK(is_there(ONE ".abcdefghijklmn09"));
}

static void
test_in_the_place_of_a_socket(void)
{
	fd_auto int fd = -1;
	char *text = NULL;
	size_t size;

	fresh();
	run("mkdir -p elsewhere/" ONE ".dir && touch " ONE ".file && mkfifo " ONE ".fifo && "
	    "ln -s elsewhere " ONE ".link && ln -s nowhere " ONE ".dangling && mkdir " ONE ".dir");
	CHECK(rundir_connect(one, "file", SOCK_STREAM, &fd) == -ECONNREFUSED);
	CHECK(rundir_connect(one, "fifo", SOCK_STREAM, &fd) == -ECONNREFUSED);
	CHECK(rundir_connect(one, "dir", SOCK_STREAM, &fd) == -ECONNREFUSED);
	CHECK(rundir_listen(one, "file", SOCK_STREAM, &fd) == 0);
	fd_close(&fd);
	CHECK(rundir_listen(one, "fifo", SOCK_STREAM, &fd) == 0);
	fd_close(&fd);
	CHECK(rundir_listen(one, "link", SOCK_STREAM, &fd) == 0);
	fd_close(&fd);
	CHECK(rundir_listen(one, "dangling", SOCK_STREAM, &fd) == 0);
	fd_close(&fd);
	CHECK(rundir_listen(one, "dir", SOCK_STREAM, &fd) == -EISDIR && fd == -1);
	CHECK(is_there("elsewhere") && !is_there("nowhere"));
	CHECK(rundir_read(one, "file", &text, &size) == -EPERM && !text);
	/* A link to a socket that listens is not followed either. */
	CHECK(rundir_listen(one, "real", SOCK_STREAM, &fd) == 0);
	run("ln -s " ONE ".real " OTHER ".real");
	{
		fd_auto int client = -1;

		CHECK(rundir_connect(other, "real", SOCK_STREAM, &client) == -ECONNREFUSED);
		CHECK(rundir_connect(one, "real", SOCK_STREAM, &client) == 0);
	}
}

/* --- files -------------------------------------------------------------------------------- */

static void
test_files(void)
{
	static char large[RUNDIR_FILE_MAX + 1];
	struct stat st;
	char *text = NULL;
	size_t size = 0;

	fresh();
	CHECK(rundir_read(one, "vm", &text, &size) == -ENOENT && !text);
	CHECK(rundir_write(one, "vm", "old", 3) == 0);
	CHECK(rundir_write(one, "vm", "n\0w!", 4) == 0);
	CHECK(stat(ONE ".vm", &st) == 0 && (st.st_mode & 07777) == 0600);
	CHECK(rundir_read(one, "vm", &text, &size) == 0 && size == 4);
	CHECK(text && memcmp(text, "n\0w!", 5) == 0);
	free(take_ptr(text));
	CHECK(rundir_write(one, "vm", "", 0) == 0);
	CHECK(rundir_read(one, "vm", &text, &size) == 0 && size == 0 && text && *text == '\0');
	free(take_ptr(text));
	CHECK(rundir_write(one, "vm", large, RUNDIR_FILE_MAX + 1) == -EFBIG);
	CHECK(rundir_write(one, "vm", large, RUNDIR_FILE_MAX) == 0);
	CHECK(rundir_read(one, "vm", &text, &size) == 0 && size == RUNDIR_FILE_MAX);
	free(take_ptr(text));
	run("printf x >>" ONE ".vm");
	CHECK(rundir_read(one, "vm", &text, &size) == -EFBIG && !text);
	run("truncate -s 1T " ONE ".vm");
	CHECK(rundir_read(one, "vm", &text, &size) == -EFBIG && !text);
	run("test \"$(ls -A)\" = " ONE ".vm");
}

/* What cannot be replaced has become untrue. */
static void
test_no_old_file(void)
{
	char *text = NULL;
	size_t size;

	fresh();
	CHECK(rundir_write(one, "vm", "old", 3) == 0);
	run("mkdir ." ONE ".vm.new");
	CHECK(rundir_write(one, "vm", "new", 3) == -EISDIR);
	CHECK(rundir_read(one, "vm", &text, &size) == -ENOENT && !text);
	run("rmdir ." ONE ".vm.new");
	CHECK(rundir_write(one, "vm", "new", 3) == 0);
}

static void
test_what_is_no_file(void)
{
	char *text = NULL;
	size_t size;

	fresh();
	run("echo secret >target && ln -s target " ONE ".link && mkfifo " ONE ".fifo && mkdir " ONE
	    ".dir");
	CHECK(rundir_read(one, "link", &text, &size) == -EPERM && !text);
	CHECK(rundir_read(one, "fifo", &text, &size) == -EPERM && !text);
	CHECK(rundir_read(one, "dir", &text, &size) == -EPERM && !text);
	if (geteuid() == 0) {
		run("touch " ONE ".theirs && chown 12345 " ONE ".theirs");
		CHECK(rundir_read(one, "theirs", &text, &size) == -EPERM && !text);
	}
	/* What is written takes the place of the name, not of what a link leads to. */
	CHECK(rundir_write(one, "link", "mine", 4) == 0);
	CHECK(rundir_write(one, "fifo", "mine", 4) == 0);
	run("grep -q secret target && test ! -h " ONE ".link && test -f " ONE ".fifo");
	CHECK(rundir_write(one, "dir", "mine", 4) == -EISDIR);
	run("ln -s target ." ONE ".vm.new");
	CHECK(rundir_write(one, "vm", "mine", 4) == 0);
	run("grep -q secret target && grep -q mine " ONE ".vm");
}

/* --- the end ------------------------------------------------------------------------------ */

/* It holds for this boot of the host, and no other. */
static void
test_mark(void)
{
	static const char *const others[] = {"", "00000000-0000-0000-0000-000000000000", NULL};
	char boot[BOOT_ID_SIZE], text[2 * BOOT_ID_SIZE];

	CHECK(boot_id(boot) == 0);
	CHECK(rundir_mark("mark") == 0 && rundir_mark("mark") == -EEXIST);
	for (size_t i = 0; i < 3; i++) {
		FILE *f = fopen("mark", "w");

		CHECK(f);
		(void)fprintf(f, "%s", others[i] ? others[i] : boot);
		if (!others[i])
			(void)fprintf(f, "0");
		(void)fclose(f);
		CHECK(rundir_mark("mark") == 0 && rundir_mark("mark") == -EEXIST);
	}
	/* A link is replaced, and not followed. */
	CHECK(unlink("mark") == 0 && symlink("elsewhere", "mark") == 0);
	CHECK(rundir_mark("mark") == 0 && rundir_mark("mark") == -EEXIST);
	CHECK(access("elsewhere", F_OK) < 0 && readlink("mark", text, sizeof(text)) < 0);
	CHECK(unlink("mark") == 0 && mkdir("mark", 0700) == 0);
	CHECK(rundir_mark("mark") == -EISDIR);
	CHECK(rmdir("mark") == 0);
}

static void
test_remove(void)
{
	fd_auto int fd = -1;

	fresh();
	CHECK(rundir_listen(one, "qmp", SOCK_STREAM, &fd) == 0);
	CHECK(rundir_write(one, "vm", "x", 1) == 0 && rundir_write(one, "xml", "x", 1) == 0);
	CHECK(rundir_write(other, "vm", "x", 1) == 0);
	run("touch ." ONE ".vm.new && ln -s / " ONE ".link && mkdir -p " ONE ".dir/below && "
	    "touch " ONE " " ONE ". " ONE ".a.b notes");
	rundir_remove(one);
	run("test \"$(ls -A | tr '\\n' ' ')\" = '" ONE " " ONE ". " ONE ".a.b " ONE ".dir " OTHER
	    ".vm notes '");
	rundir_remove(one);
	CHECK(is_there(OTHER ".vm"));
}

struct asked {
	int n;
	bool known;
};

static bool
only_one_runs(void *arg, const uint8_t uuid[static UUID_SIZE])
{
	struct asked *asked = arg;

	asked->n++;
	asked->known &= memcmp(uuid, one, UUID_SIZE) == 0 || memcmp(uuid, other, UUID_SIZE) == 0;
	return memcmp(uuid, one, UUID_SIZE) == 0;
}

static void
test_sweep(void)
{
	static const char *const go[] = {OTHER ".vm", OTHER ".xml", OTHER ".abcdefghijklmn09",
		"." OTHER ".vm.new", "." OTHER ".xml.new"};
	static const char *const stay[] = {ONE ".vm", "." ONE ".vm.new", "notes", ".notes", ".new",
		OTHER, OTHER ".", OTHER ".VM", OTHER "_vm", OTHER ".a.b", OTHER ".vm.new",
		"." OTHER ".vm", "." OTHER "..new", ".." OTHER ".vm.new", "-" OTHER ".vm",
		OTHER ".abcdefghijklmnopq", "02020202-0202-4202-8202-0202020202EF.vm",
		"020202020202420282020202020202ef.vm", "02020202-0202-4202-8202-0202020202e.vm",
		"0202-02020202-4202-8202-0202020202ef.vm",
		"02020202-0202-4202-8202-0202020202eff.vm", "\xff\xfe.vm"};
	size_t n_go = sizeof(go) / sizeof(go[0]), n_stay = sizeof(stay) / sizeof(stay[0]);
	struct asked asked = {0, true};

	fresh();
	for (size_t i = 0; i < n_go; i++)
		touch(go[i]);
	for (size_t i = 0; i < n_stay; i++)
		touch(stay[i]);
	run("mkfifo " OTHER ".fifo && ln -s notes " OTHER ".link && mkdir " OTHER ".dir");
	CHECK(rundir_sweep(only_one_runs, &asked) == 0);
	CHECK(asked.n == (int)n_go + 5 && asked.known);
	for (size_t i = 0; i < n_go; i++)
		CHECK(!is_there(go[i]) || !printf("# %s\n", go[i]));
	for (size_t i = 0; i < n_stay; i++)
		CHECK(is_there(stay[i]) || !printf("# %s\n", stay[i]));
	CHECK(!is_there(OTHER ".fifo") && !is_there(OTHER ".link") && is_there(OTHER ".dir"));
}

static void
test_sweep_of_many(void)
{
	struct asked asked = {0, true};

	fresh();
	run("i=0; while [ $i -lt 3000 ]; do echo " OTHER ".k$i; i=$((i + 1)); done | xargs touch");
	CHECK(rundir_write(one, "vm", "x", 1) == 0);
	CHECK(rundir_sweep(only_one_runs, &asked) == 0 && asked.n == 3001);
	run("test \"$(ls -A)\" = " ONE ".vm");
}

/* --- as the worker runs ------------------------------------------------------------------- */

static void
behind_the_filter(void)
{
	int listener = -1, client = -1;
	struct asked asked = {0, true};
	char *text = NULL;
	size_t size;

	CHECK(rundir_listen(one, "qmp", SOCK_STREAM, &listener) == 0);
	CHECK(rundir_connect(one, "qmp", SOCK_STREAM, &client) == 0);
	CHECK(rundir_write(other, "vm", "x", 1) == 0 && rundir_write(other, "vm", "y", 1) == 0);
	CHECK(rundir_read(other, "vm", &text, &size) == 0 && size == 1);
	free(text);
	CHECK(rundir_sweep(only_one_runs, &asked) == 0 && asked.n == 2);
	CHECK(rundir_read(other, "vm", &text, &size) == -ENOENT);
	rundir_remove(one);
	CHECK(rundir_connect(one, "qmp", SOCK_STREAM, &client) == -ENOENT);
	fd_close(&listener);
	fd_close(&client);
}

static void
other_families(void)
{
	static const int families[] = {AF_INET, AF_INET6, AF_NETLINK, AF_VSOCK, AF_ALG};

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		int status = 0;
		pid_t pid = fork();

		if (pid == 0) {
			struct rlimit none = {0, 0};

			(void)setrlimit(RLIMIT_CORE, &none);
			if (filter_load(&filter_worker) == 0)
				(void)socket(families[i], SOCK_DGRAM | SOCK_CLOEXEC, 0);
			_exit(0);
		}
		CHECK(waitpid(pid, &status, 0) == pid);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	}
}

static void
test_filtered(void)
{
	fresh();
	filtered(behind_the_filter);
	run("test -z \"$(ls -A)\"");
}

int
main(void)
{
	if (!mkdtemp(root) || chdir(root) < 0)
		return EXIT_FAILURE;
	n_before = n_descriptors();
	TEST("the user's own folder is entered, any other refused with its reason", test_enter);
	TEST("one client after the other; a new listener takes the place of a stale one",
		test_sockets);
	TEST("a listener that accepts nobody makes nobody wait", test_full_queue);
	TEST("a name that is none is refused", test_socket_names);
	TEST("whatever has a socket's name is replaced, and no link followed",
		test_in_the_place_of_a_socket);
	TEST("files are replaced whole, within their bound", test_files);
	TEST("a file that cannot be replaced is not left as it was", test_no_old_file);
	TEST("links, pipes, folders and others' files are not read, nor written through",
		test_what_is_no_file);
	TEST("a mark holds until the host ends", test_mark);
	TEST("all of one VM is removed, and nothing else", test_remove);
	TEST("the sweep takes what runs no more, and nothing of the user's own", test_sweep);
	TEST("the sweep misses none of many", test_sweep_of_many);
	TEST("all of it works behind the worker's system call list", test_filtered);
	TEST("behind it there are sockets of no other family", other_families);
	TEST("no descriptor is left open", none_left_open);
	fresh();
	CHECK(chdir("/") == 0 && rmdir(root) == 0);
	return TEST_END();
}
