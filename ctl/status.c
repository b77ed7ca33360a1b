/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * status.c: qemudctl status: who is there, what runs, and how the host is.
 *
 * Of whomever the policy shows to who calls it; everybody is shown herself.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/answer.h"
#include "ctl/command.h"
#include "ctl/json.h"
#include "ctl/table.h"
#include "ctl/terminal.h"
#include "lib/log.h"
#include "lib/take.h"

/* --- the host ----------------------------------------------------------------------------- */

static bool
is_word(const struct talk_value *value, const char *word)
{
	return value->known && strcmp(value->text, word) == 0;
}

static const char *
limits_words(const struct talk_row *host)
{
	const struct talk_value *has = &host->values[TALK_HOST_CONTROLLERS];
	bool enforce = is_word(&host->values[TALK_HOST_LIMITS], "enforce");

	if (is_word(has, "all"))
		return "counted, and held by the kernel";
	if (enforce)
		return "no machine starts: the control groups do not hold them (limits = enforce)";
	return is_word(has, "some") ? "counted, and held by the kernel in part: the control groups "
				      "lack controllers"
				    : "counted, and not held by the kernel: the control groups "
				      "have no controllers";
}

/* A text, escaped; or nothing. */
static void
print_text(const struct talk_value *value)
{
	char shown[4 * TALK_TEXT_MAX + 1];

	if (!value->known)
		return;
	(void)log_escape(shown, sizeof shown, value->text, strlen(value->text));
	(void)fputs(shown, stdout);
}

static void
print_known(const struct talk_value *value, const char *before, const char *behind)
{
	if (value->known)
		(void)printf("%s%" PRIu64 "%s", before, value->number, behind);
}

static void
print_audit(const struct talk_value *values, bool colours)
{
	bool stuck = is_word(&values[TALK_HOST_AUDIT], "stuck");

	if (!values[TALK_HOST_AUDIT].known)
		return;
	(void)printf("audit:   %s", stuck && colours ? TERMINAL_RED : "");
	print_text(&values[TALK_HOST_AUDIT]);
	(void)fputs(stuck && colours ? TERMINAL_NORMAL : "", stdout);
	if (values[TALK_HOST_AUDIT_WAITING].number > 0)
		print_known(&values[TALK_HOST_AUDIT_WAITING], ", ", " records wait");
	if (values[TALK_HOST_AUDIT_LOST].number > 0)
		print_known(&values[TALK_HOST_AUDIT_LOST], ", ", " are lost");
	(void)putchar('\n');
}

static void
print_host(const struct talk_row *host, bool colours)
{
	const struct talk_value *values = host->values;
	bool failed = values[TALK_HOST_POLICY_FAILED].number;
	char text[TERMINAL_TIME_SIZE];

	(void)fputs("qemud ", stdout);
	print_text(&values[TALK_HOST_VERSION]);
	(void)printf(", since %s\n", terminal_time(values[TALK_HOST_SINCE].number, text));
	if (values[TALK_HOST_POLICY_RULES].number > 0)
		(void)printf("policy:  rules %" PRIu64, values[TALK_HOST_POLICY_RULES].number);
	else
		(void)printf("policy:  none");
	(void)printf(", read %s%s%s%s\n", terminal_time(values[TALK_HOST_POLICY_READ].number, text),
		failed && colours ? TERMINAL_RED : "",
		failed ? "; what was read since then holds not: see qemud's log" : "",
		failed && colours ? TERMINAL_NORMAL : "");
	(void)printf("limits:  %s\n", limits_words(host));
	if (values[TALK_HOST_VMS].known) {
		print_known(&values[TALK_HOST_VMS], "host:    machines ", "");
		print_known(&values[TALK_HOST_WORKERS], ", workers ", "");
		print_known(&values[TALK_HOST_CONNECTIONS], ", connections ", "");
		(void)printf(", memory %s\n", terminal_memory(values[TALK_HOST_MEMORY].number,
						      (char[TERMINAL_AMOUNT_SIZE]){0}));
	}
	print_audit(values, colours);
}

/* --- tables ------------------------------------------------------------------------------- */

static void
add_number(struct table *table, const struct talk_value *value)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%" PRIu64, value->number);
	table_add(table, value->known ? text : "-", false);
}

static void
add_memory(struct table *table, const struct talk_value *value)
{
	char text[TERMINAL_AMOUNT_SIZE];

	table_add(table, value->known ? terminal_memory(value->number, text) : "-", false);
}

static void
add_text(struct table *table, const struct talk_value *value)
{
	table_add(table, value->known ? value->text : "-", false);
}

