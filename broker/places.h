/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * places.h: the folders that the broker works in, made or checked before anything is done in them.
 *
 * Runs in the broker, as root, before it is boxed. Only folders whose parents are root's (or
 * sticky); nothing below a folder of a user's.
 */
#ifndef BROKER_PLACES_H
#define BROKER_PLACES_H

#include "broker/config.h"

/* Descriptors of folders, owned; -1 where not open. */
struct places {
	int runtime_fd;   /* RUNTIME_DIR: lock, sockets */
	int started_fd;   /* RUNTIME_DIR/autostarted, see autostart.h */
	int registry_fd;  /* STATE_DIR/users */
	int inventory_fd; /* STATE_DIR/inventory, see inventories.h */
	int cgroup_fd;    /* of the ledger, see places_cgroup() */
	int lock_fd;      /* RUNTIME_DIR/lock, see lock.h */
};

enum { PLACES_ERROR_MAX = 512 };

enum places_error { PLACES_E_BAD = 1 };

/**
 * Open runtime_dir (0755), runtime_dir/users (0755), runtime_dir/autostarted (0700), state_dir
 * (0755), state_dir/users and state_dir/inventory (0700), making what is missing with exactly that mode whatever the umask. What is there must be a folder,
 * not a symbolic link, belong to the account that runs this (root), and be no more open than that
 * mode. Returns 0, or PLACES_E_BAD with the error in words.
 */
int places_open(
	const struct config *config, struct places *ret, char error[static PLACES_ERROR_MAX]);
void places_close(struct places *places);

/**
 * The folder of the cgroup v2 tree for --cgroup, made if it is missing, and open in places->cgroup_fd;
 * "" when there is none.
 * Returns 0, or PLACES_E_BAD with the error in words when a folder that the file names cannot be
 * made. "auto" takes /sys/fs/cgroup/qemud where cgroup v2 is there and lets it be made.
 */
int places_cgroup(const struct config *config, struct places *places,
	char ret_dir[static CONFIG_PATH_MAX], char error[static PLACES_ERROR_MAX]);

#endif
