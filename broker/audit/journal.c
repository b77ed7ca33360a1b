/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal.c: the files of the audit log; see journal.h.
 *
 * Runs in qemud-audit, as its account. Must never truncate a file, nor write over anything.
 */
#include "broker/audit/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "broker/audit/archive.h"
#include "lib/fd.h"
#include "lib/lines.h"
#include "lib/log.h"
#include "lib/take.h"

enum { FILE_MODE = 0640, ROTATE_AGAIN = 1024 * 1024 };

/* --- what is there ------------------------------------------------------------------------ */

static bool
is_foreign(int fd, mode_t type)
{
	struct stat st;

	return fstat(fd, &st) < 0 || (st.st_mode & S_IFMT) != type || st.st_uid != geteuid() ||
	       (st.st_mode & (S_IWGRP | S_IWOTH));
}

/* The last line is what follows has to follow. */
static void
settle(struct journal *journal, uint64_t seq)
{
	journal->chain.seq = seq - 1;
	audit_chain_add(&journal->chain, journal->last, journal->last_size);
}

/* Go on to the end of a file. *ret_found: it has a line. */
static int
scan(struct journal *journal, int fd, bool *ret_found)
{
	static struct lines lines;
	uint64_t seq = 0; /* of the last line, when it is not settled */
	const char *text;
	size_t size;
	int r;

	*ret_found = false;
	lines_init(&lines, fd);
	while ((r = lines_next(&lines, false, &text, &size)) > 0) {
		struct audit_line line;

		journal->is_cut = text[size - 1] != '\n';
		if (audit_line_read(text, size, &line)) {
			memcpy(journal->last, text, size);
			journal->last_size = size;
			seq = line.place.seq;
			if (!*ret_found)
				journal->first_seq = seq;
			*ret_found = true;
			continue;
		}
		if (seq > 0)
			settle(journal, seq);
		seq = 0;
		audit_chain_tear(&journal->chain, text, size);
	}
	if (seq > 0)
		settle(journal, seq);
	return r;
}

