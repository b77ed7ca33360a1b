/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * limits.c: qemudctl limits: how much is used, how much is allowed, and what says so.
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
#include "lib/take.h"

/* Of that limit: memory in units, all else as it is. */
static void
add_amount(struct table *table, const struct talk_row *row, const struct talk_value *value,
	const char *unknown, bool alarm)
{
	const struct talk_value *key = &row->values[TALK_LIMIT_KEY];
	bool memory = key->known && strstr(key->text, "memory");
	char text[TERMINAL_AMOUNT_SIZE];

	if (memory)
		(void)terminal_memory(value->number, text);
	else
		(void)snprintf(text, sizeof text, "%" PRIu64, value->number);
	table_add(table, value->known ? text : unknown, alarm);
}

static void
fill_limits(struct table *table, const void *answer)
{
	struct answer_at at = {.at = 0};

	while (answer_next(answer, TALK_LIMIT, &at)) {
		const struct talk_value *values = at.row.values;
		const struct talk_value *used = &values[TALK_LIMIT_USED];
		const struct talk_value *max = &values[TALK_LIMIT_MAX];
		bool full = used->known && max->known && used->number >= max->number;

		table_add(table,
			!values[TALK_LIMIT_UID].known   ? "(host)"
			: values[TALK_LIMIT_NAME].known ? values[TALK_LIMIT_NAME].text
							: "-",
			false);
		table_add(table, values[TALK_LIMIT_KEY].known ? values[TALK_LIMIT_KEY].text : "-",
			false);
		add_amount(table, &at.row, used, "-", full);
		add_amount(table, &at.row, max, "unlimited", false);
		table_add(table, values[TALK_LIMIT_RULE].known ? values[TALK_LIMIT_RULE].text : "-",
			false);
	}
}

static void
print_limits(const struct answer *answer, bool colours)
{
	static const struct table_column columns[] = {{"USER", false}, {"LIMIT", false},
		{"USED", true}, {"ALLOWED", true}, {"BY", false}};

	table_print(columns, sizeof columns / sizeof *columns, colours, fill_limits, answer);
}

int
limits_show(int argc, char **argv)
{
	static const struct option known[] = {
		{"json", no_argument, NULL, 'j'}, {"socket", required_argument, NULL, 's'}, {0}};
	struct talk_question question = {.ask = TALK_ASK_LIMITS};
	AUTO(answer_free) struct answer answer = {.size = 0};
	const char *socket = ANSWER_SOCKET;
	bool json = false;
	int opt, status;

	while ((opt = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (opt == 'j')
			json = true;
		else if (opt == 's')
			socket = optarg;
		else
			return CTL_USAGE;
	}
	if (argc - optind > 1 || (optind < argc && argv[optind][0] == '\0'))
		return CTL_USAGE;
	if (optind < argc && strlen(argv[optind]) >= sizeof question.user)
		return answer_unknown(argv[optind]);
	if (optind < argc)
		(void)snprintf(question.user, sizeof question.user, "%s", argv[optind]);
	status = answer_get(socket, &question, ANSWER_WAIT_S, &answer);
	if (status != CTL_OK)
		return status;
	if (!json) {
		print_limits(&answer, terminal_colours());
		return CTL_OK;
	}
	(void)fputs("{\"host\":", stdout);
	json_put_row(&answer.host);
	(void)fputs(",\"limits\":", stdout);
	answer_json(&answer, TALK_LIMIT);
	(void)puts("}");
	return CTL_OK;
}
