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

/* virDomainMetadataType */
enum domain_metadata_type {
	DOMAIN_METADATA_DESCRIPTION = 0,
	DOMAIN_METADATA_TITLE = 1,
	DOMAIN_METADATA_ELEMENT = 2
};

/* A change; all texts are borrowed and not trusted. */
struct domain_metadata {
	enum domain_metadata_type type; /* as it came: any number */
	char *text;                     /* NULL or "": it is removed */
	char *key, *uri;                /* of an element: its namespace; else NULL */
};

/**
 * A copy of a definition in which that has changed, freed with domain_def_free(); flags as of
 * domain_def_parse(). An element replaces the one of the same namespace, or comes last, indented.
 * Returns 0, -ENOMEM, or DOMAIN_E_REFUSED with libvirt's error.
 */
int domain_metadata_change(const struct domain_def *def, const struct domain_metadata *change,
	unsigned flags, const struct domain_env *env, struct rpc_error *error,
	struct domain_def **ret_def);

#endif
