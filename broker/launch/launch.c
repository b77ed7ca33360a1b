/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * launch.c: the broker's asks and what becomes of them; see launch.h.
 */
#include "broker/launch/launch.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "broker/launch/process.h"
#include "broker/launch/resident.h"
#include "broker/launch/userdir.h"
#include "lib/foreign.h"
#include "lib/log.h"
#include "lib/memfd.h"
#include "lib/packet.h"
#include "lib/take.h"
#include "protocol/ipc/account.h"

/* A namespace of each kind, but not of users: that one would give the bounding set back. */
enum { ALL_NAMESPACES = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWNS };

enum {
	NUMBER_MAX = 16,
	PROGRAM_NAME_MAX = 16,
	ENTRY_MAX = ACCOUNT_HOME_MAX + 16,
	AUDIT_FILES = 64
};

static char arg_idle[] = "--idle", arg_log[] = "--log", arg_run[] = "--run",
	    arg_refuse[] = "--refuse", arg_host[] = "--host", arg_ctl[] = "--ctl",
	    arg_port_min[] = "--port-min", arg_kvm[] = "--kvm", arg_wake[] = "--wake",
	    arg_dir[] = "--dir", arg_file_mib[] = "--file-mib", arg_files[] = "--files";
static char entry_path[] = "PATH=/usr/local/bin:/usr/bin:/bin", entry_lang[] = "LANG=C.UTF-8";

static char *
level_name(uint32_t level)
{
	static char names[][8] = {[LEVEL_ERROR] = "error",
		[LEVEL_WARNING] = "warning",
		[LEVEL_INFO] = "info",
		[LEVEL_DEBUG] = "debug"};

	return names[level]; /* ipc_check() has seen its range */
}

static void
leave(struct process *child, int code, int status)
{
	struct launch *starter = child->arg;
	struct ipc_leaf vm;

	(void)code;
	(void)status;
	/*
	 * EBUSY: somebody else is in it, as the user's next worker. What there is to know of a VM's end
	 * is asked for with LEAF_END.
	 */
	if (ledger_leaf_read(child->uid, child->leaf, &vm) != LEDGER_VM)
		(void)ledger_leave(&starter->ledger, child->uid, child->leaf);
	leaves_look(&starter->leaves);
}

/*
 * Start a program that has a link, in its leaf (for a VM's: of that grant; else NULL), and give the
 * broker its end of that link and a pidfd. Answers the ask unless it fails. Returns 0 or a negative errno.
 */
static int
start_linked(struct launch *starter, struct spawn *spawn, enum program program, const char *leaf,
	const struct ipc_grant *grant, enum ipc_type answer, uint32_t serial)
{
	fd_auto int cgroup_fd = -1;
	fd_auto int broker_fd = -1;
	fd_auto int child_fd = -1;
	struct process *child = NULL;
	struct ipc_started body = {0};
	int pair[2], r;

	r = packet_pair(pair);
	if (r < 0)
		return r;
	broker_fd = pair[0];
	/* What a child sends to the broker carries none. */
	foreign_refuse(broker_fd);
	child_fd = pair[1];
	r = ledger_enter(&starter->ledger, spawn->uid, leaf, &cgroup_fd);
	if (r == 0 && grant)
		r = leaves_grant(&starter->leaves, cgroup_fd, grant);
	if (r < 0) {
		log_error("uid=%" PRIu32 " %s: its control group cannot be made: %s", spawn->uid,
			program_name(program), strerror(-r));
		(void)ledger_leave(&starter->ledger, spawn->uid, leaf);
		return r;
	}
	spawn->program_fd = starter->programs.fds[program];
	spawn->cgroup_fd = cgroup_fd;
	spawn->null_fd = starter->null_fd;
	spawn->output_fd = -1;
	spawn->link_fd = child_fd;
	r = process_start(starter->loop, spawn, program_name(program), leave, starter, &child);
	if (r < 0) {
		log_error("uid=%" PRIu32 " %s: cannot be started%s: %s", spawn->uid,
			program_name(program), cgroup_fd >= 0 ? " in its control group" : "",
			strerror(-r));
		(void)ledger_leave(&starter->ledger, spawn->uid, leaf);
		return r;
	}
	(void)snprintf(child->leaf, sizeof(child->leaf), "%s", leaf);
	log_info("uid=%" PRIu32 " pid=%d %s: started", child->uid, child->pid, child->name);
	body.pid = (uint32_t)child->pid;
	if (link_answer(
		    &starter->link, answer, serial, 0, &body, (int[]){broker_fd, child->pidfd})) {
		/* Nobody would ever talk to it. */
		log_error("uid=%" PRIu32 " pid=%d %s: ended again, the broker takes no answer",
			child->uid, child->pid, child->name);
		process_kill(child);
	}
	return 0;
}

