/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * policy.h: the rules of policy.conf(5) as one checked list, and the names that they wait for.
 *
 * Pure. Runs in the broker, as root, and in tools as anybody. Who may do what is asked in
 * policy/decide.h, limits.h, networks.h and explain.h; the grammar is in policy/grammar.h.
 *
 * Life of one: policy_new() once; policy_clear(); policy_parse() for each file in its order;
 * each of names[] bound by who can look it up; policy_check_names(). Then it is asked, and its
 * names may be bound again at any time. All memory is taken by policy_new(); nothing grows later.
 * Whoever reads the files opens them, sorts them and resolves names: nothing here does I/O.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/rule.h"

enum {
	POLICY_BYTES_MAX = 256 * 1024, /* of all files together */
	POLICY_RULES_MAX = 8192,       /* a limit is one for each of its keys */
	POLICY_NAMES_MAX = 4096,       /* different ones, of users and groups */
	POLICY_FILES_MAX = 64,
	POLICY_FILE_NAME_MAX = 96,  /* with the NUL */
	POLICY_COMPLAINTS_MAX = 32, /* that are kept; all are counted */
	POLICY_COMPLAINT_MAX = 256, /* of a text, with the NUL */
	POLICY_WHERE_MAX = POLICY_FILE_NAME_MAX + 16
};

enum policy_error { POLICY_E_BAD = 1 };

/* A user or a group that rules speak of. */
struct policy_name {
	const char *text; /* account_name_valid() */
	uint32_t id;      /* uid or gid, when it is known; what it was, when it is held */
	bool is_group;
	bool known;
	bool held;     /* known no more: what a line takes from it is still taken from this id */
	bool changed;  /* between known and held, and policy_changed() has not told it yet */
	uint16_t next; /* of those with the same hash; 1 + its number, 0: none */
};

/* What is wrong, or worth knowing, about a line. */
struct policy_complaint {
	bool is_warning;
	uint16_t file;   /* of files[] */
	uint32_t line;   /* from 1; 0: about the whole file */
	unsigned column; /* in characters, from 1; 0: about the whole line */
	char text[POLICY_COMPLAINT_MAX];
};

struct policy {
	struct policy_rule *rules; /* in the order of files and lines, behind the built-in one */
	unsigned n_rules;
	struct policy_name *names;
	unsigned n_names;
	const char *files[POLICY_FILES_MAX];
	unsigned n_files;  /* 0: there is no policy file, and the built-in rules hold */
	bool has_networks; /* a line speaks of networks */
	struct policy_complaint *complaints;
	unsigned n_complaints; /* kept */
	unsigned n_errors, n_warnings;
	/* Kept words, NUL-terminated; of policy_new() alone. */
	char *pool;
	size_t n_pool, n_bytes;
	uint16_t *hashes;
};

/** An empty policy, to be freed with policy_free(); NULL when there is no memory. */
struct policy *policy_new(void);
void policy_free(struct policy *policy);
/** As policy_new() gave it: no file, one rule (`allow user root manage all`). */
void policy_clear(struct policy *policy);

/**
 * What holds where there is no policy file: root manages all, everyone manages her own, user
 * networks, no limits. Static, never freed.
 */
const struct policy *policy_builtin(void);

/**
 * Add the rules of one file. file is its name for people ("policy.conf", "policy.d/lab.conf"), cut
 * to POLICY_FILE_NAME_MAX; text has size bytes and need not be kept. Returns 0, or POLICY_E_BAD
 * with all mistakes in complaints; the policy is then good for no decision, but further files may be
 * parsed, for their mistakes.
 */
int policy_parse(struct policy *policy, const char *file, const char *text, size_t size);

/** Name number i of names[] has this uid or gid. */
void policy_bind(struct policy *policy, unsigned i, uint32_t id);
/**
 * There is no such name. (When it merely cannot be looked up now, leave it as it is.) If there was
 * one, it gives nothing any more, and takes what it took, from whom it took it: see policy_takes().
 */
void policy_bind_unknown(struct policy *policy, unsigned i);

/**
 * Does it take something away (deny, limit, `network SUBJECT none`)? Then it holds for the names in it
 * also when they have vanished.
 */
bool policy_takes(const struct policy_rule *rule);
/**
 * Complain of names that are not known: errors where a rule takes something away, for what it should
 * take away would stay; warnings elsewhere. For the load. Returns 0 or POLICY_E_BAD.
 */
int policy_check_names(struct policy *policy);
/** The first name from number *at on that has vanished, or is back, since it was told; NULL: none. */
const struct policy_name *policy_changed(struct policy *policy, unsigned *at);
/**
 * The first rule that speaks of that name and takes, or does not take, something away, with on how many
 * lines there are such; NULL: there is none.
 */
const struct policy_rule *policy_speaks_of(
	const struct policy *policy, const struct policy_name *name, bool takes, unsigned *ret_n);

/** "FILE:LINE:COLUMN: error: text" into buf. Returns buf. */
const char *policy_complaint_text(const struct policy *policy,
	const struct policy_complaint *complaint, char *buf, size_t size);

/* --- for the grammar ---------------------------------------------------------------------------- */

/** Keep one; file is that which is parsed. column 0: the whole line; line 0: the whole file. */
void policy_complain(struct policy *policy, bool is_warning, uint32_t line, unsigned column,
	const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/** A copy of len bytes and a NUL as its offset in the pool, where there is always room. */
uint32_t policy_keep(struct policy *policy, const char *text, size_t len);
/** The number in names[] of a name, added if it is new. Returns 0, or POLICY_E_BAD: too many. */
int policy_keep_name(
	struct policy *policy, bool is_group, const char *text, size_t len, uint32_t *ret);

#endif
