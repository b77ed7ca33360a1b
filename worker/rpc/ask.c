/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ask.c: a call that is answered when QEMU has been asked; see ask.h.
 *
 * Runs in the worker.
 */
#include "worker/rpc/ask.h"

#include <errno.h>
#include <string.h>

#include "lib/take.h"
#include "worker/rpc/domain_find.h"
#include "worker/vm/vm.h"

/* In the call's arena. */
struct asking {
	struct inquiry inquiry;
	struct rpc_call *call;
	const void *args;
	struct domains *domains;
	uint8_t uuid[16];
	call_asked_fn *fn;
};

static int
not_running(struct rpc_call *call)
{
	return rpc_error_set(&call->error, VIR_ERR_OPERATION_INVALID, VIR_FROM_DOMAIN,
		"Requested operation is not valid: domain is not running");
}

struct domain *
call_find_running(struct rpc_call *call, const struct rpc_domain *dom)
{
	struct domain *domain = call_find_domain(call, dom);

	if (!domain || domain_is_active(domain))
		return domain;
	(void)not_running(call);
	return NULL;
}

int
call_without_agent(struct rpc_call *call, const struct domain *domain)
{
	const struct domain_def *def = domain_def_now(domain);

	if (domain->state != DOMAIN_STATE_RUNNING)
		return rpc_error_set(&call->error, VIR_ERR_OPERATION_INVALID, VIR_FROM_QEMU,
			"Requested operation is not valid: domain is not running");
	for (size_t i = 0; i < def->n_channels; i++) {
		const char *name = def->channels[i].name;

		if (name && strcmp(name, "org.qemu.guest_agent.0") == 0)
			return rpc_error_set(&call->error, VIR_ERR_AGENT_UNRESPONSIVE,
				VIR_FROM_QEMU,
				"Guest agent is not responding: QEMU guest agent is not connected");
	}
	return rpc_error_set(&call->error, VIR_ERR_ARGUMENT_UNSUPPORTED, VIR_FROM_QEMU,
		"argument unsupported: QEMU guest agent is not configured");
}

/* No answer; domain: NULL when it is not there any more. */
static int
explain(struct rpc_call *call, const struct domain *domain, int err)
{
	if (err == -ESHUTDOWN)
		return rpc_error_set(&call->error, VIR_ERR_OPERATION_ABORTED, VIR_FROM_QEMU,
			"operation aborted: qemud is being restarted; the domain is left as it is");
	if (!domain || !domain_is_active(domain))
		return not_running(call);
	if (err == -ETIMEDOUT)
		return rpc_error_set(&call->error, VIR_ERR_OPERATION_TIMEOUT, VIR_FROM_QEMU,
			"Timed out during operation: QEMU has not answered within %d seconds",
			INQUIRY_PATIENCE_S);
	if (err == -ENOTCONN || err == -EPIPE)
		return rpc_error_set(&call->error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
			"operation failed: the monitor of the domain cannot be reached now");
	return rpc_error_set_errno(&call->error, -err, VIR_FROM_QEMU, "QEMU cannot be asked");
}

static void
asked(struct inquiry *inquiry, int err, const struct inquiry_answers *answers)
{
	struct asking *asking = container_of(inquiry, struct asking, inquiry);
	struct rpc_call *call = asking->call;
	const struct domain *domain = domains_find_uuid(asking->domains, asking->uuid);
	int r;

	if (err == 0 && domain && domain_is_active(domain))
		r = asking->fn(call, asking->args, domain, answers);
	else
		r = explain(call, domain, err);
	call_answer(call, r == RPC_DONE ? RPC_DONE : RPC_FAILED);
}

int
call_ask(struct rpc_call *call, const void *args, struct domain *domain, unsigned questions,
	call_asked_fn *fn)
{
	struct asking *asking = rpc_arena_new(&call->arena, struct asking);
	int r;

	if (!asking)
		return call_out_of_memory(call);
	*asking = (struct asking){
		.call = call, .args = args, .domains = call_domains(call), .fn = fn};
	memcpy(asking->uuid, domain_def_now(domain)->uuid, sizeof(asking->uuid));
	r = domain->vm ? inquiry_start(domain->vm, &asking->inquiry, questions, false, asked)
		       : -ENOTCONN;
	return r < 0 ? explain(call, domain, r) : RPC_LATER;
}
