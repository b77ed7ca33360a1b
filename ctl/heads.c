/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * heads.c: what the system's log knows of an audit log; see heads.h.
 */
#include "ctl/heads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/command.h"
#include "ctl/logs.h"
#include "lib/hex.h"
#include "lib/keyval.h"
#include "lib/lines.h"
#include "lib/log.h"
#include "lib/take.h"

enum { DIGITS_MAX = 20, HASH_DIGITS = 2 * SHA256_SIZE };

static int
append(struct heads *heads, const struct heads_entry *entry)
{
	if (heads->n == heads->room) {
		size_t room = heads->room ? 2 * heads->room : 64;
		struct heads_entry *entries = reallocarray(heads->entries, room, sizeof *entries);

		if (!entries) {
			log_error("out of memory");
			return CTL_FAILED;
		}
		heads->entries = entries;
		heads->room = room;
	}
	heads->entries[heads->n++] = *entry;
	return CTL_OK;
}

/* A number, what is between, and a digest, from the beginning of a text of that size. */
static bool
read_entry(const char *text, size_t size, const char *between, struct heads_entry *ret)
{
	size_t n = 0, skipped = strlen(between);
	char seq[DIGITS_MAX + 1], hash[HASH_DIGITS + 1];

	*ret = (struct heads_entry){.seq = 0};
	while (n < size && n < DIGITS_MAX && text[n] >= '0' && text[n] <= '9')
		n++;
	if (size - n < skipped + HASH_DIGITS || memcmp(text + n, between, skipped) != 0)
		return false;
	memcpy(seq, text, n);
	seq[n] = '\0';
	memcpy(hash, text + n + skipped, HASH_DIGITS);
	hash[HASH_DIGITS] = '\0';
	return keyval_number(seq, 1, UINT64_MAX, &ret->seq) == 0 &&
	       hex_parse(hash, ret->hash, SHA256_SIZE);
}

int
heads_add(struct heads *heads, const char *text)
{
	struct heads_entry entry;

	if (!read_entry(text, strlen(text), ":", &entry) ||
		strlen(strchr(text, ':')) != HASH_DIGITS + 1) {
		log_error(
			"--head %s: it is the number of a line, a colon and a digest of %d digits",
			log_quote(text), HASH_DIGITS);
		return CTL_USAGE;
	}
	return append(heads, &entry);
}

int
heads_read(struct heads *heads, const char *path)
{
	static const char words[] = "audit head seq=";
	static struct lines lines;
	bool standard = strcmp(path, "-") == 0;
	fd_auto int fd = standard ? -1 : logs_open(path);
	int status = CTL_OK, r;
	const char *text;
	size_t size;

	if (!standard && fd < 0)
		return CTL_FAILED;
	lines_init(&lines, standard ? STDIN_FILENO : fd);
	while ((r = lines_next(&lines, false, &text, &size)) > 0 && status == CTL_OK) {
		const char *at = memmem(text, size, words, sizeof words - 1);
		struct heads_entry entry;

		if (at &&
			read_entry(at + sizeof words - 1,
				size - (size_t)(at - text) - (sizeof words - 1), " hash=", &entry))
			status = append(heads, &entry);
	}
	if (r < 0) {
		log_error("%s: %s", log_quote(path), strerror(-r));
		return CTL_FAILED;
	}
	return status;
}

static int
by_seq(const void *a, const void *b)
{
	uint64_t x = ((const struct heads_entry *)a)->seq, y = ((const struct heads_entry *)b)->seq;

	return x < y ? -1 : x > y;
}

void
heads_sort(struct heads *heads)
{
	if (heads->n > 0)
		qsort(heads->entries, heads->n, sizeof *heads->entries, by_seq);
}

bool
heads_contradict(struct heads *heads, uint64_t seq, const uint8_t hash[static SHA256_SIZE])
{
	struct heads_entry key = {.seq = seq}, *entry = NULL;
	bool differs = false;

	if (heads->n > 0)
		entry = bsearch(&key, heads->entries, heads->n, sizeof key, by_seq);
	if (!entry)
		return false;
	while (entry > heads->entries && entry[-1].seq == seq)
		entry--;
	for (; entry < heads->entries + heads->n && entry->seq == seq; entry++) {
		entry->seen = true;
		differs = differs || memcmp(entry->hash, hash, SHA256_SIZE) != 0;
	}
	return differs;
}

void
heads_free(struct heads *heads)
{
	free(heads->entries);
	*heads = (struct heads){.n = 0};
}
