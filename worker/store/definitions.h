/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * definitions.h: the definitions on disk: domains/NAME.xml, and autostart/NAME.xml that points
 * there.
 *
 * Runs in the worker, as the user. Knows names and bytes, not what is in them. A write is atomic
 * and durable (lib/replace.h): after a crash the old or the new text is there, whole.
 */
#ifndef WORKER_STORE_DEFINITIONS_H
#define WORKER_STORE_DEFINITIONS_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "worker/store/home.h"

/*
 * A definition may be this long, on the wire and on disk; libvirt's own bound is 4 MiB a string.
 * Below, `name` is that of a file without ".xml". Those that we make have names of domains; those
 * that are found may be as long as the kernel lets the name of a file be.
 */
enum { DEFINITION_MAX = 1024 * 1024, DEFINITION_FILE_MAX = 255 };

/* What changes with a file: where none of these has, the text is what it was. */
struct definition_stamp {
	ino_t ino;
	off_t size;
	mode_t mode;
	nlink_t nlink;
	struct timespec mtime, ctime;
};

/** The name of a definition, if a file of the folder has one: `file` ends in ".xml" and begins with
 * no dot; all others are somebody's own business. */
bool definitions_name(const char *file, char name[static DEFINITION_FILE_MAX + 1]);
/**
 * All names, in no order: begin, next until it returns 0, end. Begin returns 0 and *dir, or a
 * negative errno; next 1 with the name, or with "" for what is no definition, 0, or a negative errno:
 * one step each, however much else is in the folder. End takes NULL.
 */
int definitions_begin(const struct home *home, DIR **dir);
int definitions_next(DIR *dir, char name[static DEFINITION_FILE_MAX + 1]);
void definitions_end(DIR *dir);
/** Of what has that name, also if it cannot be read. Returns 0 or a negative errno. */
int definitions_stat(const struct home *home, const char *name, struct definition_stamp *stamp);
/**
 * Read one; text (freed by the caller) and the stamp are of one and the same file. Returns 0 or a
 * negative errno: -ELOOP for a symbolic link, -EINVAL for what is no file, -EFBIG.
 */
int definitions_read(const struct home *home, const char *name, char **text, size_t *size,
	struct definition_stamp *stamp);
/** Is there anything of that name, definition or not? */
bool definitions_exist(const struct home *home, const char *name);
/**
 * Give a file another name, that nothing has yet (-EEXIST). It is there under one name or the
 * other, and lastingly. Returns 0 or a negative errno.
 */
int definitions_move(const struct home *home, const char *name, const char *to);
/** Write or replace. Returns 0 or a negative errno (ENOSPC, EDQUOT...): the old text stays then. */
int definitions_write(const struct home *home, const char *name, const char *text, size_t size);
/** Remove, with its autostart link. A file that is gone already is no error. */
int definitions_remove(const struct home *home, const char *name);

/** Is there an autostart link of that name? */
bool definitions_autostart(const struct home *home, const char *name);
/** Make or remove the autostart link. Returns 0 or a negative errno. */
int definitions_set_autostart(const struct home *home, const char *name, bool autostart);

/**
 * The autostart link of a name, if there is one, is that of another name from now on. Cut short
 * between the two, there are both. Returns 0 or a negative errno.
 */
int definitions_move_autostart(const struct home *home, const char *name, const char *to);

#endif
