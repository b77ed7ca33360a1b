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

enum { TABLE_COLUMNS_MAX = 8 };

struct table {
	const struct table_column *columns; /* borrowed */
	unsigned n_columns, at;             /* the next cell's column */
	size_t wide[TABLE_COLUMNS_MAX];
	bool prints; /* its cells are measured to begin with */
	bool colours;
};

/** Add all cells, row by row; it is called twice, and adds the same. */
typedef void table_fill_fn(struct table *table, const void *of);

/** Print a table on stdout, its titles first. Nothing of it is held. */
void table_print(const struct table_column *columns, unsigned n_columns, bool colours,
	table_fill_fn *fill, const void *of);
/**
 * The next cell, in the order of the columns, escaped as log_escape() does, and cut when it
 * is too long for a table; alarm: in red.
 */
void table_add(struct table *table, const char *text, bool alarm);

#endif
