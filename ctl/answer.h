/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * answer.h: what a qemud that runs answers to a question (protocol/ctl/talk.h).
 *
 * Runs as whoever calls qemudctl. No byte of the answer is trusted, nor that it ends.
 */
#ifndef CTL_ANSWER_H
#define CTL_ANSWER_H

#include "protocol/ctl/talk.h"

#define ANSWER_SOCKET "/run/qemud/qemud-ctl"

enum { ANSWER_WAIT_S = 60, ANSWER_MAX = 256 * 1024 * 1024 };

struct answer {
	char *text;            /* owned; the rows' texts are in it */
	struct talk_row *rows; /* owned */
	size_t n;
};

/**
 * Ask, and wait for the whole answer, for ANSWER_WAIT_S at most. Returns CTL_OK, and the first row is
 * TALK_HOST; or another status,
 * after it was told why: CTL_FOUND where it is refused, or about nobody.
 */
int answer_get(const char *path, const struct talk_question *question, struct answer *ret);
/** No account can be called so: tell that. Returns CTL_FOUND. */
int answer_unknown(const char *user);
void answer_free(struct answer *answer);
/** The first row of that kind behind `after`, or from the beginning (NULL); NULL: there is none. */
const struct talk_row *answer_next(
	const struct answer *answer, enum talk_row_kind kind, const struct talk_row *after);
/** Print all rows of a kind as an array. */
void answer_json(const struct answer *answer, enum talk_row_kind kind);

#endif
