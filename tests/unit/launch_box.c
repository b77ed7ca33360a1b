/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What runs in the outer half of the box has the user's ids, nothing else of hers and nothing of
 * the host's but programs, libraries and their data; the seed becomes QEMU in it. Needs root.
 * test: timeout=240
 */
#include <inttypes.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/unit/box_seed.h"
#include "tests/unit/started.h"

enum { FILES = 200, QMP_FD = 12 };

static char box_path[PATH_MAX]; /* the real qemud-box */

/* --- qemud-box, played by this test ------------------------------------------------------- */

static int
attempt(char what, const char *path)
{
	int fd = -1, r = 0;

	if (what == 'x')
		r = access(path, X_OK);
	else if (what == 'k')
		r = kill((pid_t)strtol(path, NULL, 10), 0);
	else
		r = fd = what == 'w' ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700)
				     : open(path, O_RDONLY | O_CLOEXEC);
	if (r < 0)
		return errno;
	fd_close(&fd);
	return 0;
}

/* Say what it sees, then try what it is told to, until the other end closes. */
static int
play_box(void)
{
	struct packet packet;
	char text[256] = "";
	size_t n;

	report(text, sizeof(text));
	n = strlen(text);
	(void)snprintf(text + n, sizeof(text) - n, " pid=%d host=", (int)getpid());
	n = strlen(text);
	(void)gethostname(text + n, sizeof(text) - n);
	(void)packet_send(3, text, strlen(text), NULL, 0);
	while (wait_fd(3) && packet_recv(3, &packet) == 0) {
		int err;

		packet.data[packet.size - 1] = '\0';
		err = attempt((char)packet.data[0], (const char *)packet.data + 1);
		(void)packet_send(3, &err, sizeof(err), NULL, 0);
	}
	return 0;
}

/* --- what it has -------------------------------------------------------------------------- */

static void
ask_box(struct starter *s, uint32_t uid, struct answer *ret)
{
	struct account account = test_account(uid, "/home/alice");
	struct ipc_box body = {.uid = uid, .kind = IPC_BOX_TOOL, .n_files = FILES};
	fd_auto int fd = account_fd(&account);

	(void)ask(s, IPC_BOX, &body, sizeof(body), fd);
	next_answer(s, ret);
	CHECK(ret->err == 0 && ret->type == IPC_BOXED && ret->packet.n_fds == 2);
	if (ret->err != 0)
		exit(EXIT_FAILURE); /* nothing below would mean anything */
}

/* What the played box says of itself. */
static void
read_first(const struct answer *answer, char *text, size_t size)
{
	AUTO(packet_fini) struct packet packet = {.size = 0};

	CHECK(wait_fd(answer->packet.fds[0]) && packet_recv(answer->packet.fds[0], &packet) == 0);
	(void)snprintf(text, size, "%.*s", (int)packet.size, (const char *)packet.data);
}

/* What the played box is told when it tries that. */
static int
tried(const struct answer *answer, char what, const char *path)
{
	AUTO(packet_fini) struct packet packet = {.size = 0};
	int fd = answer->packet.fds[0], err = -1;
	char text[128];

	(void)snprintf(text, sizeof(text), "%c%s", what, path);
	CHECK(packet_send(fd, text, strlen(text) + 1, NULL, 0) == 0);
	CHECK(wait_fd(fd) && packet_recv(fd, &packet) == 0 && packet.size == sizeof(err));
	memcpy(&err, packet.data, sizeof(err));
	return err;
}

static bool
has_ended(const struct answer *answer)
{
	return wait_fd(answer->packet.fds[1]);
}

