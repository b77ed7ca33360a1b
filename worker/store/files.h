/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files.h: what is known of each file in domains/, so that one that has not changed is not read.
 *
 * Runs in the worker, as the user. Knows names and stamps, not what is in the files. The truth is
 * the folder: a file may have gone, changed, or be there without being known here.
 */
#ifndef WORKER_STORE_FILES_H
#define WORKER_STORE_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "worker/store/definitions.h"

enum {
	FILES_BUCKETS = 4096,
	FILES_MAX = 32768 /* known at a time: twice as many as may be domains */
};

/* In which line a file waits to be looked at. */
enum file_line {
	FILE_KNOWN = 0, /* in none */
	FILE_NEXT,      /* now */
	FILE_LATER,     /* when nothing has happened to it for a while */
	FILE_STUCK,     /* when a domain has come to rest that is in its way */
	FILE_N_LINES
};

struct file {
	LIST_ENTRY(file) by_name;
	TAILQ_ENTRY(file) entry;
	enum file_line line;
	uint64_t due_ns;  /* in FILE_LATER */
	unsigned n_waits; /* there, in a row */
	bool seen;        /* by the scan that goes on */
	bool known;       /* the stamp is that of what was read, and of nothing that came since */
	bool bad;         /* what was read is no definition that could be used */
	bool stuck;       /* it could be used if a domain were not in its way that runs */
	struct definition_stamp stamp;
	char name[];
};

LIST_HEAD(file_bucket, file);
TAILQ_HEAD(file_queue, file);

struct files {
	unsigned n;
	struct file_queue lines[FILE_N_LINES]; /* FILE_KNOWN: all that are in no other */
	struct file_bucket by_name[FILES_BUCKETS];
};

void files_init(struct files *files);
void files_fini(struct files *files);
/** The file of that name; NULL when it is not known. */
struct file *files_find(const struct files *files, const char *name);
/** The same, made when it is not known; NULL without memory, or when there are FILES_MAX. */
struct file *files_get(struct files *files, const char *name);
/** Forget it. */
void files_drop(struct files *files, struct file *file);
/** Put it at the end of a line, out of the one where it is. */
void files_put(struct files *files, struct file *file, enum file_line line);

/** Is it, by its stamps, what it was when it was read? */
bool file_is_unchanged(const struct file *file, const struct definition_stamp *stamp);
/**
 * This is what was read. A file that changed so lately that it could change again with the same
 * stamp is not called known.
 */
void file_note(struct file *file, const struct definition_stamp *stamp);

#endif
