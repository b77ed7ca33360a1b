/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tail.c: qemudctl audit tail: what was recorded last, and what will be.
 *
 * A line that is none is shown as it is, escaped, behind a question mark: this is for people; whether
 * the log is whole says audit verify.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/command.h"
#include "ctl/logs.h"
#include "ctl/terminal.h"
#include "lib/keyval.h"
#include "lib/lines.h"
#include "lib/log.h"
#include "lib/take.h"
#include "protocol/audit/line.h"

enum { LINES_DEFAULT = 10, TEXT_MAX = 1024, TIME_SHOWN = 19 /* without the fraction */ };

struct tail {
	uint64_t n; /* lines that are wanted */
	bool follow, json, colours;
	struct lines lines;
};

/* --- one line ----------------------------------------------------------------------------- */

/* What is shown in a place of its own; all else follows as KEY=VALUE, outcomes as they are. */
struct shown {
	char time[TEXT_MAX], label[TEXT_MAX], uid[TEXT_MAX], kind[TEXT_MAX], verb[TEXT_MAX],
		verdict[TEXT_MAX], rest[4 * TEXT_MAX];
};

static void
add_rest(struct shown *shown, const char *key, const char *value)
{
	size_t len = strlen(shown->rest);
	bool words = strcmp(key, "outcome") == 0;

	(void)snprintf(shown->rest + len, sizeof shown->rest - len, " %s%s%s", words ? "" : key,
		words ? "" : "=", value);
}

static void
take_member(struct shown *shown, const struct audit_members *members)
{
	static const char *const hidden[] = {"seq", "prev", "pid", "conn"};
	const struct {
		const char *key;
		char *text;
	} places[] = {{"time", shown->time}, {"label", shown->label}, {"uid", shown->uid},
		{"kind", shown->kind}, {"verb", shown->verb}, {"verdict", shown->verdict}};
	char key[TEXT_MAX], value[TEXT_MAX];

	(void)log_escape(key, sizeof key, members->key, strlen(members->key));
	(void)log_escape(value, sizeof value, members->value, strlen(members->value));
	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		if (strcmp(members->key, places[i].key) == 0) {
			(void)snprintf(places[i].text, TEXT_MAX, "%s", value);
			return;
		}
	for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
		if (strcmp(members->key, hidden[i]) == 0)
			return;
	add_rest(shown, key, value);
}

static void
print_table(const struct tail *tail, const char *text, size_t size)
{
	static struct audit_members members;
	struct shown shown = {.time = ""};
	char raw[TEXT_MAX];
	const char *colour = "";
	int r;

	audit_members_init(&members, text, size <= AUDIT_LINE_MAX ? size : 0);
	while ((r = audit_members_next(&members)) > 0)
		take_member(&shown, &members);
	if (r < 0) {
		(void)log_escape(raw, sizeof raw, text, size);
		(void)printf("? %s\n", raw);
		return;
	}
	if (tail->colours && *shown.verdict)
		colour = strcmp(shown.verdict, "allowed") == 0 ? TERMINAL_GREEN : TERMINAL_RED;
	(void)printf("%.*s  %-12s %-10s %-9s %s%-8s%s%s\n", TIME_SHOWN, shown.time,
		*shown.label ? shown.label : shown.uid, shown.kind, shown.verb, colour,
		shown.verdict, *colour ? TERMINAL_NORMAL : "", shown.rest);
}

static void
print_line(const struct tail *tail, const char *text, size_t size)
{
	if (tail->json)
		(void)fwrite(text, 1, size, stdout);
	else
		print_table(tail, text, size);
}

/* --- files -------------------------------------------------------------------------------- */

/* The lines of a file from where it is read to its end, but for the first skip. Returns how many. */
static int
go_through(struct tail *tail, uint64_t skip, bool print, uint64_t *ret_n)
{
	const char *text;
	size_t size;
	int r;

	*ret_n = 0;
	while ((r = lines_next(&tail->lines, true, &text, &size)) > 0)
		if (++*ret_n > skip && print)
			print_line(tail, text, size);
	return r;
}