static void
has_what_was_meant(void)
{
	static const char *const namespaces[] = {"net", "ipc", "uts", "pid", "mnt"};
	static const char *const ids[] = {"\nUid:\t64101\t64101\t64101\t64101\n",
		"\nGid:\t64101\t64101\t64101\t64101\n", "\nGroups:\t27 64101 65101 \n", NULL};
	static const char *const limits[] = {"Max open files            200                  200 ",
		"Max core file size        0                    0 ", NULL};
	starter_auto struct starter *s = starter_start();
	answer_auto struct answer answer;
	char text[256], path[64], cwd[8] = "";
	size_t size;
	int pid;

	ask_box(s, ALICE, &answer);
	pid = started_pid(&answer);
	read_first(&answer, text, sizeof(text));
	CHECK_STR(text, "dumpable=0 securebits=0xeb root=-1 etc=-1 pid=1 host=qemud");
	check_powerless(pid);
	check_descriptors(pid);
	free_auto char *status = read_proc(pid, "status", NULL);
	check_has(status, ids);
	free_auto char *got_limits = read_proc(pid, "limits", NULL);
	check_has(got_limits, limits);
	free_auto char *environment = read_proc(pid, "environ", &size);
	CHECK(size == 0 && environment);
	free_auto char *arguments = read_proc(pid, "cmdline", &size);
	CHECK(size == sizeof("qemud-box"));
	CHECK_STR(arguments, "qemud-box");
	(void)snprintf(path, sizeof(path), "/proc/%d/cwd", pid);
	CHECK(readlink(path, cwd, sizeof(cwd)) == 1 && cwd[0] == '/');
	for (size_t i = 0; i < sizeof(namespaces) / sizeof(*namespaces); i++)
		CHECK(!same_namespace(pid, namespaces[i]));
	/* One of users would give the bounding set back. */
	CHECK(same_namespace(pid, "user"));
	(void)snprintf(path, sizeof(path), "/proc/%d/net/dev", pid);
	free_auto char *devices = read_proc(pid, "net/dev", NULL);
	CHECK(strstr(devices, " lo:") && !strstr(strstr(devices, " lo:") + 4, ":"));
}

static void
tree_is_its_own(void)
{
	static const struct {
		const char *folder;
		const char *names[4]; /* one of these */
	} folders[] = {
		{"", {"dev etc lib lib64 tmp usr ", "dev etc lib tmp usr "}},
		{"/usr", {"bin lib lib64 share ", "bin lib share "}},
		{"/etc", {"ld.so.cache localtime ", "ld.so.cache ", "localtime ", ""}},
		{"/dev", {"null urandom zero "}},
		{"/proc", {"1 self thread-self "}},
		{"/tmp", {""}},
	};
	starter_auto struct starter *s = starter_start();
	answer_auto struct answer answer;
	char text[512];
	int pid;

	ask_box(s, ALICE, &answer);
	pid = started_pid(&answer);
	read_first(&answer, text, sizeof(text));
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		bool known = false;

		list(pid, folders[i].folder, text, sizeof(text));
		for (size_t k = 0; k < 4 && folders[i].names[k]; k++)
			known |= strcmp(text, folders[i].names[k]) == 0;
		CHECK(known || !printf("# %s/: %s\n", folders[i].folder, text));
	}
}

static bool
has_option(const struct mntent *entry, const char *option)
{
	return hasmntopt(entry, option) != NULL;
}

static void
mounts_are_closed(void)
{
	starter_auto struct starter *s = starter_start();
	answer_auto struct answer answer;
	const struct mntent *entry;
	char text[256], path[64];
	unsigned n = 0, n_open = 0, n_devices = 0;
	FILE *mounts;

	ask_box(s, ALICE, &answer);
	read_first(&answer, text, sizeof(text));
	(void)snprintf(path, sizeof(path), "/proc/%d/mounts", started_pid(&answer));
	mounts = setmntent(path, "r");
	while (mounts && (entry = getmntent(mounts))) {
		bool tmp = strcmp(entry->mnt_dir, "/tmp") == 0;
		bool device = strncmp(entry->mnt_dir, "/dev/", 5) == 0;
		bool code = strncmp(entry->mnt_dir, "/usr/", 5) == 0 ||
			    strncmp(entry->mnt_dir, "/lib", 4) == 0 ||
			    strncmp(entry->mnt_dir, "/etc/", 5) == 0;

		n++;
		n_devices += device;
		if (!has_option(entry, "nosuid") || has_option(entry, "rw") != tmp ||
			has_option(entry, "nodev") == device ||
			(!code && !has_option(entry, "noexec"))) {
			printf("# %s %s\n", entry->mnt_dir, entry->mnt_opts);
			n_open++;
		}
	}
	CHECK(n_open == 0 && mounts && n >= 9 && n <= 14 && n_devices == 3);
	if (mounts)
		(void)endmntent(mounts);
}

