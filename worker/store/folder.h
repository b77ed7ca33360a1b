/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * folder.h: ~/.qemud/domains, watched: what is done to the files there is done to the VMs.
 *
 * Runs in the worker, as the user. The folder is scanned when it is opened, once a minute, and each
 * few seconds where the kernel does not hear of all changes (watch.h); between, the kernel tells. A
 * scan asks each file for its stamp and reads those that have changed. A bounded part of all that is
 * done in one turn of the loop, so that clients are served meanwhile.
 */
#ifndef WORKER_STORE_FOLDER_H
#define WORKER_STORE_FOLDER_H

#include <dirent.h>
#include <stdbool.h>

#include "lib/loop.h"
#include "worker/store/domains.h"
#include "worker/store/files.h"
#include "worker/store/home.h"
#include "worker/store/lifecycle.h"
#include "worker/store/reconcile.h"
#include "worker/store/watch.h"

struct folder;

struct folder_ops {
	/* All that was there has been read; or the folder cannot be: a negative errno. Once. */
	void (*loaded)(struct folder *folder, int err);
	/* As in reconcile.h; nobody is told of what is there at the beginning. */
	void (*tell)(struct folder *folder, const struct domain *domain, enum event_lifecycle event,
		int32_t detail);
	void (*left_alone)(struct folder *folder, const char *name, const char *why);
	void (*changed)(struct folder *folder, const char *name, const char *what);
	/* Something about the folder itself, to be logged. */
	void (*trouble)(struct folder *folder, const char *what);
};

struct folder {
	struct loop *loop; /* NULL: not started */
	struct home *home;
	struct domains *domains;
	const struct folder_ops *ops;
	struct reconcile reconcile;
	struct domains_keeper keeper;
	struct files files;
	struct watch watch;
	bool loaded;
	bool wanted;     /* a scan, when the one that goes on has ended */
	bool in_trouble; /* which was told */
	bool deaf;       /* the kernel does not tell, which was told */
	bool full;       /* more files than can be known, which was told */
	unsigned
		n_told; /* of files, since the last scan; what is more than a log can bear is counted */
	DIR *dir;       /* of the scan that goes on; NULL: none does */
	struct deferred work;
	struct timer later; /* FILE_LATER's first is due */
	struct timer again; /* the next scan */
	struct timer renew; /* folders have come or gone */
};

/** Make it empty. */
void folder_init(struct folder *folder);
/** Begin; loaded() follows, from the loop. home and domains are borrowed; domains is empty. */
void folder_start(struct folder *folder, struct loop *loop, struct home *home,
	struct domains *domains, const struct folder_ops *ops);
/** Stop, and forget what is known of files. */
void folder_stop(struct folder *folder);

#endif
