/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tree.c: the file tree of a program that has no business with the host's files; see tree.h.
 *
 * Places are bound from the host and not copied, so that an upgrade of the host is seen; and one by
 * one, so that what is mounted below a place of the host does not come along.
 */
#include "broker/launch/tree.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/err.h"

/* How a place gets into the tree. */
enum how {
	FOLDER = 1, /* made, for what is below it */
	HOST,       /* as it is on the host, link, folder or file; left out where there is none */
	RESOLVER,   /* the host's file of that meaning, see add_resolver() */
	DEVICE,     /* the host's, which can be opened as such */
	DEVICE_IF_THERE,
	PROC,
	TMP
};

struct place {
	const char *name; /* absolute on the host, below the working folder in the new tree */
	enum how how;
};

/* Where the loader looks without its cache. On most hosts the last two are links to the first. */
/* clang-format off */
#define LIBRARIES {"/usr/lib", HOST}, {"/usr/lib64", HOST}, {"/lib", HOST}, {"/lib64", HOST}

static const struct place libraries[] = {{"/usr", FOLDER}, LIBRARIES,
#ifdef __SANITIZE_ADDRESS__
	{"/proc", PROC}, /* AddressSanitizer reads its own map; only its builds have this */
#endif
	{NULL, 0}};

#define BOX {"/usr", FOLDER}, LIBRARIES, \
	{"/usr/bin", HOST},   /* QEMU; where /bin is another folder, nothing of it is needed */ \
	{"/usr/share", HOST}, /* firmware, keymaps, time zones */ \
	{"/etc", FOLDER}, \
	{"/etc/ld.so.cache", HOST}, /* some libraries are in folders that only this names */ \
	{"/etc/localtime", HOST},   /* a guest's clock in local time */ \
	{"/dev", FOLDER}, \
	{"/dev/null", DEVICE}, \
	{"/dev/zero", DEVICE}, \
	{"/dev/urandom", DEVICE}, \
	{"/proc", PROC}, \
	{"/tmp", TMP}

static const struct place box[] = {BOX, {NULL, 0}};
static const struct place box_kvm[] = {BOX, {"/dev/kvm", DEVICE_IF_THERE}, {NULL, 0}};

static const struct place passt[] = {{"/usr", FOLDER}, LIBRARIES,
	{"/usr/bin", HOST},
	{"/etc", FOLDER},
	{"/etc/ld.so.cache", HOST},
	{"/etc/resolv.conf", RESOLVER},
	{"/dev", FOLDER},
	{"/dev/null", DEVICE},
	{"/dev/urandom", DEVICE},
	{"/proc", PROC},
	{"/tmp", TMP}, /* where it mounts its own */
	{NULL, 0}};

static const struct place *const trees[] = {
	[TREE_LIBRARIES] = libraries, [TREE_BOX] = box, [TREE_BOX_KVM] = box_kvm, [TREE_PASST] = passt};
/* clang-format on */

enum { READ_ONLY = MS_RDONLY | MS_NOSUID };

static const char *
add_link(const char *name)
{
	char target[PATH_MAX];
	ssize_t n = readlink(name, target, sizeof(target) - 1);

	if (n < 0)
		return "readlink";
	target[n] = '\0';
	return symlink(target, name + 1) < 0 ? "symlink" : NULL;
}

static const char *
bind(const char *from, const char *name, unsigned long flags)
{
	if (mount(from, name + 1, NULL, MS_BIND, NULL) < 0 ||
		mount(NULL, name + 1, NULL, MS_REMOUNT | MS_BIND | flags, NULL) < 0)
		return "mount of a place of the host";
	return NULL;
}

