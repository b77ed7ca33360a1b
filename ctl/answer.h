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

enum { ANSWER_WAIT_S = 60 };

/* An answer that is whole, of at most TALK_ANSWER_MAX bytes: nothing else is held of it. */
struct answer {
	char *text;  /* owned; rows, as talk_next() leaves them */
	size_t size; /* of these */
	struct talk_row host;
};

/* Where one is in an answer; zeroed: before its first row. */
struct answer_at {
	size_t at;
	struct talk_row row; /* that was found; its texts are the answer's */
};

/**
 * Ask, and wait for the whole answer, for so many seconds at most. Returns CTL_OK, and the host's row is there; or
 * another status, after it was told why: CTL_FOUND where it is refused, or about nobody.
 */
int answer_get(const char *path, const struct talk_question *question, unsigned seconds,
	struct answer *ret);
/** No account can be called so: tell that. Returns CTL_FOUND. */
int answer_unknown(const char *user);
void answer_free(struct answer *answer);
/** Go on to the next row of that kind. False: there is none. */
bool answer_next(const struct answer *answer, enum talk_row_kind kind, struct answer_at *at);
/** Print all rows of a kind as an array. */
void answer_json(const struct answer *answer, enum talk_row_kind kind);

#endif
