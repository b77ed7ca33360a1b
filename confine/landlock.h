/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * landlock.h: which files a process may still open, enforced by the kernel for the rest of its
 * life.
 *
 * Runs in programs that give up the file system, as the user; libc only. The lists are reviewable
 * text, policy/landlock/NAME.list, which awk makes a table of at build time (landlock.awk). What a
 * list does not name cannot be opened, made, removed or renamed; beyond files, no level of the
 * kernel that can forbid TCP, abstract sockets and signals to others leaves them allowed.
 *
 * Levels are the kernel's ABI versions (Documentation/userspace-api/landlock.rst): 1 (Linux 5.13)
 * files; 2 (5.19) linking and renaming between folders; 3 (6.2) truncation; 4 (6.7) TCP; 5 (6.10)
 * ioctl on devices; 6 (6.12) abstract UNIX sockets and signals; 7 (6.15) audit records. Kernels
 * with a higher one are used at 7.
 */
#ifndef CONFINE_LANDLOCK_H
#define CONFINE_LANDLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum { LANDLOCK_LEVEL_MAX = 7 };

enum landlock_access {
	LANDLOCK_READ = 1, /* read a file, or everything below a folder */
	LANDLOCK_EXEC,     /* read and execute */
	LANDLOCK_WRITE,    /* read and write; never truncate, make or remove */
	LANDLOCK_DEVICE    /* read, write, and the device's own ioctl */
};

struct landlock_path {
	const char *path;
	enum landlock_access access;
	bool optional; /* absent on some hosts */
};

struct landlock_list {
	const char *name;
	unsigned n_paths;
	const struct landlock_path *paths;
};

extern const struct landlock_list landlock_qemu, landlock_qemu_img;

/* What a level handles, that is forbids where no rule allows it; bits of linux/landlock.h. */
struct landlock_rights {
	uint64_t fs, net, scoped;
	uint32_t restrict_flags; /* of landlock_restrict_self() */
};

struct landlock_rights landlock_rights(int level);
/** The rights that a rule gives at a level, for a folder or for something else. */
uint64_t landlock_rule_rights(enum landlock_access access, int level, bool folder);

/**
 * The level of this kernel, at most LANDLOCK_LEVEL_MAX; 0 where it has no Landlock or was booted
 * without. Or a negative errno.
 */
int landlock_level(void);

/**
 * Restrict this thread and its future to the list, at a level not above the kernel's; at 0 nothing
 * happens. Of the n_fds descriptors, files may also be opened again (/proc/self/fd/N), in the mode
 * that they are open in. Needs no_new_privs. Returns 0 or a negative errno; then *ret_path is the
 * path of the list that could not be used, or NULL.
 */
int landlock_load(const struct landlock_list *list, int level, const int *fds, unsigned n_fds,
	const char **ret_path);

#endif
