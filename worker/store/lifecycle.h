/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lifecycle.h: what can happen to a domain, in libvirt's numbers.
 *
 * Runs in the worker. Clients are told by worker/rpc/event.h.
 */
#ifndef WORKER_STORE_LIFECYCLE_H
#define WORKER_STORE_LIFECYCLE_H

/* virDomainEventType and its details, as far as they happen here. */
enum event_lifecycle {
	EVENT_DEFINED = 0,
	EVENT_UNDEFINED = 1,
	EVENT_STARTED = 2,
	EVENT_SUSPENDED = 3,
	EVENT_RESUMED = 4,
	EVENT_STOPPED = 5,
	EVENT_SHUTDOWN = 6,
	EVENT_PMSUSPENDED = 7,
	EVENT_CRASHED = 8
};
enum event_defined {
	EVENT_DEFINED_ADDED = 0,
	EVENT_DEFINED_UPDATED = 1,
	EVENT_DEFINED_RENAMED = 2
};
enum event_undefined { EVENT_UNDEFINED_REMOVED = 0, EVENT_UNDEFINED_RENAMED = 1 };
enum event_started { EVENT_STARTED_BOOTED = 0, EVENT_STARTED_WAKEUP = 4 };
enum event_suspended {
	EVENT_SUSPENDED_PAUSED = 0,
	EVENT_SUSPENDED_IOERROR = 2,
	EVENT_SUSPENDED_WATCHDOG = 3
};
enum event_resumed { EVENT_RESUMED_UNPAUSED = 0 };
enum event_stopped {
	EVENT_STOPPED_SHUTDOWN = 0,
	EVENT_STOPPED_DESTROYED = 1,
	EVENT_STOPPED_CRASHED = 2,
	EVENT_STOPPED_FAILED = 5
};
enum event_shutdown {
	EVENT_SHUTDOWN_FINISHED = 0,
	EVENT_SHUTDOWN_GUEST = 1,
	EVENT_SHUTDOWN_HOST = 2
};
enum event_pmsuspended { EVENT_PMSUSPENDED_MEMORY = 0, EVENT_PMSUSPENDED_DISK = 1 };
enum event_crashed { EVENT_CRASHED_PANICKED = 0 };

#endif
