/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files.c: what is known of each file in domains/; see files.h.
 *
 * Runs in the worker, as the user.
 */
#include "worker/store/files.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The coarsest clock of a file system is FAT's, of two seconds. */
enum { STAMP_GRAIN_S = 2 };

/* FNV-1a, as in domains.c. */
static struct file_bucket *
bucket_of(const struct files *files, const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	/* The table is the caller's, who may change it. */
	return (struct file_bucket *)(uintptr_t)&files->by_name[hash % FILES_BUCKETS];
}

void
files_init(struct files *files)
{
	memset(files, 0, sizeof(*files));
	for (unsigned i = 0; i < FILE_N_LINES; i++)
		TAILQ_INIT(&files->lines[i]);
}

void
files_fini(struct files *files)
{
	for (unsigned i = 0; i < FILE_N_LINES; i++)
		while (!TAILQ_EMPTY(&files->lines[i]))
			files_drop(files, TAILQ_FIRST(&files->lines[i]));
}

struct file *
files_find(const struct files *files, const char *name)
{
	struct file *file;

	LIST_FOREACH (file, bucket_of(files, name), by_name)
		if (strcmp(file->name, name) == 0)
			return file;
	return NULL;
}

struct file *
files_get(struct files *files, const char *name)
{
	struct file *file = files_find(files, name);
	size_t size = strlen(name) + 1;

	if (file || files->n >= FILES_MAX)
		return file;
	file = calloc(1, sizeof(*file) + size);
	if (!file)
		return NULL;
	memcpy(file->name, name, size);
	LIST_INSERT_HEAD(bucket_of(files, name), file, by_name);
	TAILQ_INSERT_TAIL(&files->lines[FILE_KNOWN], file, entry);
	files->n++;
	return file;
}

void
files_drop(struct files *files, struct file *file)
{
	LIST_REMOVE(file, by_name);
	TAILQ_REMOVE(&files->lines[file->line], file, entry);
	files->n--;
	free(file);
}

void
files_put(struct files *files, struct file *file, enum file_line line)
{
	TAILQ_REMOVE(&files->lines[file->line], file, entry);
	TAILQ_INSERT_TAIL(&files->lines[line], file, entry);
	file->line = line;
}

static bool
same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool
file_is_unchanged(const struct file *file, const struct definition_stamp *stamp)
{
	return file->known && file->stamp.ino == stamp->ino && file->stamp.size == stamp->size &&
	       file->stamp.mode == stamp->mode && same_time(file->stamp.mtime, stamp->mtime) &&
	       same_time(file->stamp.ctime, stamp->ctime);
}

void
file_note(struct file *file, const struct definition_stamp *stamp)
{
	file->stamp = *stamp;
	file->known = time(NULL) - stamp->ctime.tv_sec >= STAMP_GRAIN_S;
}
