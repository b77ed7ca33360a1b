/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * answer.c: what a qemud that runs answers to a question; see answer.h.
 */
#include "ctl/answer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ctl/command.h"
#include "ctl/json.h"
#include "lib/log.h"
#include "lib/take.h"

enum { PIECE = 65536 };

static int
no_memory(void)
{
	log_error("out of memory");
	return CTL_FAILED;
}

/* --- the way there ------------------------------------------------------------------------ */

static int
tell_absent(const char *path, int err)
{
	if (err == ENOENT || err == ECONNREFUSED)
		log_error("%s: no qemud is there (%s): start it (systemctl start qemud), or name "
			  "its socket with --socket",
			path, strerror(err));
	else if (err == EAGAIN)
		log_error("%s: qemud does not accept connections", path);
	else
		log_error("%s: %s", path, strerror(err));
	return CTL_FAILED;
}

static int
reach(const char *path, unsigned seconds, int *ret_fd)
{
	struct timeval patience = {.tv_sec = seconds};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	fd_auto int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof address.sun_path)
		return tell_absent(path, ENAMETOOLONG);
	memcpy(address.sun_path, path, strlen(path));
	/* It holds for connecting, too: a backlog may be full. */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0 ||
		connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
		return tell_absent(path, errno);
	*ret_fd = take_fd(&fd);
	return CTL_OK;
}

/* Until there is something to read, or no time left: in milliseconds. */
static int
left_ms(const struct timespec *begun, unsigned seconds)
{
	struct timespec now;
	long ms;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (now.tv_sec - begun->tv_sec) * 1000 + (now.tv_nsec - begun->tv_nsec) / 1000000;
	return ms < seconds * 1000L ? (int)(seconds * 1000L - ms) : 0;
}

static int
tell_long(void)
{
	log_error("the answer is longer than %d MiB, and nothing of it is shown",
		TALK_ANSWER_MAX / (1024 * 1024));
	return CTL_FAILED;
}

static int
read_all(int fd, unsigned seconds, char **ret_text, size_t *ret_size)
{
	free_auto char *text = NULL;
	size_t size = 0, room = 0;
	struct timespec begun;
	ssize_t n = 1;

	(void)clock_gettime(CLOCK_MONOTONIC, &begun);
	while (n > 0) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		int ready = poll(&poll_fd, 1, left_ms(&begun, seconds));

		if (size > TALK_ANSWER_MAX)
			return tell_long();
		if (room - size < PIECE) {
			size_t wanted = 2 * room < TALK_ANSWER_MAX ? 2 * room + PIECE
								   : TALK_ANSWER_MAX + 2 * PIECE;
			char *more = realloc(text, wanted);

			if (!more)
				return no_memory();
			text = more;
			room = wanted;
		}
		if (ready == 0) {
			log_error("qemud has not answered within %u seconds", seconds);
			return CTL_FAILED;
		}
		n = ready < 0 ? -1 : recv(fd, text + size, room - size, 0);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			size += (size_t)n;
	}
	/* What it said before it closed with something unread on its side has come. */
	if (n < 0 && errno != ECONNRESET) {
		log_error("the answer cannot be read: %s", strerror(errno));
		return CTL_FAILED;
	}
	*ret_text = take_ptr(text);
	*ret_size = size;
	return CTL_OK;
}

/* --- what is in it ------------------------------------------------------------------------ */

static int
tell_error(const struct talk_row *row)
{
	const struct talk_value *code = &row->values[TALK_ERROR_CODE];
	const struct talk_value *text = &row->values[TALK_ERROR_TEXT];
	char shown[2 * TALK_TEXT_MAX];

	(void)log_escape(shown, sizeof shown, text->known ? text->text : "it does not say why",
		text->known ? strlen(text->text) : strlen("it does not say why"));
	log_error("%s", shown);
	return code->known && (strcmp(code->text, TALK_CODE_REFUSED) == 0 ||
				      strcmp(code->text, TALK_CODE_UNKNOWN) == 0)
		       ? CTL_FOUND
		       : CTL_FAILED;
}

/* Is all that came one answer? */
static int
check_rows(struct answer *answer)
{
	struct talk_reader reader = {.text = answer->text, .size = answer->size};
	enum talk_result result;
	struct talk_row row;

	do {
		answer->size = reader.at;
		result = talk_next(&reader, &row);
	} while (result == TALK_ROW);
	if (reader.size == 0)
		log_error(
			"qemud has closed the connection without a word: too many are open, or it "
			"ends");
	else if (result == TALK_BAD)
		log_error("the answer is not whole, and nothing of it is shown: %s", reader.error);
	return result == TALK_WHOLE ? CTL_OK : CTL_FAILED;
}

int
answer_unknown(const char *user)
{
	log_error("%s: there is no such user", log_quote(user));
	return CTL_FOUND;
}

int
answer_get(const char *path, const struct talk_question *question, unsigned seconds,
	struct answer *ret)
{
	char line[TALK_QUESTION_MAX];
	size_t size = talk_question_write(question, line);
	struct answer_at at = {.at = 0};
	fd_auto int fd = -1;
	int status;

	*ret = (struct answer){.size = 0};
	if (size == 0)
		return answer_unknown(question->user);
	status = reach(path, seconds, &fd);
	if (status != CTL_OK)
		return status;
	/* Who refuses does not wait for the question, and has closed it maybe: its answer is there. */
	if (send(fd, line, size, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
		return tell_absent(path, errno);
	status = read_all(fd, seconds, &ret->text, &ret->size);
	if (status == CTL_OK)
		status = check_rows(ret);
	if (status != CTL_OK)
		return status;
	if (answer_next(ret, TALK_ERROR, &at))
		return tell_error(&at.row);
	if (ret->size > 0)
		(void)talk_again(ret->text, &ret->host);
	if (ret->host.kind == TALK_HOST)
		return CTL_OK;
	log_error("the answer does not begin with how the host is, and nothing of it is shown");
	return CTL_FAILED;
}

void
answer_free(struct answer *answer)
{
	free(answer->text);
	*answer = (struct answer){.size = 0};
}

bool
answer_next(const struct answer *answer, enum talk_row_kind kind, struct answer_at *at)
{
	while (at->at < answer->size) {
		at->at = (size_t)(talk_again(answer->text + at->at, &at->row) - answer->text);
		if (at->row.kind == kind)
			return true;
	}
	return false;
}

void
answer_json(const struct answer *answer, enum talk_row_kind kind)
{
	struct answer_at at = {.at = 0};

	(void)putchar('[');
	for (bool first = true; answer_next(answer, kind, &at); first = false) {
		if (!first)
			(void)putchar(',');
		json_put_row(&at.row);
	}
	(void)putchar(']');
}
