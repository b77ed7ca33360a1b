/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest's serial port reaches its log and one client, and nobody at either end holds up the
 * worker or makes it grow: one end of a socket pair stands for QEMU.
 */
#include "worker/vm/console.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/test.h"

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/take.h"
#include "tests/unit/descriptors.h"
#include "worker/vm/log.h"

enum {
	FLOOD = 100 * 1024 * 1024,
	PASTE = 1024 * 1024,
	TURNS = 100000 /* before a test gives up waiting */
};

struct listener {
	struct console_client client;
	char heard[256]; /* the first bytes */
	size_t n_heard;
	bool deaf;
	unsigned n_writable;
	const char *end; /* how it was detached; NULL: it was not */
};

static struct loop loop;
static struct console console;
static int guest; /* QEMU's end */
static struct listener a, b;

static struct listener *
listener_of(struct console_client *client)
{
	return container_of(client, struct listener, client);
}

static bool
output(struct console_client *client, const uint8_t *data, size_t size)
{
	struct listener *listener = listener_of(client);
	size_t room = sizeof(listener->heard) - 1;

	if (listener->deaf)
		return false;
	for (size_t i = 0; i < size && listener->n_heard + i < room; i++)
		listener->heard[listener->n_heard + i] = (char)data[i];
	listener->n_heard += size;
	return true;
}

static void
writable(struct console_client *client)
{
	listener_of(client)->n_writable++;
}

static void
detached(struct console_client *client, bool taken)
{
	CHECK(!client->console);
	listener_of(client)->end = taken ? "taken" : "ended";
}

static const struct console_client_ops ops = {
	.output = output, .writable = writable, .detached = detached};

static void
turn(void)
{
	ASSERT(loop_once(&loop, 0) == 0);
}

static void
connect_guest(void)
{
	int fds[2];

	ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	guest = fds[0];
	ASSERT(console_connect(&console, fds[1]) == 0);
}

static void
start(struct vm_log *log)
{
	ASSERT(loop_init(&loop) == 0);
	a = b = (struct listener){.client = {.ops = &ops}};
	console_init(&console, &loop, log);
	connect_guest();
}

static void
stop(void)
{
	console_close(&console);
	CHECK(!console.input && !timer_is_set(&console.patience) && console.fd == -1);
	fd_close(&guest);
	loop_fini(&loop);
}

static void
guest_says(const char *text)
{
	ASSERT(write(guest, text, strlen(text)) == (ssize_t)strlen(text));
	turn();
}

