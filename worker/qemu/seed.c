/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * seed.c: the worker's end of a seed; see seed.h.
 *
 * Runs in the worker, as the user. Must never keep a descriptor that was sent: while it did, a
 * lock on an image would outlive its QEMU.
 */
#include "worker/qemu/seed.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/memfd.h"
#include "lib/packet.h"
#include "lib/take.h"

static void
close_fds(struct seed_link *seed)
{
	fd_close(&seed->plan_fd);
	for (unsigned i = 0; i < seed->n_fds; i++)
		fd_close(&seed->fds[i]);
}

void
seed_link_stop(struct seed_link *seed)
{
	if (!seed->loop)
		return;
	io_stop(&seed->io);
	fd_close(&seed->sock);
	close_fds(seed);
}

static void
end(struct seed_link *seed)
{
	seed_link_stop(seed);
	seed->ops->end(seed, &seed->answer);
}

__attribute__((format(printf, 2, 3))) static void
fail(struct seed_link *seed, const char *fmt, ...)
{
	va_list ap;

	seed->answer.ok = false;
	va_start(ap, fmt);
	(void)vsnprintf(seed->answer.why, sizeof(seed->answer.why), fmt, ap);
	va_end(ap);
	end(seed);
}

/* --- what we say -------------------------------------------------------------------------- */

/* The next packet. Returns as packet_send(). */
static int
send_next(struct seed_link *seed)
{
	unsigned n = seed->n_fds - seed->n_sent;
	char kind = PLAN_PACKET_FDS;
	int r;

	if (seed->plan_fd >= 0) {
		kind = PLAN_PACKET_PLAN;
		r = packet_send(seed->sock, &kind, 1, &seed->plan_fd, 1);
		if (r == 0)
			fd_close(&seed->plan_fd);
		return r;
	}
	if (n == 0) {
		kind = PLAN_PACKET_END;
		r = packet_send(seed->sock, &kind, 1, NULL, 0);
		seed->said_all = r == 0;
		return r;
	}
	/* The log by itself, for those of the plan are numbered from the one after it. */
	if (seed->n_sent == 0)
		n = 1;
	if (n > PACKET_FDS_MAX)
		n = PACKET_FDS_MAX;
	r = packet_send(seed->sock, &kind, 1, seed->fds + seed->n_sent, n);
	for (unsigned i = 0; r == 0 && i < n; i++)
		fd_close(&seed->fds[seed->n_sent++]);
	return r;
}

static void
send_all(struct seed_link *seed)
{
	int r = 0;

	while (r == 0 && !seed->said_all)
		r = send_next(seed);
	if (r < 0) {
		fail(seed, "the plan cannot be sent: %s", strerror(-r));
		return;
	}
	if (r == PACKET_E_GONE) {
		/* A box that refused something says so before it goes. */
		seed->said_all = true;
		close_fds(seed);
	}
	io_set(&seed->io, r == PACKET_E_AGAIN ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* --- what the box says -------------------------------------------------------------------- */

static void
take_answer(struct seed_link *seed, const struct packet *packet)
{
	bool said_ok = seed->answer.ok;

	if (packet->n_fds > 0 ||
		plan_answer_decode(packet->data, packet->size, &seed->answer) != 0 ||
		(seed->answer.ok && (said_ok || !seed->said_all)))
		fail(seed, "the box answered what no box says");
	else if (!seed->answer.ok)
		end(seed);
	/* Else the exec is to follow, which closes the socket. */
}

static void
on_io(struct io *io, uint32_t events)
{
	struct seed_link *seed = container_of(io, struct seed_link, io);
	AUTO(packet_fini) struct packet packet;
	int r;

	if (events & EPOLLOUT)
		send_all(seed);
	if (seed->sock < 0)
		return;
	r = packet_recv(seed->sock, &packet);
	if (r == 0)
		take_answer(seed, &packet);
	else if (r == PACKET_E_GONE && seed->answer.ok)
		end(seed);
	else if (r == PACKET_E_GONE)
		fail(seed, "the box ended without an answer");
	else if (r == PACKET_E_BAD)
		fail(seed, "the box answered what no box says");
	else if (r < 0)
		fail(seed, "the box's answer cannot be read: %s", strerror(-r));
}

/* --- begin -------------------------------------------------------------------------------- */

static int
begin(struct seed_link *seed, const struct plan *plan)
{
	char why[PLAN_WHY_MAX];
	free_auto char *text = NULL;
	size_t size;
	int r = plan_encode(plan, &text, &size, why);

	if (r != 0)
		return r;
	seed->plan_fd = memfd_make("plan", text, size);
	if (seed->plan_fd < 0)
		return seed->plan_fd;
	/* Sent from the loop, so that no callback comes before this returns. */
	return io_start(seed->loop, &seed->io, seed->sock, EPOLLIN | EPOLLOUT, 0, on_io);
}

int
seed_link_start(struct seed_link *seed, struct loop *loop, int sock, const struct plan *plan,
	int log_fd, const int *fds, const struct seed_link_ops *ops)
{
	int r;

	ASSERT(plan->n_fds <= PLAN_FDS_MAX);
	*seed = (struct seed_link){
		.loop = loop, .ops = ops, .sock = sock, .plan_fd = -1, .n_fds = plan->n_fds + 1};
	seed->fds[0] = log_fd;
	memcpy(seed->fds + 1, fds, plan->n_fds * sizeof(*fds));
	r = begin(seed, plan);
	if (r != 0)
		seed_link_stop(seed);
	return r;
}
