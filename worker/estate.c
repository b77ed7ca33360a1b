/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * estate.c: opens what the user has here, step by step; see estate.h.
 *
 * Runs in the worker, as the user; never as root. Nothing here waits but for the loop.
 */
#include "worker/estate.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/take.h"
#include "lib/uuid.h"
#include "serve/connection.h"
#include "worker/rpc/domain_find.h"
#include "worker/rpc/event.h"

const char estate_emulator[] = "/usr/bin/qemu-system-x86_64";
static const char estate_kvm[] = "/dev/kvm";

enum {
	/* The worker before this one leaves within its five seconds of grace. */
	LOCK_RETRY_MS = 20,
	LOCK_RETRIES = 400
};

static void begin(struct estate *estate);

/* --- the end of opening ------------------------------------------------------------------- */

static void
answer_all(struct estate *estate, enum rpc_handled handled)
{
	struct rpc_call *call;

	while ((call = LIST_FIRST(&estate->waiting)) != NULL) {
		LIST_REMOVE(call, waiting);
		call->error = estate->error;
		if (call->client)
			connection_end(call->client, handled == RPC_DONE);
		call_answer(call, handled);
	}
}

static void
close_all(struct estate *estate)
{
	timer_stop(&estate->retry);
	marks_end(&estate->marks);
	listing_end(&estate->listing);
	vms_fini(&estate->vms);
	folder_stop(&estate->folder);
	domains_fini(&estate->domains);
	free(take_ptr(estate->arrays));
	estate->capabilities = capabilities_free(estate->capabilities);
	host_fini(&estate->host);
	memset(&estate->host, 0, sizeof(estate->host));
	home_close(&estate->home);
}

/* estate->error has been filled in. */
static void
fail(struct estate *estate)
{
	log_warning("not open: %s", log_quote(estate->error.message));
	marks_say_unknown(&estate->marks);
	close_all(estate);
	estate->state = ESTATE_CLOSED;
	answer_all(estate, RPC_FAILED);
}

static void
fail_errno(struct estate *estate, int err, const char *what)
{
	(void)rpc_error_set_errno(&estate->error, -err, VIR_FROM_QEMU, "%s", what);
	fail(estate);
}

/* --- the last steps: the definitions, what runs of them ------------------------------------ */

static void
adopted(struct vms *vms, int err)
{
	struct estate *estate = container_of(vms, struct estate, vms);

	if (err < 0) {
		fail_errno(estate, err, "the broker does not say what runs");
		return;
	}
	log_info("open: %u definitions, %u machines run", estate->domains.n, vms->n);
	estate->state = ESTATE_OPEN;
	vms_autostart(vms);
	marks_begin(&estate->marks);
	listing_begin(&estate->listing);
	answer_all(estate, RPC_DONE);
	/* What was needed to read all of it lies scattered in the heap, and is most of that. */
	(void)malloc_trim(0);
}

static void
new_uuid(void *arg, uint8_t uuid[16])
{
	(void)arg;
	ASSERT(uuid_random(uuid));
}

static void
folder_loaded(struct folder *folder, int err)
{
	struct estate *estate = container_of(folder, struct estate, folder);

	if (err < 0) {
		fail_errno(estate, err, "the definitions in ~/.qemud/domains cannot be read");
		return;
	}
	estate->state = ESTATE_ADOPTING;
	vms_adopt(&estate->vms, adopted);
}

static void
folder_tell(struct folder *folder, const struct domain *domain, enum event_lifecycle event,
	int32_t detail)
{
	const struct estate *estate = container_of(folder, struct estate, folder);
	struct rpc_domain dom = call_domain_ret(domain);

	event_lifecycle(estate->server, &dom, event, detail);
}

static void
folder_left_alone(struct folder *folder, const char *name, const char *why)
{
	(void)folder;
	log_warning("definition %s is left alone: %s", log_quote(name), log_quote(why));
}

