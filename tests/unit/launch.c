/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What qemud-launch starts has exactly what it was meant to have, and nothing that its children or
 * its broker do costs more than themselves. Needs root; test: timeout=240
 */
#include <inttypes.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "tests/unit/messages.h"
#include "tests/unit/started.h"
#include "tests/unit/test.h"

enum { FLOOD_LINES = 3000, BIG_OUTPUT = 20000, HANGS = 16 };

/* --- the programs, played by this test ---------------------------------------------------- */

static void
say(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0) {
		/* stderr may be full: that is one of the tests. */
	}
}

static int
play_linked(void)
{
	struct {
		struct ipc_header header;
		struct ipc_hello body;
	} hello = {{.version = IPC_VERSION, .type = IPC_HELLO, .size = sizeof(hello.body)},
		{.pid = (uint32_t)getpid()}};
	const char *home = getenv("HOME");
	char text[128];

	if (!home)
		return 9;
	report(text, sizeof(text));
	(void)packet_send(3, &hello, sizeof(hello), NULL, 0);
	(void)packet_send(3, text, strlen(text), NULL, 0);
	if (strcmp(home, "/status7") == 0)
		return 7;
	if (strcmp(home, "/terminate") == 0)
		(void)raise(SIGTERM);
	if (strcmp(home, "/lines") == 0) {
		say(2, "qemud-worker: error: a\x1b[31m red line\n");
		say(2, "what is this?\r\n");
		say(2, "qemud-worker: debug: quiet");
		return 0;
	}
	for (int i = 0; i < FLOOD_LINES && strcmp(home, "/flood") == 0; i++)
		say(2, "qemud-worker: warning: flood\n");
	(void)wait_fd(3);
	return 0;
}

static int
play_resolve(const char *option, const char *subject)
{
	char status[8192] = "", net[64] = "", big[BIG_OUTPUT + 1];

	if (strcmp(option, "--group") == 0)
		say(1, "group ");
	if (strcmp(option, "--uid") == 0 || strcmp(subject, "fine") == 0) {
		say(1, subject);
		return 0;
	}
	if (strcmp(subject, "hang") == 0)
		(void)pause();
	if (strcmp(subject, "crash") == 0)
		(void)raise(SIGKILL);
	if (strcmp(subject, "big") == 0) {
		memset(big, 'x', BIG_OUTPUT);
		big[BIG_OUTPUT] = '\0';
		say(1, big);
	}
	if (strcmp(subject, "status") == 0) {
		fd_auto int fd = open("/proc/self/status", O_RDONLY);

		(void)!read(fd, status, sizeof(status) - 1);
		say(1, status);
		(void)!readlink("/proc/self/ns/net", net, sizeof(net) - 1);
		say(1, net);
	}
	return strcmp(subject, "none") == 0 ? 2 : strcmp(subject, "broken") == 0 ? 3 : 0;
}

/* --- a worker ----------------------------------------------------------------------------- */

/* Its first message is HELLO; the second says what it sees, into text. */
static void
read_report(const struct answer *answer, char *text, size_t size)
{
	AUTO(packet_fini) struct packet hello = {.n_fds = 0}, seen = {.n_fds = 0};
	int fd = answer->packet.fds[0];

	text[0] = '\0';
	CHECK(wait_fd(fd) && packet_recv(fd, &hello) == 0);
	CHECK(hello.size == sizeof(struct ipc_header) + sizeof(struct ipc_hello));
	CHECK(wait_fd(fd) && packet_recv(fd, &seen) == 0);
	if (seen.size < size) {
		memcpy(text, seen.data, seen.size);
		text[seen.size] = '\0';
	}
}

