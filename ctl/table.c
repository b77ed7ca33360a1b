/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * table.c: a table for people; see table.h.
 */
#include "ctl/table.h"

#include <stdio.h>
#include <string.h>

#include "ctl/terminal.h"
#include "lib/err.h"
#include "lib/log.h"

enum {
	CELL_MAX = 80, /* bytes: what a worker reports makes no table too wide to be read */
	GAP = 2
};

/* In characters: what is not ASCII is printable, and as a rule as wide as what is. */
static size_t
width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void
print_cell(const struct table *table, const char *text, bool red)
{
	bool last = table->at + 1 == table->n_columns, right = table->columns[table->at].right;
	int blanks = (int)(table->wide[table->at] - width(text));

	(void)printf("%*s%s%s%s", right ? blanks : 0, "", red ? TERMINAL_RED : "", text,
		red ? TERMINAL_NORMAL : "");
	if (last)
		(void)putchar('\n');
	else
		(void)printf("%*s", (right ? 0 : blanks) + GAP, "");
}

void
table_add(struct table *table, const char *text, bool alarm)
{
	char escaped[CELL_MAX];

	(void)log_escape(escaped, sizeof escaped, text, strlen(text));
	if (table->prints)
		print_cell(table, escaped, alarm && table->colours);
	else if (width(escaped) > table->wide[table->at])
		table->wide[table->at] = width(escaped);
	table->at = (table->at + 1) % table->n_columns;
}

void
table_print(const struct table_column *columns, unsigned n_columns, bool colours,
	table_fill_fn *fill, const void *of)
{
	struct table table = {.columns = columns, .n_columns = n_columns, .colours = colours};

	ASSERT(n_columns <= TABLE_COLUMNS_MAX);
	for (unsigned pass = 0; pass < 2; pass++) {
		table.prints = pass > 0;
		for (unsigned i = 0; i < n_columns; i++)
			table_add(&table, columns[i].title, false);
		fill(&table, of);
	}
}
