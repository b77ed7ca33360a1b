/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * table.h: a table for people: columns as wide as what is in them.
 *
 * Runs as whoever calls qemudctl.
 */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct table_column {
	const char *title;
	bool right; /* numbers stand at the right */
};

struct table_cell {
	char *text; /* owned */
	bool alarm; /* shown in red, where there are colours */
};

struct table {
	const struct table_column *columns; /* borrowed */
	unsigned n_columns;
	struct table_cell *cells; /* owned: row by row */
	size_t n, room;
	bool failed; /* there was no memory */
};

void table_init(struct table *table, const struct table_column *columns, unsigned n_columns);
/** The next cell, in the order of the columns; text is copied, escaped as log_escape() does. */
void table_add(struct table *table, const char *text, bool alarm);
/** Print it on stdout, its titles first. False: there was no memory for all of it. */
bool table_print(const struct table *table, bool colours);
void table_fini(struct table *table);

#endif