static void
worker_has_what_was_meant(void)
{
	static const char environment[] = "HOME=/home/alice\0USER=u64101\0LOGNAME=u64101\0"
					  "PATH=/usr/local/bin:/usr/bin:/bin\0LANG=C.UTF-8";
	static const char arguments[] = "qemud-worker\0--idle\0007\0--log\0debug\0--port-min\0"
					"1024\0--run";
	static const char *const ids[] = {"\nUid:\t64101\t64101\t64101\t64101\n",
		"\nGid:\t64101\t64101\t64101\t64101\n", "\nGroups:\t27 64101 65101 \n", NULL};
	static const char *const limits[] = {"Max open files            300                  300 ",
		"Max core file size        0                    0 ", NULL};
	starter_auto struct starter *s = starter_start();
	answer_auto struct answer answer;
	char text[128], cwd[8] = "", path[128];
	size_t size;
	struct stat st;
	int pid;

	ask_worker(s, ALICE, "/home/alice", &answer);
	CHECK(answer.err == 0 && answer.type == IPC_WORKER_STARTED && answer.packet.n_fds == 2);
	if (answer.err != 0)
		return;
	pid = started_pid(&answer);
	read_report(&answer, text, sizeof(text));
	CHECK_STR(text, "dumpable=0 securebits=0xeb root=-1 etc=0");
	check_powerless(pid);
	check_descriptors(pid);

	free_auto char *status = read_proc(pid, "status", NULL);
	check_has(status, ids);
	free_auto char *got_limits = read_proc(pid, "limits", NULL);
	check_has(got_limits, limits);
	free_auto char *got_environment = read_proc(pid, "environ", &size);
	CHECK(size == sizeof(environment) && memcmp(got_environment, environment, size) == 0);
	free_auto char *got_arguments = read_proc(pid, "cmdline", &size);
	(void)snprintf(path, sizeof(path), "%s/64101", users);
	CHECK(size == sizeof(arguments) + strlen(path) + 1);
	CHECK(memcmp(got_arguments, arguments, sizeof(arguments)) == 0);
	CHECK_STR(got_arguments + sizeof(arguments), path);
	(void)snprintf(path, sizeof(path), "/proc/%d/cwd", pid);
	CHECK(readlink(path, cwd, sizeof(cwd)) == 1 && cwd[0] == '/');

	CHECK(!same_namespace(pid, "net") && !same_namespace(pid, "ipc"));
	CHECK(same_namespace(pid, "mnt") && same_namespace(pid, "user"));
	(void)snprintf(path, sizeof(path), "%s/64101", users);
	CHECK(stat(path, &st) == 0 && S_ISDIR(st.st_mode) && (st.st_mode & 07777) == 0700);
	CHECK(st.st_uid == ALICE && st.st_gid == ALICE);
}

static void
hello_time(void)
{
	uint64_t spent[21];
	enum { N_TIMES = sizeof(spent) / sizeof(*spent) };
	starter_auto struct starter *s = starter_start();

	for (int i = 0; i < N_TIMES; i++) {
		answer_auto struct answer answer;
		struct timespec begin, end;

		(void)clock_gettime(CLOCK_MONOTONIC, &begin);
		ask_worker(s, ALICE, "/home/alice", &answer);
		CHECK(answer.err == 0 && wait_fd(answer.packet.fds[0]));
		(void)clock_gettime(CLOCK_MONOTONIC, &end);
		spent[i] = (uint64_t)(end.tv_sec - begin.tv_sec) * 1000000 +
			   (uint64_t)end.tv_nsec / 1000 - (uint64_t)begin.tv_nsec / 1000;
		for (int k = i; k > 0 && spent[k - 1] > spent[k]; k--) {
			uint64_t swap = spent[k];

			spent[k] = spent[k - 1];
			spent[k - 1] = swap;
		}
	}
	printf("# WORKER to HELLO: median %" PRIu64 " us, least %" PRIu64 " us, most %" PRIu64
	       " us\n",
		spent[N_TIMES / 2], spent[0], spent[N_TIMES - 1]);
}

/* --- what WORKER refuses ------------------------------------------------------------------ */

