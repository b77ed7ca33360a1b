/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * folder_rig.h: the rig of a watched folder of definitions, without a worker around it.
 */
#ifndef TESTS_UNIT_FOLDER_RIG_H
#define TESTS_UNIT_FOLDER_RIG_H

#include <stdarg.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/uuid.h"
#include "tests/unit/domain_env.h"
#include "tests/unit/test.h"
#include "worker/store/folder.h"

static char root[] = "/tmp/qemud-folder-XXXXXX";
static struct loop loop;
static struct home home;
static struct domain_env env;
static struct domains domains;
static struct folder folder;
static int load_error; /* of folder_start(); 1 while it is not told */

/* What was reported since the folder was opened. */
static struct {
	unsigned n, n_changed, n_trouble;
	char name[DEFINITION_FILE_MAX + 1], why[RPC_ERROR_MESSAGE_SIZE], changed[1024],
		trouble[512];
	char events[4096]; /* "NAME:EVENT/DETAIL " each */
} reported;

__attribute__((format(printf, 1, 2))) static inline void
run(const char *fmt, ...)
{
	char command[4096];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	CHECK(system(command) == 0);
}

static inline void
rig_loaded(struct folder *f, int err)
{
	(void)f;
	load_error = err;
}

static inline void
rig_tell(struct folder *f, const struct domain *domain, enum event_lifecycle event, int32_t detail)
{
	size_t at = strlen(reported.events);

	(void)f;
	(void)snprintf(reported.events + at, sizeof(reported.events) - at, "%s:%d/%d ",
		domain_def_now(domain)->name, (int)event, (int)detail);
}

static inline void
rig_left_alone(struct folder *f, const char *name, const char *why)
{
	(void)f;
	reported.n++;
	(void)snprintf(reported.name, sizeof(reported.name), "%s", name);
	(void)snprintf(reported.why, sizeof(reported.why), "%s", why);
}

static inline void
rig_changed(struct folder *f, const char *name, const char *what)
{
	(void)f;
	reported.n_changed++;
	(void)snprintf(reported.changed, sizeof(reported.changed), "%s: %s", name, what);
}

static inline void
rig_trouble(struct folder *f, const char *what)
{
	(void)f;
	reported.n_trouble++;
	(void)snprintf(reported.trouble, sizeof(reported.trouble), "%s", what);
}

static const struct folder_ops rig_folder_ops = {.loaded = rig_loaded,
	.tell = rig_tell,
	.left_alone = rig_left_alone,
	.changed = rig_changed,
	.trouble = rig_trouble};

static inline void
rig_uuid(void *arg, uint8_t uuid[16])
{
	(void)arg;
	ASSERT(uuid_random(uuid));
}

/* Open the folder as it is, and wait until all of it has been read. */
static inline void
open_all(void)
{
	char why[HOME_WHY_MAX];

	env = domain_tcg;
	env.new_uuid = rig_uuid;
	memset(&reported, 0, sizeof(reported));
	ASSERT(loop_init(&loop) == 0 && home_open(&home, root, why) == 0);
	domains_init(&domains, &home, &env);
	folder_init(&folder);
	load_error = 1;
	folder_start(&folder, &loop, &home, &domains, &rig_folder_ops);
	while (load_error == 1)
		ASSERT(loop_once(&loop, 0) == 0);
	CHECK(load_error == 0);
}

static inline void
close_all(void)
{
	folder_stop(&folder);
	(void)loop_once(&loop, 0);
	loop_fini(&loop);
	domains_fini(&domains);
	CHECK(domains.n == 0 && TAILQ_EMPTY(&domains.all));
	home_close(&home);
}

/* As if the worker had ended and the next one had come. */
static inline void
reopen(void)
{
	close_all();
	open_all();
}

static inline void
begin(void)
{
	run("rm -rf .qemud");
	open_all();
}

static inline const char *
xml_of(const char *name, unsigned number, const char *more)
{
	static char xml[64 * 1024];

	(void)snprintf(xml, sizeof(xml),
		"<domain type='qemu'><name>%s</name>"
		"<uuid>00000000-0000-4000-8000-%012u</uuid>%s<memory unit='MiB'>64</memory>"
		"<os><type>hvm</type></os></domain>",
		name, number, more);
	return xml;
}

#endif
