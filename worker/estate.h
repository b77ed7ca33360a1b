/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * estate.h: what this user has here: her folder, her QEMU's abilities, her VMs; opened once.
 *
 * Runs in the worker, as the user. Opening takes its time (another worker may still hold the
 * folder, a QEMU that is new here is asked in a box), so it is begun by the first CONNECT_OPEN,
 * which is answered when it is done. What goes wrong is that call's error, in words that say what
 * to mend, and the next CONNECT_OPEN tries again: nobody has to restart anything.
 */
#ifndef WORKER_ESTATE_H
#define WORKER_ESTATE_H

#include "lib/loop.h"
#include "lib/uplink.h"
#include "serve/call.h"
#include "worker/job/job.h"
#include "worker/listing.h"
#include "worker/marks.h"
#include "worker/qemu/capabilities_cache.h"
#include "worker/qemu/host.h"
#include "worker/qemu/probe.h"
#include "worker/store/domains.h"
#include "worker/store/folder.h"
#include "worker/store/home.h"
#include "worker/vm/vms.h"

enum estate_state {
	ESTATE_CLOSED = 0, /* not begun, or it failed: error says why */
	ESTATE_LOCKED,     /* another worker holds the folder: tried again soon */
	ESTATE_ASKING,     /* the broker is asked for a box */
	ESTATE_PROBING,    /* QEMU is asked what it can do */
	ESTATE_LOADING,    /* the definitions are read */
	ESTATE_ADOPTING,   /* what runs already is reached */
	ESTATE_OPEN
};

struct estate {
	struct loop *loop;
	struct uplink *uplink;
	struct server *server;
	const char *run; /* the run-time folder's path, borrowed; NULL: no sockets of screens */
	enum estate_state state;
	struct rpc_error error;
	struct rpc_calls waiting; /* CONNECT_OPENs that are answered when this is decided */
	struct timer retry;       /* of the folder's lock */
	unsigned n_retries;
	int lock_fd; /* borrowed: of the folder, held already by who started this worker; or -1 */
	struct home home;
	struct host host;
	struct jobs jobs;
	struct probe probe;
	bool kvm; /* boxes have the host's, as far as the user may open it */
	struct capabilities_stamp stamp;
	struct capabilities *capabilities;
	void *arrays; /* of env */
	struct domain_env env;
	struct domains domains;
	struct folder folder;
	struct marks marks;
	struct vms vms;
	struct listing listing; /* last: it is large, and mostly untouched */
};

/** Where QEMU is: the one emulator that definitions may name. */
extern const char estate_emulator[];

void estate_init(
	struct estate *estate, struct loop *loop, struct uplink *uplink, struct server *server);
void estate_fini(struct estate *estate);

/**
 * A client wants to open a connection: RPC_DONE when all is open, RPC_FAILED with the call's error,
 * or RPC_LATER: then the call is answered, by connection_end(), when it is decided.
 */
int estate_enter(struct estate *estate, struct rpc_call *call);
/**
 * A worker begins: if something of the user's runs already, or is to start with the host (now),
 * open all without waiting for a client.
 */
void estate_wake(struct estate *estate, bool now);
/** The broker's answer to an ask for the user's leases, from here or from vms.h. */
void estate_lease_found(
	struct estate *estate, uint64_t cookie, int err, const struct ipc_lease_found *found);
/** The broker's answer to the box that was asked for: fd (taken over), or a negative errno. */
void estate_tool_ready(struct estate *estate, int err, int fd);

#endif
