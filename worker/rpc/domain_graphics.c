/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_graphics.c: procedures that connect a client to the screen of a domain.
 *
 * Runs in the worker. The client's end is a socket that QEMU serves; nothing of what goes over it
 * passes through here. Errors are libvirt 9.0.0's (qemu_driver.c, qemuDomainOpenGraphics).
 */
#include <errno.h>
#include <inttypes.h>
#include <sys/socket.h>

#include "lib/fd.h"
#include "lib/take.h"
#include "protocol/rpc/handlers.h"
#include "worker/rpc/domain_find.h"
#include "worker/vm/screen.h"
#include "worker/vm/vm.h"

/* virDomainOpenGraphicsFlags */
enum { GRAPHICS_SKIPAUTH = 1 };

/* The domain whose screen is meant; NULL with the call's error. */
static struct domain *
find_screen(struct rpc_call *call, const struct rpc_domain *dom, uint32_t idx, uint32_t flags)
{
	struct domain *domain;

	if (call_check_flags(call, flags, GRAPHICS_SKIPAUTH) != RPC_DONE)
		return NULL;
	domain = call_find_domain(call, dom);
	if (!domain)
		return NULL;
	if (!domain_is_active(domain))
		(void)rpc_error_set(&call->error, VIR_ERR_OPERATION_INVALID, VIR_FROM_DOMAIN,
			"Requested operation is not valid: domain is not running");
	else if (idx >= domain->live->n_graphics)
		(void)rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU,
			"internal error: No graphics backend with index %" PRIu32, idx);
	else
		return domain;
	return NULL;
}

static void
answer(void *arg, enum rpc_handled handled, const struct rpc_error *error)
{
	struct rpc_call *call = arg;

	if (handled == RPC_FAILED)
		call->error = *error;
	call_answer(call, handled);
}

int
rpc_domain_open_graphics(struct rpc_call *call, const struct rpc_domain_open_graphics_args *args)
{
	const struct domain *domain = find_screen(call, &args->dom, args->idx, args->flags);

	if (!domain)
		return RPC_FAILED;
	if (call->n_fds == 0)
		return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_RPC,
			"internal error: No FD available at slot 0");
	/*
	 * QEMU says nothing of what is no socket, and keeps it: a folder would be a way out of its box where
	 * the kernel has no Landlock.
	 */
	if (!fd_is_stream(call->fds[0]))
		return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_QEMU,
			"invalid argument: the descriptor for the screen is no connected stream "
			"socket");
	return vm_open_graphics(domain->vm, take_fd(&call->fds[0]), args->flags & GRAPHICS_SKIPAUTH,
		&call->error, answer, call);
}

/* One end goes to QEMU, the other to the client, when QEMU has taken its own. */
int
rpc_domain_open_graphics_fd(
	struct rpc_call *call, const struct rpc_domain_open_graphics_fd_args *args)
{
	const struct domain *domain = find_screen(call, &args->dom, args->idx, args->flags);
	int pair[2], r;

	if (!domain)
		return RPC_FAILED;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return rpc_error_set_errno(
			&call->error, errno, VIR_FROM_QEMU, "unable to create socket pair");
	call->reply_fd = pair[0];
	r = vm_open_graphics(
		domain->vm, pair[1], args->flags & GRAPHICS_SKIPAUTH, &call->error, answer, call);
	if (r == RPC_FAILED)
		fd_close(&call->reply_fd);
	return r;
}
