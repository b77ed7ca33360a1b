/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * resolver.h: the name servers of guests on a host whose own resolver listens on its loopback.
 *
 * Runs in the worker, as the user. passt tells a guest the servers in /etc/resolv.conf; but no guest
 * reaches the host's loopback, on which systemd-resolved is the only one that file names. That writes
 * down whom it asks itself (systemd-resolved.service(8)), and so do guests then.
 */
#ifndef WORKER_VM_RESOLVER_H
#define WORKER_VM_RESOLVER_H

#include "worker/qemu/passt.h"

/**
 * Set passt->dns: none where passt finds some by itself, or there are none. etc and resolved: the two
 * files, RESOLVER_ETC and RESOLVER_RESOLVED.
 */
void resolver_fill(struct passt *passt, const char *etc, const char *resolved);

#define RESOLVER_ETC      "/etc/resolv.conf"
#define RESOLVER_RESOLVED "/run/systemd/resolve/resolv.conf"

#endif
