/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * readback.c: what the kernel says about a process that is about to become a program; see
 * readback.h.
 */
#include "broker/launch/readback.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "broker/launch/descent.h"
#include "lib/signals.h"
#include "protocol/ipc/account.h"

/* One more than an account may have: a longer list does not fit, which is an answer too. */
enum { GROUPS_MAX = ACCOUNT_GROUPS_MAX + 1 };

static const char *
ids(const struct spawn *spawn)
{
	uid_t uid[3];
	gid_t gid[3];

	if (getresuid(&uid[0], &uid[1], &uid[2]) < 0 || getresgid(&gid[0], &gid[1], &gid[2]) < 0)
		return "the ids cannot be read";
	for (int i = 0; i < 3; i++) {
		if (uid[i] != spawn->uid)
			return "the uid is not the one asked for";
		if (gid[i] != spawn->gid)
			return "the gid is not the one asked for";
	}
	/* An invalid id changes nothing and tells the present one. */
	if ((uid_t)setfsuid((uid_t)-1) != spawn->uid || (gid_t)setfsgid((gid_t)-1) != spawn->gid)
		return "the file system ids are not the ones asked for";
	return NULL;
}

static const char *
groups(const struct spawn *spawn)
{
	gid_t got[GROUPS_MAX];
	int n = getgroups(GROUPS_MAX, got);

	if (n < 0 || (unsigned)n != spawn->n_groups)
		return "the groups are not the ones asked for";
	for (int i = 0; i < n; i++) {
		bool found = false;

		for (unsigned k = 0; k < spawn->n_groups && !found; k++)
			found = spawn->groups[k] == got[i];
		if (!found)
			return "the groups are not the ones asked for";
	}
	return NULL;
}

static const char *
capability_sets(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	unsigned long n_caps = 0;

	if (syscall(SYS_capget, &header, data) < 0)
		return "the capabilities cannot be read";
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		if (data[i].effective || data[i].permitted || data[i].inheritable)
			return "a capability is left";
	for (;; n_caps++) {
		int bounding = prctl(PR_CAPBSET_READ, n_caps, 0, 0, 0);

		if (bounding < 0)
			break;
		if (bounding != 0)
			return "a capability is left in the bounding set";
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, n_caps, 0, 0) != 0)
			return "a capability is left in the ambient set";
	}
	return n_caps > CAP_SYS_RESOURCE ? NULL : "the bounding set cannot be read";
}

static const char *
flags(const struct spawn *spawn)
{
	int end_signal;

	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return "no_new_privs is not set";
	if (prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) != DESCENT_SECUREBITS)
		return "the securebits are not the ones asked for";
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return "the process is dumpable";
	if (prctl(PR_GET_PDEATHSIG, &end_signal, 0, 0, 0) < 0 ||
		end_signal != (spawn->starter_fd >= 0 ? SIGKILL : 0))
		return "its end is not bound to the starter's as asked for";
	/* Who asked too late for the signal sees this; its log does not tell, for until their exec
	 * others that were started then have the reader's end too. */
	if (spawn->starter_fd >= 0 &&
		poll(&(struct pollfd){.fd = DESCENT_STARTER_FD, .events = POLLIN}, 1, 0) != 0)
		return "the starter has ended";
	return NULL;
}

static const char *
limits(const struct spawn *spawn)
{
	for (unsigned i = 0; i < spawn->n_limits; i++) {
		struct rlimit now;

		if (getrlimit((__rlimit_resource_t)spawn->limits[i].resource, &now) < 0 ||
			now.rlim_max > spawn->limits[i].value || now.rlim_cur != now.rlim_max)
			return "a resource limit is not the one asked for";
	}
	return NULL;
}

static const char *
signal_state(void)
{
	return signals_are_reset() ? NULL : "a signal is blocked, or not at its default";
}

/* What no tree has: where one of them is, the host's is. */
static const char *const absent[] = {"/home", "/root", "/run", "/sys", "/var", "/etc/passwd",
	"/proc/sys", "/dev/mem", "/dev/tty"};

static const char *
tree(const struct spawn *spawn)
{
	struct statvfs fs;
	struct stat st;

	if (spawn->tree == TREE_HOST)
		return NULL;
	if (statvfs("/", &fs) < 0 || !(fs.f_flag & ST_RDONLY))
		return "its file tree can be written";
	for (size_t i = 0; i < sizeof(absent) / sizeof(*absent); i++)
		if (access(absent[i], F_OK) == 0)
			return "the host's file tree is still there";
	if (spawn->tree == TREE_LIBRARIES)
		return access("/etc", F_OK) == 0 ? "the host's file tree is still there" : NULL;
	if (statvfs("/tmp", &fs) < 0 || !(fs.f_flag & ST_NOEXEC) || !(fs.f_flag & ST_NODEV))
		return "its /tmp can hold programs or devices";
	if (stat("/dev/null", &st) < 0 || !S_ISCHR(st.st_mode))
		return "its /dev/null is no device";
	return NULL;
}

static const char *
namespaces(const struct spawn *spawn)
{
	struct utsname name;

	/* clone3 makes all of them or none; these tell which. */
	if ((spawn->namespaces & CLONE_NEWPID) && getpid() != 1)
		return "it is not the first process of its pid namespace";
	if ((spawn->namespaces & CLONE_NEWUTS) &&
		(uname(&name) < 0 || strcmp(name.nodename, SPAWN_HOST_NAME) != 0))
		return "its host name is not the one asked for";
	return NULL;
}

/* Not only what the kernel says, but what it does. */
static const char *
way_back(const struct spawn *spawn)
{
	if (setuid(0) == 0 || setresuid((uid_t)-1, 0, (uid_t)-1) == 0)
		return "the process can become root again";
	if (spawn->gid != 0 && setgid(0) == 0)
		return "the process can join root's group again";
	if (setgroups(0, NULL) == 0)
		return "the process can change its groups";
	errno = 0;
	return NULL;
}

const char *
readback_differs(const struct spawn *spawn)
{
	const char *differs = ids(spawn);

	if (!differs)
		differs = groups(spawn);
	if (!differs)
		differs = capability_sets();
	if (!differs)
		differs = flags(spawn);
	if (!differs)
		differs = limits(spawn);
	if (!differs)
		differs = signal_state();
	if (!differs)
		differs = tree(spawn);
	if (!differs)
		differs = namespaces(spawn);
	if (!differs)
		differs = way_back(spawn);
	return differs;
}