/* Count its lines, or print them. */
static int
use_file(struct tail *tail, const char *path, uint64_t skip, bool print, uint64_t *ret_n)
{
	fd_auto int fd = logs_open(path);
	int r;

	if (fd < 0)
		return CTL_FAILED;
	lines_init(&tail->lines, fd);
	r = go_through(tail, skip, print, ret_n);
	if (r < 0)
		log_error("%s: %s", log_quote(path), strerror(-r));
	return r < 0 ? CTL_FAILED : CTL_OK;
}

/* The last n lines; of the last file *ret_read were read. */
static int
print_last(struct tail *tail, const struct logs *logs, uint64_t *ret_read)
{
	uint64_t n = 0, in_file = 0;
	size_t i = logs->n;
	int status = CTL_OK;

	*ret_read = 0;
	while (i > 0 && (n < tail->n || i == logs->n) && status == CTL_OK) {
		status = use_file(tail, logs->paths[--i], 0, false, &in_file);
		n += in_file;
	}
	for (uint64_t skip = n > tail->n ? n - tail->n : 0; i < logs->n && status == CTL_OK;
		i++, skip = 0)
		status = use_file(tail, logs->paths[i], skip, true, ret_read);
	return status;
}

/* --- what will be ------------------------------------------------------------------------- */

static bool
is_same_file(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

static int
fail(const char *what)
{
	log_error("%s: %s", what, strerror(errno));
	return CTL_FAILED;
}

/* Until it is ended. skip: so many lines of audit.log were shown. */
static int
follow(struct tail *tail, const char *dir, uint64_t skip)
{
	char path[4096], events[4096];
	fd_auto int notify_fd = inotify_init1(IN_CLOEXEC);
	fd_auto int fd = -1;
	uint64_t n;

	(void)snprintf(path, sizeof path, "%s/" LOGS_CURRENT, dir);
	if (notify_fd < 0 ||
		inotify_add_watch(notify_fd, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		return fail("the folder cannot be watched");
	fd = logs_open(path);
	if (fd < 0)
		return CTL_FAILED;
	lines_init(&tail->lines, fd);
	for (;;) {
		if (go_through(tail, skip, true, &n) < 0 || fflush(stdout) != 0)
			return fail("audit.log");
		skip = 0;
		if (!is_same_file(fd, path) && access(path, F_OK) == 0) {
			(void)close(take_fd(&fd));
			fd = logs_open(path);
			if (fd < 0)
				return CTL_FAILED;
			lines_init(&tail->lines, fd);
			continue;
		}
		if (read(notify_fd, events, sizeof events) < 0 && errno != EINTR)
			return fail("the folder cannot be watched");
	}
}

int
audit_tail(int argc, char **argv)
{
	static const struct option known[] = {
		{"dir", required_argument, NULL, 'd'}, {"json", no_argument, NULL, 'j'}, {0}};
	static struct tail tail = {.n = LINES_DEFAULT};
	AUTO(logs_free) struct logs logs = {.n = 0};
	const char *dir = LOGS_DIR;
	bool bad = false;
	uint64_t n_read;
	int status, opt;

	while (!bad && (opt = getopt_long(argc, argv, "n:f", known, NULL)) != -1) {
		if (opt == 'd')
			dir = optarg;
		else if (opt == 'n')
			bad = keyval_number(optarg, 0, UINT32_MAX, &tail.n) != 0;
		else if (opt == 'f')
			tail.follow = true;
		else if (opt == 'j')
			tail.json = true;
		else
			bad = true;
	}
	if (bad || optind < argc)
		return CTL_USAGE;
	tail.colours = terminal_colours();
	status = logs_of_dir(dir, &logs);
	if (status == CTL_OK)
		status = print_last(&tail, &logs, &n_read);
	if (status == CTL_OK && tail.follow)
		status = follow(&tail, dir, n_read);
	return status;
}
