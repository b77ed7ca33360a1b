/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * status.c: what the next worker has to know of a running VM; see status.h.
 *
 * Runs in the worker, as the user; never as root. What is written can be read again: both ways
 * have the same bounds.
 */
#include "worker/vm/status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/keyval.h"
#include "lib/take.h"
#include "worker/domain/alias.h"
#include "worker/domain/devices.h"
#include "worker/domain/scan.h"
#include "worker/store/domains.h"
#include "worker/vm/rundir.h"

static const char kind_status[] = "vm", kind_def[] = "xml";
static const char landlock_unknown[] = "unknown";

enum key { KEY_ID, KEY_STATE, KEY_REASON, KEY_LANDLOCK, KEY_SINCE, KEY_AUTODESTROY, N_KEYS };

enum { REASON_MAX = 13 }; /* the highest of virDomainPausedReason */

static const struct {
	const char *name;
	uint64_t min, max;
} keys[N_KEYS] = {
	[KEY_ID] = {"id", 1, INT32_MAX},
	[KEY_STATE] = {"state", DOMAIN_STATE_RUNNING, DOMAIN_STATE_PMSUSPENDED},
	[KEY_REASON] = {"reason", 0, REASON_MAX},
	[KEY_LANDLOCK] = {"landlock", 0, INT32_MAX}, /* or landlock_unknown */
	[KEY_SINCE] = {"since", 0, INT64_MAX},
	[KEY_AUTODESTROY] = {"autodestroy", 0, 1},
};

static enum key
find_key(const char *name)
{
	enum key key = 0;

	while (key < N_KEYS && strcmp(keys[key].name, name) != 0)
		key++;
	return key;
}

static bool
read_value(enum key key, const char *value, uint64_t *ret)
{
	if (key == KEY_LANDLOCK && strcmp(value, landlock_unknown) == 0) {
		*ret = UINT64_MAX;
		return true;
	}
	return keyval_number(value, keys[key].min, keys[key].max, ret) == 0;
}

static bool
read_values(const char *text, size_t size, uint64_t values[static N_KEYS])
{
	enum keyval_result result;
	unsigned seen = 0;
	struct keyval kv;

	keyval_init(&kv, text, size);
	while ((result = keyval_next(&kv)) == KEYVAL_PAIR) {
		enum key key = find_key(kv.key);

		if (key == N_KEYS || seen & 1u << key || !read_value(key, kv.value, &values[key]))
			return false;
		seen |= 1u << key;
	}
	return result == KEYVAL_END && seen == (1u << N_KEYS) - 1;
}

static bool
is_state_of_running(uint64_t state)
{
	return state <= DOMAIN_STATE_SHUTDOWN || state == DOMAIN_STATE_CRASHED ||
	       state == DOMAIN_STATE_PMSUSPENDED;
}

int
vm_status_parse(const char *text, size_t size, struct vm_status *ret)
{
	uint64_t values[N_KEYS];

	if (!read_values(text, size, values) || !is_state_of_running(values[KEY_STATE]))
		return VM_STATUS_E_BAD;
	*ret = (struct vm_status){
		.id = (int32_t)values[KEY_ID],
		.state = (int32_t)values[KEY_STATE],
		.reason = (int32_t)values[KEY_REASON],
		.landlock = values[KEY_LANDLOCK] == UINT64_MAX ? -1 : (int)values[KEY_LANDLOCK],
		.since = values[KEY_SINCE],
		.autodestroy = values[KEY_AUTODESTROY] == 1,
	};
	return 0;
}

int
vm_status_format(const struct vm_status *status, char out[static VM_STATUS_TEXT_MAX])
{
	struct vm_status again;
	char landlock[16];
	int n;

	(void)snprintf(landlock, sizeof(landlock), "%d", status->landlock);
	n = snprintf(out, VM_STATUS_TEXT_MAX,
		"id = %" PRId32 "\nstate = %" PRId32 "\nreason = %" PRId32
		"\nlandlock = %s\nsince = %" PRIu64 "\nautodestroy = %d\n",
		status->id, status->state, status->reason,
		status->landlock == -1 ? landlock_unknown : landlock, status->since,
		status->autodestroy);
	return vm_status_parse(out, (size_t)n, &again) == 0 ? n : -EINVAL;
}

int
vm_status_write(const uint8_t uuid[static 16], const struct vm_status *status)
{
	char text[VM_STATUS_TEXT_MAX];
	int n = vm_status_format(status, text);

	return n < 0 ? n : rundir_write(uuid, kind_status, text, (size_t)n);
}

/* Returns 0, VM_STATUS_E_BAD for what is no file of ours, or a negative errno. */
static int
read_file(const uint8_t uuid[static 16], const char *kind, char **ret_text, size_t *ret_size)
{
	int r = rundir_read(uuid, kind, ret_text, ret_size);

	return r == -EPERM || r == -EFBIG ? VM_STATUS_E_BAD : r;
}

int
vm_status_read(const uint8_t uuid[static 16], struct vm_status *ret)
{
	free_auto char *text = NULL;
	size_t size;
	int r = read_file(uuid, kind_status, &text, &size);

	return r != 0 ? r : vm_status_parse(text, size, ret);
}

int
vm_status_write_def(const struct domain_def *live, int32_t id)
{
	free_auto char *xml = NULL;
	int r = domain_def_format(live, DOMAIN_DEF_LIVE | DOMAIN_DEF_SECURE, id, &xml);

	if (r < 0)
		return r;
	/* The aliases come on top of a definition that may be as large as one can be. */
	if (scan_document(xml, strlen(xml)))
		return -EFBIG;
	return rundir_write(live->uuid, kind_def, xml, strlen(xml));
}

/* Every socket of a VM that runs is somewhere. */
static bool
is_placed(const struct domain_def *def)
{
	const struct domain_chardev *chardev;
	struct domain_cursor at = {0};

	while ((chardev = domain_chardev_next(def, &at)))
		if (chardev->type == DOMAIN_CHARDEV_UNIX && !chardev->path)
			return false;
	return true;
}

int
vm_status_parse_def(const uint8_t uuid[static 16], const char *xml, size_t size,
	const struct domain_env *env, struct domain_def **ret_def)
{
	domain_def_auto struct domain_def *def = NULL;
	struct rpc_error error;
	int r = domain_def_parse(xml, size, DOMAIN_DEF_LIVE, env, &error, &def);

	if (r == 0 && (memcmp(def->uuid, uuid, sizeof(def->uuid)) != 0 || !is_placed(def)))
		return VM_STATUS_E_BAD;
	if (r == 0)
		r = domain_alias_assign(def);
	if (r == 0)
		r = domain_alias_check(def, &error);
	if (r == DOMAIN_E_REFUSED)
		return VM_STATUS_E_BAD;
	if (r == 0)
		*ret_def = take_ptr(def);
	return r;
}

int
vm_status_read_def(
	const uint8_t uuid[static 16], const struct domain_env *env, struct domain_def **ret_def)
{
	free_auto char *xml = NULL;
	size_t size;
	int r = read_file(uuid, kind_def, &xml, &size);

	return r != 0 ? r : vm_status_parse_def(uuid, xml, size, env, ret_def);
}
