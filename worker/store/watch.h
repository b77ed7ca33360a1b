/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch.h: the kernel's word about changes in ~/.qemud, domains/ and autostart/ (inotify).
 *
 * Runs in the worker, as the user. Knows names, and not what is in the files. It is a hint that
 * comes early, never the truth: whoever uses it looks at the folder itself now and then, and often
 * where the kernel does not hear of all changes.
 */
#ifndef WORKER_STORE_WATCH_H
#define WORKER_STORE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/loop.h"
#include "worker/store/home.h"

struct watch;

struct watch_ops {
	/* Something was done to domains/NAME.xml: IN_CREATE, IN_CLOSE_WRITE... (inotify(7)). */
	void (*file)(struct watch *watch, const char *name, uint32_t what);
	/* autostart/NAME.xml has come or gone. */
	void (*autostart)(struct watch *watch, const char *name);
	/* A folder has come, gone or moved. */
	void (*folders)(struct watch *watch);
	/* More has happened than the kernel could keep. */
	void (*lost)(struct watch *watch);
};

struct watch {
	struct io io;
	int fd; /* -1: not started */
	int home_wd, domains_wd, autostart_wd;
	bool silent; /* others may write there of whom this kernel does not hear */
	const struct watch_ops *ops;
};

/** Make it empty. */
void watch_init(struct watch *watch);
/**
 * Begin, or begin anew with folders that were opened anew. Returns 0, or a negative errno (-EMFILE:
 * the user has as many as she may have); then `silent` is set.
 */
int watch_start(struct watch *watch, struct loop *loop, const struct home *home,
	const struct watch_ops *ops);
void watch_stop(struct watch *watch);

#endif