/* The account in a memfd from the broker. Returns 0 or a negative errno; what failed is told. */
static int
read_account(int fd, uint32_t uid, const char *op, struct account *ret)
{
	free_auto char *text = NULL;
	const char *why = NULL;
	size_t size = 0;
	int r = memfd_read(fd, MEMFD_TEXT_MAX, &text, &size);

	if (r < 0)
		return r;
	if (r > 0)
		why = "not a sealed memfd of a permitted size";
	else if (account_read(text, size, ret, &why) == 0) {
		if (ret->uid == uid)
			return 0;
		why = "it is another uid's";
	}
	log_error("uid=%" PRIu32 " op=%s: the account is refused: %s", uid, op, why);
	return -EINVAL;
}

/* What is started is held to what it was granted in any case: this may fail. */
static void
share(const struct launch *starter, uint32_t uid, const struct ipc_share *share)
{
	int r = ledger_share(&starter->ledger, uid, share);

	if (r < 0)
		log_warning("uid=%" PRIu32 ": the share of all that runs for it cannot be set: %s",
			uid, strerror(-r));
}

static int
ask_worker(struct launch *starter, const struct ipc_message *message, int *fds)
{
	const struct ipc_worker *ask = message->body;
	char idle[NUMBER_MAX], port_min[NUMBER_MAX], run[PATH_MAX + NUMBER_MAX];
	char program[] = "qemud-worker";
	char *argv[] = {program, arg_idle, idle, arg_log, level_name(ask->log_level), arg_port_min,
		port_min, arg_run, run, NULL, NULL, NULL};
	char home[ENTRY_MAX], user[ENTRY_MAX], logname[ENTRY_MAX];
	char *environment[] = {home, user, logname, entry_path, entry_lang, NULL};
	struct spawn_limit limits[] = {{RLIMIT_CORE, 0}, {RLIMIT_NOFILE, ask->n_files}};
	struct spawn spawn = {
		.argv = argv,
		.envp = environment,
		.namespaces = CLONE_NEWNET | CLONE_NEWIPC,
		.starter_fd = -1,
		.limits = limits,
		.n_limits = sizeof(limits) / sizeof(*limits),
	};
	char **more = argv + sizeof(argv) / sizeof(*argv) - 3;
	struct account account;
	bool unlimited;
	const char *why;
	int r;

	if (starter->kvm)
		*more++ = arg_kvm;
	if (ask->wake)
		*more = arg_wake;

	r = read_account(fds[0], ask->uid, "worker", &account);
	if (r < 0)
		return r;
	r = userdir_make(starter->users_fd, account.uid, account.gid, &why, &unlimited);
	if (unlimited)
		log_warning("uid=%" PRIu32 " op=worker: nothing can be mounted on %s/%" PRIu32
			    ": its user can fill the file system that it lies in",
			account.uid, starter->users_path, account.uid);
	if (r != 0) {
		log_error("uid=%" PRIu32 " op=worker: %s/%" PRIu32 " %s%s", account.uid,
			starter->users_path, account.uid,
			why ? why : "cannot be made: ", why ? "" : strerror(-r));
		return r < 0 ? r : -EPERM;
	}
	(void)snprintf(idle, sizeof(idle), "%" PRIu32, ask->idle_seconds);
	(void)snprintf(port_min, sizeof(port_min), "%" PRIu32, ask->port_min);
	(void)snprintf(run, sizeof(run), "%s/%" PRIu32, starter->users_path, account.uid);
	(void)snprintf(home, sizeof(home), "HOME=%s", account.home);
	(void)snprintf(user, sizeof(user), "USER=%s", account.name);
	(void)snprintf(logname, sizeof(logname), "LOGNAME=%s", account.name);
	share(starter, account.uid, &ask->share);
	spawn.uid = account.uid;
	spawn.gid = account.gid;
	spawn.groups = account.groups;
	spawn.n_groups = account.n_groups;
	return start_linked(starter, &spawn, PROGRAM_WORKER, "worker", NULL, IPC_WORKER_STARTED,
		message->serial);
}

