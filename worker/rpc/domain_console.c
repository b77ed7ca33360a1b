/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_console.c: the procedures that open a VM's console or channel as a stream.
 *
 * Runs in the worker. The stream's other end is a console (worker/vm/console.h): the guest says
 * what it likes, and one client at a time hears it. When the VM ends, so does the data; the client
 * that another one displaces with force is told so.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/take.h"
#include "protocol/rpc/handlers.h"
#include "serve/stream.h"
#include "worker/domain/devices.h"
#include "worker/rpc/domain_find.h"
#include "worker/vm/vm.h"

/* virDomainConsoleFlags. SAFE asks for what is always so here: one client at a time. */
enum { CONSOLE_FORCE = 1, CONSOLE_SAFE = 2 };
/* virDomainChannelFlags */
enum { CHANNEL_FORCE = 1 };

struct console_stream {
	struct client_stream stream;
	struct console_client console;
};

/* --- the console's side ------------------------------------------------------------------- */

static struct client_stream *
stream_of(struct console_client *console)
{
	return &container_of(console, struct console_stream, console)->stream;
}

static bool
console_output(struct console_client *console, const uint8_t *data, size_t size)
{
	return client_stream_output(stream_of(console), data, size);
}

static void
console_writable(struct console_client *console)
{
	client_stream_writable(stream_of(console));
}

static void
console_detached(struct console_client *console, bool taken)
{
	if (taken)
		client_stream_fail(stream_of(console),
			"another client has opened this console with force, and has it now");
	else
		client_stream_end(stream_of(console));
}

static const struct console_client_ops console_ops = {
	.output = console_output, .writable = console_writable, .detached = console_detached};

/* --- the stream's side -------------------------------------------------------------------- */

static struct console_stream *
console_stream_of(struct client_stream *stream)
{
	return container_of(stream, struct console_stream, stream);
}

static size_t
stream_input(struct client_stream *stream, const uint8_t *data, size_t size)
{
	return console_input(&console_stream_of(stream)->console, data, size);
}

static void
stream_close(struct client_stream *stream)
{
	struct console_stream *self = console_stream_of(stream);

	console_detach(&self->console);
	free(self);
}

static const struct client_stream_ops stream_ops = {.input = stream_input, .close = stream_close};

/* --- the call ----------------------------------------------------------------------------- */

/*
 * The console or port of that alias; without, the one that a machine has for people. The device's
 * place is its console's. NULL: there is none.
 */
static const struct domain_chardev *
find_device(const struct domain_def *live, const char *alias, size_t *ret_index)
{
	const struct domain_chardev *chardev;
	struct domain_cursor at = {0};

	if (!alias)
		return domain_chardev_default(live, ret_index) ? domain_chardev_at(live, *ret_index)
							       : NULL;
	for (*ret_index = 0; (chardev = domain_chardev_next(live, &at)); ++*ret_index)
		if (at.of != &domain_channel_kind && chardev->device.alias &&
			strcmp(chardev->device.alias, alias) == 0)
			break;
	return chardev;
}

/* what: in libvirt's words. */
static int
attach(struct rpc_call *call, struct vm *vm, size_t index, const struct domain_chardev *chardev,
	const char *what, bool force)
{
	struct console_stream *self = calloc(1, sizeof(*self));
	int r;

	if (!self)
		return call_out_of_memory(call);
	self->console.ops = &console_ops;
	if (client_stream_open(&self->stream, call, &stream_ops) != RPC_DONE) {
		free(self);
		return RPC_FAILED;
	}
	r = console_attach(&vm->consoles[index], &self->console, force);
	if (r == 0 && vm_open_channel(vm, index, chardev, &call->error) == RPC_DONE)
		return RPC_DONE;
	client_stream_close(&self->stream);
	return r == 0 ? RPC_FAILED
		      : rpc_error_set(&call->error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
				"operation failed: Active %s exists for this domain", what);
}

/* The live domain of a call, or NULL with the error. */
static const struct domain *
find_running(struct rpc_call *call, const struct rpc_domain *dom)
{
	const struct domain *domain = call_find_domain(call, dom);

	if (!domain || domain_is_active(domain))
		return domain;
	(void)rpc_error_set(&call->error, VIR_ERR_OPERATION_INVALID, VIR_FROM_DOMAIN,
		"Requested operation is not valid: domain is not running");
	return NULL;
}

/* Errors are libvirt 9.0.0's (qemu_driver.c, qemuDomainOpenConsole). */
int
rpc_domain_open_console(struct rpc_call *call, const struct rpc_domain_open_console_args *args)
{
	const struct domain_chardev *chardev;
	const struct domain *domain;
	size_t index;

	if (call_check_flags(call, args->flags, CONSOLE_FORCE | CONSOLE_SAFE) != RPC_DONE)
		return RPC_FAILED;
	domain = find_running(call, &args->dom);
	if (!domain)
		return RPC_FAILED;
	chardev = find_device(domain->live, args->dev_name, &index);
	if (!chardev)
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU,
			"internal error: cannot find character device %s",
			args->dev_name ? args->dev_name : "<null>: the VM has no serial port");
	if (chardev->type != DOMAIN_CHARDEV_PTY)
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU,
			"internal error: character device %s is not using a PTY",
			chardev->device.alias);
	return attach(
		call, domain->vm, index, chardev, "console session", args->flags & CONSOLE_FORCE);
}

/* The channel of that alias, or that name in the guest; without, the first. NULL: there is none. */
static const struct domain_chardev *
find_channel(const struct domain_def *live, const char *name, size_t *ret_index)
{
	const struct domain_chardev *chardev;
	struct domain_cursor at = {0};

	for (*ret_index = 0; (chardev = domain_chardev_next(live, &at)); ++*ret_index) {
		const char *other =
			at.of == &domain_channel_kind ? live->channels[at.index].name : NULL;

		if (at.of == &domain_channel_kind &&
			(!name || strcmp(chardev->device.alias, name) == 0 ||
				(other && strcmp(other, name) == 0)))
			break;
	}
	return chardev;
}

/* Errors are libvirt 9.0.0's (qemu_driver.c, qemuDomainOpenChannel). */
int
rpc_domain_open_channel(struct rpc_call *call, const struct rpc_domain_open_channel_args *args)
{
	const struct domain_chardev *chardev;
	const struct domain *domain;
	size_t index;

	if (call_check_flags(call, args->flags, CHANNEL_FORCE) != RPC_DONE)
		return RPC_FAILED;
	domain = find_running(call, &args->dom);
	if (!domain)
		return RPC_FAILED;
	chardev = find_channel(domain->live, args->name, &index);
	if (!chardev)
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU,
			"internal error: cannot find channel %s",
			args->name ? args->name : "<null>");
	/* What QEMU has connected to is somebody's else: the guest is not behind it. */
	if (chardev->type != DOMAIN_CHARDEV_UNIX || chardev->connect)
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU,
			"internal error: channel %s is not using a UNIX socket%s",
			args->name ? args->name : "", chardev->connect ? " of its own" : "");
	return attach(
		call, domain->vm, index, chardev, "channel stream", args->flags & CHANNEL_FORCE);
}