static void
folder_changed(struct folder *folder, const char *name, const char *what)
{
	(void)folder;
	log_info("definition %s: %s", log_quote(name), log_quote(what));
}

static void
folder_trouble(struct folder *folder, const char *what)
{
	(void)folder;
	log_warning("~/.qemud/domains: %s", log_quote(what));
}

static const struct folder_ops folder_ops = {.loaded = folder_loaded,
	.tell = folder_tell,
	.left_alone = folder_left_alone,
	.changed = folder_changed,
	.trouble = folder_trouble};

static void
load(struct estate *estate)
{
	int r = capabilities_env(
		estate->capabilities, estate_emulator, &estate->env, &estate->arrays);

	if (r < 0) {
		fail_errno(estate, r, "what QEMU can do cannot be kept in mind");
		return;
	}
	estate->env.new_uuid = new_uuid;
	estate->env.run = estate->run;
	estate->state = ESTATE_LOADING;
	folder_start(&estate->folder, estate->loop, &estate->home, &estate->domains, &folder_ops);
}

/* --- what QEMU can do --------------------------------------------------------------------- */

static void
probed(struct probe *probe, struct capabilities *capabilities, const struct rpc_error *error)
{
	struct estate *estate = container_of(probe, struct estate, probe);
	int r;

	if (!capabilities) {
		estate->error = *error;
		fail(estate);
		return;
	}
	estate->capabilities = capabilities;
	r = capabilities_cache_store(
		estate->home.folder_fd[HOME_CACHE], &estate->stamp, capabilities);
	if (r < 0)
		log_warning("what QEMU can do cannot be kept in ~/.qemud/cache: %s", strerror(-r));
	load(estate);
}

static const struct probe_ops probe_ops = {.end = probed};

void
estate_tool_ready(struct estate *estate, int err, int fd)
{
	if (estate->state != ESTATE_ASKING) {
		fd_close(&fd);
		return;
	}
	if (err == -EDQUOT || err == -EAGAIN) {
		(void)rpc_error_set(&estate->error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
			"operation failed: QEMU cannot be asked what it can do: too many boxes run "
			"now, or were asked for lately; try again in a minute");
		fail(estate);
		return;
	}
	if (err < 0) {
		fail_errno(estate, err, "no box can be had to ask QEMU what it can do in");
		return;
	}
	estate->state = ESTATE_PROBING;
	memset(&estate->probe, 0, sizeof(estate->probe));
	probe_start(&estate->probe, &estate->jobs, fd, estate->stamp.kvm_asked, &probe_ops);
}

static void
know_qemu(struct estate *estate)
{
	int r = capabilities_stamp_read(
		estate_emulator, estate->kvm ? estate_kvm : NULL, &estate->stamp);

	if (r == -ENOENT) {
		(void)rpc_error_set(&estate->error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
			"operation failed: %s is not there: install the package qemu-system-x86",
			estate_emulator);
		fail(estate);
		return;
	}
	if (r == 0)
		r = capabilities_cache_load(
			estate->home.folder_fd[HOME_CACHE], &estate->stamp, &estate->capabilities);
	if (r < 0) {
		fail_errno(estate, r, estate_emulator);
	} else if (r == 0) {
		load(estate);
	} else {
		estate->state = ESTATE_ASKING;
		r = uplink_ask_tool(estate->uplink, IPC_TOOL_PROBE, 0);
		if (r != 0)
			estate_tool_ready(estate, -EAGAIN, -1);
	}
}

/* --- the first steps: the folder, the host ------------------------------------------------ */

static void
retry_due(struct timer *timer)
{
	begin(container_of(timer, struct estate, retry));
}

static int
read_host(struct estate *estate)
{
	fd_auto int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return root_fd < 0 ? -errno : host_read(root_fd, &estate->host);
}

