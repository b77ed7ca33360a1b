/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemud-launch, the starter: starts workers, views, look-ups and boxes for the broker, and is the
 * parent of all of them, but for VMs that an earlier starter has left running.
 *
 * Runs as root with the capabilities of privilege.h, from the broker's start to its end, with its
 * link to the broker as descriptor 3. It reads nothing from clients, nothing below a user's folder,
 * and executes nothing but the programs that it opened at its start.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "broker/launch/ledger.h"
#include "broker/launch/privilege.h"
#include "broker/launch/program.h"
#include "broker/launch/launch.h"
#include "broker/launch/userdir.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/start.h"

enum { LINK_FD = 3 };

struct options {
	const char *users, *libexec, *cgroup;
	enum log_level level;
	bool kvm, enforce;
};

static void
read_options(int argc, char **argv, struct options *ret)
{
	enum { OPT_USERS = 1, OPT_LIBEXEC, OPT_CGROUP, OPT_LOG, OPT_KVM, OPT_ENFORCE };
	static const struct option known[] = {{"users", required_argument, NULL, OPT_USERS},
		{"libexec", required_argument, NULL, OPT_LIBEXEC},
		{"cgroup", required_argument, NULL, OPT_CGROUP},
		{"log", required_argument, NULL, OPT_LOG}, {"kvm", no_argument, NULL, OPT_KVM},
		{"enforce", no_argument, NULL, OPT_ENFORCE}, {0}};
	int opt;

	while ((opt = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (opt) {
		case OPT_USERS:
			ret->users = optarg;
			break;
		case OPT_LIBEXEC:
			ret->libexec = optarg;
			break;
		case OPT_CGROUP:
			ret->cgroup = optarg;
			break;
		case OPT_LOG:
			ret->level = log_level_read(optarg);
			if (!ret->level)
				die("--log is error, warning, info or debug");
			break;
		case OPT_KVM:
			ret->kvm = true;
			break;
		case OPT_ENFORCE:
			ret->enforce = true;
			break;
		default:
			die("it is started by qemud, not by hand");
		}
	}
	if (optind != argc || !ret->users || !ret->libexec || ret->users[0] != '/')
		die("it is started by qemud, not by hand: --users and --libexec are needed");
}

/* 0, 1 and 2 are open, 3 is the link: whatever is opened later has a higher number. */
static void
check_descriptors(void)
{
	int type = 0;
	socklen_t size = sizeof(type);

	for (int fd = 0; fd < LINK_FD; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			die("descriptor %d is not open: it is started by qemud, not by hand", fd);
	if (getsockopt(LINK_FD, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_SEQPACKET)
		die("descriptor %d is no link: it is started by qemud, not by hand", LINK_FD);
	if (fcntl(LINK_FD, F_SETFD, FD_CLOEXEC) < 0)
		die("descriptor %d: %s", LINK_FD, strerror(errno));
}

/* The link says when to end: what a terminal or a service manager sends is for the broker. */
static void
ignore_signals(void)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};

	for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		(void)signal(ignored[i], SIG_IGN);
	/* What was ignored here before would reap children behind our back. */
	(void)signal(SIGCHLD, SIG_DFL);
}

/* The ledger, and what is in it. */
static void
open_ledger(const char *dir, struct launch *starter)
{
	const char *why, *limits;
	int r = ledger_open(&starter->ledger, dir, &why, &limits);

	if (r != 0)
		die("control group %s %s%s", dir,
			why ? why : "cannot be used: ", why ? "" : strerror(-r));
	if (limits)
		log_warning("control group %s: %s; %s", dir, limits,
			starter->enforce ? "no virtual machine is started (limits in qemud.conf)"
					 : "it counts all and limits what it can");
	if (!dir)
		log_warning("no control group: VMs end with qemud, for it could not find them "
			    "again (set cgroup in qemud.conf)");
	r = sweep_ledger(&starter->ledger, &starter->left);
	if (r < 0)
		die("control group %s cannot be read: %s", dir, strerror(-r));
	if (starter->left.n_foreign > 0)
		log_warning("control group %s: folders that are not qemud's are left alone: %zu, "
			    "such as %s",
			dir, starter->left.n_foreign, log_quote(starter->left.foreign));
}

static void
open_places(const struct options *options, struct launch *starter)
{
	const char *what, *why;
	int r = program_open(&starter->programs, options->libexec, &what, &why);

	if (r != 0)
		die("%s %s%s (--libexec %s)", what,
			why ? why : "cannot be opened: ", why ? "" : strerror(-r),
			options->libexec);
	starter->users_path = options->users;
	starter->kvm = options->kvm;
	starter->enforce = options->enforce;
	r = userdir_open(options->users, &starter->users_fd, &why);
	if (r != 0)
		die("%s %s%s", options->users,
			why ? why : "cannot be opened: ", why ? "" : strerror(-r));
	open_ledger(options->cgroup, starter);
	starter->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (starter->null_fd < 0)
		die("/dev/null: %s", strerror(errno));
	starter->self_fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (starter->self_fd < 0)
		die("a pidfd: %s", strerror(errno));
}

int
main(int argc, char **argv)
{
	static struct launch starter;
	static struct loop loop;
	struct options options = {.level = LEVEL_INFO};
	struct rlimit files;
	const char *why;
	int r;

	start_program("qemud-launch");
	read_options(argc, argv, &options);
	log_open("qemud-launch", options.level);
	check_descriptors();
	ignore_signals();
	r = privilege_keep(&why);
	if (r < 0)
		die("%s", why);
	open_places(&options, &starter);
	/* Two descriptors a child; what the host gives is what there is. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0)
		(void)fd_limit_raise(files.rlim_max);
	if (!privilege_may_raise_limits())
		log_info("no CAP_SYS_RESOURCE on this host: no process gets more than %lu files",
			(unsigned long)files.rlim_max);

	starter.loop = &loop;
	r = loop_init(&loop);
	if (r == 0)
		r = launch_serve(&starter, LINK_FD);
	if (r < 0)
		die("the link to qemud: %s", strerror(-r));
	r = loop_run(&loop);
	if (r < 0)
		die("waiting for events: %s", strerror(-r));
	return r;
}
