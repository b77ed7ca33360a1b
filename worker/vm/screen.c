/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * screen.c: screen and keyboard of a VM that runs; see screen.h.
 *
 * Runs in the worker, as the user. QEMU is not trusted: a picture is a file of bounded size that it
 * writes and nobody here reads into.
 */
#include "worker/vm/screen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/log.h"
#include "lib/take.h"
#include "worker/vm/ask.h"
#include "worker/vm/vm.h"
#include "worker/vm/vms.h"

enum { STEP_BEGIN /* of all of them; the others are each kind's own */ };

static int
put(struct vm *vm, struct vm_op *op, const struct job_ops *ops, void (*release)(struct vm_op *op),
	vm_done_fn *done, void *arg)
{
	op->release = release;
	vm_op_put(vm, op, ops, false, done, arg);
	return RPC_LATER;
}

static int
out_of_memory(struct rpc_error *error)
{
	return rpc_error_set(error, VIR_ERR_NO_MEMORY, VIR_FROM_NONE, "out of memory");
}

static bool
runs(const struct vm *vm)
{
	return vm && vm->started && !vm->stopping;
}

/* --- a connection to the screen ----------------------------------------------------------- */

/* QEMU's name for the descriptor, which is gone once it is used. */
#define CONNECTION "qemud-graphics"

enum open_step { OPEN_PASSED = STEP_BEGIN + 1, OPEN_ADDED, OPEN_TAKEN_BACK };

struct open_op {
	struct vm_op op;
	int fd; /* owned; -1 once QEMU has it */
	bool skip_auth;
};

static enum job_verdict
open_step(struct job *job, int step, const void *body)
{
	struct open_op *open = container_of(vm_op_of(job), struct open_op, op);
	const struct qmp_reply *reply = body;

	if (step == STEP_BEGIN) {
		if (runs(open->op.vm))
			return vm_ask(job, OPEN_PASSED, "getfd",
				json_pack("{s:s}", "fdname", CONNECTION), take_fd(&open->fd));
		(void)vm_not_running(&job->error);
		return JOB_FAILED;
	}
	if (step == OPEN_TAKEN_BACK)
		return JOB_FAILED;
	if (!reply->value) {
		(void)vm_ask_refused(job, reply);
		return step == OPEN_PASSED ? JOB_FAILED
					   : vm_ask(job, OPEN_TAKEN_BACK, "closefd",
						     json_pack("{s:s}", "fdname", CONNECTION), -1);
	}
	if (step == OPEN_ADDED)
		return JOB_DONE;
	return vm_ask(job, OPEN_ADDED, "add_client",
		json_pack("{s:s, s:s, s:b}", "protocol", "vnc", "fdname", CONNECTION, "skipauth",
			open->skip_auth),
		-1);
}

static void
open_release(struct vm_op *op)
{
	fd_close(&container_of(op, struct open_op, op)->fd);
}

static const struct job_ops open_ops = {
	.name = "open graphics", .step = open_step, .explain = vm_ask_explain, .done = vm_op_done};

int
vm_open_graphics(
	struct vm *vm, int fd, bool skip_auth, struct rpc_error *error, vm_done_fn *done, void *arg)
{
	fd_auto int owned = fd;
	struct open_op *open;

	if (!runs(vm))
		return vm_not_running(error);
	open = calloc(1, sizeof(*open));
	if (!open)
		return out_of_memory(error);
	open->fd = take_fd(&owned);
	open->skip_auth = skip_auth;
	return put(vm, &open->op, &open_ops, open_release, done, arg);
}

/* --- a picture ---------------------------------------------------------------------------- */

enum shot_step { SHOT_ADDED = STEP_BEGIN + 1, SHOT_TAKEN, SHOT_REMOVED };

struct shot_op {
	struct vm_op op;
	const char *device; /* of the definition; NULL: the first */
	uint32_t head;
	json_int_t set; /* QEMU's number for the descriptor */
	bool refused;
	int read_fd; /* owned; of the memfd */
	struct vm_picture *picture;
};

