/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * departing.c: the descriptors that go to a client; see departing.h.
 */
#include "serve/departing.h"

#include <errno.h>
#include <string.h>

#include "lib/fd.h"

int
departing_put(struct departing *departing, uint64_t at, int fd)
{
	if (departing->n == DEPARTING_MAX) {
		fd_close(&fd);
		return -ENOBUFS;
	}
	departing->queue[departing->n].at = at;
	departing->queue[departing->n++].fd = fd;
	return 0;
}

size_t
departing_next(const struct departing *departing, uint64_t at, size_t left, int *ret_fd)
{
	*ret_fd = -1;
	for (unsigned i = 0; i < departing->n; i++) {
		uint64_t place = departing->queue[i].at;

		if (place == at) {
			*ret_fd = departing->queue[i].fd;
		} else {
			/* Up to the next one. */
			return place - at < left ? (size_t)(place - at) : left;
		}
	}
	return left;
}

void
departing_gone(struct departing *departing)
{
	fd_close(&departing->queue[0].fd);
	departing->n--;
	memmove(departing->queue, departing->queue + 1, departing->n * sizeof(departing->queue[0]));
}

void
departing_cut(struct departing *departing, uint64_t at)
{
	while (departing->n > 0 && departing->queue[departing->n - 1].at >= at)
		fd_close(&departing->queue[--departing->n].fd);
}

void
departing_fini(struct departing *departing)
{
	departing_cut(departing, 0);
}
