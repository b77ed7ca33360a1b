/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * iothread.c: threads of QEMU; see iothread.h.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/iothread.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "worker/domain/parse.h"

bool
domain_iothread_exists(const struct domain_iothreads *iothreads, uint32_t id)
{
	for (size_t i = 0; i < iothreads->n; i++)
		if (iothreads->threads[i].id == id)
			return true;
	return false;
}

static int
add(struct domain_parse *p, const struct domain_iothread *thread)
{
	struct domain_iothreads *iothreads = &p->def->iothreads;
	struct domain_iothread *more;

	if (iothreads->n == DOMAIN_IOTHREADS_MAX)
		return refuse_unsupported(p, "more than %d I/O threads", DOMAIN_IOTHREADS_MAX);
	more = reallocarray(iothreads->threads, iothreads->n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	iothreads->threads = more;
	more[iothreads->n++] = *thread;
	return 0;
}

static int
parse_pool(struct domain_parse *p, xmlNode *node, struct domain_pool *pool)
{
	const char *max = xml_attr(node, "thread_pool_max");
	int r;

	pool->has_min = xml_attr(node, "thread_pool_min") != NULL;
	r = xml_attr_number(node, "thread_pool_min", 10, DOMAIN_POOL_MAX, 0, p->error, &pool->min);
	if (r == 0)
		r = xml_attr_number(
			node, "thread_pool_max", 10, DOMAIN_POOL_MAX, 0, p->error, &pool->max);
	if (r)
		return r;
	if (max && pool->max == 0)
		return refuse_unsupported(p, "thread_pool_max must be a positive integer");
	/* QEMU's own bound is 64. */
	if (pool->min > (max ? pool->max : 64))
		return refuse_unsupported(
			p, "thread_pool_min must be smaller or equal to thread_pool_max");
	return 0;
}

static int
parse_listed(struct domain_parse *p, xmlNode *domain)
{
	xmlNode *list = xml_child(domain, "iothreadids"), *node = NULL;
	int r = 0;

	while (list && r == 0 && (node = xml_each(list, "iothread", node))) {
		struct domain_iothread thread = {0};
		const char *given;

		p->def->iothreads.listed = true;
		r = xml_attr_required(node, "id", p->error, &given);
		if (r == 0)
			r = xml_attr_positive(node, "id", 0, p->error, &thread.id);
		if (r == 0)
			r = parse_pool(p, node, &thread.pool);
		if (r == 0 && domain_iothread_exists(&p->def->iothreads, thread.id))
			return refuse_xml(p, "duplicate iothread id '%u' found", thread.id);
		if (r == 0)
			r = add(p, &thread);
	}
	return r;
}

/* Those that are not listed have the lowest ids that are free. */
static int
complete(struct domain_parse *p, unsigned long n)
{
	struct domain_iothread thread = {.id = 1};
	int r = 0;

	while (p->def->iothreads.n < n && r == 0) {
		if (!domain_iothread_exists(&p->def->iothreads, thread.id))
			r = add(p, &thread);
		thread.id++;
	}
	return r;
}

int
domain_iothreads_parse(struct domain_parse *p, xmlNode *domain)
{
	xmlNode *main_loop = xml_child(domain, "defaultiothread");
	free_auto char *text = NULL;
	unsigned long n = 0;
	char *end;
	int r = xml_child_text(domain, "iothreads", &text);

	if (r)
		return r;
	if (text) {
		errno = 0;
		n = strtoul(text, &end, 10);
		if (!isdigit((unsigned char)*text) || *end || errno)
			return refuse_xml(p, "invalid iothreads count '%.100s'", text);
	}
	r = parse_listed(p, domain);
	if (r == 0)
		r = complete(p, n);
	if (r == 0 && main_loop)
		r = parse_pool(p, main_loop, &p->def->iothreads.main);
	return r;
}

static void
format_pool(struct writer *w, const struct domain_pool *pool)
{
	if (pool->has_min)
		writer_attr_f(w, "thread_pool_min", "%u", pool->min);
	if (pool->max)
		writer_attr_f(w, "thread_pool_max", "%u", pool->max);
}

void
domain_iothreads_format(struct writer *w, const struct domain_def *def)
{
	const struct domain_iothreads *iothreads = &def->iothreads;

	if (iothreads->n) {
		writer_start(w, "iothreads");
		writer_end_text_f(w, "iothreads", "%zu", iothreads->n);
	}
	if (iothreads->listed) {
		writer_start(w, "iothreadids");
		for (size_t i = 0; i < iothreads->n; i++) {
			writer_start(w, "iothread");
			writer_attr_f(w, "id", "%u", iothreads->threads[i].id);
			format_pool(w, &iothreads->threads[i].pool);
			writer_end(w, "iothread");
		}
		writer_end(w, "iothreadids");
	}
	if (iothreads->main.has_min || iothreads->main.max) {
		writer_start(w, "defaultiothread");
		format_pool(w, &iothreads->main);
		writer_end(w, "defaultiothread");
	}
}

void
domain_iothreads_fini(struct domain_iothreads *iothreads)
{
	free(iothreads->threads);
}
