/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c of qemud-session: what broker and starter are for all users of a host, for one user, as
 * that user: on a machine where nobody is root.
 *
 * It listens at ~/.qemud/sock and ~/.qemud/sock-ro, starts the user's worker, hands each connection
 * to it, and makes the boxes that the worker asks for. It reads no byte from a client and parses no
 * document. It has no system call filter, for the reason that qemud-launch has none: whatever it
 * could not do, the programs that it starts could not either, and they have lists of their own.
 *
 * A worker that dies is started again. SIGTERM and SIGINT: the worker leaves, and this program with
 * it; VMs go on, and the next session takes them over.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/link.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/packet.h"
#include "lib/start.h"
#include "lib/take.h"
#include "session/boxes.h"
#include "session/clients.h"
#include "session/spawn.h"
#include "worker/store/home.h"

enum {
	AGAIN_S = 1,
	LEAVE_S = 8, /* five seconds for the worker's running jobs, and some to exit in */
	NUMBER_MAX = 16
};

struct session {
	struct loop loop;
	struct home home;
	enum log_level level;
	int run_fd, null_fd, worker_fd;
	char run[PATH_MAX];
	struct link link;
	struct io worker_end;
	int worker_pidfd; /* -1: there is none */
	pid_t worker_pid;
	struct timer
		again; /* runs until the next worker is started, or one that leaves is killed */
	struct clients clients;
	struct boxes boxes;
	bool leaving;
};

/* --- the worker --------------------------------------------------------------------------- */

static void start_worker(struct session *session);

static void
again_due(struct timer *timer)
{
	start_worker(container_of(timer, struct session, again));
}

static void
worker_ended(struct io *io, uint32_t events)
{
	struct session *session = container_of(io, struct session, worker_end);
	siginfo_t info = {0};

	(void)events;
	(void)waitid(P_PIDFD, (id_t)session->worker_pidfd, &info, WEXITED | WNOHANG);
	io_stop(&session->worker_end);
	fd_close(&session->worker_pidfd);
	clients_set_ready(&session->clients, false);
	timer_stop(&session->again);
	link_stop(&session->link);
	(void)boxes_worker_gone(&session->boxes);
	if (session->leaving) {
		loop_quit(&session->loop, EXIT_SUCCESS);
		return;
	}
	log_error("pid=%d qemud-worker: ended with %s %d; the next one is started in %d s",
		(int)session->worker_pid, info.si_code == CLD_EXITED ? "status" : "signal",
		info.si_status, AGAIN_S);
	timer_set(&session->loop, &session->again, loop_now(&session->loop) + LOOP_S(AGAIN_S),
		again_due);
}

static void
worker_says(struct link *link, const struct ipc_message *message, int *fds, uint64_t cookie)
{
	static const struct ipc_idle_answer stay = {.granted = 0};
	struct session *session = container_of(link, struct session, link);

	(void)fds;
	(void)cookie;
	if (message->type == IPC_HELLO)
		clients_set_ready(&session->clients, !session->leaving);
	else if (message->type == IPC_CONN_TAKEN)
		clients_go_on(&session->clients);
	else if (message->type == IPC_IDLE_ASK)
		(void)link_answer(link, IPC_IDLE_ANSWER, message->serial, 0, &stay, NULL);
	else
		boxes_message(&session->boxes, message);
}

