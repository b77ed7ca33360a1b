/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * identity.h: type, name, UUID, title, description and metadata of a definition.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_IDENTITY_H
#define WORKER_DOMAIN_IDENTITY_H

#include "worker/domain/parse.h"

/** <domain type>, <name>, <uuid>, <title>, <description>, <metadata>. */
int domain_identity_parse(struct domain_parse *p, xmlNode *domain);

/** The same elements; the attributes of <domain> itself are the caller's. */
void domain_identity_format(struct writer *w, const struct domain_def *def);

/** The value of <domain type>. */
const char *domain_type_word(enum domain_type type);

#endif
