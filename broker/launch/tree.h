/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tree.h: the file tree of a program that has no business with the host's files.
 *
 * Runs between clone3 and exec, in a mount namespace of its own, with CAP_SYS_ADMIN still. A
 * program that is linked with libraries needs the loader's folders at exec, and after exec nobody
 * is left who could take anything away; so a tree is put together from what it needs, and the
 * host's is taken off. Nothing in it can be written but /tmp, no program in it gives anybody a
 * uid, and there is no /home, /root, /run, /var, /sys, no account database, no device but those
 * named.
 */
#ifndef BROKER_LAUNCH_TREE_H
#define BROKER_LAUNCH_TREE_H

#include <stdint.h>

enum tree_kind {
	TREE_HOST,      /* none of its own: the host's files, as far as the user may */
	TREE_LIBRARIES, /* where the loader finds libraries, and nothing else */
	/*
	 * What QEMU and its tools need: programs, libraries, their data below /usr/share; null,
	 * zero and urandom in /dev; /proc with nothing but its own processes; a small /tmp of the
	 * user's, from which nothing can be executed.
	 */
	TREE_BOX,
	TREE_BOX_KVM, /* the same with the host's KVM, where there is one; its rights are the host's */
	/*
	 * What passt needs: the same without data, and how the host resolves names. It puts itself
	 * into an empty tree of its own when it has read that.
	 */
	TREE_PASST
};

/**
 * Put the tree together on the existing folder at, in this namespace only, and make it the root.
 * uid and gid own its /tmp. Needs to be in the pid namespace that /proc is to show. Returns the
 * name of the call that failed, with errno, or NULL.
 */
const char *tree_make(enum tree_kind kind, const char *at, uint32_t uid, uint32_t gid);

#endif
