/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log.h: what a VM says, kept in ~/.qemud/log within a bound: NAME.log (QEMU's stdout and stderr)
 * and NAME.console (the first serial port).
 *
 * Runs in the worker, as the user. A file grows to VM_LOG_MAX, then becomes NAME.log.1 (replacing
 * the one before), and a new one begins. The worker appends to it; QEMU may have a descriptor of
 * the file as well, which cannot be taken back: so it is copied and truncated, never renamed.
 * What cannot be written is lost, and harms nothing else.
 */
#ifndef WORKER_VM_LOG_H
#define WORKER_VM_LOG_H

#include <stddef.h>
#include <sys/types.h>

enum { VM_LOG_MAX = 1024 * 1024, VM_LOG_NAME_MAX = 256 };

struct vm_log {
	int folder_fd; /* borrowed: ~/.qemud/log */
	int fd;        /* owned, for appending and reading; -1 when closed */
	off_t max;     /* its bound */
	char name[VM_LOG_NAME_MAX];
};

/** Make it closed. */
void vm_log_init(struct vm_log *log);
/**
 * Open or make the file NAME.kind (kind: "log" or "console") below folder_fd: mode 0600, a regular
 * file, no symbolic link. Returns 0 or a negative errno (-ELOOP, -EPERM for what is no such file).
 */
int vm_log_open(struct vm_log *log, int folder_fd, const char *name, const char *kind);
void vm_log_close(struct vm_log *log);

/** Remove all that was kept of NAME: both kinds, and what came before them. Returns 0 or a negative errno. */
int vm_log_remove(int folder_fd, const char *name);

/** Append; a closed log takes it and keeps nothing. */
void vm_log_append(struct vm_log *log, const void *data, size_t size);
/** Append a line of our own: "TIME: text", in UTC, as libvirt's logs have it. */
void vm_log_note(struct vm_log *log, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** Bring it back below its bound, whoever wrote to it. */
void vm_log_trim(struct vm_log *log);

/**
 * Bring a file of the user's own back below `max` bytes, in the same way. What is no regular file of
 * hers, or is named through a symbolic link, is left alone.
 */
void vm_log_trim_file(const char *path, off_t max);

/** Its present end, for vm_log_tail(); 0 when closed. */
off_t vm_log_end(const struct vm_log *log);
/**
 * The last lines written since `since`, as text that may be shown: whole lines where there is room,
 * newlines kept, all else escaped. "" when there is nothing. out_size is at least 8.
 */
void vm_log_tail(const struct vm_log *log, off_t since, char *out, size_t out_size);

#endif
