/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handover.c: receives the plan and its descriptors, and waits no longer than it says.
 *
 * In qemud-box, as the user. Must never keep a descriptor that the plan does not name, nor accept
 * a folder: QEMU needs none, and where the kernel has no Landlock one leads out of the box.
 */
#include "worker/box/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/fd.h"
#include "lib/memfd.h"
#include "lib/packet.h"
#include "lib/take.h"

__attribute__((format(printf, 2, 3))) static int
refused(char why[static PLAN_WHY_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, PLAN_WHY_MAX, fmt, ap);
	va_end(ap);
	return HANDOVER_E_REFUSED;
}

static int64_t
now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The next packet, if it comes in time. */
static int
next_packet(int sock, int64_t due_ms, struct packet *ret, char why[static PLAN_WHY_MAX])
{
	for (;;) {
		int64_t left = due_ms - now_ms();
		struct pollfd pollfd = {.fd = sock, .events = POLLIN};
		int r = packet_recv(sock, ret);

		if (r == PACKET_E_GONE)
			return refused(why, "the worker closed before the end");
		if (r == PACKET_E_BAD)
			return refused(why,
				"a packet is too long, empty, or has more than %d "
				"descriptors",
				PACKET_FDS_MAX);
		if (r != PACKET_E_AGAIN)
			return r;
		if (left <= 0)
			return refused(
				why, "the end did not come within %d seconds", HANDOVER_SECONDS);
		if (poll(&pollfd, 1, (int)left) < 0 && errno != EINTR)
			return -errno;
	}
}

static int
take_plan(struct handover *h, struct packet *packet, char why[static PLAN_WHY_MAX])
{
	char what[PLAN_WHY_MAX];
	size_t size;
	int r;

	if (h->text)
		return refused(why, "a second plan");
	if (packet->n_fds != 1)
		return refused(
			why, "the plan comes with %u descriptors, not with 1", packet->n_fds);
	r = memfd_read(packet->fds[0], PLAN_SIZE_MAX, &h->text, &size);
	if (r == MEMFD_E_NOT_SEALED)
		return refused(why, "the plan is not a memfd with all four seals");
	if (r == MEMFD_E_SIZE)
		return refused(why, "the plan is not from 1 to %d bytes", PLAN_SIZE_MAX);
	if (r < 0)
		return r;
	if (plan_decode(h->text, size, &h->plan, what) != 0)
		return refused(why, "the plan: %.*s", PLAN_WHY_MAX - 16, what);
	return 0;
}

static int
check_fd(const struct handover *h, unsigned i, char why[static PLAN_WHY_MAX])
{
	int flags = fcntl(h->fds[i], F_GETFL);
	struct stat st;

	if (flags < 0 || fstat(h->fds[i], &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode) || (flags & O_PATH))
		return refused(why, "descriptor %u of %u is a folder or a bare path", i + 1,
			h->plan.n_fds + 1);
	return 0;
}

static int
take_fds(struct handover *h, struct packet *packet, char why[static PLAN_WHY_MAX])
{
	if (!h->text)
		return refused(why, "descriptors before the plan");
	if (packet->n_fds == 0)
		return refused(why, "a packet of descriptors without one");
	if (h->n_fds + packet->n_fds > h->plan.n_fds + 1)
		return refused(
			why, "more descriptors than the %u of the plan and the log", h->plan.n_fds);
	for (unsigned i = 0; i < packet->n_fds; i++) {
		int r;

		h->fds[h->n_fds++] = take_fd(&packet->fds[i]);
		r = check_fd(h, h->n_fds - 1, why);
		if (r != 0)
			return r;
	}
	return 0;
}

static int
take_end(const struct handover *h, const struct packet *packet, char why[static PLAN_WHY_MAX])
{
	if (!h->text)
		return refused(why, "the end before the plan");
	if (packet->n_fds != 0)
		return refused(why, "the end comes with a descriptor");
	if (h->n_fds != h->plan.n_fds + 1)
		return refused(why, "%u of %u descriptors came", h->n_fds, h->plan.n_fds + 1);
	return 0;
}

static int
receive(int sock, struct handover *h, char why[static PLAN_WHY_MAX])
{
	int64_t due_ms = now_ms() + HANDOVER_SECONDS * 1000;

	for (;;) {
		struct packet packet;
		bool end;
		int r = next_packet(sock, due_ms, &packet, why);

		if (r != 0)
			return r;
		end = packet.size == 1 && packet.data[0] == PLAN_PACKET_END;
		if (end)
			r = take_end(h, &packet, why);
		else if (packet.size == 1 && packet.data[0] == PLAN_PACKET_PLAN)
			r = take_plan(h, &packet, why);
		else if (packet.size == 1 && packet.data[0] == PLAN_PACKET_FDS)
			r = take_fds(h, &packet, why);
		else
			r = refused(why, "a packet of no known kind");
		packet_fini(&packet);
		if (r != 0 || end)
			return r;
	}
}

int
handover_receive(int sock, struct handover *ret, char why[static PLAN_WHY_MAX])
{
	int r;

	ret->text = NULL;
	ret->n_fds = 0;
	r = receive(sock, ret, why);
	if (r != 0)
		handover_fini(ret);
	return r;
}

void
handover_fini(struct handover *handover)
{
	for (unsigned i = 0; i < handover->n_fds; i++)
		fd_close(&handover->fds[i]);
	handover->n_fds = 0;
	free(handover->text);
	handover->text = NULL;
}