static void
folder_is_checked(void)
{
	static const struct {
		mode_t mode;
		uid_t owner;
		int err;
		const char *log;
	} cases[] = {
		{S_IFDIR | 0700, BOB, 0, NULL},
		{S_IFDIR | 0700, 0, 0, NULL}, /* left by a starter that was killed in between */
		{S_IFDIR | 0755, BOB, -EPERM, "users/64102 must have mode 0700"},
		{S_IFDIR | 0755, 0, -EPERM, "users/64102 must have mode 0700"},
		{S_IFDIR | 0700, ALICE, -EPERM, "users/64102 belongs to somebody else; remove it"},
		{S_IFREG | 0700, BOB, -EPERM, "users/64102 is not a folder; remove it"},
		{S_IFLNK, BOB, -EPERM, "users/64102 is not a folder; remove it"},
	};
	starter_auto struct starter *s = starter_start();
	char path[128];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/64102", users);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		answer_auto struct answer answer;

		if (S_ISDIR(cases[i].mode))
			CHECK(mkdir(path, 0700) == 0);
		else if (S_ISLNK(cases[i].mode))
			CHECK(symlink(libexec, path) == 0);
		else
			CHECK(mknod(path, cases[i].mode, 0) == 0);
		CHECK(lchown(path, cases[i].owner, cases[i].owner) == 0);
		CHECK(S_ISLNK(cases[i].mode) || chmod(path, cases[i].mode & 07777) == 0);
		ask_worker(s, BOB, "/home/bob", &answer);
		CHECK(answer.err == cases[i].err);
		if (cases[i].err == 0)
			CHECK(lstat(path, &st) == 0 && st.st_uid == BOB);
		else
			CHECK(starter_logged(s, cases[i].log));
		/* What was root's is a file system of its own now. */
		CHECK((umount2(path, MNT_DETACH) == 0) ==
			(cases[i].err == 0 && cases[i].owner == 0));
		CHECK(remove(path) == 0);
	}
}

/* A user fills her folder, and nobody else's file system; it is there for the next worker. */
static void
folder_is_bounded(void)
{
	starter_auto struct starter *s = starter_start();
	answer_auto struct answer first, second;
	char path[128], name[160], block[4096] = {1};
	struct statfs fs, around;
	struct stat st;
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%u", users, CAROL);
	(void)snprintf(name, sizeof(name), "%s/file", path);
	ask_worker(s, CAROL, "/home/carol", &first);
	CHECK(first.err == 0 && stat(path, &st) == 0);
	CHECK(st.st_uid == CAROL && st.st_gid == CAROL && (st.st_mode & 07777) == 0700);
	CHECK(statfs(path, &fs) == 0 && statfs(users, &around) == 0);
	CHECK(memcmp(&fs.f_fsid, &around.f_fsid, sizeof(fs.f_fsid)) != 0);
	CHECK((fs.f_flags & (ST_NOSUID | ST_NODEV | ST_NOEXEC)) ==
		(ST_NOSUID | ST_NODEV | ST_NOEXEC));
	fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	do {
		n = write(fd, block, sizeof(block));
	} while (n > 0);
	CHECK(errno == ENOSPC && fstat(fd, &st) == 0 && st.st_size <= 16 << 20);
	fd_close(&fd);
	ask_worker(s, CAROL, "/home/carol", &second);
	CHECK(second.err == 0 && access(name, F_OK) == 0);
	CHECK(umount2(path, MNT_DETACH) == 0 && rmdir(path) == 0);
}

static void
account_is_checked(void)
{
	struct ipc_worker body = {.uid = ALICE, .n_files = 300, .log_level = 4, .port_min = 1024};
	struct account bob = test_account(BOB, "/home/bob");
	int fds[] = {account_fd(&bob), memfd_make("account", "name = alice\n", 13),
		memfd_create("unsealed", MFD_CLOEXEC), open("/dev/null", O_RDONLY | O_CLOEXEC)};
	starter_auto struct starter *s = starter_start();

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
		answer_auto struct answer answer;

		(void)ask(s, IPC_WORKER, &body, sizeof(body), fds[i]);
		next_answer(s, &answer);
		CHECK(answer.err == -EINVAL && answer.packet.n_fds == 0);
		(void)close(fds[i]);
	}
	CHECK(starter_logged(
		s, "uid=64101 op=worker: the account is refused: it is another uid's"));
	CHECK(starter_logged(s, "the account is refused: not a sealed memfd"));
	CHECK(starter_logged(s, "the account is refused: a key is missing"));
}

