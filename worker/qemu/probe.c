/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * probe.c: asks a QEMU binary what it can do; see probe.h.
 *
 * Runs in the worker, as the user. Asks little: QEMU reads its monitor byte by byte, and the list
 * of CPU models alone takes it a fifth of a second.
 */
#include "worker/qemu/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/take.h"

/* LOG_SHOWN bytes of the log's end are told; escaped they take up to four times as much. */
enum { MONITOR_FD = PLAN_FD_MIN, PATIENCE_S = 20, LOG_SHOWN = 400 };

enum probe_step {
	PROBE_START,   /* the plan can be sent */
	PROBE_RUNS,    /* the box has become QEMU */
	PROBE_GREETED, /* QEMU has said hello */
	PROBE_ANSWERED /* one of the questions, which come one after the other */
};

static const struct {
	const char *command;
	const char *typename;       /* its argument; or NULL */
	capabilities_take_fn *take; /* NULL: the answer says nothing */
} questions[] = {
	{"qmp_capabilities", NULL, NULL},
	{"query-target", NULL, capabilities_take_target},
	{"query-machines", NULL, capabilities_take_machines},
	{"query-cpu-definitions", NULL, capabilities_take_models},
	{"qom-list-properties", "max-x86_64-cpu", capabilities_take_features},
	{"query-kvm", NULL, capabilities_take_kvm},
	{"quit", NULL, NULL},
};

enum { N_QUESTIONS = sizeof(questions) / sizeof(questions[0]) };

static const char *const arguments[] = {"-machine", "none", "-display", "none", "-chardev",
	"socket,id=monitor,fd=10" /* MONITOR_FD */, "-mon", "chardev=monitor,mode=control"};

/* --- the conversation --------------------------------------------------------------------- */

static struct probe *
of_qmp(struct qmp *qmp)
{
	return container_of(qmp, struct probe, qmp);
}

static void
qmp_greeting(struct qmp *qmp, json_t *version)
{
	job_wake(of_qmp(qmp)->jobs, of_qmp(qmp)->ticket, 0, version);
}

static void
qmp_reply(struct qmp *qmp, uint64_t cookie, const struct qmp_reply *reply)
{
	job_wake(of_qmp(qmp)->jobs, cookie, 0, reply);
}

static void
qmp_event(struct qmp *qmp, const char *name, json_t *data)
{
	/* Of a QEMU without a machine nothing is worth knowing but its end. */
	(void)qmp;
	(void)name;
	(void)data;
}

static void
qmp_ended(struct qmp *qmp, enum qmp_end why)
{
	of_qmp(qmp)->why = qmp_end_text(why);
	job_wake(of_qmp(qmp)->jobs, of_qmp(qmp)->ticket, -EPIPE, NULL);
}

static const struct qmp_ops qmp_ops = {
	.greeting = qmp_greeting, .reply = qmp_reply, .event = qmp_event, .end = qmp_ended};

static void
seed_ended(struct seed_link *seed, const struct plan_answer *answer)
{
	struct probe *probe = container_of(seed, struct probe, seed);

	job_wake(probe->jobs, probe->ticket, 0, answer);
}

static const struct seed_link_ops seed_ops = {.end = seed_ended};

/* --- what failed -------------------------------------------------------------------------- */

/* The end of what QEMU printed, escaped, as ": text"; "" if it printed nothing. */
static void
read_log(int log_fd, char *out, size_t out_size)
{
	char text[LOG_SHOWN], *newline;
	struct stat st;
	ssize_t n;

	*out = '\0';
	if (log_fd < 0 || fstat(log_fd, &st) < 0)
		return;
	n = pread(log_fd, text, sizeof(text), st.st_size > LOG_SHOWN ? st.st_size - LOG_SHOWN : 0);
	while (n > 0 && text[n - 1] == '\n')
		n--;
	if (n <= 0)
		return;
	while ((newline = memchr(text, '\n', (size_t)n)))
		*newline = ' ';
	memcpy(out, ": ", 3);
	(void)log_escape(out + 2, out_size - 2, text, (size_t)n);
}

__attribute__((format(printf, 2, 3))) static void
refuse(struct probe *probe, const char *fmt, ...)
{
	char why[LOG_QUOTE_MAX + PLAN_WHY_MAX + 64], printed[LOG_SHOWN * 4 + 8];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	read_log(probe->log_fd, printed, sizeof(printed));
	(void)rpc_error_set(&probe->job.error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU,
		"internal error: Failed to probe QEMU binary with QMP: %s%s", why, printed);
}

static void
explain(struct job *job, int step, int err)
{
	struct probe *probe = container_of(job, struct probe, job);

	(void)step;
	if (err == -ECANCELED)
		(void)rpc_error_set(&job->error, VIR_ERR_OPERATION_ABORTED, VIR_FROM_QEMU,
			"operation aborted: the QEMU binary was not asked to the end");
	else if (err == -ETIMEDOUT)
		refuse(probe, "no answer within %d seconds", PATIENCE_S);
	else
		refuse(probe, "%s", err == -EPIPE && probe->why ? probe->why : strerror(-err));
}

