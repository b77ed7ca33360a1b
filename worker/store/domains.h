/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domains.h: the user's VMs in memory, each found by UUID, name or id, and kept equal to the disk.
 *
 * Runs in the worker, as the user. A change is written before it is shown: what a caller was told
 * is there after a power cut, and what could not be written has not happened.
 */
#ifndef WORKER_STORE_DOMAINS_H
#define WORKER_STORE_DOMAINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "protocol/rpc/error.h"
#include "worker/domain/def.h"
#include "worker/store/home.h"

enum {
	DOMAINS_BUCKETS = 1024,
	DOMAINS_MAX = 16384 /* as many as a list of the protocol holds */
};

/* virDomainState and the reasons of its values, as far as they happen here. */
enum domain_state {
	DOMAIN_STATE_RUNNING = 1,
	DOMAIN_STATE_PAUSED = 3,
	DOMAIN_STATE_SHUTDOWN = 4, /* the guest has shut down, and QEMU is there still */
	DOMAIN_STATE_SHUTOFF = 5,
	DOMAIN_STATE_CRASHED = 6, /* the guest says that it has panicked, and QEMU is there still */
	DOMAIN_STATE_PMSUSPENDED = 7 /* the guest has suspended itself to memory */
};
enum domain_running {
	DOMAIN_RUNNING_UNKNOWN = 0,
	DOMAIN_RUNNING_BOOTED = 1,
	DOMAIN_RUNNING_UNPAUSED = 5,
	DOMAIN_RUNNING_WAKEUP = 8,
	DOMAIN_RUNNING_CRASHED = 9 /* it had crashed before */
};
enum domain_paused {
	DOMAIN_PAUSED_UNKNOWN = 0,
	DOMAIN_PAUSED_USER = 1,
	DOMAIN_PAUSED_IOERROR = 5,
	DOMAIN_PAUSED_WATCHDOG = 6,
	DOMAIN_PAUSED_SHUTTING_DOWN = 8,
	DOMAIN_PAUSED_CRASHED = 10,
	DOMAIN_PAUSED_STARTING_UP = 11
};
enum domain_crashed { DOMAIN_CRASHED_PANICKED = 1 };
enum domain_shutoff {
	DOMAIN_SHUTOFF_UNKNOWN = 0,
	DOMAIN_SHUTOFF_SHUTDOWN = 1,
	DOMAIN_SHUTOFF_DESTROYED = 2,
	DOMAIN_SHUTOFF_CRASHED = 3,
	DOMAIN_SHUTOFF_FAILED = 6
};

struct guise;
struct vm;

struct domain {
	TAILQ_ENTRY(domain) entry;
	LIST_ENTRY(domain) by_uuid, by_name;
	struct domain_def *config; /* what the disk holds; NULL: transient */
	struct domain_def *live;   /* as it was started, with all aliases; NULL: it does not run */
	int32_t id;                /* -1 while not running */
	enum domain_state state;
	int32_t reason;     /* of the state, as libvirt numbers them */
	bool autostart;     /* changed by domains_note_autostart() alone */
	bool autostart_due; /* its turn to start with the host has not come yet */
	bool was_defined;   /* it has a definition on disk, or had */
	struct vm *vm;      /* borrowed; NULL: there is nothing of it, nor about to be */
};

TAILQ_HEAD(domain_queue, domain);
LIST_HEAD(domain_bucket, domain);

struct domains;

/* What whoever watches the files (folder.h) has to do with changes that are made here. */
struct domains_keeper {
	/* NAME.xml has been written, with so many bytes. */
	void (*wrote)(struct domains *domains, const char *name, size_t size);
	/* A domain that ran does no more. */
	void (*settled)(struct domains *domains);
	/* Is there a NAME.xml that is another than what was loaded, because it is not right? */
	bool (*left_alone)(const struct domains *domains, const char *name);
};

struct domains {
	const struct home *home;      /* borrowed */
	const struct domain_env *env; /* borrowed */
	struct domain_queue all;      /* in the order in which they came */
	unsigned n, n_autostart;
	void (*marked)(void *arg); /* n_autostart has changed; NULL: nobody wants to know */
	void *marked_arg;
	void (*changed)(void *arg); /* what a list of them says; NULL as above */
	void *changed_arg;
	struct domain_bucket by_uuid[DOMAINS_BUCKETS], by_name[DOMAINS_BUCKETS];
	struct domains_keeper *keeper; /* borrowed; NULL: nobody watches */
};