/* --- a view ------------------------------------------------------------------------------- */

static void
view_has_nothing(void)
{
	static const char *const lines[] = {"\nUid:\t64102\t64102\t64102\t64102\n",
		"\nGid:\t64102\t64102\t64102\t64102\n", "\nGroups:\t \n", NULL};
	static const char *const namespaces[] = {"net", "ipc", "uts", "pid", "mnt"};
	struct ipc_view body = {
		.uid = BOB, .gid = BOB, .n_files = 100, .log_level = 3, .kind = IPC_VIEW_REFUSER};
	starter_auto struct starter *s = starter_start();
	char text[256], inner_pid[64], path[64];
	answer_auto struct answer answer;
	int pid;

	(void)ask(s, IPC_VIEW, &body, sizeof(body), -1);
	next_answer(s, &answer);
	CHECK(answer.err == 0 && answer.type == IPC_VIEW_STARTED && answer.packet.n_fds == 2);
	if (answer.err != 0)
		return;
	pid = started_pid(&answer);
	read_report(&answer, text, sizeof(text));
	CHECK_STR(text, "dumpable=0 securebits=0xeb root=-1 etc=-1");
	check_powerless(pid);
	check_descriptors(pid);
	free_auto char *status = read_proc(pid, "status", NULL);
	check_has(status, lines);
	(void)snprintf(inner_pid, sizeof(inner_pid), "\nNSpid:\t%d\t1\n", pid);
	CHECK(strstr(status, inner_pid));
	for (size_t i = 0; i < sizeof(namespaces) / sizeof(*namespaces); i++)
		CHECK(!same_namespace(pid, namespaces[i]));

	list(pid, "", text, sizeof(text));
	CHECK(strcmp(text, "lib lib64 usr ") == 0 || strcmp(text, "lib usr ") == 0);
	list(pid, "/usr", text, sizeof(text));
	CHECK(strcmp(text, "lib lib64 ") == 0 || strcmp(text, "lib ") == 0);
	(void)snprintf(path, sizeof(path), "/proc/%d/root/x", pid);
	CHECK(mkdir(path, 0700) < 0 && errno == EROFS);
	(void)snprintf(path, sizeof(path), "/proc/%d/root/usr/lib/x", pid);
	CHECK(mkdir(path, 0700) < 0 && errno == EROFS);
	free_auto char *mounts = read_proc(pid, "mounts", NULL);
	CHECK(!strstr(mounts, " rw,"));
}

/* --- look-ups ----------------------------------------------------------------------------- */

static char *
text_of(struct answer *answer)
{
	char *text = NULL;
	size_t size;

	if (answer->packet.n_fds != 1 ||
		memfd_read(answer->packet.fds[0], MEMFD_TEXT_MAX, &text, &size) != 0)
		text = strdup("");
	return text;
}

static void
lookup_answers(void)
{
	static const struct {
		const char *name;
		int err;
	} cases[] = {{"fine", 0}, {"none", -ENOENT}, {"broken", -EIO}, {"crash", -EIO},
		{"empty", -EIO}, {"big", -EIO}};
	struct ipc_resolve by_uid = {.uid = 4294967294u, .kind = IPC_RESOLVE_ACCOUNT};
	starter_auto struct starter *s = starter_start();

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		answer_auto struct answer answer;
		uint32_t serial = ask_resolve(s, cases[i].name);

		next_answer(s, &answer);
		CHECK(answer.err == cases[i].err && answer.serial == serial);
		CHECK(answer.type == IPC_RESOLVED && answer.packet.n_fds == !answer.err);
		if (cases[i].err == 0) {
			free_auto char *text = text_of(&answer);

			CHECK_STR(text, "fine");
		}
	}
	answer_auto struct answer answer, group;
	(void)ask(s, IPC_RESOLVE, &by_uid, sizeof(by_uid), -1);
	next_answer(s, &answer);
	free_auto char *text = text_of(&answer);
	CHECK_STR(text, "4294967294");
	(void)ask_resolve_kind(s, "fine", IPC_RESOLVE_GROUP);
	next_answer(s, &group);
	free_auto char *group_text = text_of(&group);
	CHECK_STR(group_text, "group fine");
}

