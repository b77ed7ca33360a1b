/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * replace.h: a file replaced so that a reader, or a power cut, finds the old or the new contents.
 *
 * Runs in every program, root's included (root only below folders that root owns).
 */
#ifndef LIB_REPLACE_H
#define LIB_REPLACE_H

#include <stddef.h>
#include <sys/types.h>

/**
 * Write a temporary file (.NAME.new) beside name in the folder dir_fd, fsync it, rename it over
 * name, fsync the folder. The mode is exact, whatever the umask. There must be one writer a folder.
 * On failure the old file is untouched and the temporary is gone; only when the last step fails may
 * the new file be there already. Returns 0, -EINVAL for a name that is empty, ".", ".." or has a
 * '/', or another negative errno (ENOSPC, EDQUOT, EROFS, EACCES... as they come).
 */
int replace_file(int dir_fd, const char *name, const void *data, size_t size, mode_t mode);

/**
 * The same without fsync, for what is made anew: a power cut may leave a file that is empty or cut.
 */
int replace_unsynced(int dir_fd, const char *name, const void *data, size_t size, mode_t mode);

/**
 * Remove the temporaries that a crash has left in that folder, of files whose names end so (".xml");
 * its one writer calls it, early.
 */
void replace_clean(int dir_fd, const char *ending);

#endif
