/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_key.c: procedures that press keys of a domain, and interrupt it.
 *
 * Runs in the worker. Errors are libvirt 9.0.0's (libvirt-domain.c, qemu_driver.c).
 */
#include <inttypes.h>

#include "protocol/rpc/handlers.h"
#include "serve/call.h"
#include "worker/qemu/keycode.h"
#include "worker/rpc/domain_find.h"
#include "worker/vm/screen.h"

static void
answer(void *arg, enum rpc_handled handled, const struct rpc_error *error)
{
	struct rpc_call *call = arg;

	if (handled == RPC_FAILED)
		call->error = *error;
	call_answer(call, handled);
}

/* All of them as QEMU numbers them. */
static int
translate(struct rpc_call *call, const struct rpc_domain_send_key_args *args,
	uint16_t ret_keys[VM_KEYS_MAX])
{
	if (args->n_keycodes == 0 || args->n_keycodes > VM_KEYS_MAX)
		return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_DOMAIN,
			"nkeycodes in virDomainSendKey must be greater than zero");
	if (args->codeset >= KEYCODE_SETS)
		return rpc_error_set(&call->error, VIR_ERR_INVALID_ARG, VIR_FROM_DOMAIN,
			"Unsupported codeset %" PRIu32 " in virDomainSendKey", args->codeset);
	for (uint32_t i = 0; i < args->n_keycodes; i++) {
		int key = keycode_to_qnum((enum keycode_set)args->codeset, args->keycodes[i]);

		if (key < 0 && args->codeset == KEYCODE_QNUM)
			return rpc_error_set(&call->error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
				"operation failed: keycode %" PRIu32 " is invalid: 0x%" PRIX32, i,
				args->keycodes[i]);
		if (key < 0)
			return rpc_error_set(&call->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU,
				"internal error: cannot translate keycode %" PRIu32
				" of %s codeset to qnum keycode",
				args->keycodes[i],
				keycode_set_name((enum keycode_set)args->codeset));
		ret_keys[i] = (uint16_t)key;
	}
	return RPC_DONE;
}

int
rpc_domain_send_key(struct rpc_call *call, const struct rpc_domain_send_key_args *args)
{
	uint16_t keys[VM_KEYS_MAX];
	const struct domain *domain;

	if (call_check_flags(call, args->flags, 0) != RPC_DONE ||
		translate(call, args, keys) != RPC_DONE)
		return RPC_FAILED;
	domain = call_find_domain(call, &args->dom);
	if (!domain)
		return RPC_FAILED;
	return vm_send_key(
		domain->vm, keys, args->n_keycodes, args->holdtime, &call->error, answer, call);
}

int
rpc_domain_inject_nmi(struct rpc_call *call, const struct rpc_domain_inject_nmi_args *args)
{
	const struct domain *domain;

	if (call_check_flags(call, args->flags, 0) != RPC_DONE)
		return RPC_FAILED;
	domain = call_find_domain(call, &args->dom);
	return domain ? vm_inject_nmi(domain->vm, &call->error, answer, call) : RPC_FAILED;
}
