/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tree.c: the file tree of a program that has no business with files; see tree.h.
 */
#include "broker/launch/tree.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Where the loader looks without its cache. On most hosts the last two are links to the first. */
static const char *const library_folders[] = {"/usr/lib", "/usr/lib64", "/lib", "/lib64"};

enum { TREE_FLAGS = MS_RDONLY | MS_NOSUID | MS_NODEV };

/* name is absolute on the host, and relative to the working folder in the new tree. */
static const char *
add_libraries(const char *name)
{
	char target[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (lstat(name, &st) < 0)
		return errno == ENOENT ? NULL : "lstat";
	if (S_ISLNK(st.st_mode)) {
		n = readlink(name, target, sizeof(target) - 1);
		if (n < 0)
			return "readlink";
		target[n] = '\0';
		return symlink(target, name + 1) < 0 ? "symlink" : NULL;
	}
	if (mkdir(name + 1, 0755) < 0)
		return "mkdir";
	if (mount(name, name + 1, NULL, MS_BIND, NULL) < 0 ||
		mount(NULL, name + 1, NULL, MS_REMOUNT | MS_BIND | TREE_FLAGS, NULL) < 0)
		return "mount of a library folder";
	return NULL;
}

const char *
tree_make(const char *at)
{
	const char *failed;

	(void)umask(022);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return "mount of / as private";
	if (mount("tmpfs", at, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,nr_inodes=16,mode=755") < 0)
		return "mount of a tmpfs";
	if (chdir(at) < 0)
		return "chdir";
	if (mkdir("usr", 0755) < 0)
		return "mkdir";
	for (size_t i = 0; i < sizeof(library_folders) / sizeof(*library_folders); i++) {
		failed = add_libraries(library_folders[i]);
		if (failed)
			return failed;
	}
#ifdef __SANITIZE_ADDRESS__
	/* AddressSanitizer reads its own map; only its builds have this. */
	if (mkdir("proc", 0755) < 0 || mount("proc", "proc", "proc", TREE_FLAGS, NULL) < 0)
		return "mount of proc";
#endif
	if (mount(NULL, ".", NULL, MS_REMOUNT | MS_BIND | TREE_FLAGS, NULL) < 0)
		return "mount of the tree read-only";
	/* The old root lands on top of the new one, and is taken off it. */
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return "pivot_root";
	if (umount2(".", MNT_DETACH) < 0)
		return "umount of the host's tree";
	return chdir("/") < 0 ? "chdir" : NULL;
}