static int
end_picture(struct shot_op *shot)
{
	struct stat st;

	if (fstat(shot->read_fd, &st) < 0 || st.st_size <= 0 || st.st_size > VM_PICTURE_MAX)
		return -EIO;
	shot->picture->size = (uint64_t)st.st_size;
	shot->picture->fd = take_fd(&shot->read_fd);
	return 0;
}

/*
 * QEMU writes it by a descriptor that can do nothing else, and empties it first: so it has no seals.
 * What it writes is memory of QEMU's own control group.
 */
static enum job_verdict
shot_begin(struct job *job, struct shot_op *shot)
{
	char path[40];
	int fd = -1;

	if (!runs(shot->op.vm)) {
		(void)vm_not_running(&job->error);
		return JOB_FAILED;
	}
	shot->read_fd = memfd_create("screenshot", MFD_CLOEXEC);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", shot->read_fd);
	if (shot->read_fd >= 0)
		fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		return vm_ask(job, SHOT_ADDED, "add-fd", NULL, fd);
	(void)rpc_error_set_errno(
		&job->error, errno, VIR_FROM_QEMU, "there is no room for a screenshot");
	return JOB_FAILED;
}

static enum job_verdict
shot_added(struct job *job, struct shot_op *shot, const struct qmp_reply *reply)
{
	const json_t *set = json_object_get(reply->value, "fdset-id");
	json_t *arguments;

	if (!reply->value)
		return vm_ask_refused(job, reply);
	shot->set = json_integer_value(set);
	arguments = json_pack("{s:o, s:s}", "filename",
		json_sprintf("/dev/fdset/%" JSON_INTEGER_FORMAT, shot->set), "format", "png");
	if (shot->device &&
		(json_object_set_new(arguments, "device", json_string(shot->device)) < 0 ||
			json_object_set_new(
				arguments, "head", json_integer((json_int_t)shot->head)) < 0)) {
		json_decref(arguments);
		(void)out_of_memory(&job->error);
		return JOB_FAILED;
	}
	return vm_ask(job, SHOT_TAKEN, "screendump", arguments, -1);
}

static enum job_verdict
shot_step(struct job *job, int step, const void *body)
{
	struct shot_op *shot = container_of(vm_op_of(job), struct shot_op, op);
	const struct qmp_reply *reply = body;

	if (step == STEP_BEGIN)
		return shot_begin(job, shot);
	if (step == SHOT_ADDED)
		return shot_added(job, shot, reply);
	if (step == SHOT_TAKEN) {
		shot->refused = !reply->value;
		if (shot->refused)
			(void)vm_ask_refused(job, reply);
		return vm_ask(job, SHOT_REMOVED, "remove-fd",
			json_pack("{s:I}", "fdset-id", shot->set), -1);
	}
	if (shot->refused)
		return JOB_FAILED;
	if (end_picture(shot) == 0)
		return JOB_DONE;
	(void)rpc_error_set(&job->error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
		"operation failed: QEMU has written no screenshot of at most %d bytes",
		(int)VM_PICTURE_MAX);
	return JOB_FAILED;
}

static void
shot_release(struct vm_op *op)
{
	struct shot_op *shot = container_of(op, struct shot_op, op);

	fd_close(&shot->read_fd);
}

static const struct job_ops shot_ops = {
	.name = "screenshot", .step = shot_step, .explain = vm_ask_explain, .done = vm_op_done};