static void
tries_in_vain(void)
{
	static const struct {
		char what;
		const char *path;
		int err;
	} cases[] = {
		{'r', "/dev/null", 0},
		{'w', "/dev/null", 0},
		{'r', "/dev/zero", 0},
		{'r', "/dev/urandom", 0},
		{'x', "/usr/bin/env", 0},
		{'r', "/proc/self/status", 0},
		{'w', "/tmp/x", 0},
		{'r', "/tmp/x", 0},
		{'x', "/tmp/x", EACCES},
		{'w', "/x", EROFS},
		{'w', "/dev/x", EROFS},
		{'w', "/etc/x", EROFS},
		{'w', "/usr/bin/x", EROFS},
		{'w', "/usr/lib/x", EROFS},
		{'w', "/proc/self/comm", EROFS},
		{'r', "/etc/passwd", ENOENT},
		{'r', "/home", ENOENT},
		{'r', "/run", ENOENT},
		{'r', "/sys", ENOENT},
		{'r', "/var", ENOENT},
		{'r', "/dev/kvm", ENOENT},
		{'r', "/proc/sys/kernel/hostname", ENOENT},
		{'r', "/proc/cpuinfo", ENOENT},
		{'r', "/proc/2/status", ENOENT},
		{'r', "/../etc/passwd", ENOENT},
	};
	starter_auto struct starter *s = starter_start();
	answer_auto struct answer answer;
	char text[256];

	ask_box(s, ALICE, &answer);
	read_first(&answer, text, sizeof(text));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int err = tried(&answer, cases[i].what, cases[i].path);

		CHECK(err == cases[i].err ||
			!printf("# %c %s: %s\n", cases[i].what, cases[i].path, strerror(err)));
	}
	/* The user's own processes outside of the box do not exist in it. */
	(void)snprintf(text, sizeof(text), "%d", s->pid);
	CHECK(tried(&answer, 'k', text) == ESRCH);
	(void)snprintf(text, sizeof(text), "%d", started_pid(&answer));
	CHECK(tried(&answer, 'k', text) == ESRCH);
}

/* --- its end ------------------------------------------------------------------------------ */

static void
ends_in_time(void)
{
	answer_auto struct answer killed, orphan, left;

	starter_auto struct starter *s = starter_start();
	/* By the broker, though it is the first process of its namespace. */
	ask_box(s, ALICE, &killed);
	CHECK(syscall(SYS_pidfd_send_signal, killed.packet.fds[1], SIGKILL, NULL, 0) == 0);
	CHECK(has_ended(&killed) && starter_logged(s, "qemud-box: ended by signal 9 (Killed)\n"));
	/* With the starter, however that ends. */
	ask_box(s, ALICE, &left);
	CHECK(starter_stop(s) == 0 && has_ended(&left));
	starter_auto struct starter *other = starter_start();
	ask_box(other, ALICE, &orphan);
	(void)wait_fd(orphan.packet.fds[0]);
	CHECK(kill(other->pid, SIGKILL) == 0 && has_ended(&orphan));
}

static void
account_is_checked(void)
{
	struct account account = test_account(BOB, "/home/bob");
	struct ipc_box body = {.uid = ALICE, .kind = IPC_BOX_TOOL, .n_files = FILES};
	fd_auto int fd = account_fd(&account);
	starter_auto struct starter *s = starter_start();
	answer_auto struct answer answer;

	(void)ask(s, IPC_BOX, &body, sizeof(body), fd);
	next_answer(s, &answer);
	CHECK(answer.err == -EINVAL && answer.packet.n_fds == 0);
	CHECK(starter_logged(s, "uid=64101 op=box: the account is refused: it is another uid's"));
}

