/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemud, the broker: accepts everybody's connections, and hands each to the process that serves it.
 *
 * Runs as root by uid, with next to none of root's power once it is boxed. It reads no byte of a
 * client, opens no path below a user's folder, looks up no name, starts nothing but qemud-launch.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/box.h"
#include "broker/broker.h"
#include "broker/inherited.h"
#include "broker/lock.h"
#include "broker/notify.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/start.h"

enum { EXIT_USAGE = 2 };

struct options {
	const char *config, *libexec;
	enum log_level log_level; /* 0: the configuration's */
};

static const char usage[] =
	"usage: qemud [--config FILE] [--libexec DIR] [--log LEVEL] [--version] [--help]\n"
	"  --config FILE  instead of " QEMUD_SYSCONFDIR "/qemud/qemud.conf\n"
	"  --libexec DIR  where qemud-launch and the others are, instead of " QEMUD_LIBEXECDIR "\n"
	"  --log LEVEL    error, warning, info or debug, instead of the configuration's "
	"log_level\n";

static void
read_options(int argc, char **argv, struct options *ret)
{
	enum { OPT_CONFIG = 1, OPT_LIBEXEC, OPT_LOG, OPT_VERSION, OPT_HELP };
	static const struct option known[] = {{"config", required_argument, NULL, OPT_CONFIG},
		{"libexec", required_argument, NULL, OPT_LIBEXEC},
		{"log", required_argument, NULL, OPT_LOG},
		{"version", no_argument, NULL, OPT_VERSION}, {"help", no_argument, NULL, OPT_HELP},
		{0}};
	bool bad = false;
	int opt;

	while (!bad && (opt = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (opt) {
		case OPT_CONFIG:
			ret->config = optarg;
			break;
		case OPT_LIBEXEC:
			ret->libexec = optarg;
			break;
		case OPT_LOG:
			ret->log_level = log_level_read(optarg);
			bad = ret->log_level == 0;
			if (bad)
				log_error("--log %s: there is no such level", log_quote(optarg));
			break;
		case OPT_VERSION:
			(void)puts("qemud " QEMUD_VERSION);
			exit(EXIT_SUCCESS);
		case OPT_HELP:
			(void)fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		default:
			bad = true;
		}
	}
	if (!bad && optind < argc)
		log_error("%s: it takes options alone", log_quote(argv[optind]));
	if (bad || optind < argc) {
		(void)fputs(usage, stderr);
		exit(EXIT_USAGE);
	}
}

static void
require_root(void)
{
	if (geteuid() != 0)
		die("it must be started by root, who alone can hand connections to every user");
}

static const char *const socket_names[INHERITED_SOCKETS] = {
	"qemud-sock", "qemud-sock-ro", "qemud-ctl"};

/* 0, 1 and 2 are open, what a service manager gave, and nothing else of whoever started this. */
static void
clean_descriptors(struct broker *broker)
{
	char error[INHERITED_ERROR_MAX];
	unsigned n;
	int fd;

	if (inherited_take(socket_names, broker->socket_fds, &n, error) != 0)
		die("%s", error);
	(void)close_range(INHERITED_FD_MIN + n, ~0U, 0);
	do {
		fd = open("/dev/null", O_RDWR | O_NOCTTY);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		die("/dev/null cannot be opened: %s", strerror(errno));
	(void)close(fd);
}

static void
load_config(const struct options *options, struct broker *broker)
{
	char error[CONFIG_ERROR_MAX];

	if (config_load(&broker->config, options->config, error) != 0)
		die("%s", error);
	if (options->log_level)
		broker->config.log_level = options->log_level;
	log_open("qemud", broker->config.log_level);
}

static void
make_places(struct broker *broker, char ret_cgroup[static CONFIG_PATH_MAX])
{
	char error[PLACES_ERROR_MAX];

	if (places_open(&broker->config, &broker->places, error) != 0 ||
		places_cgroup(&broker->config, &broker->places, ret_cgroup, error) != 0)
		die("%s", error);
	if (*ret_cgroup == '\0')
		log_info(
			"no control group: what virtual machines take is counted, and not limited");
}

static void
lock_places(struct broker *broker)
{
	const char *dir = broker->config.runtime_dir;
	unsigned pid;
	int r = lock_take(broker->places.runtime_fd, &broker->places.lock_fd, &pid);

	if (r == LOCK_E_HELD)
		die("another qemud (pid %u) has the lock %s/lock: end it first, or give this one a "
		    "runtime_dir of its own",
			pid, dir);
	if (r < 0)
		die("%s/lock cannot be locked: %s", dir, strerror(-r));
}

static void
bind_sockets(struct broker *broker)
{
	const char *dir = broker->config.runtime_dir;

	for (int i = 0; i < INHERITED_SOCKETS; i++) {
		int r = broker->socket_fds[i] >= 0
				? listener_inherit(broker->places.runtime_fd, dir, socket_names[i],
					  broker->socket_fds[i])
				: listener_bind(broker->places.runtime_fd, dir, socket_names[i],
					  &broker->socket_fds[i]);

		if (r == LISTENER_E_ELSEWHERE)
			die("the service manager's socket %s is not %s/%s: ListenStream= of its "
			    "socket unit must be that",
				socket_names[i], dir, socket_names[i]);

		if (r == LISTENER_E_BLOCKED)
			die("%s/%s is not a socket: move it away", dir, socket_names[i]);
		if (r < 0)
			die("%s/%s cannot be bound: %s", dir, socket_names[i], strerror(-r));
	}
}

static void
find_manager(struct broker *broker)
{
	const char *name = getenv("NOTIFY_SOCKET");
	int r = notify_open(name, &broker->notify_fd);

	if (r < 0)
		log_warning("NOTIFY_SOCKET=%s cannot be told anything: %s", log_quote(name),
			strerror(-r));
}

static void
make_tables(struct broker *broker, const char *cgroup)
{
	int r = census_take(cgroup, &broker->census);

	if (r < 0)
		die("control group %s cannot be read: %s", cgroup, strerror(-r));
	r = broker_init(broker);
	if (r == -EMFILE)
		die("this process may open too few files for max_users %u, max_vms %u and what "
		    "runs: raise RLIMIT_NOFILE (LimitNOFILE= of the service)",
			broker->config.max_users, broker->config.max_vms);
	if (r < 0)
		die("the tables cannot be made: %s", strerror(-r));
}

static int
exec_starter(const struct broker *broker, const struct options *options, const char *cgroup)
{
	char users[CONFIG_PATH_MAX + sizeof "/users"];
	struct starter_command command = {
		.libexec = options->libexec,
		.users = users,
		.cgroup = cgroup,
		.log_level = log_level_name(broker->config.log_level),
		.kvm = broker->config.kvm == CONFIG_KVM_USER,
		.enforce = broker->config.limits == CONFIG_LIMITS_ENFORCE,
	};
	int fd, r;

	(void)snprintf(users, sizeof users, "%s/users", broker->config.runtime_dir);
	r = starter_exec(&command, &fd);
	if (r < 0)
		die("%s/qemud-launch cannot be started: %s", options->libexec, strerror(-r));
	return fd;
}

static void
signalled(void *arg, int signo)
{
	if (signo == SIGHUP)
		rulebook_reload(&((struct broker *)arg)->rulebook);
	else
		broker_stop(arg);
}

static void
make_loop(struct broker *broker)
{
	start_loop(&broker->loop, SIGHUP, signalled, broker);
}

static void
enter_box(void)
{
	const char *step;
	int r = box_enter(&step);

	if (r < 0)
		die("%s: %s", step, strerror(-r));
}

/* Read as it is read again later: by a process without root's power. */
static void
load_policy(struct broker *broker)
{
	if (rulebook_load(&broker->rulebook) != 0)
		die("it does not start with this policy: mend it first");
}

static int
serve(struct broker *broker, int starter_fd)
{
	int r = broker_start(broker, starter_fd);

	if (r < 0)
		die("the link to qemud-launch cannot be served: %s", strerror(-r));
	r = loop_run(&broker->loop);
	if (r < 0)
		die("waiting for events: %s", strerror(-r));
	broker_fini(broker);
	return r;
}

int
main(int argc, char **argv)
{
	static struct broker broker = {.socket_fds = {-1, -1, -1}, .notify_fd = -1};
	struct options options = {.libexec = QEMUD_LIBEXECDIR};
	char cgroup[CONFIG_PATH_MAX];
	int starter_fd;

	start_program("qemud");
	read_options(argc, argv, &options);
	require_root();
	clean_descriptors(&broker);
	load_config(&options, &broker);
	make_places(&broker, cgroup);
	lock_places(&broker);
	bind_sockets(&broker);
	find_manager(&broker);
	make_tables(&broker, cgroup);
	starter_fd = exec_starter(&broker, &options, cgroup);
	make_loop(&broker);
	enter_box();
	load_policy(&broker);
	return serve(&broker, starter_fd);
}