/* As libvirt counts: the first screen is QEMU's first, and then head after head of each card. */
static int
find_screen(const struct domain_def *live, struct shot_op *shot, uint32_t screen,
	struct rpc_error *error)
{
	if (live->n_videos == 0)
		return rpc_error_set(error, VIR_ERR_OPERATION_INVALID, VIR_FROM_QEMU,
			"Requested operation is not valid: no screens to take screenshot from");
	if (screen == 0)
		return RPC_DONE;
	for (size_t i = 0; i < live->n_videos; i++) {
		const struct domain_video *video = &live->videos[i];

		if (screen < video->heads) {
			shot->device = video->device.alias;
			shot->head = screen;
			return RPC_DONE;
		}
		screen -= video->heads;
	}
	return rpc_error_set(error, VIR_ERR_OPERATION_INVALID, VIR_FROM_QEMU,
		"Requested operation is not valid: no such screen ID");
}

int
vm_screenshot(struct vm *vm, uint32_t screen, struct vm_picture *picture, struct rpc_error *error,
	vm_done_fn *done, void *arg)
{
	free_auto struct shot_op *shot = NULL;

	*picture = (struct vm_picture){.fd = -1};
	if (!runs(vm))
		return vm_not_running(error);
	shot = calloc(1, sizeof(*shot));
	if (!shot)
		return out_of_memory(error);
	shot->read_fd = -1;
	shot->picture = picture;
	if (find_screen(vm->domain->live, shot, screen, error) != RPC_DONE)
		return RPC_FAILED;
	return put(vm, &take_ptr(shot)->op, &shot_ops, shot_release, done, arg);
}

/* --- one command ---------------------------------------------------------------------------- */

enum { ONE_ANSWERED = STEP_BEGIN + 1 };

struct one_op {
	struct vm_op op;
	const char *command;
	json_t *arguments; /* owned; NULL: none */
};

static enum job_verdict
one_step(struct job *job, int step, const void *body)
{
	struct one_op *one = container_of(vm_op_of(job), struct one_op, op);
	const struct qmp_reply *reply = body;

	if (step == ONE_ANSWERED)
		return reply->value ? JOB_DONE : vm_ask_refused(job, reply);
	if (runs(one->op.vm))
		return vm_ask(job, ONE_ANSWERED, one->command, take_ptr(one->arguments), -1);
	(void)vm_not_running(&job->error);
	return JOB_FAILED;
}

static void
one_release(struct vm_op *op)
{
	json_decref(container_of(op, struct one_op, op)->arguments);
}

static int
put_one(struct vm *vm, const struct job_ops *ops, const char *command, json_t *arguments,
	struct rpc_error *error, vm_done_fn *done, void *arg)
{
	struct one_op *one = calloc(1, sizeof(*one));

	if (!one) {
		json_decref(arguments);
		return out_of_memory(error);
	}
	one->command = command;
	one->arguments = arguments;
	return put(vm, &one->op, ops, one_release, done, arg);
}

static const struct job_ops key_ops = {
	.name = "send key", .step = one_step, .explain = vm_ask_explain, .done = vm_op_done};
static const struct job_ops nmi_ops = {
	.name = "inject nmi", .step = one_step, .explain = vm_ask_explain, .done = vm_op_done};

int
vm_send_key(struct vm *vm, const uint16_t *keys, unsigned n, uint32_t hold_ms,
	struct rpc_error *error, vm_done_fn *done, void *arg)
{
	json_t *list, *arguments;
	bool failed = false;

	if (!runs(vm))
		return vm_not_running(error);
	list = json_array();
	for (unsigned i = 0; i < n; i++)
		failed |= json_array_append_new(list, json_pack("{s:s, s:i}", "type", "number",
							      "data", (int)keys[i])) < 0;
	arguments = json_pack("{s:o, s:o*}", "keys", list, "hold-time",
		hold_ms ? json_integer((json_int_t)hold_ms) : NULL);
	if (failed || !arguments) {
		json_decref(arguments);
		return out_of_memory(error);
	}
	return put_one(vm, &key_ops, "send-key", arguments, error, done, arg);
}

int
vm_inject_nmi(struct vm *vm, struct rpc_error *error, vm_done_fn *done, void *arg)
{
	if (!runs(vm))
		return vm_not_running(error);
	return put_one(vm, &nmi_ops, "inject-nmi", NULL, error, done, arg);
}