static int
ask_view(struct launch *starter, const struct ipc_message *message, int *fds)
{
	static char home[] = "HOME=/", user[] = "USER=qemud-view", logname[] = "LOGNAME=qemud-view";
	static char *const environment[] = {home, user, logname, entry_path, entry_lang, NULL};
	const struct ipc_view *ask = message->body;
	char program[] = "qemud-view";
	char *const kinds[] = {[IPC_VIEW_REFUSER] = arg_refuse,
		[IPC_VIEW_HOST] = arg_host,
		[IPC_VIEW_CTL] = arg_ctl};
	char idle[NUMBER_MAX];
	char *argv[] = {program, kinds[ask->kind], arg_log, level_name(ask->log_level),
		ask->idle_seconds ? arg_idle : NULL, idle, NULL};
	struct spawn_limit limits[] = {{RLIMIT_CORE, 0}, {RLIMIT_NOFILE, ask->n_files}};
	struct spawn spawn = {
		.argv = argv,
		.envp = environment,
		.uid = ask->uid,
		.gid = ask->gid,
		.namespaces = ALL_NAMESPACES,
		.tree = TREE_LIBRARIES,
		.tree_at = starter->users_path,
		.starter_fd = -1,
		.limits = limits,
		.n_limits = sizeof(limits) / sizeof(*limits),
	};

	(void)fds;
	(void)snprintf(idle, sizeof(idle), "%" PRIu32, ask->idle_seconds);
	return start_linked(
		starter, &spawn, PROGRAM_VIEW, "view", NULL, IPC_VIEW_STARTED, message->serial);
}

/* Its log is a folder of the host's, which it alone may write to. */
static int
ask_audit(struct launch *starter, const struct ipc_message *message, int *fds)
{
	static char home[] = "HOME=/", user[] = "USER=qemud-audit",
		    logname[] = "LOGNAME=qemud-audit";
	static char *const environment[] = {home, user, logname, entry_path, entry_lang, NULL};
	const struct ipc_audit *ask = message->body;
	char program[] = "qemud-audit", dir[IPC_PATH_MAX], mib[NUMBER_MAX], files[NUMBER_MAX];
	char *argv[] = {program, arg_dir, dir, arg_file_mib, mib, arg_files, files, arg_log,
		level_name(ask->log_level), NULL};
	struct spawn_limit limits[] = {{RLIMIT_CORE, 0}, {RLIMIT_NOFILE, AUDIT_FILES}};
	struct spawn spawn = {
		.argv = argv,
		.envp = environment,
		.uid = ask->uid,
		.gid = ask->gid,
		.namespaces = ALL_NAMESPACES & ~(uint64_t)CLONE_NEWNS,
		.starter_fd = -1,
		.limits = limits,
		.n_limits = sizeof(limits) / sizeof(*limits),
	};

	(void)fds;
	(void)snprintf(dir, sizeof(dir), "%s", ask->dir);
	(void)snprintf(mib, sizeof(mib), "%" PRIu32, ask->file_mib);
	(void)snprintf(files, sizeof(files), "%" PRIu32, ask->n_files);
	return start_linked(
		starter, &spawn, PROGRAM_AUDIT, "audit", NULL, IPC_AUDIT_STARTED, message->serial);
}

/* The leaf of a VM that runs, with room in it. The broker counts; this also after it has changed. */
static int
look_into_leaf(const struct launch *starter, uint32_t uid, const char *leaf)
{
	fd_auto int fd = -1;
	int r;

	if (starter->ledger.dir_fd < 0)
		return 0;
	r = ledger_find(&starter->ledger, uid, leaf, &fd);
	if (r == 0)
		r = resident_count(fd);
	if (r == 0)
		return -ENOENT;
	return r >= LAUNCH_LEAF_PROCESSES_MAX ? -EDQUOT : r < 0 ? r : 0;
}

