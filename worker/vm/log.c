/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log.c: what a VM says, kept within a bound; see log.h.
 *
 * Runs in the worker, as the user; never as root. Opens regular files of the user's in the log
 * folder alone, never through a symbolic link, and shows nothing of what a guest wrote unescaped.
 */
#include "worker/vm/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/log.h"
#include "lib/take.h"

/* PIECE bytes are copied at a time; of the end, at most TAIL_MAX bytes are looked at. */
enum { PIECE = 16 * 1024, NOTE_MAX = 1024, TAIL_MAX = 4096 };

static const char before[] = ".1";

void
vm_log_init(struct vm_log *log)
{
	*log = (struct vm_log){.folder_fd = -1, .fd = -1};
}

int
vm_log_remove(int folder_fd, const char *name)
{
	static const char *const ends[] = {".log", ".log.1", ".console", ".console.1"};
	char file[VM_LOG_NAME_MAX];
	int r = 0;

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		int n = snprintf(file, sizeof(file), "%s%s", name, ends[i]);

		if (strchr(name, '/') || n < 0 || (size_t)n >= sizeof(file))
			return -EINVAL;
		if (unlinkat(folder_fd, file, 0) < 0 && errno != ENOENT && r == 0)
			r = -errno;
	}
	return r;
}

/* The file log->name, in a folder that is borrowed. */
static int
open_in(struct vm_log *log, int folder_fd, int flags)
{
	fd_auto int fd = openat(folder_fd, log->name,
		flags | O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	struct stat st;

	/* A folder, a socket. */
	if (fd < 0 && (errno == EISDIR || errno == ENXIO))
		return -EPERM;
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return -EPERM;
	log->folder_fd = folder_fd;
	log->fd = take_fd(&fd);
	return 0;
}

int
vm_log_open(struct vm_log *log, int folder_fd, const char *name, const char *kind)
{
	int n = snprintf(log->name, sizeof(log->name), "%s.%s", name, kind);
	struct stat st;
	int r;

	if (strchr(name, '/'))
		return -EINVAL;
	if (n < 0 || (size_t)n + strlen(before) > NAME_MAX)
		return -ENAMETOOLONG;
	r = open_in(log, folder_fd, O_CREAT);
	if (r < 0)
		return r;
	log->max = VM_LOG_MAX;
	if (fstat(log->fd, &st) == 0 &&
		((st.st_mode & 07777) == 0600 || fchmod(log->fd, 0600) == 0))
		return 0;
	r = -errno;
	vm_log_close(log);
	return r;
}

void
vm_log_close(struct vm_log *log)
{
	fd_close(&log->fd);
}

/* --- what is written ---------------------------------------------------------------------- */

/* Past the bound: it is looked at by those who append. */
__attribute__((format(printf, 2, 0))) static void
put_note(struct vm_log *log, const char *fmt, va_list ap)
{
	static const char cut[] = "...";
	char line[NOTE_MAX + 1];
	struct timespec now;
	struct tm tm;
	size_t len;
	int n;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (!gmtime_r(&now.tv_sec, &tm))
		return;
	len = strftime(line, sizeof(line), "%Y-%m-%d %H:%M:%S", &tm);
	len += (size_t)snprintf(
		line + len, sizeof(line) - len, ".%03ld+0000: ", now.tv_nsec / 1000000);
	n = vsnprintf(line + len, NOTE_MAX - len, fmt, ap);
	if (n < 0)
		return;
	if ((size_t)n < NOTE_MAX - len) {
		len += (size_t)n;
	} else {
		len = NOTE_MAX - 1;
		memcpy(line + len - strlen(cut), cut, strlen(cut));
	}
	line[len++] = '\n';
	(void)fd_write_all(log->fd, line, len);
}

__attribute__((format(printf, 2, 3))) static void
put(struct vm_log *log, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_note(log, fmt, ap);
	va_end(ap);
}

/* Copies the bytes from *from to end into a new file NAME.1; *from is moved by those copied. */
static int
copy_before(const struct vm_log *log, off_t *from, off_t end)
{
	char name[VM_LOG_NAME_MAX + sizeof(before)], piece[PIECE];
	fd_auto int fd = -1;
	int r;

	(void)snprintf(name, sizeof(name), "%s%s", log->name, before);
	if (unlinkat(log->folder_fd, name, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(
		log->folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || fchmod(fd, 0600) < 0)
		return -errno;
	while (*from < end) {
		size_t size = end - *from < PIECE ? (size_t)(end - *from) : PIECE;
		ssize_t n = pread(log->fd, piece, size, *from);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		r = fd_write_all(fd, piece, (size_t)n);
		if (r < 0)
			return r;
		*from += n;
	}
	return 0;
}

/*
 * The bound holds whatever fails. What QEMU writes between the copy and the truncation is lost, and
 * untold.
 */
static void
rotate(struct vm_log *log, off_t end)
{
	off_t start = end > log->max ? end - log->max : 0, from = start;
	int r = copy_before(log, &from, end);

	if (ftruncate(log->fd, 0) < 0)
		return;
	if (r < 0)
		put(log, "%jd bytes of this log are lost: %s%s cannot be written: %s",
			(intmax_t)(start + end - from), log->name, before, strerror(-r));
	else if (start > 0)
		put(log, "%jd bytes of this log are lost: more than %jd were written at once",
			(intmax_t)start, (intmax_t)log->max);
}

off_t
vm_log_end(const struct vm_log *log)
{
	struct stat st;

	return log->fd >= 0 && fstat(log->fd, &st) == 0 ? st.st_size : 0;
}

void
vm_log_trim(struct vm_log *log)
{
	off_t end = vm_log_end(log);

	if (end >= log->max)
		rotate(log, end);
}

void
vm_log_trim_file(const char *path, off_t max)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];
	fd_auto int folder_fd = -1;
	struct vm_log log;
	struct stat st;

	if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < max)
		return;
	if (!slash || strlen(slash + 1) + strlen(before) > NAME_MAX)
		return;
	vm_log_init(&log);
	log.max = max;
	(void)snprintf(log.name, sizeof(log.name), "%s", slash + 1);
	(void)snprintf(folder, sizeof(folder), "%.*s", (int)(slash + 1 - path), path);
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder_fd >= 0 && open_in(&log, folder_fd, 0) == 0)
		vm_log_trim(&log);
	vm_log_close(&log);
}

