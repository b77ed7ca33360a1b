/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chain.h: the images below the disks of a VM that is about to start, as far as its definition does
 * not name them: read from the images.
 *
 * Runs in the worker, as the user: she can read what she may. QEMU itself opens nothing.
 */
#ifndef WORKER_VM_CHAIN_H
#define WORKER_VM_CHAIN_H

#include "protocol/rpc/error.h"
#include "worker/domain/def.h"

/** A drive or disk that is about to be emptied, or removed. */
typedef void vm_missing_fn(void *arg, const struct domain_disk *disk);

/**
 * Complete the disks of a definition that is about to run: drives whose medium is not there and may
 * be missing (startupPolicy) are empty, such disks are not there at all; every disk is `whole`, and
 * every image has its number. missing is called for each that is not there, from the last to the
 * first, as libvirt tells of them. Returns RPC_DONE, or RPC_FAILED with the error.
 */
int vm_chain_complete(
	struct domain_def *live, vm_missing_fn *missing, void *arg, struct rpc_error *error);

/**
 * A disk whose definition leaves it to the image what is below it has run, as `ran`, with a QEMU that
 * could write to the image, its header included. Where that names something else now than when the
 * run began, the definition names what it ran with: else a QEMU that its guest has taken over would
 * have any file of its user's handed to it at the next start, by its name.
 * Returns 1 when the definition has changed, 0, or -ENOMEM.
 */
int vm_chain_keep(struct domain_disk *config, const struct domain_disk *ran);

#endif
