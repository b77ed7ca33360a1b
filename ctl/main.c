/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c of qemudctl: what an administrator, or anybody, asks of qemud and of its files.
 *
 * Runs as whoever calls it, with that one's rights and no others; libc only. Whatever a file
 * or a process says is shown escaped. Exit statuses are for scripts (ctl/command.h).
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ctl/command.h"
#include "ctl/rules.h"
#include "lib/log.h"

static const struct {
	const char *noun, *verb; /* or no verb: NULL */
	command_fn *run;
	const char *usage; /* a line, or more */
} commands[] = {
	{"status", NULL, status_show,
		"  status [--vms] [--json] [--socket PATH]\n"
		"      who is there, and what runs, as far as you may see it; --vms: each "
		"machine\n"},
	{"limits", NULL, limits_show,
		"  limits [--json] [--socket PATH] [USER]\n"
		"      how much is used and allowed, and by which line; of USER (a name or uid) "
		"alone\n"},
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
	for (size_t i = 0; argc > 1 && i < N_COMMANDS; i++) {
		const char *verb = commands[i].verb;
		int words = verb ? 2 : 1, status;

		if (argc <= words || strcmp(argv[1], commands[i].noun) != 0 ||
			(verb && strcmp(argv[2], verb) != 0))
			continue;
		status = commands[i].run(argc - words, argv + words);
		if (status == CTL_USAGE)
			(void)fprintf(stderr, "usage: qemudctl\n%s", commands[i].usage);
		return finish(status);
	}
	print_usage(stderr);
	return CTL_USAGE;
}
