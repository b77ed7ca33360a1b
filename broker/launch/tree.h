/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tree.h: the file tree of a program that has no business with files.
 *
 * Runs between clone3 and exec, in a mount namespace of its own, with CAP_SYS_ADMIN still. A
 * program that is linked with libraries needs the loader's folders at exec, and after exec nobody
 * is left who could take them away; so the tree is an empty read-only one with those folders, read-
 * only, and nothing else: no /etc, /proc, /dev, /run, /tmp, no home of anybody.
 */
#ifndef BROKER_LAUNCH_TREE_H
#define BROKER_LAUNCH_TREE_H

/**
 * Put the tree together on the existing folder at, in this namespace only, and make it the root.
 * Returns the name of the call that failed, with errno, or NULL.
 */
const char *tree_make(const char *at);

#endif
