/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * table.c: a table for people; see table.h.
 */
#include "ctl/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/terminal.h"
#include "lib/log.h"

enum { CELL_MAX = 1024, GAP = 2 };

void
table_init(struct table *table, const struct table_column *columns, unsigned n_columns)
{
	*table = (struct table){.columns = columns, .n_columns = n_columns};
}

void
table_add(struct table *table, const char *text, bool alarm)
{
	char escaped[CELL_MAX];

	if (table->n == table->room) {
		size_t room = table->room ? 2 * table->room : 64;
		struct table_cell *cells = reallocarray(table->cells, room, sizeof *cells);

		table->failed |= !cells;
		if (!cells)
			return;
		table->cells = cells;
		table->room = room;
	}
	(void)log_escape(escaped, sizeof escaped, text, strlen(text));
	table->cells[table->n] = (struct table_cell){.text = strdup(escaped), .alarm = alarm};
	table->failed |= !table->cells[table->n].text;
	table->n += table->cells[table->n].text != NULL;
}

/* In characters: what is not ASCII is printable, and as a rule as wide as what is. */
static size_t
width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static size_t
column_width(const struct table *table, unsigned column)
{
	size_t widest = width(table->columns[column].title);

	for (size_t i = column; i < table->n; i += table->n_columns)
		if (width(table->cells[i].text) > widest)
			widest = width(table->cells[i].text);
	return widest;
}

static void
print_cell(const struct table *table, unsigned column, size_t wide, const char *text, bool red)
{
	bool last = column + 1 == table->n_columns, right = table->columns[column].right;
	int blanks = (int)(wide - width(text));

	(void)printf("%*s%s%s%s", right ? blanks : 0, "", red ? TERMINAL_RED : "", text,
		red ? TERMINAL_NORMAL : "");
	if (last)
		(void)putchar('\n');
	else
		(void)printf("%*s", (right ? 0 : blanks) + GAP, "");
}

bool
table_print(const struct table *table, bool colours)
{
	size_t *wide = calloc(table->n_columns, sizeof *wide);
	bool ok = wide && !table->failed;

	for (unsigned i = 0; ok && i < table->n_columns; i++)
		wide[i] = column_width(table, i);
	for (unsigned i = 0; ok && i < table->n_columns; i++)
		print_cell(table, i, wide[i], table->columns[i].title, false);
	for (size_t i = 0; ok && i < table->n; i++) {
		const struct table_cell *cell = &table->cells[i];
		unsigned column = (unsigned)(i % table->n_columns);

		print_cell(table, column, wide[column], cell->text, colours && cell->alarm);
	}
	free(wide);
	if (!ok)
		log_error("out of memory");
	return ok;
}

void
table_fini(struct table *table)
{
	for (size_t i = 0; i < table->n; i++)
		free(table->cells[i].text);
	free(table->cells);
	*table = (struct table){.n = 0};
}
