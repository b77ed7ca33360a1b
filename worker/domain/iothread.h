/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * iothread.h: threads of QEMU that disks can be given to, beside its main one.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_IOTHREAD_H
#define WORKER_DOMAIN_IOTHREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct _xmlNode;
struct domain_def;
struct domain_parse;
struct writer;

enum { DOMAIN_IOTHREADS_MAX = 64, DOMAIN_POOL_MAX = 1024 };

/* How many more threads one of them may have; 0: not said. */
struct domain_pool {
	uint32_t min, max;
	bool has_min;
};

struct domain_iothread {
	uint32_t id; /* "iothread%u" in QEMU */
	struct domain_pool pool;
};

struct domain_iothreads {
	struct domain_iothread *threads;
	size_t n;
	bool listed;             /* <iothreadids> is there */
	struct domain_pool main; /* of QEMU's main loop */
};

/** Is there one with that id? */
bool domain_iothread_exists(const struct domain_iothreads *iothreads, uint32_t id);

/** <iothreads>, <iothreadids>, <defaultiothread> */
int domain_iothreads_parse(struct domain_parse *p, struct _xmlNode *domain);
void domain_iothreads_format(struct writer *w, const struct domain_def *def);
void domain_iothreads_fini(struct domain_iothreads *iothreads);

#endif
