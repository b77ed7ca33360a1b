/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * probe.h: asks a QEMU binary what it can do, in a box, as a job.
 *
 * Runs in the worker, as the user. Takes a seed that was obtained for it, makes it a QEMU without a
 * machine, asks it over QMP, and tells it to end. Such a QEMU does not end by itself when nobody
 * talks to it any more: whoever gave the seed ends what is left of a probe that failed.
 */
#ifndef WORKER_QEMU_PROBE_H
#define WORKER_QEMU_PROBE_H

#include "worker/job/job.h"
#include "worker/qemu/capabilities.h"
#include "worker/qemu/qmp.h"
#include "worker/qemu/seed.h"

struct probe;

struct probe_ops {
	/*
	 * It is over: all that it can do (owned by the callee), or NULL and why, as the client that
	 * needed to know may read it. Called once. The struct may be freed when it returns to the
	 * loop, in a deferred call.
	 */
	void (*end)(struct probe *probe, struct capabilities *capabilities,
		const struct rpc_error *error);
};

struct probe {
	struct job job;
	const struct probe_ops *ops;
	struct jobs *jobs;
	struct seed_link seed;
	struct qmp qmp;
	bool kvm;
	int sock, monitor_fd, log_fd; /* owned; -1 when not there */
	uint64_t ticket;              /* of the job's open wait */
	const char *why;              /* a conversation that ended was ended for this */
	unsigned question;            /* that is open */
	struct capabilities *capabilities;
};

/**
 * Begin; probe is zeroed, or over. sock is the worker's end of a seed and is taken over. kvm: may
 * it try KVM, or TCG only? `end` may be called before this returns, when it fails at once.
 * job_cancel(&probe->job) stops it, which is told by `end`, too.
 */
void probe_start(
	struct probe *probe, struct jobs *jobs, int sock, bool kvm, const struct probe_ops *ops);

#endif