static void
kill_worker(struct session *session)
{
	/* ESRCH: it has ended already, which the loop is about to tell. */
	if (session->worker_pidfd >= 0 &&
		pidfd_send_signal(session->worker_pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		log_error("pid=%d qemud-worker: cannot be killed: %s", (int)session->worker_pid,
			strerror(errno));
}

static void
leave_late(struct timer *timer)
{
	kill_worker(container_of(timer, struct session, again));
}

/* It is to end, and has some time for that. */
static void
worker_leaves(struct session *session)
{
	timer_set(&session->loop, &session->again, loop_now(&session->loop) + LOOP_S(LEAVE_S),
		leave_late);
}

static void
link_over(struct link *link, enum ipc_fault fault, uint16_t type)
{
	struct session *session = container_of(link, struct session, link);

	clients_set_ready(&session->clients, false);
	if (fault == IPC_OK) {
		worker_leaves(session);
		return;
	}
	log_error("violation by the worker in %s: %s", ipc_type_name(type), ipc_fault_text(fault));
	kill_worker(session);
}

static void
link_writable(struct link *link)
{
	struct session *session = container_of(link, struct session, link);

	boxes_tell(&session->boxes);
	clients_go_on(&session->clients);
}

static int
try_start(struct session *session)
{
	static const struct link_ops ops = {
		.message = worker_says, .end = link_over, .writable = link_writable};
	char level[NUMBER_MAX], home[PATH_MAX + 8];
	char *argv[] = {(char[]){"qemud-worker"}, (char[]){"--idle"}, (char[]){"86400"},
		(char[]){"--log"}, level, (char[]){"--port-min"}, (char[]){"1024"},
		(char[]){"--kvm"}, (char[]){"--wake"}, (char[]){"--lock"}, (char[]){"--run"},
		session->run, NULL};
	char *envp[] = {home, (char[]){"PATH=/usr/bin:/bin"}, (char[]){"LANG=C.UTF-8"}, NULL};
	struct spawn spawn = {.program_fd = session->worker_fd,
		.argv = argv,
		.envp = envp,
		.null_fd = session->null_fd,
		.lock_fd = session->home.lock_fd};
	int pair[2], r = packet_pair(pair);

	if (r < 0)
		return r;
	(void)snprintf(level, sizeof(level), "%s", log_level_name(session->level));
	(void)snprintf(home, sizeof(home), "HOME=%s", session->home.path);
	spawn.link_fd = pair[1];
	r = session_spawn(&spawn, &session->worker_pidfd, &session->worker_pid);
	fd_close(&pair[1]);
	if (r < 0) {
		fd_close(&pair[0]);
		return r;
	}
	r = io_start(&session->loop, &session->worker_end, session->worker_pidfd, EPOLLIN, 0,
		worker_ended);
	if (r < 0)
		die("the loop cannot watch a process: %s", strerror(-r));
	return link_start(
		&session->link, &session->loop, pair[0], IPC_LINK_CHILD, IPC_SIDE_BROKER, &ops);
}

static void
start_worker(struct session *session)
{
	int r = try_start(session);

	if (r == 0) {
		log_info("pid=%d qemud-worker: started", (int)session->worker_pid);
		return;
	}
	log_error("the worker cannot be started: %s", strerror(-r));
	timer_set(&session->loop, &session->again, loop_now(&session->loop) + LOOP_S(AGAIN_S),
		again_due);
}

static void
signalled(void *arg, int signo)
{
	struct session *session = arg;

	(void)signo;
	if (session->leaving)
		return;
	session->leaving = true;
	timer_stop(&session->again);
	clients_set_ready(&session->clients, false);
	if (session->worker_pidfd < 0) {
		loop_quit(&session->loop, EXIT_SUCCESS);
		return;
	}
	worker_leaves(session);
	/* One that cannot be told sees the end of its link, which says the same. */
	if (link_notify(&session->link, IPC_STOP, NULL) != 0)
		link_stop(&session->link);
}

/* --- begin and end ------------------------------------------------------------------------ */

static _Noreturn void
usage(void)
{
	die("usage: qemud-worker --session [--log error|warning|info|debug]");
}

static void
read_arguments(struct session *session, int argc, char **argv)
{
	static const struct option options[] = {
		{"log", required_argument, NULL, 'l'}, {NULL, 0, NULL, 0}};
	int option;

	session->level = LEVEL_INFO;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		session->level = option == 'l' ? log_level_read(optarg) : 0;
		if (session->level == 0)
			usage();
	}
	if (optind != argc)
		usage();
	log_open("qemud-session", session->level);
}

/* The folder that this program is in has those that it starts. */
static int
open_program(const char *name)
{
	char path[PATH_MAX] = ""; /* what is not written stays NUL */
	char *end;
	int fd;

	if (readlink("/proc/self/exe", path, sizeof(path) - NAME_MAX) < 0)
		die("/proc/self/exe: %s", strerror(errno));
	end = strrchr(path, '/');
	(void)snprintf(end ? end + 1 : path, NAME_MAX, "%s", name);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

static void
open_home(struct session *session)
{
	const char *path = getenv("HOME");
	char why[HOME_WHY_MAX];

	if (!path || *path != '/')
		die("HOME does not say where your home directory is");
	if (home_open(&session->home, path, why) != 0)
		die("%s", why);
	if (fchdir(session->home.fd) < 0)
		die("~/.qemud: %s", strerror(errno));
	if (mkdirat(session->home.fd, "run", 0700) < 0 && errno != EEXIST)
		die("~/.qemud/run cannot be made: %s", strerror(errno));
	session->run_fd =
		openat(session->home.fd, "run", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (session->run_fd < 0)
		die("~/.qemud/run cannot be opened: %s", strerror(errno));
	if ((size_t)snprintf(session->run, sizeof(session->run), "%s/.qemud/run", path) >=
		sizeof(session->run))
		die("the path of your home directory is too long");
}

static void
say_confinement(void)
{
	int r = session_try_namespaces();

	if (r == 0)
		log_info("each machine runs in namespaces of its own (users, processes, network, "
			 "IPC), behind Landlock as far as the kernel has it and a list of system "
			 "calls; nothing limits its memory and processor time");
	else
		log_warning("this host gives users no namespaces (%s): machines share the "
			    "network and the processes of yours; they run behind Landlock as far "
			    "as the kernel has it and a list of system calls; nothing limits their "
			    "memory and processor time",
			strerror(-r));
}

static void
set_up(struct session *session)
{
	struct boxes_files files;
	int r;

	session->worker_pidfd = -1;
	home_init(&session->home);
	open_home(session);
	session->worker_fd = open_program("qemud-worker");
	files.box_fd = open_program("qemud-box");
	files.net_fd = open_program("qemud-net");
	session->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (session->null_fd < 0)
		die("/dev/null: %s", strerror(errno));
	(void)fd_limit_raise(4096);
	say_confinement();
	start_loop(&session->loop, 0, signalled, session);
	files.run_fd = session->run_fd;
	files.null_fd = session->null_fd;
	r = boxes_init(&session->boxes, &session->loop, &session->link, &files);
	if (r < 0)
		die("~/.qemud/run cannot be read: %s", strerror(-r));
	r = clients_init(&session->clients, &session->loop, &session->link, session->home.fd);
	if (r == -EEXIST)
		die("~/.qemud/sock or ~/.qemud/sock-ro is there and no socket: move it away");
	if (r < 0)
		die("~/.qemud/sock cannot be listened at: %s", strerror(-r));
}

int
main(int argc, char **argv)
{
	static struct session session;
	int r;

	start_program("qemud-session");
	if (geteuid() == 0)
		die("root has a broker for this: qemud(8)");
	read_arguments(&session, argc, argv);
	set_up(&session);
	start_worker(&session);
	log_info("ready");
	r = loop_run(&session.loop);
	clients_fini(&session.clients);
	boxes_fini(&session.boxes);
	link_stop(&session.link);
	home_close(&session.home);
	loop_fini(&session.loop);
	return r < 0 ? EXIT_FAILURE : r;
}
