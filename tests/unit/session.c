/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A session's notes name processes that run and no others; what it starts is the user, with nothing
 * of its parent's, and whoever may have namespaces has her own.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/packet.h"
#include "lib/take.h"
#include "session/notes.h"
#include "session/spawn.h"
#include "tests/unit/test.h"

static char root[] = "/tmp/qemud-session-XXXXXX";
static int dir_fd, null_fd;

static struct {
	unsigned n;
	struct note last;
} found;

static void
note_found(void *arg, const struct note *note, int pidfd)
{
	(void)arg;
	found.n++;
	found.last = *note;
	fd_close(&pidfd);
}

static unsigned
read_notes(void)
{
	found.n = 0;
	CHECK(notes_read(dir_fd, note_found, NULL) == 0);
	return found.n;
}

static bool
is_there(const char *name)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A process that waits to be killed. */
static pid_t
sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			(void)pause();
	ASSERT(pid > 0);
	return pid;
}

static void
end(pid_t pid)
{
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
}

static const char name_7[] = "07070707-0707-0707-0707-070707070707.lease";

static struct note
note_of(pid_t pid)
{
	struct note note = {.id = 42, .pid = pid};

	memset(note.uuid, 7, sizeof(note.uuid));
	return note;
}

static void
notes(void)
{
	pid_t pid = sleeper();
	struct note note = note_of(pid);

	CHECK(read_notes() == 0);
	CHECK(note_write(dir_fd, &note) == 0 && is_there(name_7));
	CHECK(read_notes() == 1 && found.last.id == 42 && found.last.pid == pid);
	CHECK(memcmp(found.last.uuid, note.uuid, 16) == 0);
	end(pid);
	CHECK(read_notes() == 0 && !is_there(name_7));
	CHECK(note_write(dir_fd, &note) == -ESRCH && !is_there(name_7));
}

/* Puts a text in the place of a note; returns how many are found then. */
static unsigned
with_text(const char *text)
{
	fd_auto int fd = openat(dir_fd, name_7, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ASSERT(fd >= 0 && fd_write_all(fd, text, strlen(text)) == 0);
	return read_notes();
}

static void
notes_that_deceive(void)
{
	pid_t pid = sleeper();
	struct note note = note_of(pid);
	free_auto char *text = NULL;
	fd_auto int fd = -1;
	char other[512];
	size_t size;

	CHECK(note_write(dir_fd, &note) == 0);
	fd = openat(dir_fd, name_7, O_RDONLY | O_CLOEXEC);
	ASSERT(fd >= 0 && fd_read_all(fd, 4096, &text, &size) == 0);
	CHECK(with_text(text) == 1);
	/* Another process, another time, another boot, another form. */
	(void)snprintf(
		other, sizeof(other), "id 42 pid %d %s", (int)getppid(), strstr(text, "began"));
	CHECK(with_text(other) == 0 && !is_there(name_7));
	(void)snprintf(
		other, sizeof(other), "id 42 pid %d began 1 %s", (int)pid, strstr(text, "boot"));
	CHECK(with_text(other) == 0);
	(void)snprintf(
		other, sizeof(other), "%.*s boot 0\n", (int)(strstr(text, "boot") - text), text);
	CHECK(with_text(other) == 0);
	CHECK(with_text("") == 0 && with_text("id") == 0 && with_text("id 1 pid -1 ") == 0);
	CHECK(with_text("id 4294967295 pid 1 began 1 boot 1\n") == 0);
	/* Names that we would not give are somebody else's files. */
	ASSERT(mkdirat(dir_fd, "07070707-0707-0707-0707-07070707070A.lease", 0700) == 0);
	ASSERT(mkdirat(dir_fd, "0-0-0-0-0-0-0-0-0-0-0-0-0-0-0-0-0-0-.lease", 0700) == 0);
	ASSERT(symlinkat(text, dir_fd, name_7) == 0 && read_notes() == 0 && !is_there(name_7));
	CHECK(is_there("07070707-0707-0707-0707-07070707070A.lease"));
	end(pid);
}

/* --- what is started ---------------------------------------------------------------------- */

static const char script[] =
	"exec >&3 2>&3; sed -n 's/^Uid:.\\([0-9]*\\).*/\\1/p; s/^NoNewPrivs:.//p; "
	"s/^SigBlk:.0*/-/p' "
	"/proc/self/status | tr '\\n' ' '; ls -m /proc/self/fd; echo $HOME; readlink "
	"/proc/self/ns/net";

/* What a shell with that script says over the link; its exit status. */
static int
said(enum spawn_room room, char *ret, size_t size)
{
	char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){""}, NULL};
	char *envp[] = {(char[]){"HOME=/x"}, (char[]){"PATH=/usr/bin:/bin"}, NULL};
	fd_auto int program_fd = open("/bin/sh", O_PATH | O_CLOEXEC);
	free_auto char *text = strdup(script);
	int pair[2], pidfd = -1;
	struct spawn spawn = {.program_fd = program_fd,
		.argv = argv,
		.envp = envp,
		.null_fd = null_fd,
		.lock_fd = -1,
		.room = room};
	siginfo_t info = {0};
	ssize_t n;
	pid_t pid;

	argv[2] = text;
	ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	spawn.link_fd = pair[1];
	CHECK(session_spawn(&spawn, &pidfd, &pid) == 0);
	fd_close(&pair[1]);
	*ret = '\0';
	for (size_t at = 0; (n = read(pair[0], ret + at, size - at - 1)) > 0; ret[at] = '\0')
		at += (size_t)n;
	CHECK(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) == 0);
	fd_close(&pair[0]);
	fd_close(&pidfd);
	return info.si_status;
}

