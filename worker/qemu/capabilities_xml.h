/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capabilities_xml.h: the document of CONNECT_GET_CAPABILITIES: the host, and what runs on it.
 *
 * Runs in the worker, as the user. Pure. Says what is known and true: the host's CPU has no
 * <model> and no <feature>, for those come from libvirt's own list of models; what qemud does not
 * do (migration, other architectures, disk snapshots) is not there.
 */
#ifndef WORKER_QEMU_CAPABILITIES_XML_H
#define WORKER_QEMU_CAPABILITIES_XML_H

#include "worker/qemu/capabilities.h"
#include "worker/qemu/host.h"

/**
 * Write it. capabilities is NULL where there is no QEMU: no guest can run then. emulator: the
 * binary's path. ret_xml: NUL-terminated, freed by the caller. Returns 0 or -ENOMEM.
 */
int capabilities_xml(const struct host *host, const struct capabilities *capabilities,
	const char *emulator, char **ret_xml);

#endif
