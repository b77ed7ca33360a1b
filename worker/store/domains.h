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

enum { DOMAINS_BUCKETS = 1024 };

/* virDomainState, and the reasons that a domain can be shut off for. */
enum domain_state { DOMAIN_STATE_RUNNING = 1, DOMAIN_STATE_PAUSED = 3, DOMAIN_STATE_SHUTOFF = 5 };
enum domain_shutoff { DOMAIN_SHUTOFF_UNKNOWN = 0 };

struct domain {
	TAILQ_ENTRY(domain) entry;
	LIST_ENTRY(domain) by_uuid, by_name;
	struct domain_def *config; /* what the disk holds */
	int32_t id;                /* -1 while not running */
	enum domain_state state;
	int32_t reason; /* of the state, as libvirt numbers them */
	bool autostart;
};

TAILQ_HEAD(domain_queue, domain);
LIST_HEAD(domain_bucket, domain);

struct domains {
	const struct home *home;      /* borrowed */
	const struct domain_env *env; /* borrowed */
	struct domain_queue all;      /* in the order in which they came */
	unsigned n;
	struct domain_bucket by_uuid[DOMAINS_BUCKETS], by_name[DOMAINS_BUCKETS];
};

void domains_init(struct domains *domains, const struct home *home, const struct domain_env *env);
void domains_fini(struct domains *domains);

/** A file of domains/ that was left alone, and why. */
typedef void domains_report_fn(void *arg, const char *name, const char *why);

/**
 * Read all definitions. A file that does not parse, is named otherwise than its domain, or has the
 * UUID of one that came before, is reported and left alone. Returns 0 or a negative errno.
 */
int domains_load(struct domains *domains, domains_report_fn *report, void *arg);

/**
 * Define, or define anew, from XML. *ret_new tells which. Returns RPC_DONE, or RPC_FAILED with the
 * error; then nothing has changed, in memory or on disk.
 */
int domains_define(struct domains *domains, const char *xml, struct rpc_error *error,
	struct domain **ret, bool *ret_new);
/** Forget a domain and remove its files. Returns as above; on RPC_DONE domain has been freed. */
int domains_undefine(struct domains *domains, struct domain *domain, struct rpc_error *error);
/** Start it with the host, or not. Returns as above. */
int domains_set_autostart(
	struct domains *domains, struct domain *domain, bool autostart, struct rpc_error *error);

/* NULL where there is none. */
struct domain *domains_find_uuid(const struct domains *domains, const uint8_t uuid[16]);
struct domain *domains_find_name(const struct domains *domains, const char *name);
struct domain *domains_find_id(const struct domains *domains, int32_t id);

static inline bool
domain_is_active(const struct domain *domain)
{
	return domain->id >= 0;
}

#endif
