/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_relay.c: what a user's process writes on its stderr, on its way through root's starter into
 * the log.
 *
 * Input: a byte for the size of the pieces, then what is written. Oracle: what comes out are whole
 * lines that begin as the starter's do, of bounded length and number, with nothing in them that acts on
 * a terminal; text that is escaped for a place of any size fits there.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/launch/relay.h"
#include "lib/err.h"
#include "lib/fd.h"
#include "lib/take.h"
#include "lib/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LOGGED_MAX = 1 << 18, PIPE_SIZE = 1 << 17 };

static char logged[LOGGED_MAX];

static void
check_text(const char *text, size_t size)
{
	for (size_t n, at = 0; at < size; at += n) {
		uint32_t c;

		n = utf8_next(text + at, size - at, &c);
		ASSERT(n > 0 && !utf8_is_hidden(c));
	}
}

static void
check_log(size_t size)
{
	static const char *const levels[] = {"error: ", "warning: ", "info: ", "debug: "};
	const char *at = logged, *end;
	unsigned n = 0, found;

	for (; size > 0; size -= (size_t)(end + 1 - at), at = end + 1, n++) {
		size_t program = strlen("fuzz: ");

		end = memchr(at, '\n', size);
		ASSERT(end && end - at < LOG_LINE_MAX && end - at > 6);
		ASSERT(memcmp(at, "fuzz: ", program) == 0);
		found = 0;
		for (unsigned i = 0; i < 4; i++)
			found += strncmp(at + program, levels[i], strlen(levels[i])) == 0;
		ASSERT(found == 1 && memmem(at, (size_t)(end - at), " pid=7 worker: ", 15));
		check_text(at, (size_t)(end - at));
	}
	ASSERT(n <= RELAY_LINES + 1);
}

static void
relay_all(const uint8_t *data, size_t size, size_t piece)
{
	struct relay relay;
	struct loop loop;
	int fds[2];

	ASSERT(loop_init(&loop) == 0 && relay_pipe(fds) == 0);
	ASSERT(relay_start(&relay, &loop, fds[0], 1000, 7, "worker") == 0);
	while (size > 0) {
		ssize_t n = write(fds[1], data, size < piece ? size : piece);

		if (n < 0)
			break;
		data += n;
		size -= (size_t)n;
		ASSERT(loop_once(&loop, 0) == 0);
	}
	fd_close(&fds[1]);
	relay_stop(&relay);
	loop_fini(&loop);
}

static void
check_escape(const char *text, size_t size)
{
	char out[64], quoted[LOG_QUOTE_MAX];
	free_auto char *string = strndup(text, size);

	for (size_t room = 8; room <= sizeof(out); room += 7) {
		size_t n = log_escape(out, room, text, size);

		ASSERT(n < room && strlen(out) == n);
		check_text(out, n);
	}
	ASSERT(string);
	(void)log_quote_into(quoted, string);
	check_text(quoted, strlen(quoted));
	ASSERT(strlen(quoted) >= 2 && strchr(quoted + 1, '"') == quoted + strlen(quoted) - 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fd_auto int kept = -1;
	size_t n_logged = 0;
	ssize_t n;
	int fds[2];

	if (size < 1)
		return 0;
	check_escape((const char *)data + 1, size - 1);
	ASSERT(pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
	ASSERT(fcntl(fds[1], F_SETPIPE_SZ, PIPE_SIZE) >= PIPE_SIZE);
	kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	log_open("fuzz", LEVEL_DEBUG);
	ASSERT(kept >= 0 && dup2(fds[1], STDERR_FILENO) >= 0);
	relay_all(data + 1, size - 1, 1 + (size_t)data[0] * 16);
	ASSERT(dup2(kept, STDERR_FILENO) >= 0);
	fd_close(&fds[1]);
	while ((n = read(fds[0], logged + n_logged, sizeof(logged) - n_logged)) > 0)
		n_logged += (size_t)n;
	ASSERT(n == 0 && n_logged < sizeof(logged));
	fd_close(&fds[0]);
	check_log(n_logged);
	return 0;
}
