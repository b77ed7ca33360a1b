/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * identity.h: type, name, UUID, title, description and metadata of a definition.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_IDENTITY_H
#define WORKER_DOMAIN_IDENTITY_H

#include "worker/domain/parse.h"

/** <domain type>, <name>, <uuid>, <genid>, <title>, <description>, <metadata>. */
int domain_identity_parse(struct domain_parse *p, xmlNode *domain);

/** The same elements; the attributes of <domain> itself are the caller's. */
void domain_identity_format(struct writer *w, const struct domain_def *def);

/**
 * A UUID as virUUIDParse() of libvirt takes it: dashes and blanks may stand between the bytes, or be
 * missing. False for any other text.
 */
bool domain_uuid_read(const char *text, uint8_t uuid[static 16]);

/** The value of <domain type>. */
const char *domain_type_word(enum domain_type type);

#endif
