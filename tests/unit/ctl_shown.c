/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ctl_shown.c: what qemudctl status and limits make of an answer, for people and for programs, is what
 * tests/golden/ctl has; of an answer that is not whole they show nothing, and say why.
 *
 * REGENERATE=1 writes what they show now.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/answer.h"
#include "ctl/command.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/take.h"
#include "tests/unit/test.h"

enum { SHOWN_MAX = 65536 };

static char dir[] = "/tmp/qemud-ctl-XXXXXX", path[sizeof dir + 8];

/* --- a qemud that says what it is told to ---------------------------------------------------- */

static char *
contents(const char *name, size_t *ret_size)
{
	char where[128];
	fd_auto int fd = -1;
	char *text = NULL;

	(void)snprintf(where, sizeof where, "tests/golden/ctl/%s", name);
	fd = open(where, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && fd_read_all(fd, SHOWN_MAX, &text, ret_size) == 0);
	return text;
}

static int
listen_there(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)unlink(path);
	memcpy(address.sun_path, path, sizeof path);
	CHECK(bind(fd, (const struct sockaddr *)&address, sizeof address) == 0);
	CHECK(listen(fd, 1) == 0);
	return fd;
}

/* The question comes, and is answered with that; who refuses does not even read it. */
static void
serve(int listener, const char *question, const char *text, size_t size, const char *row,
	long n_rows)
{
	struct pollfd poll_fd = {.fd = listener, .events = POLLIN};
	char got[TALK_QUESTION_MAX + 1] = "";
	fd_auto int fd = -1;

	CHECK(poll(&poll_fd, 1, 60000) == 1);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	CHECK(fd >= 0);
	if (question) {
		CHECK(recv(fd, got, sizeof got - 1, 0) > 0);
		CHECK_STR(got, question);
	}
	CHECK(size == 0 || send(fd, text, size, MSG_NOSIGNAL) == (ssize_t)size);
	while (n_rows != 0) {
		static char piece[65536];
		size_t n = 0;

		for (; n_rows != 0 && n + strlen(row) < sizeof piece; n_rows -= n_rows > 0) {
			memcpy(piece + n, row, strlen(row));
			n += strlen(row);
		}
		if (send(fd, piece, n, MSG_NOSIGNAL) < 0)
			return;
	}
}

/* --- what is shown ------------------------------------------------------------------------ */

struct shown {
	int status;
	char out[SHOWN_MAX], err[SHOWN_MAX];
};

static void
read_back(int fd, char *ret)
{
	ssize_t n = pread(fd, ret, SHOWN_MAX - 1, 0);

	ret[n > 0 ? n : 0] = '\0';
}

static pid_t
run(command_fn *command, char **argv, int out_fd, int err_fd)
{
	int argc = 0, status;
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	while (argv[argc])
		argc++;
	(void)dup2(out_fd, STDOUT_FILENO);
	(void)dup2(err_fd, STDERR_FILENO);
	log_open("qemudctl", LEVEL_INFO);
	status = command(argc, argv);
	(void)fflush(stdout);
	_exit(status);
}

/* question NULL: it is not waited for. After the text comes the row, so often; -1: until nobody reads. */
static void
show_rows(command_fn *command, const char *question, const char *text, size_t size, const char *row,
	long n_rows, char **argv, struct shown *ret)
{
	fd_auto int listener = listen_there();
	fd_auto int out_fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	fd_auto int err_fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	int status = -1;
	pid_t pid;

	(void)fflush(stdout);
	pid = run(command, argv, out_fd, err_fd);
	serve(listener, question, text, size, row, n_rows);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	ret->status = WEXITSTATUS(status);
	read_back(out_fd, ret->out);
	read_back(err_fd, ret->err);
}

static void
show(command_fn *command, const char *question, const char *answer, char **argv, struct shown *ret)
{
	free_auto char *text = NULL;
	size_t size;

	text = contents(answer, &size);
	show_rows(command, question, text, size, NULL, 0, argv, ret);
}