/*
 * A tool's leaf is numbered; a VM's has its name, and must be nobody's; what is for the network of a
 * VM goes into the VM's. Returns 0 or a negative errno.
 */
static int
name_leaf(struct launch *starter, const struct ipc_box *ask, char ret[static LEDGER_LEAF_MAX])
{
	struct ipc_leaf vm = {.uid = ask->uid, .id = ask->id};
	int r;

	if (ask->kind == IPC_BOX_TOOL) {
		(void)snprintf(ret, LEDGER_LEAF_MAX, "tool-%" PRIu32, ++starter->n_tools);
		return 0;
	}
	memcpy(vm.uuid, ask->uuid, sizeof(vm.uuid));
	ledger_vm_name(&vm, ret);
	if (ask->kind != IPC_BOX_VM)
		return look_into_leaf(starter, ask->uid, ret);
	r = ledger_leave(&starter->ledger, ask->uid, ret);
	if (r < 0)
		log_error("uid=%" PRIu32 " op=box: the control group %s cannot be taken: %s",
			ask->uid, ret, strerror(-r));
	return r;
}

static const struct {
	enum program program;
	enum tree_kind tree;
	uint64_t namespaces;
} boxes[] = {
	[IPC_BOX_TOOL] = {PROGRAM_BOX, TREE_BOX, ALL_NAMESPACES},
	[IPC_BOX_VM] = {PROGRAM_BOX, TREE_BOX, ALL_NAMESPACES},
	[IPC_BOX_RELAY] = {PROGRAM_NET, TREE_LIBRARIES, ALL_NAMESPACES},
	/* The network is the host's: that is what it is for. */
	[IPC_BOX_PASST] = {PROGRAM_BOX, TREE_PASST, ALL_NAMESPACES & ~(uint64_t)CLONE_NEWNET},
};

static enum tree_kind
with_kvm(enum tree_kind tree)
{
	return tree == TREE_BOX ? TREE_BOX_KVM : tree;
}

static int
ask_box(struct launch *starter, const struct ipc_message *message, int *fds)
{
	const struct ipc_box *ask = message->body;
	enum program program = boxes[ask->kind].program; /* ipc_check() has seen its range */
	char name[PROGRAM_NAME_MAX];
	char *argv[] = {name, NULL}, *environment[] = {NULL};
	struct spawn_limit limits[] = {{RLIMIT_CORE, 0}, {RLIMIT_NOFILE, ask->n_files}};
	struct spawn spawn = {
		.argv = argv,
		.envp = environment,
		.namespaces = boxes[ask->kind].namespaces,
		.tree = starter->kvm ? with_kvm(boxes[ask->kind].tree) : boxes[ask->kind].tree,
		.tree_at = starter->users_path,
		/* A tool has nobody else who would end it, and such a VM nobody who would find it. */
		.starter_fd = ask->kind == IPC_BOX_TOOL || starter->ledger.dir_fd < 0
				      ? starter->self_fd
				      : -1,
		.limits = limits,
		.n_limits = sizeof(limits) / sizeof(*limits),
	};
	struct account account;
	char leaf[LEDGER_LEAF_MAX];
	int r;

	if (process_n_kept(ask->uid) >= PROCESS_KEPT_MAX) {
		log_warning("uid=%" PRIu32
			    " op=box: refused: %d processes of hers have ended and are "
			    "kept by whoever traces them",
			ask->uid, PROCESS_KEPT_MAX);
		return -EAGAIN;
	}
	r = read_account(fds[0], ask->uid, "box", &account);
	if (r == 0)
		r = name_leaf(starter, ask, leaf);
	if (r < 0)
		return r;
	share(starter, account.uid, &ask->share);
	spawn.uid = account.uid;
	spawn.gid = account.gid;
	spawn.groups = account.groups;
	spawn.n_groups = account.n_groups;
	(void)snprintf(name, sizeof(name), "%s", program_name(program));
	return start_linked(starter, &spawn, program, leaf,
		ask->kind == IPC_BOX_VM ? &ask->grant : NULL, IPC_BOXED, message->serial);
}

static int
ask_resolve(struct launch *starter, const struct ipc_message *message, int *fds)
{
	(void)fds;
	lookup_ask(&starter->lookups, message->serial, message->body);
	return 0;
}