/* From the newest file that has a line to the end of audit.log. */
static int
find_end(struct journal *journal)
{
	static const uint8_t zero[SHA256_SIZE];
	fd_auto int older_fd = -1;
	char name[ARCHIVE_NAME_MAX];
	bool found = false;
	int r = 0;

	audit_chain_init_at(&journal->chain, 0, zero);
	if (journal->fd >= 0)
		r = scan(journal, journal->fd, &found);
	if (r < 0 || found)
		return r;
	/* There is none, or it has none: begun behind what was before. */
	audit_chain_init_at(&journal->chain, 0, zero);
	r = archive_newest(journal->dir_fd, name);
	if (r == 0) {
		older_fd = openat(journal->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		r = older_fd < 0 ? -errno : scan(journal, older_fd, &found);
	}
	if (r < 0 && r != -ENOENT)
		return r;
	journal->is_cut = false;
	journal->first_seq = journal->chain.seq + 1;
	if (journal->fd < 0)
		return 0;
	if (lseek(journal->fd, 0, SEEK_SET) < 0)
		return -errno;
	return scan(journal, journal->fd, &found);
}

/* --- audit.log ---------------------------------------------------------------------------- */

static int
open_file(struct journal *journal, int flags)
{
	struct stat st;

	journal->fd = openat(journal->dir_fd, JOURNAL_NAME,
		O_RDWR | O_APPEND | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC | flags, FILE_MODE);
	if (journal->fd < 0)
		return -errno;
	if ((flags & O_CREAT) && fchmod(journal->fd, FILE_MODE) < 0)
		return -errno;
	if (is_foreign(journal->fd, S_IFREG))
		return JOURNAL_E_FOREIGN;
	if (fstat(journal->fd, &st) < 0)
		return -errno;
	journal->dev = st.st_dev;
	journal->ino = st.st_ino;
	journal->size = (uint64_t)st.st_size;
	journal->rotate_size = journal->max_size;
	return 0;
}

int
journal_open(struct journal *journal, const char **ret_what)
{
	int r;

	journal->fd = -1;
	*ret_what = journal->dir;
	journal->dir_fd = open(journal->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (journal->dir_fd < 0)
		return -errno;
	if (is_foreign(journal->dir_fd, S_IFDIR))
		return JOURNAL_E_FOREIGN;
	while (flock(journal->dir_fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return -errno;
	*ret_what = JOURNAL_NAME;
	r = open_file(journal, 0);
	if (r != 0 && r != -ENOENT)
		return r;
	return find_end(journal);
}

void
journal_close(struct journal *journal)
{
	fd_close(&journal->fd);
	fd_close(&journal->dir_fd);
}

void
journal_look(struct journal *journal)
{
	struct stat st;

	if (journal->fd < 0 ||
		(fstatat(journal->dir_fd, JOURNAL_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			st.st_dev == journal->dev && st.st_ino == journal->ino))
		return;
	log_warning("%s/" JOURNAL_NAME " was moved or removed by somebody: a new one goes on",
		journal->dir);
	fd_close(&journal->fd);
	journal->reopen = true;
}

/* --- writing ------------------------------------------------------------------------------ */

static int
sync_file(struct journal *journal)
{
	if (!journal->dirty || journal->fd < 0)
		return 0;
	if (fdatasync(journal->fd) < 0)
		return -errno;
	journal->dirty = false;
	return 0;
}

/* Returns 0 or a negative errno; what was written is told in ret_n in either case. */
static int
append(struct journal *journal, const char *text, size_t size, size_t *ret_n)
{
	*ret_n = 0;
	while (*ret_n < size) {
		ssize_t n = write(journal->fd, text + *ret_n, size - *ret_n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		*ret_n += (size_t)n;
		journal->size += (size_t)n;
		journal->dirty = true;
	}
	return 0;
}

static int
put(struct journal *journal, const struct ipc_audit_record *record, const struct audit_place *place)
{
	char line[AUDIT_LINE_MAX];
	size_t size = audit_line_format(record, place, line), n;
	int r = append(journal, line, size, &n);

	if (r == 0) {
		audit_chain_add(&journal->chain, line, size);
	} else if (n > 0) {
		audit_chain_tear(&journal->chain, line, n);
		journal->is_cut = true;
	}
	return r;
}

static struct ipc_audit_record
own_record(enum audit_kind kind, const char *target, const char *outcome)
{
	struct ipc_audit_record record = {
		.kind = kind, .uid = (uint32_t)geteuid(), .count = 1, .label = "qemud-audit"};
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	record.time_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	(void)snprintf(record.target, sizeof record.target, "%s", target);
	(void)snprintf(record.outcome, sizeof record.outcome, "%s", outcome);
	return record;
}

static int
put_own(struct journal *journal, enum audit_kind kind, uint64_t removed, const char *target,
	const char *outcome)
{
	struct ipc_audit_record record = own_record(kind, target, outcome);
	struct audit_place place;

	audit_chain_place(&journal->chain, &place);
	place.removed = removed;
	return put(journal, &record, &place);
}

/* Tell of what is no line. */
static int
repair(struct journal *journal)
{
	/* With this end it is no line, even when all of one is there but its newline. */
	static const char end[] = "#\n";
	size_t n = 0;
	int r = 0;

	if (journal->is_cut) {
		r = append(journal, end, sizeof end - 1, &n);
		audit_chain_tear(&journal->chain, end, n);
		journal->is_cut = r < 0;
	}
	if (r == 0 && journal->chain.torn > 0)
		r = put_own(journal, AUDIT_REPAIR, 0, JOURNAL_NAME,
			"what stands before this line was not written to its end");
	return r;
}

/* A new audit.log. */
static int
begin_file(struct journal *journal)
{
	int r = open_file(journal, O_CREAT | O_EXCL);

	/* Somebody has put one there: what is in it is not known to end with a line. */
	if (r == -EEXIST) {
		r = open_file(journal, 0);
		journal->is_cut = r == 0 && journal->size > 0;
	}
	if (r == 0 && fsync(journal->dir_fd) < 0)
		r = -errno;
	if (r != 0)
		fd_close(&journal->fd);
	journal->first_seq = journal->chain.seq + 1;
	return r > 0 ? -EPERM : r;
}

/* The oldest of too many go, each when the log says so. */
static int
remove_oldest(struct journal *journal)
{
	struct archive_oldest oldest;
	int r = 0;

	while (r == 0 && journal->n_files > 0) {
		r = archive_find(journal->dir_fd, journal->n_files, &oldest);
		if (r != 0)
			break;
		r = put_own(journal, AUDIT_REMOVE, oldest.last_seq, oldest.name,
			"as many files are kept as may be");
		if (r == 0)
			r = sync_file(journal);
		if (r == 0 && unlinkat(journal->dir_fd, oldest.name, 0) < 0)
			r = -errno;
	}
	return r == ARCHIVE_E_FEW ? 0 : r;
}

static int
rotate(struct journal *journal)
{
	char name[ARCHIVE_NAME_MAX];
	int r;

	archive_name(journal->first_seq, name);
	r = sync_file(journal);
	if (r == 0 && renameat2(journal->dir_fd, JOURNAL_NAME, journal->dir_fd, name,
			      RENAME_NOREPLACE) < 0)
		r = -errno;
	if (r < 0) {
		log_warning("%s/" JOURNAL_NAME " cannot be renamed to %s, and grows on: %s",
			journal->dir, name, strerror(-r));
		journal->rotate_size = journal->size + ROTATE_AGAIN;
		return 0;
	}
	fd_close(&journal->fd);
	r = begin_file(journal);
	if (r == 0)
		r = put_own(journal, AUDIT_ROTATE, 0, name, "goes on here");
	if (r == 0 && remove_oldest(journal) < 0)
		log_warning("%s: the oldest file of the log cannot be removed", journal->dir);
	return r;
}

/* As far as that a line can be added. */
static int
prepare(struct journal *journal)
{
	int r = 0;

	if (journal->fd < 0)
		r = begin_file(journal);
	if (r == 0)
		r = repair(journal);
	if (r == 0 && !journal->begun) {
		r = put_own(journal, AUDIT_BEGIN, 0, JOURNAL_NAME, "qemud-audit has started");
		journal->begun = r == 0;
	}
	if (r == 0 && journal->reopen) {
		r = put_own(journal, AUDIT_REOPEN, 0, JOURNAL_NAME,
			"the file before was moved or removed by somebody");
		journal->reopen = r < 0;
	}
	if (r == 0 && journal->size + AUDIT_LINE_MAX > journal->rotate_size)
		r = rotate(journal);
	return r;
}

/* The last that was written before this process was, whose answer the broker did not get. */
static bool
is_repeated(struct journal *journal, const struct ipc_audit_record *record)
{
	char line[AUDIT_LINE_MAX];
	struct audit_place place;
	size_t size = journal->last_size;

	journal->last_size = 0;
	if (size == 0)
		return false;
	audit_chain_place(&journal->chain, &place);
	return audit_line_same(journal->last, size, line, audit_line_format(record, &place, line));
}

int
journal_write(struct journal *journal, const struct ipc_audit_record *record)
{
	struct audit_place place;
	int r;

	if (is_repeated(journal, record))
		return 0;
	r = prepare(journal);
	if (r < 0)
		return r;
	audit_chain_place(&journal->chain, &place);
	return put(journal, record, &place);
}

int
journal_say(struct journal *journal, enum audit_kind kind, const char *target, const char *outcome)
{
	struct ipc_audit_record record = own_record(kind, target, outcome);

	return journal_write(journal, &record);
}

int
journal_keep(struct journal *journal)
{
	int r = sync_file(journal);

	if (r < 0)
		log_error("%s: what was written may not be on the disk: %s", journal->dir,
			strerror(-r));
	journal_look(journal);
	return r;
}