void
vm_log_append(struct vm_log *log, const void *data, size_t size)
{
	const char *at = data;

	while (log->fd >= 0 && size > 0) {
		size_t n = size;
		off_t room;

		vm_log_trim(log);
		room = log->max - vm_log_end(log);
		if (room <= 0)
			return;
		if (n > (size_t)room)
			n = (size_t)room;
		if (fd_write_all(log->fd, at, n) < 0)
			return;
		at += n;
		size -= n;
	}
}

void
vm_log_note(struct vm_log *log, const char *fmt, ...)
{
	va_list ap;

	if (log->fd < 0)
		return;
	vm_log_trim(log);
	va_start(ap, fmt);
	put_note(log, fmt, ap);
	va_end(ap);
}

/* --- what is shown ------------------------------------------------------------------------ */

/* Where the line that ends at text + end begins. */
static size_t
line_start(const char *text, size_t end)
{
	const char *newline = memrchr(text, '\n', end);

	return newline ? (size_t)(newline - text) + 1 : 0;
}

/*
 * As many of the last lines as there is room for, escaped; of a single one that is longer than the
 * room, the beginning. whole: the text begins with a line, not in one.
 */
static void
show_lines(const char *text, size_t size, bool whole, char *out, size_t out_size)
{
	char line[TAIL_MAX * 4 + 1];
	size_t at = out_size - 1, end = size, start, n;

	out[at] = '\0';
	for (;;) {
		start = line_start(text, end);
		n = log_escape(line, sizeof(line), text + start, end - start);
		if (end == size && n > at) {
			(void)log_escape(out, out_size, text + start, end - start);
			return;
		}
		if (end != size && (n + 1 > at || (start == 0 && !whole)))
			break;
		if (end != size)
			out[--at] = '\n';
		at -= n;
		memcpy(out + at, line, n);
		if (start == 0)
			break;
		end = start - 1;
	}
	memmove(out, out + at, out_size - at);
}

void
vm_log_tail(const struct vm_log *log, off_t since, char *out, size_t out_size)
{
	off_t end = vm_log_end(log), start;
	char text[TAIL_MAX];
	ssize_t n;

	*out = '\0';
	/* It has begun anew meanwhile. */
	if (since > end)
		since = 0;
	start = end - since > TAIL_MAX ? end - TAIL_MAX : since;
	n = log->fd >= 0 ? pread(log->fd, text, (size_t)(end - start), start) : 0;
	while (n > 0 && text[n - 1] == '\n')
		n--;
	if (n > 0)
		show_lines(text, (size_t)n, start == since, out, out_size);
}
