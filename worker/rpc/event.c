/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event.c: telling the clients that asked for it what has happened to a domain; see event.h.
 *
 * Runs in the worker.
 */
#include "worker/rpc/event.h"

#include <string.h>

#include "lib/err.h"
#include "protocol/rpc/codec.h"
#include "protocol/rpc/frame.h"
#include "protocol/rpc/procedure.h"
#include "serve/domain_event.h"
#include "serve/server.h"

/* Every message begins with the id of the subscription. */
union message {
	int32_t callback_id;
	struct rpc_domain_event_callback_lifecycle_msg lifecycle;
	struct rpc_domain_event_callback_reboot_msg plain;
	struct rpc_domain_event_callback_rtc_change_msg rtc_change;
	struct rpc_domain_event_callback_watchdog_msg watchdog;
	struct rpc_domain_event_callback_io_error_msg io_error;
	struct rpc_domain_event_callback_io_error_reason_msg io_error_reason;
	struct rpc_domain_event_callback_graphics_msg graphics;
	struct rpc_domain_event_callback_disk_change_msg disk_change;
	struct rpc_domain_event_callback_tray_change_msg tray_change;
	struct rpc_domain_event_callback_pmsuspend_msg power;
	struct rpc_domain_event_callback_balloon_change_msg balloon_change;
	struct rpc_domain_event_callback_agent_lifecycle_msg agent_lifecycle;
	struct rpc_domain_event_callback_metadata_change_msg metadata_change;
};

/* --- what each kind says ------------------------------------------------------------------ */

typedef void fill_fn(
	union message *msg, const struct rpc_domain *domain, const struct happening *what);

static void
fill_plain(union message *msg, const struct rpc_domain *domain, const struct happening *what)
{
	(void)what;
	msg->plain.dom = *domain;
}

/* libvirt has no reason to give either. */
static void
fill_power(union message *msg, const struct rpc_domain *domain, const struct happening *what)
{
	(void)what;
	msg->power.dom = *domain;
}

static void
fill_lifecycle(union message *msg, const struct rpc_domain *domain, const struct happening *what)
{
	msg->lifecycle.dom = *domain;
	msg->lifecycle.event = (int32_t)what->lifecycle.event;
	msg->lifecycle.detail = what->lifecycle.detail;
}

static void
fill_rtc_change(union message *msg, const struct rpc_domain *domain, const struct happening *what)
{
	msg->rtc_change.dom = *domain;
	msg->rtc_change.offset = what->rtc_offset;
}

static void
fill_watchdog(union message *msg, const struct rpc_domain *domain, const struct happening *what)
{
	msg->watchdog.dom = *domain;
	msg->watchdog.action = (int32_t)what->watchdog;
}

static void
fill_io_error(union message *msg, const struct rpc_domain *domain, const struct happening *what)
{
	msg->io_error.dom = *domain;
	msg->io_error.srcPath = what->io_error.path;
	msg->io_error.devAlias = what->io_error.alias;
	msg->io_error.action = (int32_t)what->io_error.action;
}

static void
fill_io_error_reason(
	union message *msg, const struct rpc_domain *domain, const struct happening *what)
{
	msg->io_error_reason.dom = *domain;
	msg->io_error_reason.srcPath = what->io_error.path;
	msg->io_error_reason.devAlias = what->io_error.alias;
	msg->io_error_reason.action = (int32_t)what->io_error.action;
	msg->io_error_reason.reason = what->io_error.reason;
}

static struct rpc_domain_event_graphics_address
address_of(const struct happening_address *side)
{
	return (struct rpc_domain_event_graphics_address){
		.family = (int32_t)side->family, .node = side->node, .service = side->service};
}

/* Nobody is known by a name: there is neither TLS nor SASL. */
static void
fill_graphics(union message *msg, const struct rpc_domain *domain, const struct happening *what)
{
	msg->graphics.dom = *domain;
	msg->graphics.phase = (int32_t)what->graphics.phase;
	msg->graphics.local = address_of(&what->graphics.local);
	msg->graphics.remote = address_of(&what->graphics.remote);
	msg->graphics.authScheme = what->graphics.auth;
}

static void
fill_disk_change(union message *msg, const struct rpc_domain *domain, const struct happening *what)
{
	msg->disk_change.dom = *domain;
	msg->disk_change.oldSrcPath = what->disk.path;
	msg->disk_change.devAlias = what->disk.alias;
	msg->disk_change.reason = (int32_t)what->disk.reason;
}

static void
fill_tray_change(union message *msg, const struct rpc_domain *domain, const struct happening *what)
{
	msg->tray_change.dom = *domain;
	msg->tray_change.devAlias = what->tray.alias;
	msg->tray_change.reason = (int32_t)what->tray.reason;
}

