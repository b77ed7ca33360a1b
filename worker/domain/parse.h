/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * parse.h: what the parsers of the element groups share while a definition is read.
 *
 * Runs in the worker, as the user. Private to worker/domain.
 *
 * Every *_parse(p, node) below reads one group of elements into p->def and returns 0, -ENOMEM,
 * or DOMAIN_E_REFUSED with p->error filled in. Every *_format(w, def, flags) writes the group.
 */
#ifndef WORKER_DOMAIN_PARSE_H
#define WORKER_DOMAIN_PARSE_H

#include "worker/domain/def.h"
#include "worker/domain/error.h"
#include "worker/domain/writer.h"
#include "worker/domain/xml.h"

struct domain_parse {
	const struct domain_env *env;
	unsigned flags;
	struct domain_def *def;
	const struct domain_machine *machine; /* known once <os> is read */
	bool new_uuid;                        /* the XML has none */
	bool console;                         /* a <console> was read */
	bool memballoon;                      /* a <memballoon> was read */
	bool primary_video;                   /* a <video> that says so was read */
	struct rpc_error *error;
};

/* Refusals with a part's usual code; the text is a format with arguments. */
#define refuse_xml(p, ...) \
	domain_refuse((p)->error, VIR_ERR_XML_ERROR, VIR_FROM_DOMAIN, __VA_ARGS__)
#define refuse_unsupported(p, ...) \
	domain_refuse((p)->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_QEMU, __VA_ARGS__)

#endif