static void
lookup_is_nobody(void)
{
	static const char *const lines[] = {"\nUid:\t65534\t65534\t65534\t65534\n",
		"\nGid:\t65534\t65534\t65534\t65534\n", "\nGroups:\t \n",
		"\nCapInh:\t0000000000000000\n", "\nCapPrm:\t0000000000000000\n",
		"\nCapEff:\t0000000000000000\n", "\nCapBnd:\t0000000000000000\n",
		"\nCapAmb:\t0000000000000000\n", "\nNoNewPrivs:\t1\n", NULL};
	starter_auto struct starter *s = starter_start();
	answer_auto struct answer answer;
	char net[64] = "";

	(void)ask_resolve(s, "status");
	next_answer(s, &answer);
	free_auto char *text = text_of(&answer);
	check_has(text, lines);
	(void)!readlink("/proc/self/ns/net", net, sizeof(net) - 1);
	CHECK(net[0] && strstr(text, net));
}

static void
lookup_that_hangs(void)
{
	starter_auto struct starter *s = starter_start();
	uint64_t begin = now_ms();
	unsigned n_late = 0, n_fine = 0;
	uint32_t last = 0;

	for (int i = 0; i < HANGS; i++)
		(void)ask_resolve(s, "hang");
	/* All places are taken: this one waits for the first that is given up. */
	last = ask_resolve(s, "fine");
	for (int i = 0; i < HANGS + 1; i++) {
		answer_auto struct answer answer;

		next_answer(s, &answer);
		n_late += answer.err == -ETIMEDOUT && answer.serial != last;
		n_fine += answer.err == 0 && answer.serial == last && n_late > 0;
		CHECK(i > 0 || answer.err == -ETIMEDOUT);
	}
	CHECK(n_late == HANGS && n_fine == 1);
	CHECK(now_ms() - begin >= 2000);
	CHECK(starter_logged(s, "account=\"hang\": no answer from the name service"));
}

/* --- what children say, and how they end -------------------------------------------------- */

static void
lines_are_escaped(void)
{
	starter_auto struct starter *s = starter_start();
	answer_auto struct answer answer;
	char want[128];

	ask_worker(s, ALICE, "/lines", &answer);
	CHECK(starter_logged(s, "qemud-worker: ended with status 0\n"));
	(void)snprintf(want, sizeof(want),
		"qemud-launch: error: uid=64101 pid=%d qemud-worker: a\\x1b[31m red line\n",
		started_pid(&answer));
	CHECK(strstr(s->log, want));
	CHECK(strstr(s->log, " qemud-worker: what is this?\\x0d\n"));
	CHECK(strstr(s->log, "qemud-launch: debug: uid=64101 pid="));
	CHECK(strstr(s->log, " qemud-worker: quiet\n"));
}

static void
flood_is_cut(void)
{
	starter_auto struct starter *s = starter_start();
	answer_auto struct answer flooding;
	unsigned n = 0;

	ask_worker(s, ALICE, "/flood", &flooding);
	for (int i = 0; i < 20; i++) {
		answer_auto struct answer answer;

		(void)ask_resolve(s, "fine");
		next_answer(s, &answer);
		CHECK(answer.err == 0);
	}
	CHECK(flooding.err == 0 && wait_fd(flooding.packet.fds[0]));
	fd_close(&flooding.packet.fds[0]);
	CHECK(starter_logged(s, "qemud-worker: ended with status 0\n"));
	for (const char *at = s->log; (at = strstr(at, " qemud-worker: flood\n")); at++)
		n++;
	CHECK(n == 64);
	CHECK(strstr(s->log, "wrote more than 64 lines in 10 seconds"));
}