static void
fill_balloon_change(
	union message *msg, const struct rpc_domain *domain, const struct happening *what)
{
	msg->balloon_change.dom = *domain;
	msg->balloon_change.actual = what->balloon_kib;
}

static void
fill_agent_lifecycle(
	union message *msg, const struct rpc_domain *domain, const struct happening *what)
{
	msg->agent_lifecycle.dom = *domain;
	/* virConnectDomainEventAgentLifecycleState */
	msg->agent_lifecycle.state = what->agent.connected ? 1 : 2;
	msg->agent_lifecycle.reason = (int32_t)what->agent.reason;
}

static void
fill_metadata_change(
	union message *msg, const struct rpc_domain *domain, const struct happening *what)
{
	msg->metadata_change.dom = *domain;
	msg->metadata_change.type = what->metadata.type;
	msg->metadata_change.nsuri = what->metadata.uri;
}

static const struct kind {
	int32_t procedure;
	fill_fn *fill;
} kinds[] = {
	[HAPPENED_LIFECYCLE] = {RPC_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE, fill_lifecycle},
	[HAPPENED_REBOOT] = {RPC_PROC_DOMAIN_EVENT_CALLBACK_REBOOT, fill_plain},
	[HAPPENED_RTC_CHANGE] = {RPC_PROC_DOMAIN_EVENT_CALLBACK_RTC_CHANGE, fill_rtc_change},
	[HAPPENED_WATCHDOG] = {RPC_PROC_DOMAIN_EVENT_CALLBACK_WATCHDOG, fill_watchdog},
	[HAPPENED_IO_ERROR] = {RPC_PROC_DOMAIN_EVENT_CALLBACK_IO_ERROR, fill_io_error},
	[HAPPENED_IO_ERROR_REASON] = {RPC_PROC_DOMAIN_EVENT_CALLBACK_IO_ERROR_REASON,
		fill_io_error_reason},
	[HAPPENED_GRAPHICS] = {RPC_PROC_DOMAIN_EVENT_CALLBACK_GRAPHICS, fill_graphics},
	[HAPPENED_DISK_CHANGE] = {RPC_PROC_DOMAIN_EVENT_CALLBACK_DISK_CHANGE, fill_disk_change},
	[HAPPENED_CONTROL_ERROR] = {RPC_PROC_DOMAIN_EVENT_CALLBACK_CONTROL_ERROR, fill_plain},
	[HAPPENED_TRAY_CHANGE] = {RPC_PROC_DOMAIN_EVENT_CALLBACK_TRAY_CHANGE, fill_tray_change},
	[HAPPENED_PMWAKEUP] = {RPC_PROC_DOMAIN_EVENT_CALLBACK_PMWAKEUP, fill_power},
	[HAPPENED_PMSUSPEND] = {RPC_PROC_DOMAIN_EVENT_CALLBACK_PMSUSPEND, fill_power},
	[HAPPENED_BALLOON_CHANGE] = {RPC_PROC_DOMAIN_EVENT_CALLBACK_BALLOON_CHANGE,
		fill_balloon_change},
	[HAPPENED_PMSUSPEND_DISK] = {RPC_PROC_DOMAIN_EVENT_CALLBACK_PMSUSPEND_DISK, fill_power},
	[HAPPENED_AGENT_LIFECYCLE] = {RPC_PROC_DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE,
		fill_agent_lifecycle},
	[HAPPENED_METADATA_CHANGE] = {RPC_PROC_DOMAIN_EVENT_CALLBACK_METADATA_CHANGE,
		fill_metadata_change},
};

/* --- to whom ------------------------------------------------------------------------------ */

void
event_tell(struct server *server, const struct rpc_domain *domain, const struct happening *what)
{
	const struct kind *kind = &kinds[what->kind];
	union message msg = {.callback_id = 0};
	struct client *client;

	ASSERT(what->kind < sizeof(kinds) / sizeof(kinds[0]) && kind->fill);
	kind->fill(&msg, domain, what);
	LIST_FOREACH (client, &server->clients, entry) {
		const struct subscriptions *wanted = &client->subscriptions;

		for (unsigned i = 0; i < wanted->n; i++) {
			const struct subscription *s = &wanted->list[i];

			if (s->event != (int32_t)what->kind ||
				(s->filtered && memcmp(s->uuid, domain->uuid, 16) != 0))
				continue;
			msg.callback_id = s->id;
			if (!domain_event_send(client, kind->procedure, &msg))
				client->lost = true;
			server_touch(server, client);
		}
	}
}

void
event_lifecycle(struct server *server, const struct rpc_domain *domain, enum event_lifecycle event,
	int32_t detail)
{
	struct happening what = {
		.kind = HAPPENED_LIFECYCLE, .lifecycle = {.event = event, .detail = detail}};

	event_tell(server, domain, &what);
}
