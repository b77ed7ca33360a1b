/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chain.c: does each line of the audit log follow from the one before? See chain.h.
 *
 * Pure. Writer and reader use the same functions for what a line has to say.
 */
#include "protocol/audit/chain.h"

#include <string.h>

void
audit_chain_init(struct audit_chain *chain)
{
	*chain = (struct audit_chain){.begun = false};
}

void
audit_chain_init_at(struct audit_chain *chain, uint64_t seq, const uint8_t head[static SHA256_SIZE])
{
	*chain = (struct audit_chain){.begun = true, .seq = seq};
	memcpy(chain->head, head, SHA256_SIZE);
}

void
audit_chain_place(const struct audit_chain *chain, struct audit_place *ret)
{
	struct sha256 sha = chain->torn_sha;

	*ret = (struct audit_place){.seq = chain->seq + 1, .torn = chain->torn};
	if (chain->torn > 0)
		sha256_end(&sha, ret->prev);
	else
		memcpy(ret->prev, chain->head, SHA256_SIZE);
}

void
audit_chain_add(struct audit_chain *chain, const char *text, size_t size)
{
	struct sha256 sha;

	sha256_init(&sha);
	sha256_add(&sha, text, size);
	sha256_end(&sha, chain->head);
	chain->seq++;
	chain->begun = true;
	chain->torn = 0;
}

void
audit_chain_tear(struct audit_chain *chain, const char *text, size_t size)
{
	if (size == 0)
		return;
	if (chain->torn == 0) {
		sha256_init(&chain->torn_sha);
		sha256_add(&chain->torn_sha, chain->head, SHA256_SIZE);
	}
	sha256_add(&chain->torn_sha, text, size);
	chain->torn += size;
}

static enum audit_verdict_of_line
judge(const struct audit_chain *chain, const struct audit_line *line)
{
	struct audit_place want;

	audit_chain_place(chain, &want);
	if (line->place.torn != want.torn || (want.torn > 0 && !line->repair))
		return want.torn > 0 ? AUDIT_CHAIN_UNTOLD : AUDIT_CHAIN_CHANGED;
	if (!chain->begun)
		return AUDIT_CHAIN_FIRST;
	if (line->place.seq != want.seq)
		return line->place.seq > want.seq ? AUDIT_CHAIN_MISSING : AUDIT_CHAIN_BACK;
	if (memcmp(line->place.prev, want.prev, SHA256_SIZE) != 0)
		return AUDIT_CHAIN_CHANGED;
	return AUDIT_CHAIN_FOLLOWS;
}

enum audit_verdict_of_line
audit_chain_next(
	struct audit_chain *chain, const char *text, size_t size, struct audit_line *ret_line)
{
	enum audit_verdict_of_line verdict;
	struct audit_line line;

	if (!audit_line_read(text, size, &line)) {
		audit_chain_tear(chain, text, size);
		return AUDIT_CHAIN_TORN;
	}
	verdict = judge(chain, &line);
	chain->seq = line.place.seq - 1;
	audit_chain_add(chain, text, size);
	if (ret_line)
		*ret_line = line;
	return verdict;
}
