/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * userdir.h: a user's folder for run-time state, made once and handed over empty.
 *
 * Runs in qemud-launch, as root without DAC_OVERRIDE. The parent is root's and nobody else can
 * write to it, so that the names in it are the starter's alone. The starter never looks into, and
 * never changes, a folder that is the user's already.
 *
 * The folder is a small file system of its own, so that nobody can fill the host's /run, which
 * everybody needs. It lives until the host is restarted, as long as the namespace of mounts does
 * that the broker was started in; VMs are found in it.
 */
#ifndef BROKER_LAUNCH_USERDIR_H
#define BROKER_LAUNCH_USERDIR_H

#include <stdbool.h>
#include <stdint.h>

/* Sockets and notes of some hundred VMs; memory is taken for what is written alone. */
#define USERDIR_SIZE   "16m"
#define USERDIR_INODES "4096"

enum userdir_error {
	USERDIR_E_UNSAFE = 1 /* something else stands there, or it has another owner or mode */
};

/**
 * Open the parent. Returns 0, USERDIR_E_UNSAFE with *ret_why for people, or a negative errno; the
 * descriptor (O_PATH) is the caller's.
 */
int userdir_open(const char *path, int *ret_fd, const char **ret_why);

/**
 * Make the folder UID below the parent, 0700 and that user's, or check that it is there in that
 * shape. *ret_unlimited: it was made where it shares the file system of its parent, because this
 * host lets nothing be mounted. Errors as above.
 */
int userdir_make(
	int parent_fd, uint32_t uid, uint32_t gid, const char **ret_why, bool *ret_unlimited);

#endif
