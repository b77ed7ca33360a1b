/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qmp.c: one conversation with one QEMU; see qmp.h.
 *
 * Runs in the worker. Nothing that QEMU says may cost more than its own conversation. QEMU's
 * greeting, answers and events are as its manual "QMP protocol specification" (qmp-spec) has them.
 */
#include "worker/qemu/qmp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/pass.h"
#include "lib/take.h"
#include "worker/qemu/json_text.h"

enum { READ_SIZE = 16 * 1024, READS_A_TURN = 2 };

static void
json_cleanup(json_t **value)
{
	json_decref(*value);
}

const char *
qmp_end_text(enum qmp_end end)
{
	switch (end) {
	case QMP_END_CLOSED:
		return "QEMU closed its monitor";
	case QMP_END_LONG:
		return "QEMU sent a message that is too long";
	case QMP_END_JSON:
		return "QEMU sent something that is not a JSON object";
	case QMP_END_GREETING:
		return "QEMU did not begin with its greeting";
	case QMP_END_ANSWER:
		return "QEMU answered what it was not asked";
	case QMP_END_MEMORY:
		return "there is no memory for what QEMU sent";
	}
	return "?";
}

static void
free_input(struct qmp *qmp)
{
	free(take_ptr(qmp->input));
	qmp->n_input = qmp->input_room = qmp->scanned = 0;
}

static void
free_output(struct qmp *qmp)
{
	free(take_ptr(qmp->output));
	qmp->n_output = qmp->at_output = 0;
	fd_close(&qmp->passed);
}

/* Stop talking; the end may yet be told. */
static void
hang_up(struct qmp *qmp)
{
	io_stop(&qmp->io);
	fd_close(&qmp->fd);
	free_input(qmp);
	free_output(qmp);
}

void
qmp_stop(struct qmp *qmp)
{
	if (!qmp->loop)
		return;
	timer_stop(&qmp->ending);
	hang_up(qmp);
}

static void
tell_end(struct timer *timer)
{
	struct qmp *qmp = container_of(timer, struct qmp, ending);

	qmp->ops->end(qmp, qmp->why);
}

static void
end(struct qmp *qmp, enum qmp_end why)
{
	if (qmp->fd < 0)
		return;
	qmp->why = why;
	hang_up(qmp);
	/* Told by a timer that is due: unlike a deferred call it can be taken back. */
	timer_set(qmp->loop, &qmp->ending, loop_now(qmp->loop), tell_end);
}

/* --- what QEMU says ----------------------------------------------------------------------- */

static void
take_greeting(struct qmp *qmp, json_t *message)
{
	json_t *version = json_object_get(json_object_get(message, "QMP"), "version");

	if (!json_is_object(version)) {
		end(qmp, QMP_END_GREETING);
		return;
	}
	qmp->greeted = true;
	qmp->ops->greeting(qmp, version);
}

/* A bit of qmp->without_id. */
static uint64_t
place_of(uint64_t id)
{
	_Static_assert(QMP_OPEN_MAX <= 64, "a bit for each");
	return UINT64_C(1) << id % QMP_OPEN_MAX;
}

/* Does an answer with that id (NULL: with none) belong to the oldest open command? */
static bool
is_due(const struct qmp *qmp, const json_t *id)
{
	if (qmp->first_id == qmp->next_id)
		return false;
	if (qmp->without_id & place_of(qmp->first_id))
		return id == NULL;
	return json_is_integer(id) && (uint64_t)json_integer_value(id) == qmp->first_id;
}

static void
take_answer(struct qmp *qmp, json_t *message)
{
	const json_t *error = json_object_get(message, "error");
	struct qmp_reply reply = {.value = json_object_get(message, "return")};
	uint64_t cookie = qmp->cookies[qmp->first_id % QMP_OPEN_MAX];

	if (error) {
		reply.value = NULL;
		reply.error_class = json_string_value(json_object_get(error, "class"));
		reply.error_text = json_string_value(json_object_get(error, "desc"));
	}
	if (!is_due(qmp, json_object_get(message, "id")) ||
		(error && (!reply.error_class || !reply.error_text)) || (!error && !reply.value)) {
		end(qmp, QMP_END_ANSWER);
		return;
	}
	qmp->first_id++;
	qmp->ops->reply(qmp, cookie, &reply);
}

