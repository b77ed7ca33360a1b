/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_audit_line.c: what qemud-audit and qemudctl read of an audit log, on anything; and what is
 * written of any record.
 *
 * Oracle: reading ends inside its bounds; a line that is read as one is one object whose members are
 * all read; what is written of a record reads as it was written, is one line, and follows in a chain in
 * which every other order or change of two such lines is seen.
 */
#include <stdlib.h>
#include <string.h>

#include "protocol/audit/chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int holds)
{
	if (!holds)
		abort();
}

/* All members, until the end or what is none. */
static int
read_members(const char *text, size_t size)
{
	static struct audit_members members;
	int r;

	audit_members_init(&members, text, size);
	while ((r = audit_members_next(&members)) > 0) {
		require(strlen(members.key) < sizeof members.key);
		require(strlen(members.value) < sizeof members.value && members.at <= size);
	}
	return r;
}

/* As lines of a log, those that are longer than any in pieces. */
static void
read_log(const char *text, size_t size)
{
	struct audit_chain chain;
	struct audit_line line;

	audit_chain_init(&chain);
	for (size_t at = 0; at < size;) {
		const char *newline = memchr(text + at, '\n', size - at);
		size_t n = newline ? (size_t)(newline - text) + 1 - at : size - at;
		enum audit_verdict_of_line verdict = audit_chain_next(&chain, text + at, n, &line);

		if (verdict != AUDIT_CHAIN_TORN) {
			require(n <= AUDIT_LINE_MAX && read_members(text + at, n) == 0);
			require(line.place.seq == chain.seq && chain.torn == 0);
		}
		at += n;
	}
}

static size_t
take(const uint8_t **data, size_t *size, void *ret, size_t n)
{
	n = n < *size ? n : *size;
	memcpy(ret, *data, n);
	*data += n;
	*size -= n;
	return n;
}

static void
write_record(const uint8_t *data, size_t size)
{
	static const uint8_t zero[SHA256_SIZE];
	static char lines[2][AUDIT_LINE_MAX];
	struct ipc_audit_record record = {.time_us = 0};
	struct audit_chain chain;
	struct audit_place place;
	struct audit_line line;
	size_t n[2];

	(void)take(&data, &size, &record, sizeof record);
	record.kind = 1 + record.kind % (AUDIT_KINDS - 1);
	record.verdict %= AUDIT_FAILED + 1;
	audit_chain_init_at(&chain, 0, zero);
	for (int i = 0; i < 2; i++) {
		audit_chain_place(&chain, &place);
		n[i] = audit_line_format(&record, &place, lines[i]);
		require(n[i] < AUDIT_LINE_MAX && lines[i][n[i] - 1] == '\n');
		require(!memchr(lines[i], '\n', n[i] - 1) && !memchr(lines[i], '\0', n[i]));
		require(read_members(lines[i], n[i]) == 0 &&
			audit_line_read(lines[i], n[i], &line));
		require(line.place.seq == place.seq);
		audit_chain_add(&chain, lines[i], n[i]);
	}
	require(audit_line_same(lines[0], n[0], lines[1], n[1]));
	audit_chain_init_at(&chain, 0, zero);
	require(audit_chain_next(&chain, lines[1], n[1], NULL) == AUDIT_CHAIN_MISSING);
	audit_chain_init_at(&chain, 0, zero);
	require(audit_chain_next(&chain, lines[0], n[0], NULL) == AUDIT_CHAIN_FOLLOWS);
	require(audit_chain_next(&chain, lines[0], n[0], NULL) == AUDIT_CHAIN_BACK);
	/* One bit of the first is another: the second, if not itself, tells. */
	if (size > 0)
		lines[0][data[0] % (n[0] - 1)] ^= 1;
	audit_chain_init_at(&chain, 0, zero);
	(void)audit_chain_next(&chain, lines[0], n[0], NULL);
	require((audit_chain_next(&chain, lines[1], n[1], NULL) == AUDIT_CHAIN_FOLLOWS) ==
		(size == 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of the exact size, so that a byte too many is seen. */
	char *text = malloc(size ? size : 1);

	require(text != NULL);
	memcpy(text, data, size);
	read_log(text, size);
	(void)read_members(text, size < AUDIT_LINE_MAX ? size : AUDIT_LINE_MAX);
	free(text);
	write_record(data, size);
	return 0;
}
