/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * procedure.h: the table of all procedures and events, made at build time from procedures.tsv.
 *
 * Pure; in worker and view. A row says what a procedure is called, what it takes and gives, which
 * verb a connection needs, and whether this program has a handler: a handler is found by its name,
 * rpc_<procedure>(), and one that is not linked in is absent from the row. Prototypes are in
 * <protocol/rpc/handlers.h> of the build, the structs and enum rpc_proc in <protocol/rpc/types.h>.
 */
#ifndef PROTOCOL_RPC_PROCEDURE_H
#define PROTOCOL_RPC_PROCEDURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/rpc/codec.h"

struct rpc_call; /* whoever dispatches calls defines it; a handler fills the error in it */

/** What a handler returns. */
enum rpc_handled {
	RPC_DONE = 1, /* *ret is the result */
	RPC_FAILED,   /* the call's error says why */
	RPC_LATER     /* the call object lives on and is answered later */
};

/** A typed handler behind one type; args or ret is ignored where it is (void). */
typedef int rpc_call_fn(struct rpc_call *call, const void *args, void *ret);

enum rpc_direction {
	RPC_DIRECTION_NONE = 0, /* opens no stream */
	RPC_DIRECTION_IN = 1,   /* the client sends */
	RPC_DIRECTION_OUT = 2,  /* the server sends */
	RPC_DIRECTION_BOTH = 3
};

/** How many descriptors come with a call or a reply. */
enum rpc_fds { RPC_FDS_NONE = 0, RPC_FDS_ONE = 1, RPC_FDS_ANY = 2 };

/** When the arguments ask for more than the row's verb: how the u32 at offset is compared. */
enum rpc_condition {
	RPC_CONDITION_NONE = 0,
	RPC_CONDITION_BITS,  /* any of these bits is set */
	RPC_CONDITION_EQUALS /* it is this value */
};

struct rpc_procedure {
	uint32_t program;
	uint16_t number;
	uint8_t verb;                 /* enum verb that the connection needs; 0: any may call */
	uint8_t verb_if;              /* enum verb that it also needs under the condition */
	uint8_t condition;            /* enum rpc_condition */
	uint8_t direction;            /* enum rpc_direction of the stream it opens */
	uint8_t call_fds;             /* enum rpc_fds */
	uint8_t reply_fds;            /* enum rpc_fds */
	bool is_event;                /* server to client: as a call it is an unknown procedure */
	uint16_t condition_offset;    /* in the args struct */
	uint32_t condition_value;     /* bits or value */
	const char *name;             /* "domain_create" */
	const char *api;              /* "virDomainCreate", for refusals; NULL where none applies */
	const struct rpc_shape *args; /* of the call, or of the event; NULL: (void) */
	const struct rpc_shape *ret;  /* NULL: (void) */
	rpc_call_fn *call;            /* calls the handler; only when there is one */
	void (*handler)(void);        /* only to be compared with NULL */
};

/** The row of a number in a program, events included, or NULL. In constant time. */
const struct rpc_procedure *rpc_procedure_find(uint32_t program, int32_t number);
/** Does this program know the procedure as a call and have a handler for it? */
bool rpc_procedure_is_implemented(const struct rpc_procedure *procedure);
/** The verbs (enum verb) needed with these decoded arguments: the row's and the condition's. */
unsigned rpc_procedure_verbs(const struct rpc_procedure *procedure, const void *args);
/** Is any procedure known in this program of this version? */
bool rpc_program_is_known(uint32_t program, uint32_t version);

/** The generated rows of one program; row i has the number i + 1. */
struct rpc_program {
	uint32_t program;
	uint32_t n_procedures;
	const struct rpc_procedure *procedures;
};

enum { RPC_N_PROGRAMS = 2 };
extern const struct rpc_program rpc_programs[RPC_N_PROGRAMS];

#endif