static void
ends_are_told(void)
{
	starter_auto struct starter *s = starter_start();
	answer_auto struct answer status, terminated, killed;

	ask_worker(s, ALICE, "/status7", &status);
	CHECK(starter_logged(s, "qemud-worker: ended with status 7\n"));
	ask_worker(s, ALICE, "/terminate", &terminated);
	CHECK(starter_logged(s, "qemud-worker: ended by signal 15 (Terminated)\n"));
	ask_worker(s, ALICE, "/home/alice", &killed);
	/* What the broker does to a child that breaks a rule: with the pidfd that it was given. */
	CHECK(syscall(SYS_pidfd_send_signal, killed.packet.fds[1], SIGKILL, NULL, 0) == 0);
	CHECK(starter_logged(s, "qemud-worker: ended by signal 9 (Killed)\n"));
}

static void
failed_stage_is_told(void)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/qemud-worker", libexec);
	CHECK(truncate(path, 3) == 0);
	starter_auto struct starter *s = starter_start();
	answer_auto struct answer answer;
	ask_worker(s, ALICE, "/home/alice", &answer);
	CHECK(starter_logged(s, "qemud-worker: not started, stage 10 (exec): execveat: "));
	CHECK(starter_logged(s, "qemud-worker: ended with status 127\n"));
	copy_self("qemud-worker", 0711);
}

/* --- the starter itself ------------------------------------------------------------------- */

static uint64_t
capability_mask(const char *status, const char *name)
{
	const char *line = strstr(status, name);

	return line ? strtoull(line + strlen(name), NULL, 16) : 0;
}

static void
starter_keeps_little(void)
{
	static const char *const lines[] = {"\nCapInh:\t0000000000000000\n",
		"\nCapAmb:\t0000000000000000\n", "\nUmask:\t0077\n", "\nSeccomp:\t0\n", NULL};
	const uint64_t wanted = 1u << CAP_SETUID | 1u << CAP_SETGID | 1u << CAP_SYS_ADMIN |
				1u << CAP_SETPCAP | 1u << CAP_CHOWN | 1u << CAP_SYS_RESOURCE |
				1u << CAP_KILL;
	starter_auto struct starter *s = starter_start();
	free_auto char *own = read_proc(getpid(), "status", NULL);
	uint64_t want = wanted & capability_mask(own, "CapBnd:");
	answer_auto struct answer answer;

	(void)ask_resolve(s, "fine");
	next_answer(s, &answer);
	free_auto char *status = read_proc(s->pid, "status", NULL);
	check_has(status, lines);
	CHECK(capability_mask(status, "CapEff:") == want);
	CHECK(capability_mask(status, "CapPrm:") == want);
	CHECK(capability_mask(status, "CapBnd:") == want);
}

static void
link_end_is_the_end(void)
{
	starter_auto struct starter *s = starter_start();
	answer_auto struct answer answer;

	ask_worker(s, ALICE, "/home/alice", &answer);
	CHECK(kill(s->pid, SIGTERM) == 0 && kill(s->pid, SIGINT) == 0);
	CHECK(answer.err == 0 && starter_stop(s) == 0);
	/* The worker is not ended with it; it sees the end of its own link. */
	CHECK(syscall(SYS_pidfd_send_signal, answer.packet.fds[1], 0, NULL, 0) == 0);
	fd_close(&answer.packet.fds[0]);
	CHECK(wait_fd(answer.packet.fds[1]));
}

