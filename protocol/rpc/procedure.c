/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * procedure.c: finding rows of the generated table; see procedure.h.
 */
#include "protocol/rpc/procedure.h"

#include <string.h>

#include "protocol/rpc/frame.h"

static const struct rpc_program *
find_program(uint32_t program)
{
	for (unsigned i = 0; i < RPC_N_PROGRAMS; i++)
		if (rpc_programs[i].program == program)
			return &rpc_programs[i];
	return NULL;
}

const struct rpc_procedure *
rpc_procedure_find(uint32_t program, int32_t number)
{
	const struct rpc_program *p = find_program(program);

	if (!p || number < 1 || (uint32_t)number > p->n_procedures)
		return NULL;
	return &p->procedures[number - 1];
}

bool
rpc_procedure_is_implemented(const struct rpc_procedure *procedure)
{
	return procedure->handler != NULL;
}

static bool
condition_holds(const struct rpc_procedure *procedure, const void *args)
{
	uint32_t value;

	if (procedure->condition == RPC_CONDITION_NONE)
		return false;
	memcpy(&value, (const uint8_t *)args + procedure->condition_offset, sizeof(value));
	return procedure->condition == RPC_CONDITION_BITS
		       ? (value & procedure->condition_value) != 0
		       : value == procedure->condition_value;
}

unsigned
rpc_procedure_verbs(const struct rpc_procedure *procedure, const void *args)
{
	unsigned verbs = procedure->verb;

	if (condition_holds(procedure, args))
		verbs |= procedure->verb_if;
	return verbs;
}

bool
rpc_program_is_known(uint32_t program, uint32_t version)
{
	return version == RPC_VERSION && find_program(program);
}
