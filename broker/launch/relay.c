/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * relay.c: what a child writes on its stderr, line by line into the log; see relay.h.
 */
#include "broker/launch/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/take.h"

enum { CHUNK = 4096, PIPE_CAPACITY = 64 * 1024 };

/* "PROGRAM: LEVEL: " in front of a line: the level, and where the text begins. */
static enum log_level
read_prefix(const char *line, const char **ret_text)
{
	const char *level_at = strstr(line, ": "), *text;
	enum log_level level = LEVEL_WARNING;
	char name[16] = "";

	*ret_text = line;
	if (strncmp(line, "qemud-", 6) != 0 || !level_at)
		return level;
	level_at += 2;
	text = strstr(level_at, ": ");
	if (!text || (size_t)(text - level_at) >= sizeof(name))
		return level;
	memcpy(name, level_at, (size_t)(text - level_at));
	if (!log_level_read(name))
		return level;
	*ret_text = text + 2;
	return log_level_read(name);
}

static void
print(const struct relay *relay, const char *line)
{
	static void (*const by_level[])(const char *fmt, ...) = {
		[LEVEL_ERROR] = log_error,
		[LEVEL_WARNING] = log_warning,
		[LEVEL_INFO] = log_info,
		[LEVEL_DEBUG] = log_debug,
	};
	const char *text;
	enum log_level level = read_prefix(line, &text);

	by_level[level]("uid=%" PRIu32 " pid=%d %s: %s", relay->uid, relay->pid, relay->name, text);
}

static void
end_line(struct relay *relay)
{
	relay->line[relay->n_line] = '\0';
	if (relay->n_line == 0)
		return;
	relay->n_line = 0;
	if (relay->n_lines == RELAY_LINES) {
		relay->n_dropped++;
		return;
	}
	relay->n_lines++;
	print(relay, relay->line);
}

static void
new_window(struct relay *relay)
{
	if (relay->n_dropped > 0)
		log_warning("uid=%" PRIu32 " pid=%d %s: wrote more than %d lines in %d seconds; at "
			    "least %u more were dropped",
			relay->uid, relay->pid, relay->name, RELAY_LINES, RELAY_WINDOW_S,
			relay->n_dropped);
	relay->window_ns = loop_now(relay->loop);
	relay->n_lines = relay->n_dropped = 0;
}

/* Read once. Returns false when there is nothing more to read now, or ever. */
static bool
take_chunk(struct relay *relay)
{
	char chunk[CHUNK];
	ssize_t n = read(relay->fd, chunk, sizeof(chunk));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		io_stop(&relay->io);
		return false;
	}
	if (relay->n_dropped == 0 &&
		loop_now(relay->loop) - relay->window_ns > LOOP_S(RELAY_WINDOW_S)) {
		relay->window_ns = loop_now(relay->loop);
		relay->n_lines = 0;
	}
	for (ssize_t i = 0; i < n; i++) {
		/* A NUL ends a line as well: nothing behind it may be lost in a C string. */
		if (chunk[i] == '\n' || chunk[i] == '\0') {
			end_line(relay);
			continue;
		}
		if (relay->n_line == sizeof(relay->line) - 1)
			end_line(relay);
		relay->line[relay->n_line++] = chunk[i];
	}
	return true;
}

/* What piled up while the budget was used up is dropped: as much as a pipe holds, no more. */
static void
resume(struct timer *timer)
{
	struct relay *relay = container_of(timer, struct relay, resume);

	for (size_t n = 0; n < PIPE_CAPACITY && take_chunk(relay); n += CHUNK)
		;
	new_window(relay);
	if (relay->io.loop)
		io_set(&relay->io, EPOLLIN);
}

static void
readable(struct io *io, uint32_t events)
{
	struct relay *relay = container_of(io, struct relay, io);

	(void)events;
	(void)take_chunk(relay);
	if (relay->n_dropped == 0 || !io->loop)
		return;
	io_set(io, 0);
	timer_set(relay->loop, &relay->resume, relay->window_ns + LOOP_S(RELAY_WINDOW_S), resume);
}

int
relay_pipe(int ret_fds[2])
{
	return pipe2(ret_fds, O_CLOEXEC | O_NONBLOCK) < 0 ? -errno : 0;
}

int
relay_start(
	struct relay *relay, struct loop *loop, int fd, uint32_t uid, pid_t pid, const char *name)
{
	int r;

	*relay = (struct relay){.loop = loop, .fd = fd, .uid = uid, .pid = pid, .name = name};
	relay->window_ns = loop_now(loop);
	r = io_start(loop, &relay->io, fd, EPOLLIN, 0, readable);
	if (r < 0)
		fd_close(&relay->fd);
	return r;
}

void
relay_stop(struct relay *relay)
{
	if (relay->fd < 0)
		return;
	for (size_t n = 0; n < PIPE_CAPACITY && take_chunk(relay); n += CHUNK)
		;
	end_line(relay);
	new_window(relay);
	timer_stop(&relay->resume);
	io_stop(&relay->io);
	fd_close(&relay->fd);
}