/* What the guest is told now, as text. */
static const char *
guest_hears(void)
{
	static char text[256];
	ssize_t n;

	turn();
	n = read(guest, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static size_t
says(struct listener *listener, const char *text)
{
	return console_input(&listener->client, (const uint8_t *)text, strlen(text));
}

static void
test_both_ways(void)
{
	start(NULL);
	CHECK(console_attach(&console, &a.client, false) == 0);
	guest_says("login: ");
	CHECK_STR(a.heard, "login: ");
	CHECK(says(&a, "root\n") == 5);
	CHECK_STR(guest_hears(), "root\n");
	CHECK(!console.input);
	stop();
	CHECK_STR(a.end, "ended");
}

static void
test_one_at_a_time(void)
{
	start(NULL);
	CHECK(console_attach(&console, &a.client, false) == 0);
	CHECK(console_attach(&console, &b.client, false) == -EBUSY);
	guest_says("1");
	CHECK(console_attach(&console, &b.client, true) == 0);
	CHECK_STR(a.end, "taken");
	guest_says("2");
	CHECK_STR(a.heard, "1");
	CHECK_STR(b.heard, "2");
	/* Who was displaced says nothing any more, and nothing waits for it. */
	CHECK(says(&a, "x") == 1);
	CHECK_STR(guest_hears(), "");
	console_detach(&a.client);
	console_detach(&b.client);
	console_detach(&b.client);
	CHECK(!b.end);
	guest_says("3");
	CHECK_STR(b.heard, "2");
	/* With nobody there to displace, force is nothing special. */
	CHECK(console_attach(&console, &b.client, true) == 0);
	stop();
}

/* --- floods ------------------------------------------------------------------------------- */

/* The guest says size bytes as fast as they are taken. */
static void
flood(size_t size)
{
	static const char noise[64 * 1024] = "noise";

	for (unsigned i = 0; size > 0 && i < TURNS; i++) {
		ssize_t n = write(guest, noise, size < sizeof(noise) ? size : sizeof(noise));

		if (n > 0)
			size -= (size_t)n;
		turn();
	}
	CHECK(size == 0);
}

static long
resident_kib(void)
{
	struct rusage usage;

	ASSERT(getrusage(RUSAGE_SELF, &usage) == 0);
	return usage.ru_maxrss;
}

static void
test_flood_without_client(void)
{
	long before;

	start(NULL);
	flood(PASTE);
	before = resident_kib();
	flood(FLOOD);
	CHECK(resident_kib() - before < 4096);
	CHECK(!console.input);
	stop();
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static void
test_flood_of_the_log(void)
{
	char root[] = "/tmp/qemud-console-XXXXXX", end[32];
	struct vm_log log;
	struct stat st;
	int folder_fd;

	ASSERT(mkdtemp(root));
	folder_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ASSERT(folder_fd >= 0);
	vm_log_init(&log);
	ASSERT(vm_log_open(&log, folder_fd, "vm", "console") == 0);
	start(&log);
	flood(8 * VM_LOG_MAX);
	guest_says("the last words");
	while (console.fd >= 0 && recv(console.fd, end, sizeof(end), MSG_PEEK | MSG_DONTWAIT) > 0)
		turn();
	CHECK(fstat(log.fd, &st) == 0 && st.st_size <= VM_LOG_MAX);
	vm_log_tail(&log, st.st_size - 14, end, sizeof(end));
	CHECK(strstr(end, "the last words"));
	stop();
	vm_log_close(&log);
	fd_close(&folder_fd);
	ASSERT(nftw(root, remove_one, 4, FTW_DEPTH | FTW_PHYS) == 0);
}

static void
test_deaf_client(void)
{
	start(NULL);
	a.deaf = true;
	CHECK(console_attach(&console, &a.client, false) == 0);
	flood(PASTE);
	CHECK(!console.client && !a.client.console && !a.end);
	CHECK(console_attach(&console, &b.client, false) == 0);
	flood(PASTE);
	CHECK(b.n_heard >= PASTE);
	stop();
}

/* What a guest says does not keep others from their turn. */
static void
test_one_read_a_turn(void)
{
	start(NULL);
	CHECK(console_attach(&console, &a.client, false) == 0);
	for (unsigned i = 0; i < 64; i++)
		(void)!write(guest, a.heard, sizeof(a.heard));
	for (unsigned i = 0; i < 64; i++)
		(void)!write(guest, (char[1024]){0}, 1024);
	turn();
	CHECK(a.n_heard > 0 && a.n_heard <= 16 * 1024);
	stop();
}

/* --- input that waits --------------------------------------------------------------------- */

static uint8_t paste[PASTE], told[PASTE];

static void
fill_paste(void)
{
	for (size_t i = 0; i < sizeof(paste); i++)
		paste[i] = (uint8_t)(i * 7 + i / 251);
}

/* Say the paste from *at on, as far as it is taken. Returns whether some is left. */
static bool
say_paste(struct listener *listener, size_t *at)
{
	*at += console_input(&listener->client, paste + *at, sizeof(paste) - *at);
	return *at < sizeof(paste);
}

static void
test_paste(void)
{
	size_t at = 0, n_told = 0;

	fill_paste();
	start(NULL);
	CHECK(console_attach(&console, &a.client, false) == 0);
	CHECK(say_paste(&a, &at));
	CHECK(console.n_input == CONSOLE_INPUT_MAX && timer_is_set(&console.patience));
	turn();
	CHECK(a.n_writable == 0);
	for (unsigned i = 0; n_told < sizeof(told) && i < TURNS; i++) {
		unsigned n_writable = a.n_writable;
		ssize_t n = read(guest, told + n_told, sizeof(told) - n_told);

		n_told += n > 0 ? (size_t)n : 0;
		turn();
		if (a.n_writable > n_writable)
			(void)say_paste(&a, &at);
	}
	CHECK(n_told == sizeof(told) && memcmp(told, paste, sizeof(told)) == 0);
	CHECK(!console.input && !timer_is_set(&console.patience));
	stop();
}

/* What was said goes to the guest also when whoever said it has left, and another has come. */
static void
test_leaves_after_input(void)
{
	size_t at = 0, n_told = 0;

	fill_paste();
	start(NULL);
	CHECK(console_attach(&console, &a.client, false) == 0);
	CHECK(say_paste(&a, &at));
	console_detach(&a.client);
	CHECK(console_attach(&console, &b.client, false) == 0);
	for (unsigned i = 0; n_told < at && i < TURNS; i++) {
		ssize_t n = read(guest, told + n_told, at - n_told);

		n_told += n > 0 ? (size_t)n : 0;
		turn();
	}
	CHECK(n_told == at && memcmp(told, paste, at) == 0);
	CHECK(a.n_writable == 0);
	stop();
}

/* Connected no longer than somebody needs it; others are not in the way of who comes next. */
static void
test_on_demand(void)
{
	size_t at = 0, n_told = 0;

	fill_paste();
	start(NULL);
	console.on_demand = true;
	CHECK(console_attach(&console, &a.client, false) == 0);
	CHECK(console_attach(&console, &b.client, true) == 0 && console.fd >= 0);
	CHECK(says(&b, "hello") == 5);
	CHECK_STR(guest_hears(), "hello");
	console_detach(&b.client);
	CHECK(console.fd == -1 && read(guest, told, 1) == 0);
	fd_close(&guest);
	connect_guest();
	CHECK(console_attach(&console, &a.client, false) == 0 && say_paste(&a, &at));
	console_detach(&a.client);
	CHECK(console.fd >= 0);
	for (unsigned i = 0; n_told < at && i < TURNS; i++) {
		ssize_t n = read(guest, told + n_told, at - n_told);

		n_told += n > 0 ? (size_t)n : 0;
		turn();
	}
	CHECK(n_told == at && memcmp(told, paste, at) == 0 && console.fd == -1);
	stop();
}

/* As if it were so late that patience ends. */
static void
be_late(void)
{
	CHECK(timer_is_set(&console.patience));
	timer_set(&loop, &console.patience, loop_now(&loop), console.patience.fn);
	turn();
	CHECK(!timer_is_set(&console.patience));
}

static void
drain_guest(void)
{
	static char data[64 * 1024];

	while (read(guest, data, sizeof(data)) > 0)
		turn();
}

static void
test_patience(void)
{
	size_t at = 0;

	start(NULL);
	CHECK(console_attach(&console, &a.client, false) == 0);
	CHECK(say_paste(&a, &at));
	be_late();
	CHECK(!console.input && a.n_writable == 1 && !a.end);
	/* From now on nothing waits for a guest that takes nothing. */
	CHECK(!say_paste(&a, &at));
	CHECK(!console.input && !timer_is_set(&console.patience));
	/* It takes something: all is as before. */
	drain_guest();
	CHECK(says(&a, "hello") == 5);
	CHECK_STR(guest_hears(), "hello");
	at = 0;
	CHECK(say_paste(&a, &at) && console.n_input == CONSOLE_INPUT_MAX);
	stop();
}

/* A guest that takes a little at a time is waited for. */
static void
test_slow_guest(void)
{
	static char data[1024];
	const int little = 4096;
	size_t at = 0;
	unsigned n_times = 0;

	start(NULL);
	ASSERT(setsockopt(console.fd, SOL_SOCKET, SO_SNDBUF, &little, sizeof(little)) == 0);
	CHECK(console_attach(&console, &a.client, false) == 0);
	CHECK(say_paste(&a, &at));
	for (unsigned i = 0; console.n_input > 0 && i < TURNS; i++) {
		uint64_t due = console.patience.node.key;
		size_t n_input = console.n_input;

		(void)!read(guest, data, sizeof(data));
		turn();
		if (console.n_input == n_input || console.n_input == 0)
			continue;
		CHECK(console.patience.node.key > due);
		n_times++;
	}
	CHECK(n_times > 2 && a.n_writable == n_times + 1);
	stop();
}

/* --- the end of QEMU's end ---------------------------------------------------------------- */

static void
test_qemu_closes(void)
{
	size_t at = 0;

	start(NULL);
	CHECK(console_attach(&console, &a.client, false) == 0);
	CHECK(say_paste(&a, &at));
	guest_says("bye");
	fd_close(&guest);
	turn();
	turn();
	CHECK(console.fd == -1 && !console.input && !timer_is_set(&console.patience));
	/* Who waits is told to go on, and stays attached: what it says is lost. */
	CHECK_STR(a.heard, "bye");
	CHECK(a.n_writable > 0 && !a.end);
	CHECK(!say_paste(&a, &at));
	CHECK(console_attach(&console, &b.client, false) == -EBUSY);
	connect_guest();
	guest_says(" and hello");
	CHECK_STR(a.heard, "bye and hello");
	CHECK(says(&a, "again") == 5);
	CHECK_STR(guest_hears(), "again");
	stop();
}

static void
test_silent_console(void)
{
	start(NULL);
	fd_close(&guest);
	turn();
	CHECK(console_attach(&console, &a.client, false) == 0);
	CHECK(says(&a, "anybody there?") == 14);
	console_close(&console);
	CHECK_STR(a.end, "ended");
	connect_guest();
	stop();
}

/* A new connection takes the place of one that is still there. */
static void
test_connect_twice(void)
{
	size_t at = 0;
	ssize_t n;
	int old;

	start(NULL);
	CHECK(console_attach(&console, &a.client, false) == 0);
	CHECK(say_paste(&a, &at));
	old = guest;
	connect_guest();
	CHECK(!console.input && a.n_writable == 1);
	while ((n = read(old, told, sizeof(told))) > 0)
		continue;
	CHECK(n == 0);
	guest_says("new");
	CHECK_STR(a.heard, "new");
	CHECK_STR(guest_hears(), "");
	fd_close(&old);
	stop();
}

static void
test_last_words(void)
{
	start(NULL);
	CHECK(console_attach(&console, &a.client, false) == 0);
	for (unsigned i = 0; i < 40; i++)
		ASSERT(write(guest, (char[1024]){0}, 1024) == 1024);
	ASSERT(write(guest, "panic", 5) == 5);
	fd_close(&guest);
	console_close(&console);
	CHECK(a.n_heard == 40 * 1024 + 5);
	CHECK_STR(a.end, "ended");
	CHECK(says(&a, "x") == 1);
	stop();
}

static void
test_connect_fails(void)
{
	/* epoll takes no such file. */
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	start(NULL);
	ASSERT(fd >= 0);
	CHECK(console_connect(&console, fd) == -EPERM);
	CHECK(console.fd == -1 && fcntl(fd, F_GETFD) < 0);
	stop();
}

static unsigned n_at_start;

static void
test_nothing_left(void)
{
	CHECK(n_descriptors() == n_at_start);
}

int
main(void)
{
	n_at_start = n_descriptors();
	TEST("guest and client hear each other", test_both_ways);
	TEST("one client at a time, and force displaces it", test_one_at_a_time);
	TEST("100 MiB with nobody attached leave nothing behind", test_flood_without_client);
	TEST("a flood stays within the bound of the log, and its end is in it",
		test_flood_of_the_log);
	TEST("a client that does not read is detached", test_deaf_client);
	TEST("a guest is read once before others have a turn", test_one_read_a_turn);
	TEST("what is pasted waits for the guest, and all of it arrives", test_paste);
	TEST("what a client said arrives also when it has left", test_leaves_after_input);
	TEST("a channel is connected while somebody needs it", test_on_demand);
	TEST("a guest that takes nothing is given up", test_patience);
	TEST("a guest that takes a little is waited for", test_slow_guest);
	TEST("when QEMU's end is lost the client stays, and hears the next", test_qemu_closes);
	TEST("a console that is not connected is silent", test_silent_console);
	TEST("a console may be connected again", test_connect_twice);
	TEST("what a guest said last is heard before the end", test_last_words);
	TEST("a descriptor that cannot be watched is closed", test_connect_fails);
	TEST("no descriptor is left", test_nothing_left);
	return TEST_END();
}