/* Its parent has seen its end; what follows that does so before the parent does anything else. */
static bool
logged_end(struct starter *s, const struct answer *answer)
{
	char text[64];

	(void)snprintf(text, sizeof(text), " pid=%d qemud-box: ended with status 0\n",
		started_pid(answer));
	return starter_logged(s, text);
}

static void
ledger_counts(void)
{
	char path[PATH_MAX], user[PATH_MAX + 16], leaf[PATH_MAX + 32];
	struct answer answers[3];
	struct stat st;

	if (!make_cgroup(path, sizeof(path))) {
		printf("# no cgroup v2 here that root can write: not tested\n");
		return;
	}
	(void)snprintf(user, sizeof(user), "%s/u64101", path);
	(void)snprintf(leaf, sizeof(leaf), "%s/tool-1", user);
	starter_auto struct starter *s = starter_new((const char *[]){
		"--users", users, "--libexec", libexec, "--cgroup", path, "--log", "debug", NULL});
	for (int i = 0; i < 3; i++) {
		char want[32];

		/* The first ends while the second runs; the third is answered after that. */
		if (i == 2) {
			CHECK(stat(leaf, &st) == 0 && st.st_uid == 0);
			CHECK((st.st_mode & 07777) == 0755);
			fd_close(&answers[0].packet.fds[0]);
			CHECK(logged_end(s, &answers[0]));
		}
		ask_box(s, ALICE, &answers[i]);
		free_auto char *got = read_proc(started_pid(&answers[i]), "cgroup", NULL);
		(void)snprintf(want, sizeof(want), "/u64101/tool-%d\n", i + 1);
		CHECK(strstr(got, want));
	}
	CHECK(stat(leaf, &st) < 0 && errno == ENOENT && stat(user, &st) == 0);
	for (int i = 1; i < 3; i++) {
		fd_close(&answers[i].packet.fds[0]);
		CHECK(logged_end(s, &answers[i]));
	}
	CHECK(starter_stop(s) == 0);
	CHECK(stat(user, &st) < 0 && errno == ENOENT);
	CHECK(rmdir(path) == 0);
	for (int i = 0; i < 3; i++)
		answer_fini(&answers[i]);
}

/* --- the real one ------------------------------------------------------------------------- */

static void
install_box(void)
{
	fd_auto int in = open(box_path, O_RDONLY | O_CLOEXEC);
	free_auto char *data = NULL;
	char path[128];
	size_t size;

	(void)snprintf(path, sizeof(path), "%s/qemud-box", libexec);
	(void)unlink(path);
	fd_auto int out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	if (in < 0 || out < 0 || fd_read_all(in, 1u << 30, &data, &size) < 0 ||
		fd_write_all(out, data, size) < 0 || fchmod(out, 0711) < 0)
		bail_out(path);
}

static uint64_t
now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* From BOX until the seed answers what it is sent, which here is nonsense. */
static void
seed_time(void)
{
	enum { N_TIMES = 21 };
	uint64_t spent[N_TIMES];
	starter_auto struct starter *s = starter_start();

	for (int i = 0; i < N_TIMES; i++) {
		answer_auto struct answer answer;
		struct plan_answer said;
		uint64_t begin = now_us();
		struct seed seed;

		ask_box(s, ALICE, &answer);
		seed = (struct seed){.sock = answer.packet.fds[0]};
		seed_send(&seed, '?', NULL, 0);
		CHECK(seed_answer(&seed, &said) && !said.ok);
		CHECK_STR(said.why, "handover: a packet of no known kind");
		spent[i] = now_us() - begin;
		for (int k = i; k > 0 && spent[k - 1] > spent[k]; k--) {
			uint64_t swap = spent[k];

			spent[k] = spent[k - 1];
			spent[k - 1] = swap;
		}
	}
	printf("# BOX to the seed's answer: median %" PRIu64 " us, least %" PRIu64
	       " us, most %" PRIu64 " us\n",
		spent[N_TIMES / 2], spent[0], spent[N_TIMES - 1]);
}

