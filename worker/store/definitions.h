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

#include <stdbool.h>
#include <stddef.h>

#include "worker/store/home.h"

/* A definition may be this long, on the wire and on disk; libvirt's own bound is 4 MiB a string. */
enum { DEFINITION_MAX = 1024 * 1024, DEFINITION_NAME_MAX = 200 };

/**
 * One definition that was found. name is the file's name without ".xml". text is NULL when the
 * file could not be read; error is the errno then. Both live until the callback returns.
 */
typedef void definitions_fn(void *arg, const char *name, const char *text, size_t size, int error);

/**
 * Read every definition, in no order. Files that do not end in ".xml", or begin with a dot, are
 * somebody's own business. One that cannot be read is told and harms no other. Returns 0 or a
 * negative errno when the folder itself could not be read.
 */
int definitions_each(const struct home *home, definitions_fn *fn, void *arg);
/** Is there anything of that name, definition or not? */
bool definitions_exist(const struct home *home, const char *name);
/** Write or replace. Returns 0 or a negative errno (ENOSPC, EDQUOT...): the old text stays then. */
int definitions_write(const struct home *home, const char *name, const char *text, size_t size);
/** Remove, with its autostart link. A file that is gone already is no error. */
int definitions_remove(const struct home *home, const char *name);

/** Is there an autostart link of that name? */
bool definitions_autostart(const struct home *home, const char *name);
/** Make or remove the autostart link. Returns 0 or a negative errno. */
int definitions_set_autostart(const struct home *home, const char *name, bool autostart);

#endif
