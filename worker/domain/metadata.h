/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metadata.h: the part of a definition that belongs to other programs.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_METADATA_H
#define WORKER_DOMAIN_METADATA_H

#include "worker/domain/parse.h"

/**
 * <metadata>: kept as it was written, so far as XML keeps a text. Each element in it must be in a
 * namespace, and the only one of it. Namespaces declared further out come to stand on the
 * elements that use them.
 */
int domain_metadata_parse(struct domain_parse *p, xmlNode *domain);

/**
 * The element of that namespace, as XML (freed by the caller), or NULL when there is none. As in
 * libvirt it comes indented and without the namespace, which who asks knows. Returns 0 or -ENOMEM.
 */
int domain_metadata_find(const struct domain_def *def, const char *uri, char **ret_xml);

#endif
