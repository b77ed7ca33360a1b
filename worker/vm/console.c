/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * console.c: one serial port of a running VM; see console.h.
 *
 * Runs in the worker, as the user; never as root. It never waits for QEMU or for a client, and
 * reads nothing into what either says. Callbacks of a client are called last, or where nothing that
 * they may change is used afterwards.
 */
#include "worker/vm/console.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/fd.h"
#include "lib/take.h"
#include "worker/vm/log.h"

enum {
	READ_MAX = 16 * 1024, /* bytes taken from one guest before others have a turn */
	LAST_WORDS = 64       /* as many reads when no other turn will come */
};

void
console_init(struct console *console, struct loop *loop, struct vm_log *log)
{
	*console = (struct console){.loop = loop, .log = log, .fd = -1};
}

/* --- from the client to the guest --------------------------------------------------------- */

/* Returns how many bytes QEMU has taken. */
static size_t
give(struct console *console, const uint8_t *data, size_t size)
{
	ssize_t n = send(console->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n >= 0)
		return (size_t)n;
	/* What cannot be said any more is lost; that QEMU's end is gone is found by reading. */
	return errno == EAGAIN || errno == EINTR ? 0 : size;
}

static void
drop_input(struct console *console)
{
	timer_stop(&console->patience);
	free(take_ptr(console->input));
	console->n_input = 0;
}

static void
tell_writable(struct console *console)
{
	struct console_client *client = console->client;

	if (client)
		client->ops->writable(client);
}

static void disconnect(struct console *console);

/* Nobody is there any more who wanted it connected. */
static void
hang_up(struct console *console)
{
	if (console->on_demand && !console->client && console->n_input == 0)
		disconnect(console);
}

static void
impatient(struct timer *timer)
{
	struct console *console = container_of(timer, struct console, patience);

	console->off = true;
	drop_input(console);
	io_set(&console->io, EPOLLIN);
	tell_writable(console);
	hang_up(console);
}

static void
be_patient(struct console *console)
{
	timer_set(console->loop, &console->patience,
		loop_now(console->loop) + LOOP_S(CONSOLE_PATIENCE_S), impatient);
}

/* QEMU takes something again. */
static void
go_on(struct console *console)
{
	size_t n = give(console, console->input, console->n_input);

	if (n == 0)
		return;
	console->n_input -= n;
	if (console->n_input > 0) {
		memmove(console->input, console->input + n, console->n_input);
		be_patient(console);
	} else {
		drop_input(console);
		io_set(&console->io, EPOLLIN);
	}
	tell_writable(console);
	hang_up(console);
}

size_t
console_input(struct console_client *client, const uint8_t *data, size_t size)
{
	struct console *console = client->console;
	size_t taken = 0, kept;

	if (!console || console->fd < 0)
		return size;
	if (console->n_input == 0)
		taken = give(console, data, size);
	if (taken > 0)
		console->off = false;
	if (taken == size || console->off)
		return size;
	if (!console->input) {
		console->input = malloc(CONSOLE_INPUT_MAX);
		if (!console->input)
			return size;
		be_patient(console);
	}
	kept = CONSOLE_INPUT_MAX - console->n_input;
	if (kept > size - taken)
		kept = size - taken;
	memcpy(console->input + console->n_input, data + taken, kept);
	console->n_input += kept;
	io_set(&console->io, EPOLLIN | EPOLLOUT);
	return taken + kept;
}

/* --- from the guest to log and client ----------------------------------------------------- */

static void
disconnect(struct console *console)
{
	io_stop(&console->io);
	fd_close(&console->fd);
	drop_input(console);
	console->off = false;
	tell_writable(console);
}

/* Read once. Returns false when there is nothing, now or any more. */
static bool
hear(struct console *console)
{
	struct console_client *client = console->client;
	uint8_t data[READ_MAX];
	ssize_t n = recv(console->fd, data, sizeof(data), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		disconnect(console);
		return false;
	}
	if (console->log)
		vm_log_append(console->log, data, (size_t)n);
	if (client && !client->ops->output(client, data, (size_t)n))
		console_detach(client);
	return true;
}

static void
console_ready(struct io *io, uint32_t events)
{
	struct console *console = container_of(io, struct console, io);

	if (events & EPOLLOUT)
		go_on(console);
	if (console->fd >= 0 && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		(void)hear(console);
}

/* --- who talks to whom -------------------------------------------------------------------- */

int
console_connect(struct console *console, int fd)
{
	int r;

	disconnect(console);
	r = io_start(console->loop, &console->io, fd, EPOLLIN, 0, console_ready);
	if (r < 0)
		fd_close(&fd);
	console->fd = fd;
	return r;
}

void
console_close(struct console *console)
{
	struct console_client *client;

	/* What the guest said last is on its way, and is what people look for. */
	for (unsigned i = 0; console->fd >= 0 && i < LAST_WORDS && hear(console); i++)
		continue;
	client = console->client;
	if (client)
		console_detach(client);
	disconnect(console);
	if (client)
		client->ops->detached(client, false);
}

int
console_attach(struct console *console, struct console_client *client, bool force)
{
	struct console_client *other = console->client;

	if (other && !force)
		return -EBUSY;
	if (other)
		other->console = NULL;
	console->client = client;
	client->console = console;
	if (other)
		other->ops->detached(other, true);
	return 0;
}

void
console_detach(struct console_client *client)
{
	struct console *console = client->console;

	if (!console)
		return;
	console->client = NULL;
	client->console = NULL;
	hang_up(console);
}
