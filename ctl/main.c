/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c of qemudctl: what an administrator, or anybody, asks of qemud's files.
 *
 * Runs as whoever calls it, with that one's rights and no others; libc only. Whatever a file says is
 * shown escaped. Exit statuses are for scripts (ctl/command.h).
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ctl/command.h"
#include "ctl/rules.h"
#include "lib/log.h"

static const struct {
	const char *noun, *verb;
	command_fn *run;
	const char *usage; /* a line, or more */
} commands[] = {
	{"audit", "verify", audit_verify,
		"  audit verify [--dir DIR] [--head SEQ:HASH]... [--heads FILE] [--json] "
		"[FILE...]\n"
		"      is the audit log whole? FILE: these, in their order, instead of all of "
		"DIR;\n"
		"      --heads: lines of the system's log, - for standard input\n"},
	{"audit", "tail", audit_tail,
		"  audit tail [--dir DIR] [-n LINES] [-f] [--json]\n"
		"      what was recorded last; -f: and what will be\n"},
	{"policy", "check", policy_check,
		"  policy check [FILE|DIR]\n"
		"      what is wrong with these rules, with line and column; else of " RULES_DIR
		"\n"},
	{"policy", "explain", policy_explained,
		"  policy explain [--policy FILE|DIR] [--system ACCOUNT] [--read-only] WHO VERB "
		"OWNER\n"
		"      may WHO (a name or uid) view, console, power or manage what OWNER (or own)\n"
		"      has, and by which lines?\n"},
};

enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void
print_usage(FILE *out)
{
	(void)fputs("usage: qemudctl COMMAND ...\n", out);
	for (size_t i = 0; i < N_COMMANDS; i++)
		(void)fputs(commands[i].usage, out);
	(void)fputs("  --version, --help\n", out);
}

/* What was printed is with whoever reads it, or that is an error. */
static int
finish(int status)
{
	bool failed = ferror(stdout) || fflush(stdout) != 0;

	if (failed)
		log_error("standard output cannot be written");
	return failed && status == CTL_OK ? CTL_FAILED : status;
}

int
main(int argc, char **argv)
{
	log_open("qemudctl", LEVEL_INFO);
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		(void)puts("qemudctl " QEMUD_VERSION);
		return finish(CTL_OK);
	}
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		print_usage(stdout);
		return finish(CTL_OK);
	}
	for (size_t i = 0; argc > 2 && i < N_COMMANDS; i++)
		if (strcmp(argv[1], commands[i].noun) == 0 &&
			strcmp(argv[2], commands[i].verb) == 0) {
			int status = commands[i].run(argc - 2, argv + 2);

			if (status == CTL_USAGE)
				(void)fprintf(stderr, "usage: qemudctl\n%s", commands[i].usage);
			return finish(status);
		}
	print_usage(stderr);
	return CTL_USAGE;
}
