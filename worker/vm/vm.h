/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vm.h: one VM that runs, is about to, or is ending: its lease, its monitor, its consoles.
 *
 * Runs in the worker, as the user. It is there from the wish to start until the broker says that
 * nothing of it runs any more (LEASE_GONE): only then is the domain shown as shut off, and can be
 * started again. A worker that leaves lets go of it without ending it.
 */
#ifndef WORKER_VM_VM_H
#define WORKER_VM_VM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/loop.h"
#include "protocol/ipc/ipc.h"
#include "worker/domain/def.h"
#include "worker/store/domains.h"
#include "worker/store/happening.h"
#include "worker/vm/console.h"
#include "worker/vm/graphics.h"
#include "worker/vm/inquiry.h"
#include "worker/vm/log.h"
#include "worker/vm/monitor.h"
#include "worker/vm/op.h"
#include "worker/vm/usage.h"

struct vm_interfaces;
struct vms;

/* What the broker counts for it: the last that it said, or was asked for. */
struct vm_grant {
	uint32_t vcpus; /* 0: not known */
	uint64_t memory_kib;
	uint32_t asked;  /* virtual CPUs, of the ask that is open */
	uint64_t ticket; /* of the op that waits for its answer */
};

enum vm_lease {
	VM_LEASE_NONE = 0,
	VM_LEASE_ASKED, /* the broker has not answered yet */
	VM_LEASE_HELD
};

enum {
	VM_END_PATIENCE_S = 30, /* for a process that was sent SIGKILL */
	VM_CHANGES_MAX = 64     /* told by QEMU in a second, beside those that clients ask for */
};

/* Why a VM ends, as clients are told. */
enum vm_end {
	VM_END_SHUTDOWN = 1,
	VM_END_DESTROYED,
	VM_END_CRASHED,
	VM_END_PANICKED,
	VM_END_FAILED,
	VM_END_OUT_OF_MEMORY
};

/* Somebody who waits until it has ended. */
struct vm_waiter {
	TAILQ_ENTRY(vm_waiter) entry;
	struct vm *vm;
	vm_done_fn *done;
	void *arg;
	bool failed; /* it ends because of an error, which is what is told */
	struct rpc_error error;
	struct timer late;
};

TAILQ_HEAD(vm_waiters, vm_waiter);

/* Those that end with the connection that started them. Zeroed is empty. */
LIST_HEAD(vm_owned, vm);

struct vm {
	LIST_ENTRY(vm) entry;
	struct vms *vms;
	struct domain *domain; /* whose `vm` this is */
	uint8_t uuid[16];
	enum vm_lease lease;
	struct vm_grant grant;
	int seed_sock;          /* owned; -1 but while the op that asked for the lease takes it */
	uint32_t pid;           /* of its QEMU as the host sees it; 0: not known */
	uint64_t since;         /* seconds since 1970 */
	int landlock;           /* that its box enforces; -1: not known */
	bool started;           /* clients were told that it runs */
	bool stopping;          /* all of it was told to end */
	enum vm_end end;        /* why it is ended; 0: nobody ended it */
	bool autodestroy;       /* it ends with its owner */
	struct vm_owned *owner; /* borrowed; NULL: there is none any more, or never was */
	LIST_ENTRY(vm) owned;
	bool rebooting;     /* when the guest has shut down, it is reset */
	bool resetting;     /* that goes on now */
	int32_t pausing;    /* enum domain_paused: the reason of the pause that comes next */
	bool recovering;    /* its guest goes on because it was reset after a crash */
	bool control_lost;  /* clients were told that its monitor does not answer */
	unsigned n_changes; /* since changes_since, that QEMU told of */
	uint64_t changes_since;
	uint64_t balloon_kib; /* memory that it has; 0: all */
	struct vm_waiters waiters;

	struct vm_ops ops; /* the first is the one that runs, or is about to */
	struct deferred next_op;

	struct vm_interfaces *interfaces; /* NULL: it has none */
	struct monitor monitor;
	struct inquiries inquiries;
	struct vcpu_usage *vcpus; /* as they were when somebody asked last; NULL: nobody has */
	struct timer retry;       /* of a monitor that was lost, or of a word to the broker */
	struct timer settling; /* when QEMU and the broker are asked again how many vCPUs it has */
	struct vm_log log, console_log;
	struct console
		consoles[DOMAIN_CHARDEVS_MAX]; /* by their places (chardev.h); those of ptys */
	struct vm_graphics graphics;
	struct deferred ending; /* what is left to do when nothing of it runs */
	struct deferred freeing;
};

/** A VM for a domain that has none and whose `live` is set. Returns NULL without memory. */
struct vm *vm_new(struct vms *vms, struct domain *domain);
/** Let go of it, whatever it does: this worker leaves. Whoever waits is told so; frees it. */
void vm_abandon(struct vm *vm);

/** The broker's answer to the lease that was asked for (lib/uplink.h). Takes fd over. */
void vm_leased(struct vm *vm, int err, const struct ipc_leased *leased, int fd);
/**
 * Nothing of it runs any more (how that came, and the limit of its memory: see IPC_LEASE_GONE): at the end of this turn of the loop, when its last words have been
 * read, its ops fail, its domain is shut off, everybody is told, and the vm is freed.
 */
void vm_gone(struct vm *vm, enum ipc_gone how, uint64_t limit_kib);
/** End all of it now; the same follows. The first reason counts. It may be called from a step. */
void vm_stop(struct vm *vm, enum vm_end end);
/**
 * Tell when it has ended. With an error: that is what is told then, or when it has not ended within
 * VM_END_PATIENCE_S. Returns 0 or -ENOMEM.
 */
int vm_wait_end(struct vm *vm, const struct rpc_error *error, vm_done_fn *done, void *arg);

/** Connect to its monitor's socket; the running op is woken when it is open, or lost (-EPIPE). */
int vm_open_monitor(struct vm *vm);
/** Connect its consoles, those that are not. */
void vm_open_consoles(struct vm *vm);
/**
 * Connect the console at the place of that device, if the device is a socket of its own, and it is not: while a client
 * is attached to it. Returns RPC_DONE, or RPC_FAILED with the error.
 */
int vm_open_channel(
	struct vm *vm, size_t index, const struct domain_chardev *chardev, struct rpc_error *error);
/** Its state has changed: shown to clients at once, kept for the next worker. */
void vm_set_state(struct vm *vm, enum domain_state state, int32_t reason);
/** Tell clients what has happened to its domain. */
void vm_happened(struct vm *vm, const struct happening *what);
/** The same of a lifecycle event. */
void vm_tell(struct vm *vm, enum event_lifecycle event, int32_t detail);

/**
 * What each of the virtual CPUs that it has has used, now: by their ids, as many as live->vcpus. The VM's
 * own, until the next call. NULL without memory.
 */
const struct vcpu_usage *vm_vcpus(struct vm *vm);
/** Memory that the guest has now, in KiB. */
uint64_t vm_memory_kib(const struct vm *vm);

/** The timer's call that reaches it again. */
timer_fn vm_reach_again;
/** The deferred call that begins the op whose turn it is: op.c. */
deferred_fn vm_op_next;
/** The guest has panicked, and stands still: what <on_crash> says is done: power.c. */
void vm_panicked(struct vm *vm);
/** What QEMU tells of its own accord: happen.c. */
void vm_monitor_event(struct monitor *monitor, const char *name, const json_t *data);

#endif
