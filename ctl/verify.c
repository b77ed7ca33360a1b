/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verify.c: qemudctl audit verify: is an audit log whole?
 *
 * Every line is looked at, and everything that is wrong is told with its file and line. What no line
 * after it holds, the last one and a cut end, shows by the heads that the system's log has.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl/command.h"
#include "ctl/heads.h"
#include "ctl/json.h"
#include "ctl/logs.h"
#include "ctl/terminal.h"
#include "lib/hex.h"
#include "lib/lines.h"
#include "lib/log.h"
#include "lib/take.h"
#include "protocol/audit/chain.h"

enum { FINDINGS_MAX = 100, TEXT_MAX = 512, TRIES = 20, TRY_MS = 50 };

struct verify {
	struct audit_chain chain;
	struct heads heads;
	const char *path; /* what is read now */
	uint64_t line;    /* in it, from 1 */
	const char *first_path;
	uint64_t first_line; /* where the first whole one stands */
	const char *torn_path;
	uint64_t torn_line;
	uint64_t n_lines;   /* whole ones, of all files */
	uint64_t first_seq; /* of the first of them */
	uint64_t removed;   /* what is recorded as removed, up to this number */
	uint64_t n_findings;
	bool json;
};

/* --- findings ----------------------------------------------------------------------------- */

__attribute__((format(printf, 4, 5))) static void
find(struct verify *verify, const char *file, uint64_t line, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	if (++verify->n_findings > FINDINGS_MAX)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (verify->json) {
		(void)fputs(verify->n_findings > 1 ? ",{\"file\":" : "{\"file\":", stdout);
		json_put_string(file);
		(void)printf(",\"line\":%" PRIu64 ",\"what\":", line);
		json_put_string(text);
		(void)putchar('}');
	} else {
		char path[TEXT_MAX];

		(void)log_escape(path, sizeof path, file, strlen(file));
		(void)printf("%s:%" PRIu64 ": %s\n", path, line, text);
	}
}

static void
judge(struct verify *verify, enum audit_verdict_of_line verdict, uint64_t last_seq,
	const struct audit_line *line)
{
	uint64_t seq = line->place.seq;

	switch (verdict) {
	case AUDIT_CHAIN_FOLLOWS:
	case AUDIT_CHAIN_FIRST:
	case AUDIT_CHAIN_TORN:
		break;
	case AUDIT_CHAIN_MISSING:
		find(verify, verify->path, verify->line,
			"before this line %" PRIu64 " are missing: %" PRIu64 " to %" PRIu64,
			seq - last_seq - 1, last_seq + 1, seq - 1);
		break;
	case AUDIT_CHAIN_BACK:
		find(verify, verify->path, verify->line,
			"its number is %" PRIu64 ", and comes after %" PRIu64
			": lines were moved, or are there twice",
			seq, last_seq);
		break;
	case AUDIT_CHAIN_CHANGED:
		if (verify->line > 1)
			find(verify, verify->path, verify->line,
				"it does not follow from what stands before it: line %" PRIu64
				" was changed, or the lines before this one",
				verify->line - 1);
		else
			find(verify, verify->path, verify->line,
				"it does not follow from what stands before it: the last line of "
				"the file before was changed, or all up to it");
		break;
	case AUDIT_CHAIN_UNTOLD:
		find(verify, verify->torn_path, verify->torn_line,
			"it is no line of an audit log: it was changed, or put in");
		break;
	}
}

static void
look_at(struct verify *verify, const char *text, size_t size)
{
	uint64_t last_seq = verify->chain.seq;
	bool was_torn = verify->chain.torn > 0;
	struct audit_line line = {.repair = false};
	enum audit_verdict_of_line verdict = audit_chain_next(&verify->chain, text, size, &line);

	verify->line++;
	if (verdict == AUDIT_CHAIN_TORN) {
		if (!was_torn) {
			verify->torn_path = verify->path;
			verify->torn_line = verify->line;
		}
		return;
	}
	judge(verify, verdict, last_seq, &line);
	if (verify->n_lines++ == 0) {
		verify->first_path = verify->path;
		verify->first_line = verify->line;
		verify->first_seq = line.place.seq;
	}
	if (line.remove && line.place.removed > verify->removed)
		verify->removed = line.place.removed;
	if (heads_contradict(&verify->heads, verify->chain.seq, verify->chain.head))
		find(verify, verify->path, verify->line,
			"the system's log has another digest of line %" PRIu64
			": it was written anew, with all before it since some line",
			verify->chain.seq);
}

/* --- files -------------------------------------------------------------------------------- */

static void
wait_a_little(void)
{
	struct timespec delay = {.tv_nsec = TRY_MS * 1000000L};

	(void)nanosleep(&delay, NULL);
}

