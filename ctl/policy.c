/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * policy.c: qemudctl policy check and policy explain: what the rules of policy.conf(5) say.
 *
 * By the same code as the broker's, over the files as they are now: a broker that has not read them
 * again decides by what it read.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "ctl/command.h"
#include "ctl/rules.h"
#include "ctl/terminal.h"
#include "lib/keyval.h"
#include "lib/log.h"
#include "lib/take.h"
#include "policy/explain.h"

enum { EXPLANATION_MAX = 64 * 1024 };

static void
drop_policy(struct policy **policy)
{
	policy_free(*policy);
}

int
policy_check(int argc, char **argv)
{
	AUTO(drop_policy) struct policy *policy = NULL;
	static const struct option known[] = {{0}};

	if (getopt_long(argc, argv, "", known, NULL) != -1 || argc - optind > 1)
		return CTL_USAGE;
	policy = rules_load(optind < argc ? argv[optind] : RULES_DIR);
	if (!policy)
		return CTL_FAILED;
	rules_complain(policy);
	(void)printf("%u rules in %u files, %u errors, %u warnings\n", policy->n_rules,
		policy->n_files, policy->n_errors, policy->n_warnings);
	return policy->n_errors > 0 ? CTL_FOUND : CTL_OK;
}

/* Somebody, by name or uid; a uid may have no account. That there is no such user is an answer. */
static int
read_who(const char *text, const char *system, struct account *account, struct policy_who *ret)
{
	uint64_t uid;
	int r = rules_account(text, account);

	*ret = (struct policy_who){.uid = account->uid};
	if (r == 0) {
		ret->account = account;
		ret->is_system = strcmp(account->name, system) == 0;
		return CTL_OK;
	}
	if (r == -ENOENT && keyval_number(text, 0, UINT32_MAX, &uid) == 0) {
		ret->uid = (uint32_t)uid;
		return CTL_OK;
	}
	log_error("%s: %s", log_quote(text),
		r == -ENOENT ? "there is no such account" : strerror(-r));
	return r == -ENOENT ? CTL_FOUND : CTL_FAILED;
}

static enum verb
read_verb(const char *word)
{
	static const enum verb verbs[] = {VERB_VIEW, VERB_CONSOLE, VERB_POWER, VERB_MANAGE};

	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(policy_verb_word(verbs[i]), word) == 0)
			return verbs[i];
	return 0;
}

static int
explain(const struct policy *policy, char **words, enum ipc_socket socket, const char *system)
{
	static struct account accounts[2];
	static char text[EXPLANATION_MAX], shown[2 * EXPLANATION_MAX];
	struct policy_who who, owner;
	enum verb verb = read_verb(words[1]);
	int status = read_who(words[0], system, &accounts[0], &who);
	const char *colour = "";
	bool allowed;

	if (verb == 0) {
		log_error("%s: a verb is view, console, power or manage", log_quote(words[1]));
		return CTL_USAGE;
	}
	if (status == CTL_OK)
		status = read_who(strcmp(words[2], "own") == 0 ? words[0] : words[2], system,
			&accounts[1], &owner);
	if (status != CTL_OK)
		return status;
	(void)policy_explain(policy, &who, socket, &owner, verb, text, sizeof text);
	allowed = policy_verdict(policy, &who, socket, &owner, verb).outcome == POLICY_ALLOWED;
	if (terminal_colours())
		colour = allowed ? TERMINAL_GREEN : TERMINAL_RED;
	/* Line by line: newlines are its own. The first one is the decision. */
	for (char *line = text, *end; *line; line = end, colour = "") {
		end = line + strcspn(line, "\n");
		(void)log_escape(shown, sizeof shown, line, (size_t)(end - line));
		(void)printf("%s%s%s\n", colour, shown, *colour ? TERMINAL_NORMAL : "");
		end += *end == '\n';
	}
	return allowed ? CTL_OK : CTL_FOUND;
}

int
policy_explained(int argc, char **argv)
{
	static const struct option known[] = {{"policy", required_argument, NULL, 'p'},
		{"system", required_argument, NULL, 's'}, {"read-only", no_argument, NULL, 'r'},
		{0}};
	AUTO(drop_policy) struct policy *policy = NULL;
	const char *path = RULES_DIR, *system = "qemud-vm";
	enum ipc_socket socket = IPC_SOCKET_RW;
	int opt;

	while ((opt = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (opt == 'p')
			path = optarg;
		else if (opt == 's')
			system = optarg;
		else if (opt == 'r')
			socket = IPC_SOCKET_RO;
		else
			return CTL_USAGE;
	}
	if (argc - optind != 3)
		return CTL_USAGE;
	policy = rules_load(path);
	if (!policy)
		return CTL_FAILED;
	if (policy->n_errors > 0) {
		rules_complain(policy);
		log_error("these rules are not loaded: what holds is what was loaded before");
		return CTL_FAILED;
	}
	return explain(
		policy->n_files > 0 ? policy : policy_builtin(), argv + optind, socket, system);
}
