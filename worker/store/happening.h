/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * happening.h: one thing that has happened to a domain, of which clients can be told.
 *
 * Runs in the worker. Made where it happens (worker/vm, worker/rpc), told by worker/rpc/event.h. A
 * new kind is a line here, a member of the union if it has arguments of its own, and a row there.
 */
#ifndef WORKER_STORE_HAPPENING_H
#define WORKER_STORE_HAPPENING_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/store/lifecycle.h"

/* virDomainEventID: those that happen here. */
enum happening_kind {
	HAPPENED_LIFECYCLE = 0,
	HAPPENED_REBOOT = 1,
	HAPPENED_RTC_CHANGE = 2,
	HAPPENED_WATCHDOG = 3,
	HAPPENED_IO_ERROR = 4,
	HAPPENED_GRAPHICS = 5,
	HAPPENED_IO_ERROR_REASON = 6,
	HAPPENED_CONTROL_ERROR = 7,
	HAPPENED_DISK_CHANGE = 9,
	HAPPENED_TRAY_CHANGE = 10,
	HAPPENED_PMWAKEUP = 11,
	HAPPENED_PMSUSPEND = 12,
	HAPPENED_BALLOON_CHANGE = 13,
	HAPPENED_PMSUSPEND_DISK = 14,
	HAPPENED_AGENT_LIFECYCLE = 18,
	HAPPENED_METADATA_CHANGE = 23
};

/* virDomainEventWatchdogAction */
enum happening_watchdog {
	WATCHDOG_NONE,
	WATCHDOG_PAUSE,
	WATCHDOG_RESET,
	WATCHDOG_POWEROFF,
	WATCHDOG_SHUTDOWN,
	WATCHDOG_DEBUG,
	WATCHDOG_INJECT_NMI
};
/* virDomainEventIOErrorAction */
enum happening_io_error { IO_ERROR_NONE, IO_ERROR_PAUSE, IO_ERROR_REPORT };
/* virDomainEventTrayChangeReason */
enum happening_tray { TRAY_OPENED, TRAY_CLOSED };

/* virConnectDomainEventDiskChangeReason */
enum happening_disk { DISK_EMPTIED, DISK_DROPPED };
/* virDomainEventGraphicsPhase */
enum happening_graphics { GRAPHICS_CONNECTED, GRAPHICS_INITIALIZED, GRAPHICS_DISCONNECTED };
/* virDomainEventGraphicsAddressType */
enum happening_family { GRAPHICS_IPV4, GRAPHICS_IPV6, GRAPHICS_UNIX };
/* One side of a connection. */
struct happening_address {
	enum happening_family family;
	char *node, *service;
};

/* virConnectDomainEventAgentLifecycleReason */
enum happening_agent { AGENT_DOMAIN_STARTED = 1, AGENT_CHANNEL };

/* All texts are borrowed. Kinds that have no member here have no arguments. */
struct happening {
	enum happening_kind kind;
	union {
		struct {
			enum event_lifecycle event;
			int32_t detail;
		} lifecycle;
		int64_t rtc_offset; /* seconds from UTC */
		enum happening_watchdog watchdog;
		struct {
			char *path, *alias; /* of the disk; "" when it is none that we know */
			enum happening_io_error action;
			char *reason; /* "enospc" or ""; of HAPPENED_IO_ERROR_REASON */
		} io_error;
		struct {
			char *alias;
			enum happening_tray reason;
		} tray;
		struct {
			char *path, *alias; /* what is not there, and of which drive */
			enum happening_disk reason;
		} disk;
		struct {
			enum happening_graphics phase;
			struct happening_address local, remote;
			char *auth;
		} graphics;
		uint64_t balloon_kib;
		struct {
			bool connected;
			enum happening_agent reason;
		} agent;
		struct {
			int32_t type; /* virDomainMetadataType */
			char *uri;    /* of an element; else NULL */
		} metadata;
	};
};

#endif