static void
broken_rules(void)
{
	enum { VERSION, TYPE, SHORT, LONG, HEADER_SIZE, FDS, SERIAL, ERR, BODY, N_WAYS };
	unsigned n = 0;

	for (size_t i = 0; i < N_MESSAGES; i++) {
		/* A message that is another link's or the starter's own is wrong as it is. */
		bool ours = messages[i].link == STARTER && messages[i].sender == BROKER;

		/* What has no body has none that is wrong. */
		int n_ways = !ours ? 1 : messages[i].size > 0 ? N_WAYS : BODY;

		for (int way = VERSION; way < n_ways; way++) {
			starter_auto struct starter *s = starter_start();
			int fds[3] = {STDIN_FILENO, STDIN_FILENO, STDIN_FILENO};
			struct raw raw = good_raw(&messages[i]);
			unsigned n_fds = messages[i].n_fds;

			if (ours && way == VERSION)
				raw.header.version++;
			raw.header.type = way == TYPE ? 99 : raw.header.type;
			raw.size -= way == SHORT;
			raw.size += way == LONG;
			raw.header.size = (uint16_t)(raw.header.size + (way == HEADER_SIZE));
			n_fds += way == FDS;
			raw.header.serial = way == SERIAL ? 0 : raw.header.serial;
			raw.header.err = way == ERR ? -EIO : 0;
			if (way == BODY)
				memset(raw.body, 0xff, messages[i].size);
			CHECK(packet_send(s->link_fd, &raw, raw.size, fds, n_fds) == 0);
			CHECK(starter_logged(s, "qemud-launch: error: violation by the broker: ") ||
				!printf("# %s, way %d\n", messages[i].name, way));
			CHECK(starter_stop(s) == 1 << 8);
			n++;
		}
	}
	/* Nine asks have a body, one has none. */
	CHECK(n == N_MESSAGES - 10 + 9 * N_WAYS + BODY);
}

/* Start it wrongly; it must say why, and end with 1. */
static void
check_refuses(const char *const *options, const char *why)
{
	starter_auto struct starter *s = starter_new(options);

	CHECK(starter_logged(s, why) || !printf("# no \"%s\" in:\n# %s", why, s->log));
	CHECK(starter_stop(s) == 1 << 8);
}

static void
unsafe_places(void)
{
	const char *const good[] = {"--users", users, "--libexec", libexec, "--log", "info", NULL};
	const char *const no_users[] = {"--libexec", libexec, NULL};
	const char *const bad_level[] = {"--log", "loud", NULL};
	const char *const no_cgroup[] = {
		"--users", users, "--libexec", libexec, "--cgroup", libexec, NULL};
	char worker[128], target[128];

	(void)snprintf(worker, sizeof(worker), "%s/qemud-worker", libexec);
	(void)snprintf(target, sizeof(target), "%s/other", libexec);
	check_refuses(no_users, "--users and --libexec are needed");
	check_refuses(bad_level, "--log is error, warning, info or debug");
	check_refuses(no_cgroup, "is not in a cgroup v2 file system");

	CHECK(chown(worker, ALICE, 0) == 0);
	check_refuses(good, "qemud-worker is not owned by root");
	CHECK(chown(worker, 0, 0) == 0 && chmod(worker, 0731) == 0);
	check_refuses(good, "qemud-worker can be written by others than root");
	CHECK(chmod(worker, 0700) == 0);
	check_refuses(good, "qemud-worker cannot be executed by users");
	CHECK(chmod(worker, 0711) == 0 && rename(worker, target) == 0);
	check_refuses(good, "qemud-worker cannot be opened: No such file");
	CHECK(symlink("other", worker) == 0);
	check_refuses(good, "qemud-worker is not a regular file");
	CHECK(unlink(worker) == 0 && rename(target, worker) == 0);

	CHECK(chown(libexec, ALICE, 0) == 0);
	check_refuses(good, "libexec is not owned by root");
	CHECK(chown(libexec, 0, 0) == 0 && chmod(users, 0777) == 0);
	check_refuses(good, "users must be root's and not writable by others");
	CHECK(chmod(users, 0755) == 0);
}

/* --- the ledger --------------------------------------------------------------------------- */

static void
make_threaded(const char *folder)
{
	char type[PATH_MAX + 64];

	(void)snprintf(type, sizeof(type), "%s/cgroup.type", folder);
	fd_auto int fd = open(type, O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0 && write(fd, "threaded", 8) == 8);
}