static const struct {
	const char *name, *answer, *question;
	command_fn *command;
	const char *words[4];
} cases[] = {
	{"everybody", "everybody.answer", "1\tstatus\n", status_show, {"status"}},
	{"everybody-vms", "everybody.answer", "1\tvms\n", status_show, {"status", "--vms"}},
	{"everybody-json", "everybody.answer", "1\tvms\n", status_show,
		{"status", "--vms", "--json"}},
	{"alone", "alone.answer", "1\tstatus\n", status_show, {"status"}},
	{"alone-json", "alone.answer", "1\tstatus\n", status_show, {"status", "--json"}},
	{"limits", "limits.answer", "1\tlimits\n", limits_show, {"limits"}},
	{"limits-json", "limits.answer", "1\tlimits\talice\n", limits_show,
		{"limits", "--json", "alice"}},
	/* Numbers as large as they may be, texts that are not to be shown as they are. */
	{"hostile", "hostile.answer", "1\tvms\n", status_show, {"status", "--vms"}},
	{"hostile-json", "hostile.answer", "1\tvms\n", status_show, {"status", "--vms", "--json"}},
	{"hostile-limits", "hostile.answer", "1\tlimits\n", limits_show, {"limits"}},
};

static void
test_golden(void)
{
	static struct shown shown;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *argv[8] = {0}, name[64], where[128];
		free_auto char *want = NULL;
		size_t size = 0;
		int n = 0;

		for (; cases[i].words[n]; n++)
			argv[n] = (char *)(uintptr_t)cases[i].words[n];
		argv[n++] = (char[]){"--socket"};
		argv[n] = path;
		show(cases[i].command, cases[i].question, cases[i].answer, argv, &shown);
		CHECK(shown.status == CTL_OK);
		CHECK_STR(shown.err, "");
		(void)snprintf(name, sizeof name, "%s.shown", cases[i].name);
		(void)snprintf(where, sizeof where, "tests/golden/ctl/%s", name);
		if (getenv("REGENERATE")) {
			fd_auto int fd = open(where, O_WRONLY | O_CREAT | O_TRUNC, 0644);

			CHECK(fd_write_all(fd, shown.out, strlen(shown.out)) == 0);
		}
		want = contents(name, &size);
		CHECK(want && strlen(shown.out) == size && memcmp(shown.out, want, size) == 0);
		if (test_this_failed)
			printf("# %s shows\n%s\n", name, shown.out);
	}
}

/* --- what is not -------------------------------------------------------------------------- */

static void
test_not_whole(void)
{
	static const struct {
		const char *answer;
		int status;
		const char *said;
	} wrong[] = {
		{"missing.answer", CTL_FAILED, "lines are missing"},
		{"cut.answer", CTL_FAILED, "a line is cut"},
		{"nothing.answer", CTL_FAILED, "without a word"},
		{"headless.answer", CTL_FAILED, "does not begin"},
		{"refused.answer", CTL_FOUND, "user dave may not (policy.conf:4: deny user dave)"},
		{"failed.answer", CTL_FAILED, "as many connections"},
	};
	static struct shown shown;

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		for (unsigned json = 0; json < 2; json++) {
			char *argv[] = {(char[]){"status"}, (char[]){"--socket"}, path,
				json ? (char[]){"--json"} : NULL, NULL};

			show(status_show, NULL, wrong[i].answer, argv, &shown);
			CHECK(shown.status == wrong[i].status);
			CHECK_STR(shown.out, "");
			if (!strstr(shown.err, wrong[i].said))
				printf("# %s: %s\n", wrong[i].answer, shown.err);
			CHECK(strstr(shown.err, wrong[i].said));
		}
}

