/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * outflow.c: the bound on unread output of all clients; see outflow.h.
 */
#include "serve/outflow.h"

void
outflow_init(struct outflow *outflow, void (*evicted)(struct outflow_share *share))
{
	*outflow = (struct outflow){.evicted = evicted};
	TAILQ_INIT(&outflow->shares);
}

void
outflow_release(struct outflow *outflow, struct outflow_share *share)
{
	if (share->size == 0)
		return;
	outflow->held -= share->size;
	share->size = 0;
	TAILQ_REMOVE(&outflow->shares, share, entry);
}

void
outflow_set(struct outflow *outflow, struct outflow_share *share, size_t size, uint64_t read,
	uint64_t end)
{
	if (share->size > 0 && (size <= OUTFLOW_FREE || read >= share->due))
		outflow_release(outflow, share);
	if (size <= OUTFLOW_FREE)
		return;
	if (share->size == 0) {
		TAILQ_INSERT_TAIL(&outflow->shares, share, entry);
		share->due = end;
	}
	outflow->held = outflow->held - share->size + size;
	share->size = size;
	while (outflow->held > OUTFLOW_MAX) {
		struct outflow_share *oldest = TAILQ_FIRST(&outflow->shares);

		outflow_release(outflow, oldest);
		outflow->evicted(oldest);
	}
}
