/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_iothread.c: threads that disks can be given to.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/qemu/command_machine.h"

static void
add_object(struct command_line *line, json_t *object, const struct domain_pool *pool)
{
	int r = 0;

	if (pool->has_min)
		r |= json_object_set_new(object, "thread-pool-min", json_integer(pool->min));
	if (pool->max)
		r |= json_object_set_new(object, "thread-pool-max", json_integer(pool->max));
	if (r)
		line->failed = true;
	command_line_add_json(line, "-object", object);
}

json_t *
command_iothread(uint32_t id)
{
	return json_sprintf("iothread%u", id);
}

void
command_add_iothreads(struct command_line *line)
{
	const struct domain_iothreads *iothreads = &line->def->iothreads;

	for (size_t i = 0; i < iothreads->n; i++)
		add_object(line,
			json_pack("{ss so}", "qom-type", "iothread", "id",
				command_iothread(iothreads->threads[i].id)),
			&iothreads->threads[i].pool);
	if (iothreads->main.has_min || iothreads->main.max)
		add_object(line, json_pack("{ss ss}", "qom-type", "main-loop", "id", "main-loop"),
			&iothreads->main);
}