/* current: it may be written to meanwhile, so that its last line is not there to its end yet. */
static int
read_file(struct verify *verify, bool current)
{
	static struct lines lines;
	fd_auto int fd = logs_open(verify->path);
	int tries = current ? 0 : TRIES, r = 0;
	const char *text;
	size_t size;

	if (fd < 0)
		return CTL_FAILED;
	verify->line = 0;
	lines_init(&lines, fd);
	for (;;) {
		r = lines_next(&lines, tries < TRIES, &text, &size);
		if (r > 0) {
			look_at(verify, text, size);
			continue;
		}
		if (r < 0 || lines.at == lines.end || tries == TRIES)
			break;
		tries++;
		wait_a_little();
	}
	if (r < 0)
		log_error("%s: %s", log_quote(verify->path), strerror(-r));
	return r < 0 ? CTL_FAILED : CTL_OK;
}

/* What shows only when all was read. */
static void
conclude(struct verify *verify, bool whole)
{
	if (verify->chain.torn > 0)
		find(verify, verify->torn_path, verify->torn_line,
			"%" PRIu64
			" bytes at the end are no line: a crash left them, which qemud-audit "
			"records when it starts next, or somebody did",
			verify->chain.torn);
	if (whole && verify->n_lines > 0 && verify->first_seq > 1 &&
		verify->removed != verify->first_seq - 1)
		find(verify, verify->first_path, verify->first_line,
			"the log begins with line %" PRIu64
			", and does not tell that those before it were removed",
			verify->first_seq);
	for (size_t i = 0; i < verify->heads.n; i++) {
		const struct heads_entry *head = &verify->heads.entries[i];

		if (!head->seen && head->seq > verify->chain.seq) {
			find(verify, verify->path, verify->line,
				"the end was cut: the system's log knows of line %" PRIu64
				", and the last one is %" PRIu64,
				verify->heads.entries[verify->heads.n - 1].seq, verify->chain.seq);
			break;
		}
	}
}

static void
print_result(const struct verify *verify, size_t n_files)
{
	char hash[HEX_SIZE(SHA256_SIZE)];
	const char *colour = "";

	(void)hex_format(verify->chain.head, SHA256_SIZE, hash);
	if (verify->json) {
		(void)printf("],\"whole\":%s,\"files\":%zu,\"lines\":%" PRIu64 ",\"first\":%" PRIu64
			     ",\"last\":%" PRIu64 ",\"hash\":\"%s\"}\n",
			verify->n_findings ? "false" : "true", n_files, verify->n_lines,
			verify->first_seq, verify->chain.seq, hash);
		return;
	}
	if (verify->n_findings > FINDINGS_MAX)
		(void)printf("and %" PRIu64 " more\n", verify->n_findings - FINDINGS_MAX);
	if (terminal_colours())
		colour = verify->n_findings ? TERMINAL_RED : TERMINAL_GREEN;
	(void)printf("%s%s%s: %" PRIu64 " lines in %zu files, %" PRIu64 " to %" PRIu64
		     ", hash=%s\n",
		colour, verify->n_findings ? "not whole" : "whole", *colour ? TERMINAL_NORMAL : "",
		verify->n_lines, n_files, verify->first_seq, verify->chain.seq, hash);
	if (verify->n_findings == 0 && verify->heads.n == 0)
		(void)printf("whether its end was cut, or all of it was written anew, shows with "
			     "--heads\n");
}

static int
verify_logs(struct verify *verify, const struct logs *logs)
{
	int status = CTL_OK;

	heads_sort(&verify->heads);
	audit_chain_init(&verify->chain);
	if (verify->json)
		(void)printf("{\"findings\":[");
	for (size_t i = 0; i < logs->n && status == CTL_OK; i++) {
		verify->path = logs->paths[i];
		status = read_file(verify, logs->whole && i + 1 == logs->n);
	}
	if (status != CTL_OK)
		return status;
	conclude(verify, logs->whole);
	print_result(verify, logs->n);
	return verify->n_findings ? CTL_FOUND : CTL_OK;
}

int
audit_verify(int argc, char **argv)
{
	static const struct option known[] = {{"dir", required_argument, NULL, 'd'},
		{"head", required_argument, NULL, 'H'}, {"heads", required_argument, NULL, 'F'},
		{"json", no_argument, NULL, 'j'}, {0}};
	struct verify verify = {.path = ""};
	AUTO(logs_free) struct logs logs = {.n = 0};
	const char *dir = NULL;
	int status = CTL_OK, opt;

	while (status == CTL_OK && (opt = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (opt == 'd')
			dir = optarg;
		else if (opt == 'H')
			status = heads_add(&verify.heads, optarg);
		else if (opt == 'F')
			status = heads_read(&verify.heads, optarg);
		else if (opt == 'j')
			verify.json = true;
		else
			status = CTL_USAGE;
	}
	if (status == CTL_OK && dir && optind < argc)
		status = CTL_USAGE;
	if (status == CTL_OK && optind < argc)
		status = logs_of_names(argv + optind, (size_t)(argc - optind), &logs);
	else if (status == CTL_OK)
		status = logs_of_dir(dir ? dir : LOGS_DIR, &logs);
	if (status == CTL_OK)
		status = verify_logs(&verify, &logs);
	heads_free(&verify.heads);
	return status;
}