/* Nor of one that is longer than any may be, or never ends. */
static void
test_too_long(void)
{
	static const char host[] = "host\t1\t\t\t\t\t\t\t\t\t\t\t\t\t\t\n";
	static const struct {
		const char *row;
		long n;
		const char *said;
	} wrong[] = {
		{"vm\t\t\t\t\t\t\t\t\t\t\n", TALK_ROWS_MAX, "more lines than"},
		{"error\t\t\n", TALK_ROWS_MAX, "more lines than"},
		{"vm\t\t\t\t\t\t\t\t\t\t\n", -1, "longer than 64 MiB"},
		{"x", -1, "longer than 64 MiB"},
	};
	static struct shown shown;

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		char *argv[] = {(char[]){"status"}, (char[]){"--socket"}, path, NULL};

		show_rows(status_show, NULL, host, sizeof host - 1, wrong[i].row, wrong[i].n, argv,
			&shown);
		CHECK(shown.status == CTL_FAILED);
		CHECK_STR(shown.out, "");
		if (!strstr(shown.err, wrong[i].said))
			printf("# %zu: %s\n", i, shown.err);
		CHECK(strstr(shown.err, wrong[i].said));
	}
}

/* However often something comes, there is an end of waiting. */
static void
test_slow(void)
{
	struct talk_question question = {.ask = TALK_ASK_STATUS};
	fd_auto int listener = listen_there();
	pid_t pid;
	int status;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct answer answer;

		log_open("qemudctl", LEVEL_ERROR);
		_exit(answer_get(path, &question, 1, &answer));
	}
	fd_auto int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	while (send(fd, "error", 1, MSG_NOSIGNAL) == 1)
		(void)poll(NULL, 0, 100);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	CHECK(WEXITSTATUS(status) == CTL_FAILED);
}

/* Nobody listens; there is no such place; a user that nobody can be called. */
static void
test_absent(void)
{
	char long_name[200];
	struct {
		command_fn *command;
		char *argv[6];
		int status;
		const char *said;
	} wrong[] = {
		{status_show, {(char[]){"status"}, (char[]){"--socket"}, path}, CTL_FAILED,
			"no qemud is there (No such file or directory)"},
		{limits_show, {(char[]){"limits"}, (char[]){"--socket"}, path}, CTL_FAILED,
			"systemctl start qemud"},
		{status_show, {(char[]){"status"}, (char[]){"--socket"}, long_name}, CTL_FAILED,
			"File name too long"},
		{limits_show, {(char[]){"limits"}, long_name}, CTL_FOUND, "there is no such user"},
		{limits_show, {(char[]){"limits"}, (char[]){"a\tb"}}, CTL_FOUND,
			"there is no such user"},
		{limits_show, {(char[]){"limits"}, (char[]){""}}, CTL_USAGE, ""},
		{status_show, {(char[]){"status"}, (char[]){"bob"}}, CTL_USAGE, ""},
	};
	static struct shown shown;

	memset(long_name, 'x', sizeof long_name - 1);
	long_name[sizeof long_name - 1] = '\0';
	(void)unlink(path);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		fd_auto int out_fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		fd_auto int err_fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		int status = -1;
		pid_t pid;

		(void)fflush(stdout);
		pid = run(wrong[i].command, wrong[i].argv, out_fd, err_fd);
		CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
		CHECK(WEXITSTATUS(status) == wrong[i].status);
		read_back(err_fd, shown.err);
		if (!strstr(shown.err, wrong[i].said))
			printf("# case %zu: %s\n", i, shown.err);
		CHECK(strstr(shown.err, wrong[i].said));
	}
}

int
main(void)
{
	if (!mkdtemp(dir))
		return EXIT_FAILURE;
	(void)snprintf(path, sizeof path, "%s/ctl", dir);
	/* What colours a terminal would have is not asked: this is none. */
	TEST("an answer is shown as the golden files have it", test_golden);
	TEST("of an answer that is not whole nothing is shown", test_not_whole);
	TEST("of an answer that is too long nothing is shown, or held", test_too_long);
	TEST("an answer that drips is not waited for for ever", test_slow);
	TEST("where nobody answers it is said, with a status for scripts", test_absent);
	(void)unlink(path);
	(void)rmdir(dir);
	return TEST_END();
}
