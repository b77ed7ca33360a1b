/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_capabilities.h: the document of CONNECT_GET_DOMAIN_CAPABILITIES: what a definition may
 * have.
 *
 * Runs in the worker, as the user. Pure. Devices are those of the table of kinds, with the words
 * that their parsers know: what is not accepted is not there.
 */
#ifndef WORKER_QEMU_DOMAIN_CAPABILITIES_H
#define WORKER_QEMU_DOMAIN_CAPABILITIES_H

#include "worker/qemu/capabilities.h"

/**
 * Write it, for a machine type of the environment. ret_xml: NUL-terminated, freed by the caller.
 * Returns 0 or -ENOMEM.
 */
int domain_capabilities_xml(const struct capabilities *capabilities, const struct domain_env *env,
	const struct domain_machine *machine, enum domain_type type, char **ret_xml);

#endif
