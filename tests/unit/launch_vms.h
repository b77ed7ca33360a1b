/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * launch_vms.h: VMs' boxes as the real qemud-launch starts them, with the test as broker and box.
 */
#ifndef TESTS_UNIT_LAUNCH_VMS_H
#define TESTS_UNIT_LAUNCH_VMS_H

#include <grp.h>
#include <sys/prctl.h>
#include <sys/xattr.h>

#include "tests/unit/started.h"
#include "tests/unit/test.h"

enum { FILES = 200, LIFE_S = 100, FORKS = 3, MANY = 8, SPIN_MS = 200 };

/* The same for all; the ids differ. */
static const uint8_t uuid[IPC_UUID_SIZE] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,
	0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
#define UUID "00112233-4455-6677-8899-aabbccddeeff"

static char cgroup[PATH_MAX];

/* --- qemud-box, played by this test ------------------------------------------------------- */

static inline void
out_of_time(int signo)
{
	(void)signo;
	_exit(1);
}

static inline void
fork_stubborn(void)
{
	if (fork() != 0)
		return;
	(void)signal(SIGTERM, SIG_IGN);
	(void)packet_send(3, "here", 4, NULL, 0);
	for (;;)
		(void)pause();
}

/* As QEMU, which everybody may read, is from its exec on; where Yama would not have it, too. */
static inline void
become_dumpable(void)
{
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	(void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	(void)packet_send(3, "here", 4, NULL, 0);
}

/* Say what it sees; fork as often as it is told to; go on without whoever started it. */
_Noreturn static inline void
play_box(void)
{
	struct packet packet;
	char text[256] = "";
	size_t n;

	/* The first process of a pid namespace gets no signal that it has not asked for. */
	(void)signal(SIGALRM, out_of_time);
	(void)alarm(LIFE_S);
	report(text, sizeof(text));
	n = strlen(text);
	(void)snprintf(text + n, sizeof(text) - n, " pid=%d", (int)getpid());
	(void)packet_send(3, text, strlen(text), NULL, 0);
	while (wait_fd(3) && packet_recv(3, &packet) == 0)
		packet.data[0] == 'f' ? fork_stubborn() : become_dumpable();
	for (;;)
		(void)pause();
}

/* --- the broker's side -------------------------------------------------------------------- */

static inline struct starter *
start_counted(void)
{
	return starter_new((const char *[]){"--users", users, "--libexec", libexec, "--cgroup",
		cgroup, "--log", "debug", NULL});
}

/* In a buffer that the next call uses again. */
static const char *
leaf_path(uint32_t uid, uint32_t id)
{
	static char path[CGROUP_PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/u%u/vm-%u-" UUID, cgroup, uid, id);
	return path;
}

static const char *
user_path(uint32_t uid)
{
	static char path[CGROUP_PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/u%u", cgroup, uid);
	return path;
}

static const struct ipc_grant granted = {.memory_kib = 1048576, .overhead_kib = 222208, .vcpus = 2};

static inline void
ask_box(struct starter *s, uint32_t uid, uint32_t id, struct answer *ret)
{
	struct account account = test_account(uid, "/home/alice");
	struct ipc_box body = {
		.uid = uid, .kind = IPC_BOX_VM, .n_files = FILES, .id = id, .grant = granted};
	fd_auto int fd = account_fd(&account);

	memcpy(body.uuid, uuid, sizeof(uuid));
	(void)ask(s, IPC_BOX, &body, sizeof(body), fd);
	next_answer(s, ret);
}

/* The text that one packet of the played box holds. */
static inline void
read_said(const struct answer *answer, char *text, size_t size)
{
	AUTO(packet_fini) struct packet packet = {.size = 0};

	CHECK(wait_fd(answer->packet.fds[0]) && packet_recv(answer->packet.fds[0], &packet) == 0);
	(void)snprintf(text, size, "%.*s", (int)packet.size, (const char *)packet.data);
}

/* Have one, and wait until it runs. */
static inline void
start_vm(struct starter *s, uint32_t uid, uint32_t id, struct answer *ret)
{
	char text[256];

	ask_box(s, uid, id, ret);
	CHECK(ret->err == 0 && ret->type == IPC_BOXED && ret->packet.n_fds == 2);
	if (ret->err != 0)
		exit(EXIT_FAILURE); /* nothing below would mean anything */
	read_said(ret, text, sizeof(text));
	CHECK_STR(text, "dumpable=0 securebits=0xeb root=-1 etc=-1 pid=1");
}

static inline void
have_it(const struct answer *answer, const char *what)
{
	char text[16];

	CHECK(packet_send(answer->packet.fds[0], what, strlen(what), NULL, 0) == 0);
	read_said(answer, text, sizeof(text));
	CHECK_STR(text, "here");
}

static inline void
have_it_fork(const struct answer *answer)
{
	for (int i = 0; i < FORKS; i++)
		have_it(answer, "fork");
}

static inline bool
runs(const struct answer *answer)
{
	return syscall(SYS_pidfd_send_signal, answer->packet.fds[1], 0, NULL, 0) == 0;
}

static inline bool
has_ended(const struct answer *answer)
{
	return wait_fd(answer->packet.fds[1]);
}

static inline uint32_t
send_end(struct starter *s, uint32_t uid, uint32_t id)
{
	struct ipc_leaf body = {.uid = uid, .id = id};

	memcpy(body.uuid, uuid, sizeof(uuid));
	return ask(s, IPC_LEAF_END, &body, sizeof(body), -1);
}

/* What LEAF_END is answered. */
static inline int
end_leaf(struct starter *s, uint32_t uid, uint32_t id)
{
	uint32_t serial = send_end(s, uid, id);
	answer_auto struct answer answer;

	next_answer(s, &answer);
	CHECK(answer.type == IPC_LEAF_ENDED && answer.serial == serial);
	return answer.err;
}

/* What LEAF_NEXT is answered; the pidfd in the answer is checked against its pid. */
static inline int
next_leaf(struct starter *s, struct ipc_leaf_found *ret, struct answer *answer)
{
	uint32_t serial = ask(s, IPC_LEAF_NEXT, "", 0, -1);

	next_answer(s, answer);
	CHECK(answer->type == IPC_LEAF_FOUND && answer->serial == serial);
	if (answer->err == 0) {
		memcpy(ret, answer->packet.data + sizeof(struct ipc_header), sizeof(*ret));
		CHECK(answer->packet.n_fds == 1);
		CHECK(pidfd_pid(answer->packet.fds[0]) == (int)ret->pid);
	}
	return answer->err;
}

static inline bool
no_leaf_is_told(struct starter *s)
{
	answer_auto struct answer answer;
	struct ipc_leaf_found found;

	return next_leaf(s, &found, &answer) == -ENOENT;
}

/* What anybody can read that it was granted. */
static inline void
check_note(const char *leaf, const char *want)
{
	char note[128] = "";

	CHECK(getxattr(leaf, "user.qemud.grant", note, sizeof(note) - 1) > 0);
	CHECK_STR(note, want);
}

/* --- begin -------------------------------------------------------------------------------- */

/* Returns whether there are tests to be run: as root, and under the test's own name. */
static inline bool
begin(char *self)
{
	const char *name = strrchr(self, '/') ? strrchr(self, '/') + 1 : self;
	const char *build = getenv("QEMUD_BUILD");

	if (strcmp(name, "qemud-box") == 0)
		play_box();
	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root\n");
		return false;
	}
	/* build/tests/unit/TEST */
	if (build)
		(void)snprintf(launch_path, sizeof(launch_path), "%s/qemud-launch", build);
	else
		(void)snprintf(launch_path, sizeof(launch_path), "%.*s/../../qemud-launch",
			(int)(name - self), self);
	if (access(launch_path, X_OK) < 0)
		bail_out(launch_path);
	/* Whoever outlives a starter is reaped with this test. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	return true;
}

#endif
