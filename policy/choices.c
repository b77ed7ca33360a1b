/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * choices.c: the words of policy.conf(5), each with what it stands for and where it may stand.
 *
 * Pure. Runs in the broker, as root, and in tools as anybody.
 */
#include "policy/choices.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "policy/rule.h"
#include "protocol/verb.h"

#define ANY_SUBJECT (USE_SUBJECT | USE_LIMIT_SUBJECT | USE_NETWORK_SUBJECT)

static const struct choice choices[] = {
	{"allow", NULL, USE_LINE, POLICY_ALLOW},
	{"deny", NULL, USE_LINE, POLICY_DENY},
	{"limit", NULL, USE_LINE, POLICY_LIMIT},
	{"network", NULL, USE_LINE, POLICY_NETWORK},

	{"view", NULL, USE_VERB, VERB_VIEW},
	{"console", NULL, USE_VERB, VERB_CONSOLE},
	{"power", NULL, USE_VERB, VERB_POWER},
	{"manage", NULL, USE_VERB, VERB_MANAGE},

	{"own", NULL, USE_TARGET, POLICY_OWN},
	{"all", NULL, USE_TARGET, POLICY_ALL},
	{"system", NULL, USE_TARGET, POLICY_SYSTEM},
	{"everyone", NULL, ANY_SUBJECT, POLICY_EVERYONE},
	{"user", "NAME", ANY_SUBJECT | USE_TARGET, POLICY_USER},
	{"uid", "NUMBER", ANY_SUBJECT | USE_TARGET, POLICY_UID},
	{"group", "NAME", ANY_SUBJECT | USE_TARGET, POLICY_GROUP},
	{"tls", "\"NAME\"", USE_SUBJECT, POLICY_TLS},
	{"host", NULL, USE_LIMIT_SUBJECT, POLICY_HOST},

	{"vms", NULL, USE_KEY | USE_HOST_KEY, POLICY_VMS},
	{"vcpus", NULL, USE_KEY | USE_HOST_KEY, POLICY_VCPUS},
	{"memory", NULL, USE_KEY | USE_HOST_KEY, POLICY_MEMORY},
	{"vm-vcpus", NULL, USE_KEY, POLICY_VM_VCPUS},
	{"vm-memory", NULL, USE_KEY, POLICY_VM_MEMORY},
	{"pids", NULL, USE_KEY, POLICY_PIDS},
	{"cpu-weight", NULL, USE_KEY, POLICY_CPU_WEIGHT},

	{"user", NULL, USE_NETWORK, POLICY_NETWORK_USER},
	{"bridge", "NAME", USE_NETWORK, POLICY_NETWORK_BRIDGE},
	{"none", NULL, USE_NETWORK, POLICY_NETWORK_NONE},
};

enum { N_CHOICES = sizeof choices / sizeof *choices, GUESS_MAX = 16 };

const struct choice *
choices_find(const char *text, size_t len, unsigned use)
{
	for (size_t i = 0; i < N_CHOICES; i++)
		if ((choices[i].uses & use) && strlen(choices[i].word) == len &&
			memcmp(choices[i].word, text, len) == 0)
			return &choices[i];
	return NULL;
}

const char *
choices_word(unsigned value, unsigned uses)
{
	for (size_t i = 0; i < N_CHOICES; i++)
		if ((choices[i].uses & uses) && choices[i].value == value)
			return choices[i].word;
	return NULL;
}

const char *
choices_list(unsigned use, char *buf, size_t size)
{
	size_t used = 0, n = 0, left = 0;

	for (size_t i = 0; i < N_CHOICES; i++)
		left += (choices[i].uses & use) != 0;
	buf[0] = '\0';
	for (size_t i = 0; i < N_CHOICES && used < size; i++) {
		const struct choice *c = &choices[i];

		if (!(c->uses & use))
			continue;
		left--;
		used += (size_t)snprintf(buf + used, size - used, "%s%s%s%s",
			n++ == 0   ? ""
			: left > 0 ? ", "
				   : " or ",
			c->word, c->argument ? " " : "", c->argument ? c->argument : "");
	}
	return buf;
}

static int
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static unsigned
smallest(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/*
 * How many letters are missing, too many, wrong or exchanged with their neighbour (optimal string
 * alignment). Both are of at most GUESS_MAX bytes.
 */
static unsigned
distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
	unsigned row[GUESS_MAX + 1][GUESS_MAX + 1] = {{0}};

	for (unsigned i = 0; i <= n_a; i++)
		row[i][0] = i;
	for (unsigned j = 0; j <= n_b; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= n_a; i++)
		for (size_t j = 1; j <= n_b; j++) {
			int x = lower(a[i - 1]), y = lower(b[j - 1]);
			unsigned best = row[i - 1][j - 1] + (x != y);

			best = smallest(best, row[i - 1][j] + 1);
			best = smallest(best, row[i][j - 1] + 1);
			if (i > 1 && j > 1 && x == lower(b[j - 2]) && lower(a[i - 2]) == y)
				best = smallest(best, row[i - 2][j - 2] + 1);
			row[i][j] = best;
		}
	return row[n_a][n_b];
}

/* What people write who know another program. */
static const char *
other_word(const char *text, size_t len, unsigned use)
{
	static const struct {
		const char *word, *meant;
	} others[] = {
		{"all", "everyone"},
		{"any", "everyone"},
		{"everybody", "everyone"},
		{"*", "everyone"},
		{"everyone", "all"},
		{"*", "all"},
		{"any", "all"},
		{"self", "own"},
		{"read", "view"},
		{"admin", "manage"},
		{"all", "manage"},
		{"cpus", "vcpus"},
		{"ram", "memory"},
		{"cert", "tls"},
		{"gid", "group"},
		{"permit", "allow"},
		{"grant", "allow"},
		{"reject", "deny"},
		{"quota", "limit"},
		{"net", "network"},
	};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (strlen(others[i].word) == len && memcmp(others[i].word, text, len) == 0 &&
			choices_find(others[i].meant, strlen(others[i].meant), use))
			return others[i].meant;
	return NULL;
}

const char *
choices_guess(const char *text, size_t len, unsigned use)
{
	const char *best = other_word(text, len, use);
	unsigned nearest = len > 3 ? 3 : 2; /* more mistakes than two are another word */

	if (best || len == 0 || len > GUESS_MAX)
		return best;
	for (size_t i = 0; i < N_CHOICES; i++) {
		size_t n = strlen(choices[i].word);
		unsigned d;

		if (!(choices[i].uses & use))
			continue;
		d = distance(text, len, choices[i].word, n);
		if (d < nearest && d < n && d < len) {
			nearest = d;
			best = choices[i].word;
		}
	}
	return best;
}
