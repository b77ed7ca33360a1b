/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guise.c: how a user's VM looks to somebody else who may see it; see guise.h.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/guise.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/derived_uuid.h"
#include "lib/take.h"
#include "lib/uuid.h"
#include "worker/domain/metadata.h"

static char uri[] = "https://qemud.org/xmlns/vm/1";
static char key[] = "qemud";

const char *
domain_guise_plain(const struct guise *guise, const char *name)
{
	size_t size = strlen(guise->owner);

	if (strncmp(name, guise->owner, size) == 0 && name[size] == ':')
		return name + size + 1;
	return name;
}

int
domain_guise_put_on(const struct domain_def *def, const struct guise *guise, unsigned flags,
	const struct domain_env *env, struct rpc_error *error, struct domain_def **ret_def)
{
	domain_def_auto struct domain_def *shown = NULL;
	free_auto char *text = NULL, *name = NULL;
	struct domain_metadata change = {.type = DOMAIN_METADATA_ELEMENT, .key = key, .uri = uri};
	char uuid[UUID_TEXT_SIZE];
	uint8_t derived[UUID_SIZE];
	int r;

	if (asprintf(&text, "<vm owner=\"%s\" uid=\"%" PRIu32 "\" uuid=\"%s\"/>", guise->owner,
		    guise->uid, uuid_format(def->uuid, uuid)) < 0)
		return -ENOMEM;
	if (asprintf(&name, "%s:%s", guise->owner, def->name) < 0)
		return -ENOMEM;
	change.text = text;
	r = domain_metadata_change(def, &change, flags, env, error, &shown);
	if (r)
		return r;
	free(shown->name);
	shown->name = take_ptr(name);
	derived_uuid(guise->uid, def->uuid, derived);
	memcpy(shown->uuid, derived, sizeof(shown->uuid));
	*ret_def = take_ptr(shown);
	return 0;
}

int
domain_guise_parse(const char *xml, const struct guise *guise, const struct domain_env *env,
	struct rpc_error *error, struct domain_def **ret_def)
{
	struct domain_metadata change = {.type = DOMAIN_METADATA_ELEMENT, .key = key, .uri = uri};
	domain_def_auto struct domain_def *def = NULL;
	struct domain_env others = *env;
	int r;

	others.guise = guise;
	r = domain_def_parse(xml, strlen(xml), 0, &others, error, &def);
	if (r)
		return r;
	if (def->metadata && strstr(def->metadata, uri))
		return domain_metadata_change(def, &change, 0, env, error, ret_def);
	*ret_def = take_ptr(def);
	return 0;
}
