/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * choices.h: the words of policy.conf(5), each with what it stands for and where it may stand.
 *
 * Pure. Runs in the broker, as root, and in tools as anybody. What reads words and what writes
 * them take them from here.
 */
#ifndef POLICY_CHOICES_H
#define POLICY_CHOICES_H

#include <stddef.h>
#include <stdint.h>

/* Where a word may stand. */
enum choices_use {
	USE_LINE = 1, /* first of a line */
	USE_VERB = 2,
	USE_SUBJECT = 4, /* of allow and deny */
	USE_LIMIT_SUBJECT = 8,
	USE_NETWORK_SUBJECT = 16,
	USE_TARGET = 32,
	USE_KEY = 64,       /* of limits of users */
	USE_HOST_KEY = 128, /* of limits of the host */
	USE_NETWORK = 256
};

struct choice {
	const char *word;
	const char *argument; /* what follows it, for people; NULL: nothing */
	uint16_t uses;        /* a set of enum choices_use */
	uint8_t value;        /* of the enum that belongs to the use */
};

/** The choice that this word (len bytes) is among those of a use, or NULL. */
const struct choice *choices_find(const char *text, size_t len, unsigned use);
/** The word that stands for a value in one of these uses, or NULL. */
const char *choices_word(unsigned value, unsigned uses);
/** All of a use as "a, b NAME or c" into buf. Returns buf. */
const char *choices_list(unsigned use, char *buf, size_t size);
/** What of a use somebody may have meant by a word that is none of it, or NULL. */
const char *choices_guess(const char *text, size_t len, unsigned use);

#endif