static int
monitor(bool listening)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/qmp", place);
	if (listening)
		CHECK(bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0 &&
			listen(fd, 1) == 0);
	else
		CHECK(connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0);
	return fd;
}

static void
becomes_qemu(void)
{
	static const char *const args[] = {"-M", "none", "-accel", "tcg", "-display", "none", "-S",
		"-chardev", "socket,id=m,fd=12,server=on,wait=off", "-mon",
		"chardev=m,mode=control"};
	starter_auto struct starter *s = starter_start();
	answer_auto struct answer answer;
	struct plan_answer said;
	fd_auto int listener_fd = monitor(true);
	char line[4096] = "";
	static struct plan plan;
	struct seed seed;

	ask_box(s, ALICE, &answer);
	seed = (struct seed){
		.sock = answer.packet.fds[0], .log_fd = memfd_create("log", MFD_CLOEXEC)};
	plan_init(&plan);
	plan.program = PLAN_QEMU_X86_64;
	plan.profile = PLAN_PROBE;
	plan.fds[plan.n_fds++] = QMP_FD;
	for (size_t i = 0; i < sizeof(args) / sizeof(*args); i++)
		plan.args[plan.n_args++] = args[i];
	seed_send_all(&seed, &plan, &listener_fd);
	CHECK(seed_answer(&seed, &said) && said.ok);
	CHECK(!seed_answer(&seed, &said) || !printf("# %s\n", said.why));
	fd_auto int qmp = monitor(false);
	CHECK(wait_fd(qmp) && read(qmp, line, sizeof(line) - 1) > 0);
	CHECK(strstr(line, "{\"QMP\"") || !printf("# %s\n# %s\n", line, seed_log(&seed)));
	free_auto char *name = read_proc(started_pid(&answer), "comm", NULL);
	CHECK_STR(name, "qemu-system-x86\n");
	/* The promises outlast both execs. */
	CHECK(kill(s->pid, SIGKILL) == 0 && has_ended(&answer));
	(void)close(seed.log_fd);
}

int
main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	const char *build = getenv("QEMUD_BUILD");
	char folder[PATH_MAX - 16];

	(void)argc;
	if (strcmp(name, "qemud-box") == 0)
		_exit(play_box());
	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root\n");
		return 0;
	}
	/* build/tests/unit/launch_box */
	if (build)
		(void)snprintf(folder, sizeof(folder), "%s", build);
	else
		(void)snprintf(
			folder, sizeof(folder), "%.*s/../..", (int)(name - argv[0]), argv[0]);
	(void)snprintf(launch_path, sizeof(launch_path), "%s/qemud-launch", folder);
	(void)snprintf(box_path, sizeof(box_path), "%s/qemud-box", folder);
	if (access(launch_path, X_OK) < 0 || access(box_path, X_OK) < 0)
		bail_out(folder);
	make_place();

	TEST("a box has exactly what it was meant to have", has_what_was_meant);
	TEST("its file tree is its own", tree_is_its_own);
	TEST("its mounts are as closed as they can be", mounts_are_closed);
	TEST("it can use what it has, and nothing else", tries_in_vain);
	TEST("it ends when it is told to, and with the starter", ends_in_time);
	TEST("an account that is not the one asked for is refused", account_is_checked);
	TEST("the ledger has a leaf for every tool, and removes it", ledger_counts);
	install_box();
	TEST("the seed is there when BOX is answered", seed_time);
	if (access("/usr/bin/qemu-system-x86_64", X_OK) == 0)
		TEST("the seed becomes QEMU", becomes_qemu);
	else
		printf("ok %d - the seed becomes QEMU # SKIP no QEMU here\n", ++test_n);
	remove_place();
	return TEST_END();
}