static void
it_is_the_user(void)
{
	char text[512], want[512], ours[64] = "";
	sigset_t blocked, before;

	/* What this process blocks is not blocked there, what it has open is not open. */
	(void)sigfillset(&blocked);
	(void)sigprocmask(SIG_SETMASK, &blocked, &before);
	CHECK(said(SPAWN_WITH_US, text, sizeof(text)) == 0);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	CHECK(readlink("/proc/self/ns/net", ours, sizeof(ours) - 1) > 0);
	/* The last one is that of the folder that is listed. */
	(void)snprintf(
		want, sizeof(want), "%u - 1 0, 1, 2, 3, 4\n/x\n%s\n", (unsigned)getuid(), ours);
	CHECK_STR(text, want);
}

static void
it_is_apart(void)
{
	char text[512], ours[64] = "";
	int r = session_try_namespaces();

	CHECK(readlink("/proc/self/ns/net", ours, sizeof(ours) - 1) > 0);
	CHECK(session_has_namespaces() == (r == 0));
	if (r < 0) {
		printf("# this host gives none: %s\n", strerror(-r));
		CHECK(said(SPAWN_APART, text, sizeof(text)) == 0);
		return;
	}
	CHECK(said(SPAWN_APART, text, sizeof(text)) == 0);
	CHECK(atoi(text) == (int)getuid());
	CHECK(strstr(text, ours) == NULL);
	CHECK(said(SPAWN_NETWORKED, text, sizeof(text)) == 0);
	CHECK(atoi(text) == (int)getuid());
	CHECK(strstr(text, ours) != NULL);
}

static void
what_cannot_run_says_so(void)
{
	char *argv[] = {(char[]){"x"}, NULL}, *envp[] = {NULL};
	int pidfd = -1;
	pid_t pid;
	struct spawn spawn = {.program_fd = null_fd,
		.argv = argv,
		.envp = envp,
		.null_fd = null_fd,
		.link_fd = null_fd,
		.lock_fd = null_fd};
	siginfo_t info = {0};

	CHECK(session_spawn(&spawn, &pidfd, &pid) == 0);
	CHECK(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) == 0);
	CHECK(info.si_code == CLD_EXITED && info.si_status == 127);
	fd_close(&pidfd);
}

int
main(void)
{
	char command[64];

	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (!mkdtemp(root) || null_fd < 0)
		return EXIT_FAILURE;
	dir_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	TEST("a note is of a process that runs", notes);
	TEST("a note that is not right is of nobody", notes_that_deceive);
	TEST("what is started is the user, with nothing of ours", it_is_the_user);
	TEST("in namespaces of its own she is who she was", it_is_apart);
	TEST("what cannot be run ends", what_cannot_run_says_so);
	(void)snprintf(command, sizeof(command), "rm -rf %s", root);
	CHECK(system(command) == 0);
	return TEST_END();
}