static int
ask_leaf_next(struct launch *starter, const struct ipc_message *message, int *fds)
{
	(void)fds;
	return leaves_next(&starter->leaves, message->serial);
}

static int
ask_leaf_end(struct launch *starter, const struct ipc_message *message, int *fds)
{
	(void)fds;
	return leaves_end(&starter->leaves, message->serial, message->body);
}

/* Both are answered at once. */
static int
ask_leaf_limit(struct launch *starter, const struct ipc_message *message, int *fds)
{
	const struct ipc_leaf_limit *ask = message->body;
	int r = leaves_limit(&starter->leaves, &ask->leaf, &ask->grant);

	(void)fds;
	if (r == 0)
		(void)link_answer(&starter->link, IPC_LEAF_LIMITED, message->serial, 0, NULL, NULL);
	return r;
}

static int
ask_leaf_freeze(struct launch *starter, const struct ipc_message *message, int *fds)
{
	const struct ipc_leaf_freeze *ask = message->body;
	int r = leaves_freeze(&starter->leaves, &ask->leaf, ask->on);

	(void)fds;
	if (r == 0)
		(void)link_answer(&starter->link, IPC_LEAF_FROZEN, message->serial, 0, NULL, NULL);
	return r;
}

static int
ask_user_limit(struct launch *starter, const struct ipc_message *message, int *fds)
{
	const struct ipc_user_limit *ask = message->body;
	int r = ledger_share(&starter->ledger, ask->uid, &ask->share);

	(void)fds;
	if (r == 0)
		(void)link_answer(&starter->link, IPC_USER_LIMITED, message->serial, 0, NULL, NULL);
	return r;
}

/* An ask is answered by its function, except when that returns a negative errno. */
static const struct {
	enum ipc_type ask, answer;
	int (*fn)(struct launch *starter, const struct ipc_message *message, int *fds);
} asks[] = {
	{IPC_WORKER, IPC_WORKER_STARTED, ask_worker},
	{IPC_VIEW, IPC_VIEW_STARTED, ask_view},
	{IPC_RESOLVE, IPC_RESOLVED, ask_resolve},
	{IPC_BOX, IPC_BOXED, ask_box},
	{IPC_LEAF_NEXT, IPC_LEAF_FOUND, ask_leaf_next},
	{IPC_LEAF_END, IPC_LEAF_ENDED, ask_leaf_end},
	{IPC_LEAF_LIMIT, IPC_LEAF_LIMITED, ask_leaf_limit},
	{IPC_LEAF_FREEZE, IPC_LEAF_FROZEN, ask_leaf_freeze},
	{IPC_USER_LIMIT, IPC_USER_LIMITED, ask_user_limit},
	{IPC_AUDIT, IPC_AUDIT_STARTED, ask_audit},
};

static void
on_message(struct link *link, const struct ipc_message *message, int *fds, uint64_t cookie)
{
	struct launch *starter = container_of(link, struct launch, link);

	(void)cookie;
	for (size_t i = 0; i < sizeof(asks) / sizeof(*asks); i++) {
		int r;

		if (asks[i].ask != message->type)
			continue;
		r = message->err ? message->err : asks[i].fn(starter, message, fds);
		if (r < 0)
			(void)link_answer(link, asks[i].answer, message->serial, r, NULL, NULL);
		return;
	}
}

static void
on_end(struct link *link, enum ipc_fault fault, uint16_t type)
{
	struct launch *starter = container_of(link, struct launch, link);

	if (fault == IPC_OK)
		log_info("the broker has gone");
	else
		log_error("violation by the broker: %s: %s", ipc_type_name(type),
			ipc_fault_text(fault));
	loop_quit(starter->loop, fault == IPC_OK ? 0 : 1);
}

int
launch_serve(struct launch *starter, int fd)
{
	static const struct link_ops ops = {.message = on_message, .end = on_end};

	lookup_init(&starter->lookups, starter->loop, &starter->link,
		starter->programs.fds[PROGRAM_RESOLVE], starter->null_fd);
	leaves_init(&starter->leaves, starter->loop, &starter->link, &starter->ledger,
		starter->enforce, &starter->left);
	return link_start(&starter->link, starter->loop, fd, IPC_LINK_STARTER, IPC_SIDE_PEER, &ops);
}