/* Each value but the first stands after one of these; those in strings count as well. */
static bool
too_many_values(const char *line, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < size; i++)
		n += line[i] == ',' || line[i] == '[' || line[i] == '{';
	return n > QMP_VALUES_MAX;
}

/*
 * A number beyond what an integer holds makes all of its message's numbers real ones; the id, which
 * is ours, is an integer still.
 */
static json_t *
load(const char *line, size_t size)
{
	const double exact = 1LL << 53;
	json_error_t error;
	json_t *message = json_loadb(line, size, JSON_REJECT_DUPLICATES, &error);
	double id;

	if (message || json_error_code(&error) != json_error_numeric_overflow)
		return message;
	message = json_loadb(line, size, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
	id = json_real_value(json_object_get(message, "id"));
	if (json_object_get(message, "id") && id >= 0 && id < exact)
		(void)json_object_set_new(message, "id", json_integer((json_int_t)id));
	return message;
}

static void
take_line(struct qmp *qmp, const char *line, size_t size)
{
	AUTO(json_cleanup) json_t *message = NULL;
	const char *event;

	if (too_many_values(line, size)) {
		end(qmp, QMP_END_LONG);
		return;
	}
	message = load(line, size);
	if (!json_is_object(message)) {
		end(qmp, QMP_END_JSON);
		return;
	}
	event = json_string_value(json_object_get(message, "event"));
	if (!qmp->greeted)
		take_greeting(qmp, message);
	else if (event)
		qmp->ops->event(qmp, event, json_object_get(message, "data"));
	else
		take_answer(qmp, message);
}

/* Hands over every whole line; the conversation may be over afterwards. */
static void
take_lines(struct qmp *qmp)
{
	size_t start = 0;
	char *newline;

	while (qmp->fd >= 0 && (newline = memchr(qmp->input + qmp->scanned, '\n',
					qmp->n_input - qmp->scanned)) != NULL) {
		size_t at = (size_t)(newline - qmp->input);

		qmp->scanned = at + 1;
		take_line(qmp, qmp->input + start, at - start);
		start = at + 1;
	}
	if (qmp->fd < 0)
		return;
	qmp->n_input -= start;
	/* Not for each piece of a long line. */
	if (start > 0)
		memmove(qmp->input, qmp->input + start, qmp->n_input);
	qmp->scanned = qmp->n_input;
	if (qmp->n_input >= QMP_LINE_MAX)
		end(qmp, QMP_END_LONG);
}

static bool
make_room(struct qmp *qmp)
{
	size_t room = qmp->input_room ? qmp->input_room * 2 : READ_SIZE;
	char *input;

	if (qmp->input_room - qmp->n_input >= READ_SIZE)
		return true;
	input = realloc(qmp->input, room);
	if (!input)
		return false;
	qmp->input = input;
	qmp->input_room = room;
	return true;
}

static void
take_input(struct qmp *qmp)
{
	/*
	 * Bounded in bytes, however much room an earlier line has made, so that a QEMU that talks
	 * without end leaves time for the others.
	 */
	for (int i = 0; i < READS_A_TURN && qmp->fd >= 0; i++) {
		ssize_t n;

		if (!make_room(qmp)) {
			end(qmp, QMP_END_MEMORY);
			return;
		}
		n = recv(qmp->fd, qmp->input + qmp->n_input, READ_SIZE, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0) {
			end(qmp, QMP_END_CLOSED);
			return;
		}
		qmp->n_input += (size_t)n;
		take_lines(qmp);
		/* That was all for now. */
		if (n < READ_SIZE)
			break;
	}
	/* A conversation that is silent keeps no memory. */
	if (qmp->n_input == 0)
		free_input(qmp);
}

/* --- what we say -------------------------------------------------------------------------- */

/* As send(), up to the descriptor that waits, or with it. */
static ssize_t
send_some(struct qmp *qmp)
{
	const char *data = qmp->output + qmp->at_output;
	size_t left = qmp->n_output - qmp->at_output;
	ssize_t n;

	if (qmp->passed < 0)
		return send(qmp->fd, data, left, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (qmp->at_passed > qmp->at_output)
		return send(qmp->fd, data, qmp->at_passed - qmp->at_output,
			MSG_DONTWAIT | MSG_NOSIGNAL);
	n = pass_fd(qmp->fd, data, left, qmp->passed);
	if (n > 0)
		fd_close(&qmp->passed);
	if (n < 0)
		errno = (int)-n;
	return n < 0 ? -1 : n;
}

static void
flush(struct qmp *qmp)
{
	while (qmp->at_output < qmp->n_output) {
		ssize_t n = send_some(qmp);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			io_set(&qmp->io, EPOLLIN | EPOLLOUT);
			return;
		}
		if (n < 0) {
			/* What QEMU said before it went is still read; then comes the end. */
			(void)shutdown(qmp->fd, SHUT_RDWR);
			break;
		}
		qmp->at_output += (size_t)n;
	}
	free_output(qmp);
	io_set(&qmp->io, EPOLLIN);
}

static void
on_io(struct io *io, uint32_t events)
{
	struct qmp *qmp = container_of(io, struct qmp, io);

	if (events & EPOLLOUT)
		flush(qmp);
	if (qmp->fd >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		take_input(qmp);
}

int
qmp_start(struct qmp *qmp, struct loop *loop, int fd, const struct qmp_ops *ops)
{
	int r;

	memset(qmp, 0, sizeof(*qmp));
	qmp->loop = loop;
	qmp->ops = ops;
	qmp->fd = fd;
	qmp->passed = -1;
	r = io_start(loop, &qmp->io, fd, EPOLLIN, 0, on_io);
	if (r < 0)
		fd_close(&qmp->fd);
	return r;
}

/* Appends text and a newline to what waits to be sent. */
static int
append(struct qmp *qmp, const char *text)
{
	size_t size = strlen(text), waiting = qmp->n_output - qmp->at_output;
	char *output;

	if (waiting + size + 1 > QMP_OUTPUT_MAX)
		return -ENOBUFS;
	if (waiting > 0)
		memmove(qmp->output, qmp->output + qmp->at_output, waiting);
	qmp->at_passed -= qmp->passed >= 0 ? qmp->at_output : 0;
	qmp->n_output = waiting;
	qmp->at_output = 0;
	output = realloc(qmp->output, qmp->n_output + size + 1);
	if (!output)
		return -ENOMEM;
	memcpy(output + qmp->n_output, text, size);
	output[qmp->n_output + size] = '\n';
	qmp->output = output;
	qmp->n_output += size + 1;
	return 0;
}

static int
command(struct qmp *qmp, const char *name, json_t *arguments, int fd, uint64_t cookie, bool with_id)
{
	AUTO(json_cleanup) json_t *taken = arguments, *message = NULL;
	AUTO(json_cleanup) json_t *id = with_id ? json_integer((json_int_t)qmp->next_id) : NULL;
	free_auto char *text = NULL;
	fd_auto int passed = fd;
	int r;

	if (qmp->fd < 0)
		return -EPIPE;
	if (passed >= 0 && qmp->passed >= 0)
		return -EBUSY;
	if (qmp->next_id - qmp->first_id >= QMP_OPEN_MAX)
		return -ENOBUFS;
	if (with_id && !id)
		return -ENOMEM;
	message = json_pack("{s:s, s:O*, s:O*}", "execute", name, "id", id, "arguments", taken);
	text = message ? json_text(message) : NULL;
	if (!text)
		return -ENOMEM;
	r = append(qmp, text);
	if (r < 0)
		return r;
	if (passed >= 0) {
		qmp->at_passed = qmp->n_output - strlen(text) - 1;
		qmp->passed = take_fd(&passed);
	}
	qmp->cookies[qmp->next_id % QMP_OPEN_MAX] = cookie;
	qmp->without_id &= ~place_of(qmp->next_id);
	if (!with_id)
		qmp->without_id |= place_of(qmp->next_id);
	qmp->next_id++;
	flush(qmp);
	return 0;
}

int
qmp_command_fd(struct qmp *qmp, const char *name, json_t *arguments, int fd, uint64_t cookie)
{
	return command(qmp, name, arguments, fd, cookie, true);
}

int
qmp_command(struct qmp *qmp, const char *name, json_t *arguments, uint64_t cookie)
{
	return command(qmp, name, arguments, -1, cookie, true);
}

int
qmp_question(struct qmp *qmp, const char *name, json_t *arguments, uint64_t cookie)
{
	return command(qmp, name, arguments, -1, cookie, false);
}
