/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wrong.h: a message that is right, said in each way that is wrong.
 */
#ifndef TESTS_UNIT_WRONG_H
#define TESTS_UNIT_WRONG_H

#include <errno.h>

#include "lib/packet.h"
#include "tests/unit/hostile.h"
#include "tests/unit/messages.h"
#include "tests/unit/test.h"

enum way {
	GOOD,
	BODY_SHORT,
	BODY_LONG,
	BODY_MISSING,
	SIZE_LIES,
	FD_MORE,
	FDS_SAID,
	FDS_UNSAID,
	FDS_ROOM,
	FDS_BEYOND,
	FDS_ALL,
	FD_FEWER,
	FDS_LIE,
	VERSION,
	SERIAL_NONE,
	SERIAL_OTHER,
	ERR_POSITIVE,
	ERR_NEGATIVE,
	DIRT,
	HEADER_CUT,
	BYTE,
	NO_BYTE,
	LARGEST,
	TOO_LARGE,
	HUGE,
	N_WAYS
};

static const char *const way_names[N_WAYS] = {"good", "body short", "body long", "body missing",
	"size lies", "one descriptor more", "two more, as it says", "two more, unsaid",
	"as many descriptors as there is room for", "one beyond", "as many as the kernel takes",
	"no descriptors", "descriptor count lies", "other version", "no serial", "other serial",
	"positive error", "negative error", "dirt", "header cut", "one byte", "descriptors alone",
	"as large as a packet may be", "larger", "eight times that"};

/* Says it; n_fds copies of /dev/null go with it. */
static inline void
say_raw(int fd, const struct raw *raw, size_t size, unsigned n_fds)
{
	uint8_t large[HOSTILE_SIZE_MAX] = {0};

	memcpy(large, raw, size < sizeof *raw ? size : sizeof *raw);
	hostile_send(fd, large, size, n_fds);
}

/*
 * Send a message, which is raw when it is right, in a wrong way. False: that way is no different from
 * the right one.
 */
static inline bool
say_wrong(int fd, const struct expected *message, struct raw raw, enum way way, bool *ret_changed)
{
	unsigned n_fds = message->n_fds;

	*ret_changed = way != GOOD;
	switch (way) {
	case GOOD:
		break;
	case BODY_SHORT:
		if (message->size < 2)
			return false;
		raw.size--;
		raw.header.size--;
		break;
	case BODY_LONG:
		raw.size++;
		raw.header.size++;
		break;
	case BODY_MISSING:
		if (message->size == 0)
			return false;
		raw.size = sizeof raw.header;
		break;
	case SIZE_LIES:
		raw.header.size++;
		break;
	case FD_MORE:
		n_fds++;
		raw.header.n_fds++;
		break;
	case FDS_SAID:
		n_fds += 2;
		raw.header.n_fds = (uint16_t)n_fds;
		break;
	case FDS_UNSAID:
		n_fds += 2;
		break;
	case FDS_ROOM:
		n_fds = PACKET_FDS_MAX;
		break;
	case FDS_BEYOND:
		n_fds = PACKET_FDS_MAX + 1;
		break;
	case FDS_ALL:
		n_fds = HOSTILE_FDS_MAX;
		break;
	case FD_FEWER:
		if (n_fds == 0)
			return false;
		n_fds = 0;
		raw.header.n_fds = 0;
		break;
	case FDS_LIE:
		raw.header.n_fds++;
		break;
	case VERSION:
		raw.header.version++;
		break;
	case SERIAL_NONE:
		*ret_changed = raw.header.serial != 0;
		raw.header.serial = 0;
		break;
	case SERIAL_OTHER:
		/* Any serial will do for an ask of the child's. */
		*ret_changed = message->sender != PEER || message->kind != ASK;
		raw.header.serial += 4711;
		break;
	case ERR_POSITIVE:
		raw.header.err = EPERM;
		break;
	case ERR_NEGATIVE:
		/* On an answer that has no open ask, or with a body behind it, wrong as well. */
		raw.header.err = -EPERM;
		break;
	case DIRT:
		if (message->size == 0)
			return false;
		memset(raw.body, 0xff, message->size);
		break;
	case HEADER_CUT:
		raw.size = sizeof raw.header - 1;
		break;
	case BYTE:
		raw.size = 1;
		break;
	case NO_BYTE:
		raw.size = 0;
		n_fds = 1;
		break;
	case LARGEST:
		raw.size = PACKET_SIZE_MAX;
		raw.header.size = (uint16_t)(raw.size - sizeof raw.header);
		break;
	case TOO_LARGE:
		raw.size = PACKET_SIZE_MAX + 1;
		break;
	case HUGE:
	case N_WAYS:
		raw.size = HOSTILE_SIZE_MAX;
		break;
	}
	say_raw(fd, &raw, raw.size, n_fds);
	return true;
}

#endif
