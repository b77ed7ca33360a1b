/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * passt_ready.c: asks a passt whether it is there; see passt_ready.h.
 *
 * Runs in the worker, as the user. Must never leave a part of a frame in the socket.
 */
#include "worker/vm/passt_ready.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "lib/take.h"

enum { PIECE = 4096, FRAME_MIN = 14, FRAME_MAX = 65535 + FRAME_MIN, LENGTH = 4 };

/*
 * Behind its length: who has 240.0.0.1, which nobody does (RFC 1112)? From all stations, so that passt
 * learns no address of a guest's, and by no IP address.
 */
static const uint8_t question[] = {0, 0, 0, 42,         /* length */
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff,             /* to */
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff,             /* from */
	0x08, 0x06,                                     /* ARP */
	0, 1, 0x08, 0, 6, 4, 0, 1,                      /* Ethernet, IPv4, request */
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, /* of */
	0, 0, 0, 0, 0, 0, 240, 0, 0, 1};                /* for */

static void
over(struct passt_ready *ready, int err)
{
	passt_ready_stop(ready);
	ready->done(ready, err);
}

/* Returns 0, or -EBADMSG. */
static int
take(struct passt_ready *ready, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size;) {
		size_t n = size - i;

		if (ready->left > 0) {
			n = n < ready->left ? n : ready->left;
			ready->left -= (uint32_t)n;
			ready->n_frames += ready->left == 0;
			i += n;
			continue;
		}
		ready->length[ready->n_length++] = data[i++];
		if (ready->n_length < LENGTH)
			continue;
		ready->n_length = 0;
		for (size_t j = 0; j < LENGTH; j++)
			ready->left = ready->left << 8 | ready->length[j];
		if (ready->left < FRAME_MIN || ready->left > FRAME_MAX)
			return -EBADMSG;
	}
	return 0;
}

static void
on_data(struct io *io, uint32_t events)
{
	struct passt_ready *ready = container_of(io, struct passt_ready, io);
	uint8_t data[PIECE];
	ssize_t n = recv(ready->fd, data, sizeof(data), MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		over(ready, -EPIPE);
	else if (take(ready, data, (size_t)n) < 0)
		over(ready, -EBADMSG);
	else if (ready->n_frames > 0 && ready->n_length == 0 && ready->left == 0)
		over(ready, 0);
}

static void
on_late(struct timer *timer)
{
	struct passt_ready *ready = container_of(timer, struct passt_ready, late);

	over(ready, ready->n_length > 0 || ready->left > 0 ? -EBADMSG : 0);
}

int
passt_ready_ask(struct passt_ready *ready, struct loop *loop, int fd, passt_ready_fn *done)
{
	ssize_t n;
	int r;

	*ready = (struct passt_ready){.fd = fd, .done = done};
	n = send(fd, question, sizeof(question), MSG_DONTWAIT | MSG_NOSIGNAL);
	/* One that has ended is told of as any is. */
	if (n != (ssize_t)sizeof(question) && !(n < 0 && errno == EPIPE))
		return n < 0 ? -errno : -EIO;
	r = io_start(loop, &ready->io, fd, EPOLLIN, 0, on_data);
	if (r == 0)
		timer_set(loop, &ready->late, loop_now(loop) + LOOP_MS(PASST_READY_MS), on_late);
	return r;
}

void
passt_ready_stop(struct passt_ready *ready)
{
	timer_stop(&ready->late);
	if (ready->io.loop)
		io_stop(&ready->io);
}
