/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * seclabel.h: <seclabel>, on a host without a driver of security labels.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_SECLABEL_H
#define WORKER_DOMAIN_SECLABEL_H

struct _xmlNode;
struct domain_def;
struct domain_parse;
struct writer;

/** The label that there is none, or one of no model, which is the same; no other. */
int domain_seclabel_parse(struct domain_parse *p, struct _xmlNode *domain);
void domain_seclabel_format(struct writer *w, const struct domain_def *def);

#endif