static const char *
add_host(const char *name)
{
	struct stat st;

	if (lstat(name, &st) < 0)
		return errno == ENOENT ? NULL : "lstat";
	if (S_ISLNK(st.st_mode))
		return add_link(name);
	if (S_ISDIR(st.st_mode) ? mkdir(name + 1, 0755) < 0
				: mknod(name + 1, S_IFREG | 0444, 0) < 0)
		return "a place to mount on";
	return bind(name, name, READ_ONLY | MS_NODEV);
}

/*
 * The host's file, wherever a link to it leads. Where that is systemd-resolved's with nothing but an
 * address that the host alone can reach, the one beside it which names the real servers.
 */
static const char *
add_resolver(const char *name)
{
	static const char stub[] = "/run/systemd/resolve/stub-resolv.conf",
			  real[] = "/run/systemd/resolve/resolv.conf";
	struct stat st, stub_st;
	const char *from = name;

	if (stat(name, &st) < 0 || !S_ISREG(st.st_mode))
		return NULL; /* then names are not resolved on the host either */
	if (stat(stub, &stub_st) == 0 && stub_st.st_dev == st.st_dev &&
		stub_st.st_ino == st.st_ino && stat(real, &st) == 0 && S_ISREG(st.st_mode))
		from = real;
	if (mknod(name + 1, S_IFREG | 0444, 0) < 0)
		return "a place to mount on";
	return bind(from, name, READ_ONLY | MS_NODEV | MS_NOEXEC);
}

static const char *
add_device(const char *name)
{
	if (mknod(name + 1, S_IFREG | 0444, 0) < 0)
		return "a place to mount on";
	/* Writing to the device behind a read-only node is no change of the tree. */
	return bind(name, name, READ_ONLY | MS_NOEXEC);
}

static const char *
add_proc(const char *name)
{
	if (mkdir(name + 1, 0755) < 0 ||
		mount("proc", name + 1, "proc", READ_ONLY | MS_NODEV | MS_NOEXEC, "subset=pid") < 0)
		return "mount of /proc";
	return NULL;
}

static const char *
add_tmp(const char *name, uint32_t uid, uint32_t gid)
{
	char options[96];

	(void)snprintf(
		options, sizeof(options), "size=1m,nr_inodes=64,mode=700,uid=%u,gid=%u", uid, gid);
	if (mkdir(name + 1, 0755) < 0 ||
		mount("tmpfs", name + 1, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0)
		return "mount of /tmp";
	return NULL;
}

static const char *
add(const struct place *place, uint32_t uid, uint32_t gid)
{
	switch (place->how) {
	case FOLDER:
		return mkdir(place->name + 1, 0755) < 0 ? "mkdir" : NULL;
	case HOST:
		return add_host(place->name);
	case RESOLVER:
		return add_resolver(place->name);
	case DEVICE:
		return add_device(place->name);
	case DEVICE_IF_THERE:
		return access(place->name, F_OK) < 0 ? NULL : add_device(place->name);
	case PROC:
		return add_proc(place->name);
	case TMP:
		return add_tmp(place->name, uid, gid);
	}
	return "a place of no kind";
}

const char *
tree_make(enum tree_kind kind, const char *at, uint32_t uid, uint32_t gid)
{
	ASSERT(kind != TREE_HOST);
	(void)umask(022);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return "mount of / as private";
	if (mount("tmpfs", at, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,nr_inodes=32,mode=755") < 0)
		return "mount of a tmpfs";
	if (chdir(at) < 0)
		return "chdir";
	for (const struct place *place = trees[kind]; place->name; place++) {
		const char *failed = add(place, uid, gid);

		if (failed)
			return failed;
	}
	if (mount(NULL, ".", NULL, MS_REMOUNT | MS_BIND | READ_ONLY | MS_NODEV | MS_NOEXEC, NULL) <
		0)
		return "mount of the tree read-only";
	/* The old root lands on top of the new one, and is taken off it. */
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return "pivot_root";
	if (umount2(".", MNT_DETACH) < 0)
		return "umount of the host's tree";
	return chdir("/") < 0 ? "chdir" : NULL;
}
