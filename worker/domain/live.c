/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * live.c: the copy of a definition that a running VM goes by.
 *
 * Runs in the worker, as the user. Pure. What was formatted is parsed again to the same definition,
 * which makes that the one way to copy it.
 */
#include "worker/domain/def.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/uuid.h"
#include "worker/domain/alias.h"
#include "worker/domain/devices.h"

/* Of channels; each is the place of its character device. */
static int
choose_sockets(struct domain_def *live, const char *run)
{
	struct domain_cursor at = {0};
	struct domain_chardev *chardev;
	char uuid[UUID_TEXT_SIZE];

	for (size_t i = 0; (chardev = domain_chardev_next(live, &at)); i++) {
		if (chardev->type != DOMAIN_CHARDEV_UNIX || chardev->path)
			continue;
		if (asprintf(&chardev->path, "%s/%s.char%zu", run, uuid_format(live->uuid, uuid),
			    i) < 0) {
			chardev->path = NULL;
			return -ENOMEM;
		}
		chardev->chosen = true;
	}
	return 0;
}

int
domain_def_live(
	const struct domain_def *config, const struct domain_env *env, struct domain_def **ret_live)
{
	domain_def_auto struct domain_def *live = NULL;
	free_auto char *xml = NULL;
	struct rpc_error error;
	int r = domain_def_format(config, DOMAIN_DEF_SECURE, -1, &xml);

	if (r == 0)
		r = domain_def_parse(xml, strlen(xml), 0, env, &error, &live);
	if (r == 0)
		r = domain_alias_assign(live);
	if (r == 0 && env->run)
		r = domain_graphics_place(live, env->run);
	if (r == 0 && env->run)
		r = choose_sockets(live, env->run);
	if (r == 0) {
		domain_vcpus_start(live);
		*ret_live = take_ptr(live);
	}
	/* What was formatted here and is refused is a mistake of ours. */
	return r > 0 ? -EINVAL : r;
}