/** Something that a list of domains says (id, state, name, being there at all) is another now. */
static inline void
domains_changed(struct domains *domains)
{
	if (domains->changed)
		domains->changed(domains->changed_arg);
}

void domains_init(struct domains *domains, const struct home *home, const struct domain_env *env);
void domains_fini(struct domains *domains);

/*
 * What the files say (reconcile.h): nothing of this is written, and def is taken over but on failure.
 */
/** One more, that does not run; name and UUID are free. NULL without memory. */
struct domain *domains_add(struct domains *domains, struct domain_def *def);
/** Its definition for the next start is another, of the same UUID; the name is free if it is new. */
void domains_reconfigure(struct domains *domains, struct domain *domain, struct domain_def *def);
/** It has no definition any more: one that runs becomes transient, any other is freed. */
void domains_forget(struct domains *domains, struct domain *domain);

/**
 * Define, or define anew, from XML, which is the user's own, or (with a guise) a stranger's
 * (stranger.h). *ret_new tells which of the first. Returns RPC_DONE, or RPC_FAILED with the error;
 * then nothing has changed, in memory or on disk.
 */
int domains_define(struct domains *domains, const char *xml, const struct guise *guise,
	struct rpc_error *error, struct domain **ret, bool *ret_new);
/**
 * Keep this definition (of the same name and UUID) in the place of the domain's; taken over when
 * RPC_DONE is returned. Returns as above.
 */
int domains_update(struct domains *domains, struct domain *domain, struct domain_def *def,
	struct rpc_error *error);
/** Write the domain's definition as it is in memory, where it has changed. Returns as above. */
int domains_save(struct domains *domains, const struct domain *domain, struct rpc_error *error);
/**
 * Give a domain that does not run another name, its file and its autostart link too. Cut short
 * anywhere, it has either name when it is found again, and its link. Returns as above.
 */
int domains_rename(
	struct domains *domains, struct domain *domain, const char *name, struct rpc_error *error);
/**
 * Its name is that of one that runs: the domain, which does not run, is called NAME-1, NAME-2, ... from
 * now on, whichever is free; as above.
 */
int domains_make_way(struct domains *domains, struct domain *domain, struct rpc_error *error);
/**
 * Forget a domain's definition and remove its files; one that runs becomes transient, any other is
 * freed. Returns as above.
 */
int domains_undefine(struct domains *domains, struct domain *domain, struct rpc_error *error);
/** It starts with the host, or not, as the disk says: keep that in mind. */
void domains_note_autostart(struct domains *domains, struct domain *domain, bool autostart);
/** Start it with the host, or not. Returns as above. */
int domains_set_autostart(
	struct domains *domains, struct domain *domain, bool autostart, struct rpc_error *error);

/**
 * A domain that is about to run as XML says, without being kept: the one that is defined with its
 * name and UUID and does not run, or a new one, transient. Its `live` is set, until
 * domains_settle(). xml and guise as of domains_define(). Returns as above.
 */
int domains_begin(struct domains *domains, const char *xml, const struct guise *guise,
	struct rpc_error *error, struct domain **ret);
/** Why there is no `live`, by what domain_def_live() returned. Returns RPC_FAILED. */
int domains_not_live(struct rpc_error *error, int err);
/**
 * A domain without a definition on disk, that runs as live (taken over). The caller has seen that
 * its name and UUID are free. Returns NULL without memory: live is the caller's then.
 */
struct domain *domains_add_transient(struct domains *domains, struct domain_def *live);
/**
 * After its vm has gone, or where it has none: it does not run, and is freed if it has no definition
 * on disk.
 */
void domains_settle(struct domains *domains, struct domain *domain);

/* NULL where there is none. */
struct domain *domains_find_uuid(const struct domains *domains, const uint8_t uuid[16]);
struct domain *domains_find_name(const struct domains *domains, const char *name);
struct domain *domains_find_id(const struct domains *domains, int32_t id);

/** What it is now: as it was started, else as it would be. Its name and UUID are in either. */
static inline const struct domain_def *
domain_def_now(const struct domain *domain)
{
	return domain->live ? domain->live : domain->config;
}

static inline bool
domain_is_active(const struct domain *domain)
{
	return domain->id >= 0;
}

#endif