static void
add_worker(struct table *table, const struct talk_row *row)
{
	const struct talk_value *answers = &row->values[TALK_USER_ANSWERS];
	const struct talk_value *worker = &row->values[TALK_USER_WORKER];

	if (answers->known)
		table_add(table, answers->number ? "answers" : "does not answer", !answers->number);
	else
		table_add(table, !worker->known || is_word(worker, "none") ? "-" : worker->text,
			false);
}

static void
fill_users(struct table *table, const void *answer)
{
	struct answer_at at = {.at = 0};

	while (answer_next(answer, TALK_USER, &at)) {
		const struct talk_value *values = at.row.values;

		add_text(table, &values[TALK_USER_NAME]);
		add_worker(table, &at.row);
		add_number(table, &values[TALK_USER_CONNECTIONS]);
		add_number(table, &values[TALK_USER_REPORTED_VMS]);
		add_number(table, &values[TALK_USER_VMS]);
		add_number(table, &values[TALK_USER_VCPUS]);
		add_memory(table, &values[TALK_USER_MEMORY]);
	}
}

static void
print_users(const struct answer *answer, bool colours)
{
	static const struct table_column columns[] = {{"USER", false}, {"WORKER", false},
		{"CONNECTIONS", true}, {"MACHINES", true}, {"RUNNING", true}, {"VCPUS", true},
		{"MEMORY", true}};

	(void)putchar('\n');
	table_print(columns, sizeof columns / sizeof *columns, colours, fill_users, answer);
}

/* What has a lease runs, whatever its worker says; what has none does not. */
static void
add_state(struct table *table, const struct talk_row *row)
{
	const struct talk_value *leased = &row->values[TALK_VM_STATE];
	const struct talk_value *reported = &row->values[TALK_VM_REPORTED_STATE];
	bool claims = reported->known && !is_word(reported, "shut off") &&
		      !is_word(reported, "crashed") && !is_word(reported, "no state");
	char text[TALK_TEXT_MAX + 2];

	if (leased->known) {
		table_add(table,
			is_word(leased, "running") && claims ? reported->text : leased->text,
			is_word(leased, "frozen"));
		return;
	}
	(void)snprintf(text, sizeof text, "%s%s", reported->known ? reported->text : "-",
		claims ? "?" : "");
	table_add(table, text, claims);
}

static void
fill_vms(struct table *table, const void *answer)
{
	struct answer_at at = {.at = 0};

	while (answer_next(answer, TALK_VM, &at)) {
		const struct talk_value *values = at.row.values;

		add_text(table, &values[TALK_VM_OWNER]);
		add_text(table, &values[TALK_VM_REPORTED_NAME]);
		add_number(table, &values[TALK_VM_ID]);
		add_state(table, &at.row);
		add_number(table, &values[TALK_VM_VCPUS]);
		add_memory(table, &values[TALK_VM_MEMORY]);
		add_text(table, &values[TALK_VM_UUID]);
	}
}

static void
print_vms(const struct answer *answer, bool colours)
{
	static const struct table_column columns[] = {{"USER", false}, {"MACHINE", false},
		{"ID", true}, {"STATE", false}, {"VCPUS", true}, {"MEMORY", true}, {"UUID", false}};

	(void)putchar('\n');
	table_print(columns, sizeof columns / sizeof *columns, colours, fill_vms, answer);
}

/* --- the command -------------------------------------------------------------------------- */

static void
print_json(const struct answer *answer, bool vms)
{
	(void)fputs("{\"host\":", stdout);
	json_put_row(&answer->host);
	(void)fputs(",\"users\":", stdout);
	answer_json(answer, TALK_USER);
	if (vms) {
		(void)fputs(",\"vms\":", stdout);
		answer_json(answer, TALK_VM);
	}
	(void)puts("}");
}

int
status_show(int argc, char **argv)
{
	static const struct option known[] = {{"json", no_argument, NULL, 'j'},
		{"vms", no_argument, NULL, 'v'}, {"socket", required_argument, NULL, 's'}, {0}};
	struct talk_question question = {.ask = TALK_ASK_STATUS};
	AUTO(answer_free) struct answer answer = {.size = 0};
	const char *socket = ANSWER_SOCKET;
	bool json = false, vms = false, colours = terminal_colours();
	int opt, status;

	while ((opt = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (opt == 'j')
			json = true;
		else if (opt == 'v')
			vms = true;
		else if (opt == 's')
			socket = optarg;
		else
			return CTL_USAGE;
	}
	if (optind < argc)
		return CTL_USAGE;
	if (vms)
		question.ask = TALK_ASK_VMS;
	status = answer_get(socket, &question, ANSWER_WAIT_S, &answer);
	if (status != CTL_OK)
		return status;
	if (json) {
		print_json(&answer, vms);
		return CTL_OK;
	}
	print_host(&answer.host, colours);
	print_users(&answer, colours);
	if (vms)
		print_vms(&answer, colours);
	return CTL_OK;
}