static void
begin(struct estate *estate)
{
	const char *path = getenv("HOME");
	char why[HOME_WHY_MAX];
	int r = home_open_lent(&estate->home, path ? path : "/", estate->lock_fd, why);

	if (r == HOME_E_LOCKED && estate->n_retries++ < LOCK_RETRIES) {
		estate->state = ESTATE_LOCKED;
		timer_set(estate->loop, &estate->retry,
			loop_now(estate->loop) + LOOP_MS(LOCK_RETRY_MS), retry_due);
		return;
	}
	if (r != 0) {
		(void)rpc_error_set(&estate->error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
			"operation failed: %s", why);
		fail(estate);
		return;
	}
	r = read_host(estate);
	if (r < 0)
		fail_errno(estate, r, "/proc and /sys do not tell what this host is");
	else
		know_qemu(estate);
}

static void
open_now(struct estate *estate)
{
	if (estate->state != ESTATE_CLOSED)
		return;
	estate->n_retries = 0;
	begin(estate);
}

int
estate_enter(struct estate *estate, struct rpc_call *call)
{
	open_now(estate);
	switch (estate->state) {
	case ESTATE_OPEN:
		return RPC_DONE;
	case ESTATE_CLOSED:
		call->error = estate->error;
		return RPC_FAILED;
	case ESTATE_LOCKED:
	case ESTATE_ASKING:
	case ESTATE_PROBING:
	case ESTATE_LOADING:
	case ESTATE_ADOPTING:
		break;
	}
	LIST_INSERT_HEAD(&estate->waiting, call, waiting);
	return RPC_LATER;
}

/* Whose ask for leases it was. */
enum { COOKIE_WAKE };

void
estate_wake(struct estate *estate, bool now)
{
	if (now) {
		open_now(estate);
		return;
	}
	/* A link that takes no ask yet: the first client opens all. */
	(void)uplink_ask_next_lease(estate->uplink, 0, COOKIE_WAKE);
}

void
estate_lease_found(
	struct estate *estate, uint64_t cookie, int err, const struct ipc_lease_found *found)
{
	if (cookie == COOKIE_WAKE && err == 0)
		open_now(estate);
	else if (cookie != COOKIE_WAKE && estate->state == ESTATE_ADOPTING)
		vms_lease_found(&estate->vms, err, found);
}

static void
tell(struct vms *vms, const struct domain *domain, const struct happening *what)
{
	const struct estate *estate = container_of(vms, struct estate, vms);
	struct rpc_domain dom = call_domain_ret(domain);

	event_tell(estate->server, &dom, what);
}

void
estate_init(struct estate *estate, struct loop *loop, struct uplink *uplink, struct server *server)
{
	/* A list is written before it is read. */
	memset(estate, 0, offsetof(struct estate, listing));
	estate->loop = loop;
	estate->uplink = uplink;
	LIST_INIT(&estate->waiting);
	estate->lock_fd = -1;
	home_init(&estate->home);
	folder_init(&estate->folder);
	jobs_init(&estate->jobs, loop);
	domains_init(&estate->domains, &estate->home, &estate->env);
	marks_init(&estate->marks, loop, uplink, &estate->domains);
	listing_init(&estate->listing, loop, uplink, &estate->domains);
	estate->server = server;
	vms_init(&estate->vms, loop, uplink);
	estate->vms.tell = tell;
	estate->vms.jobs = &estate->jobs;
	estate->vms.home = &estate->home;
	estate->vms.domains = &estate->domains;
	estate->vms.env = &estate->env;
}

void
estate_fini(struct estate *estate)
{
	listing_end(&estate->listing);
	vms_fini(&estate->vms);
	jobs_cancel_all(&estate->jobs);
	(void)rpc_error_set(&estate->error, VIR_ERR_OPERATION_FAILED, VIR_FROM_QEMU,
		"operation failed: the worker is about to end");
	answer_all(estate, RPC_FAILED);
	close_all(estate);
	listing_fini(&estate->listing);
}