static void
ledger_counts(void)
{
	char path[PATH_MAX], user[PATH_MAX + 16], leaf[PATH_MAX + 32], other[PATH_MAX + 32];
	answer_auto struct answer answer, refused, last;
	struct stat st;

	if (!make_cgroup(path, sizeof(path))) {
		printf("# no cgroup v2 here that root can write: not tested\n");
		return;
	}
	(void)snprintf(user, sizeof(user), "%s/u64101", path);
	(void)snprintf(leaf, sizeof(leaf), "%s/worker", user);
	(void)snprintf(other, sizeof(other), "%s/other", user);
	starter_auto struct starter *s = starter_new((const char *[]){
		"--users", users, "--libexec", libexec, "--cgroup", path, "--log", "debug", NULL});
	ask_worker(s, ALICE, "/home/alice", &answer);
	CHECK(answer.err == 0);
	free_auto char *got = read_proc(started_pid(&answer), "cgroup", NULL);
	CHECK(strstr(got, "/u64101/worker\n"));
	CHECK(stat(leaf, &st) == 0 && st.st_uid == 0 && (st.st_mode & 07777) == 0755);

	/* Beside a threaded folder no leaf takes a process: no start outside of it either. */
	fd_close(&answer.packet.fds[0]);
	CHECK(mkdir(other, 0755) == 0);
	CHECK(starter_logged(s, "qemud-worker: ended with status 0\n"));
	make_threaded(other);
	ask_worker(s, ALICE, "/home/alice", &refused);
	CHECK(refused.err == -EOPNOTSUPP);
	CHECK(starter_logged(s, "qemud-worker: cannot be started in its control group"));

	/* What is empty goes: the leaf of the refused start, and last of all the user's folder. */
	CHECK(stat(leaf, &st) < 0 && errno == ENOENT);
	CHECK(rmdir(other) == 0);
	ask_worker(s, ALICE, "/status7", &last);
	CHECK(last.err == 0 && starter_logged(s, "qemud-worker: ended with status 7\n"));
	CHECK(starter_stop(s) == 0);
	CHECK(rmdir(leaf) < 0 && errno == ENOENT);
	CHECK(rmdir(user) < 0 && errno == ENOENT);
	CHECK(rmdir(path) == 0);
}

int
main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	const char *build = getenv("QEMUD_BUILD");

	if (strcmp(name, "qemud-worker") == 0 || strcmp(name, "qemud-view") == 0)
		_exit(play_linked());
	if (strcmp(name, "qemud-resolve") == 0)
		_exit(argc == 3 ? play_resolve(argv[1], argv[2]) : 9);
	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root\n");
		return 0;
	}
	/* build/tests/unit/launch */
	if (build)
		(void)snprintf(launch_path, sizeof(launch_path), "%s/qemud-launch", build);
	else
		(void)snprintf(launch_path, sizeof(launch_path), "%.*s/../../qemud-launch",
			(int)(name - argv[0]), argv[0]);
	if (access(launch_path, X_OK) < 0)
		bail_out(launch_path);
	make_place();

	TEST("a worker has exactly what it was meant to have", worker_has_what_was_meant);
	TEST("WORKER is answered by HELLO", hello_time);
	TEST("a user's folder of another shape is refused, and told", folder_is_checked);
	TEST("a user's folder is a small file system of its own, made once", folder_is_bounded);
	TEST("an account that is not the one asked for is refused", account_is_checked);
	TEST("a view sees libraries and nothing else", view_has_nothing);
	TEST("a look-up answers with text, ENOENT or EIO", lookup_answers);
	TEST("a look-up runs as nobody, in the host's network", lookup_is_nobody);
	TEST("look-ups that hang are given up, and others have their turn", lookup_that_hangs);
	TEST("what a child says is escaped, and keeps its level", lines_are_escaped);
	TEST("a child that floods loses lines, and nobody waits", flood_is_cut);
	TEST("how a child ended is told", ends_are_told);
	TEST("a start that fails on its way says at which stage", failed_stage_is_told);
	TEST("the starter keeps seven capabilities at most", starter_keeps_little);
	TEST("the end of the link is the starter's end, and nobody else's", link_end_is_the_end);
	TEST("a message that breaks a rule ends the starter", broken_rules);
	TEST("unsafe programs and places are refused at the start", unsafe_places);
	TEST("the ledger has every worker, and removes what is empty", ledger_counts);
	remove_place();
	return TEST_END();
}