/* --- steps -------------------------------------------------------------------------------- */

/* A step that failed for an errno. */
static enum job_verdict
failed(struct probe *probe, int err)
{
	explain(&probe->job, probe->job.step, err);
	return JOB_FAILED;
}

static void
await(struct probe *probe, enum probe_step step)
{
	probe->ticket = job_wait(&probe->job, (int)step, LOOP_S(PATIENCE_S));
}

static void
plan_qemu(struct plan *plan, bool kvm)
{
	plan_init(plan);
	plan->program = PLAN_QEMU_X86_64;
	plan->profile = PLAN_PROBE;
	plan->fds[plan->n_fds++] = MONITOR_FD;
	for (size_t i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++)
		plan->args[plan->n_args++] = arguments[i];
	/* The first that works is taken. */
	if (kvm) {
		plan->args[plan->n_args++] = "-accel";
		plan->args[plan->n_args++] = "kvm";
	}
	plan->args[plan->n_args++] = "-accel";
	plan->args[plan->n_args++] = "tcg";
}

static int
send_plan(struct probe *probe)
{
	fd_auto int log_fd = -1, sock = take_fd(&probe->sock);
	int pair[2], r;
	struct plan plan;

	probe->capabilities = capabilities_new();
	if (!probe->capabilities)
		return -ENOMEM;
	probe->log_fd = memfd_create("probe-log", MFD_CLOEXEC);
	if (probe->log_fd < 0)
		return -errno;
	log_fd = fcntl(probe->log_fd, F_DUPFD_CLOEXEC, 0);
	if (log_fd < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	probe->monitor_fd = pair[0];
	plan_qemu(&plan, probe->kvm);
	r = seed_link_start(&probe->seed, probe->jobs->loop, take_fd(&sock), &plan,
		take_fd(&log_fd), &pair[1], &seed_ops);
	ASSERT(r != PLAN_E_BAD);
	return r;
}

static int
ask(struct probe *probe)
{
	const char *type = questions[probe->question].typename;

	await(probe, PROBE_ANSWERED);
	return qmp_command(&probe->qmp, questions[probe->question].command,
		type ? json_pack("{ss}", "typename", type) : NULL, probe->ticket);
}

static enum job_verdict
take_answer(struct probe *probe, const struct qmp_reply *reply)
{
	const char *command = questions[probe->question].command;
	capabilities_take_fn *take = questions[probe->question].take;
	int r;

	if (!reply->value) {
		refuse(probe, "%s: %s", command, log_quote(reply->error_text));
		return JOB_FAILED;
	}
	r = take ? take(probe->capabilities, reply->value) : 0;
	if (r == CAPABILITIES_E_BAD) {
		refuse(probe, "%s: QEMU answered what no QEMU says", command);
		return JOB_FAILED;
	}
	if (r == 0 && ++probe->question == N_QUESTIONS)
		return JOB_DONE;
	if (r == 0)
		r = ask(probe);
	return r < 0 ? failed(probe, r) : JOB_WAIT;
}

static enum job_verdict
step(struct job *job, int step, const void *body)
{
	struct probe *probe = container_of(job, struct probe, job);
	const struct plan_answer *answer = body;
	int r = 0;

	switch ((enum probe_step)step) {
	case PROBE_START:
		await(probe, PROBE_RUNS);
		r = send_plan(probe);
		break;
	case PROBE_RUNS:
		if (!answer->ok) {
			refuse(probe, "%s", log_quote(answer->why));
			return JOB_FAILED;
		}
		await(probe, PROBE_GREETED);
		r = qmp_start(
			&probe->qmp, probe->jobs->loop, take_fd(&probe->monitor_fd), &qmp_ops);
		break;
	case PROBE_GREETED:
		if (capabilities_take_version(probe->capabilities, body) != 0) {
			refuse(probe, "QEMU's greeting has no version");
			return JOB_FAILED;
		}
		r = ask(probe);
		break;
	case PROBE_ANSWERED:
		return take_answer(probe, body);
	}
	return r < 0 ? failed(probe, r) : JOB_WAIT;
}

static void
done(struct job *job, bool ok)
{
	struct probe *probe = container_of(job, struct probe, job);
	capabilities_auto struct capabilities *capabilities = take_ptr(probe->capabilities);

	seed_link_stop(&probe->seed);
	qmp_stop(&probe->qmp);
	fd_close(&probe->sock);
	fd_close(&probe->monitor_fd);
	fd_close(&probe->log_fd);
	probe->ops->end(probe, ok ? take_ptr(capabilities) : NULL, &job->error);
}

static const struct job_ops job_ops = {
	.name = "probe", .step = step, .explain = explain, .done = done};

void
probe_start(struct probe *probe, struct jobs *jobs, int sock, bool kvm, const struct probe_ops *ops)
{
	*probe = (struct probe){
		.ops = ops, .jobs = jobs, .kvm = kvm, .sock = sock, .monitor_fd = -1, .log_fd = -1};
	job_start(jobs, &probe->job, &job_ops, PROBE_START);
}
