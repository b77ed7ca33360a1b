/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * schema_told.h: whatever somebody is told of a definition: QEMU by its arguments and descriptors,
 * passt by its own, and the worker, which opens, asks by QMP and acts as the definition says.
 */
#ifndef TESTS_UNIT_SCHEMA_TOLD_H
#define TESTS_UNIT_SCHEMA_TOLD_H

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "lib/take.h"
#include "tests/unit/test.h"
#include "worker/domain/chardev.h"
#include "worker/domain/devices.h"
#include "worker/qemu/command.h"
#include "worker/vm/interfaces.h"
#include "worker/vm/throttle.h"

/* TOLD_XML: nobody else, but it is in the XML. */
enum told { TOLD_QEMU = 1, TOLD_PASST = 2, TOLD_WORKER = 4, TOLD_XML = 8 };
enum { TOLD_N = 3 };

static const char *const told_words[] = {"qemu", "passt", "worker", "xml"};

/*
 * What of the definition is read where; a file that no longer has the word makes no use of it. What
 * it does with it is shown elsewhere.
 */
static const struct told_reader {
	const char *file, *word;
} told_readers[] = {
	{"worker/vm/start.c", "current_memory_kib"},
	{"worker/vm/start.c", "balloon->stats_period_s"},
	{"worker/vm/start.c", "live->memory_kib"},
	{"worker/vm/start.c", "live->current_vcpus"},
	{"worker/vm/start.c", "live->uuid"},
	{"worker/vm/start.c", "live->name"},
	{"worker/vm/start.c", "vm_throttle_arguments"},
	{"worker/vm/start.c", "vm_clock_begin"},
	{"worker/vm/interfaces.c", "DOMAIN_LINK_DOWN"},
	{"worker/vm/interfaces.c", ".target"},
	{"worker/vm/power.c", "on_crash"},
	{"worker/vm/power.c", "on_poweroff"},
	{"worker/vm/files.c", "disk->readonly"},
	{"worker/vm/files.c", "live->os.kernel"},
	{"worker/vm/chain.c", "disk->startup"},
	{"worker/vm/chain.c", "disk->whole"},
	{"worker/vm/open.c", "disk->backing"},
	{"worker/vm/chardev.c", "chardev->append"},
	{"worker/vm/chardev.c", "chardev->connect"},
	{"worker/vm/chardev.c", "chardev->log_append"},
	{"worker/vm/chardev.c", "chardev->path"},
	{"worker/vm/channels.c", "DOMAIN_CHANNEL_AGENT"},
	{"worker/vm/clock.c", "clock->adjustment"},
	{"worker/vm/clock.c", "clock->basis"},
	{"worker/vm/clock.c", "clock->timezone"},
	{"worker/vm/graphics.c", "graphics->password"},
	{"worker/vm/graphics.c", "graphics->expires_at"},
	{"worker/vm/graphics.c", "graphics->keeps_connected"},
	{"worker/vm/graphics.c", "its->socket"},
	{"worker/rpc/domain_metadata.c", "def->title"},
	{"worker/rpc/domain_metadata.c", "def->description"},
	{"worker/rpc/domain_vcpu.c", "def->current_vcpus"},
	{"worker/rpc/domain_block.c", "disk->target"},
};

static inline const char *
told_text(const char *text)
{
	return text ? text : "(none)";
}

static inline void
told_disks(FILE *f, const struct domain_def *live)
{
	for (size_t i = 0; i < live->n_disks; i++) {
		const struct domain_disk *disk = &live->disks[i];

		(void)fprintf(f, "disk %s: %d %s ro %d startup %d whole %d tray %d\n", disk->target,
			(int)disk->source.type, told_text(disk->source.path), disk->readonly,
			(int)disk->startup, disk->whole, disk->tray_open);
		for (size_t j = 0; j < disk->n_backing; j++)
			(void)fprintf(f, "below: %d %s\n", (int)disk->backing[j].type,
				told_text(disk->backing[j].path));
	}
	for (size_t i = vm_throttle_next(live, 0); i < live->n_disks;
		i = vm_throttle_next(live, i + 1)) {
		json_t *arguments = vm_throttle_arguments(&live->disks[i]);
		char *text = arguments ? json_dumps(arguments, JSON_SORT_KEYS) : NULL;

		(void)fprintf(f, "block_set_io_throttle %s\n", told_text(text));
		free(text);
		json_decref(arguments);
	}
}

static inline void
told_characters(FILE *f, const struct domain_def *live)
{
	const struct domain_chardev *chardev;
	struct domain_cursor at = {0};

	while ((chardev = domain_chardev_next(live, &at)))
		(void)fprintf(f, "chardev: %d %s append %d connect %d log %s append %d\n",
			(int)chardev->type, told_text(chardev->path), chardev->append == DOMAIN_ON,
			chardev->connect, told_text(chardev->log),
			chardev->log_append == DOMAIN_ON);
	for (size_t i = 0; i < live->n_channels; i++)
		(void)fprintf(f, "channel %s\n", told_text(live->channels[i].name));
}

static inline void
told_screens(FILE *f, const struct domain_def *live)
{
	for (size_t i = 0; i < live->n_graphics; i++) {
		const struct domain_graphics *graphics = &live->graphics[i];

		(void)fprintf(f, "screen: %s password %s until %d %" PRId64 " keep %d\n",
			graphics->listen == DOMAIN_LISTEN_SOCKET ? told_text(graphics->socket)
								 : "(none)",
			told_text(graphics->password), graphics->expires, graphics->expires_at,
			graphics->keeps_connected);
	}
}

static inline void
told_worker(FILE *f, const struct domain_def *live)
{
	(void)fprintf(f, "lease %02x%02x %" PRIu64 " %u\nname %s\ntitle %s\ndescription %s\n",
		live->uuid[0], live->uuid[15], live->memory_kib, live->vcpus, live->name,
		told_text(live->title), told_text(live->description));
	(void)fprintf(f, "balloon %" PRIu64 " every %u\nvcpus %u\n", live->current_memory_kib,
		live->memballoon.stats_period_s, live->current_vcpus);
	(void)fprintf(f, "crash %d poweroff %d\n", (int)live->on_crash, (int)live->on_poweroff);
	(void)fprintf(f, "clock %d %d %" PRId64 " %s\n", (int)live->clock.offset,
		(int)live->clock.basis, live->clock.adjustment, told_text(live->clock.timezone));
	(void)fprintf(
		f, "kernel %s initrd %s\n", told_text(live->os.kernel), told_text(live->os.initrd));
	for (size_t i = 0; i < live->n_interfaces; i++)
		(void)fprintf(f, "interface %s link %d\n", told_text(live->interfaces[i].target),
			live->interfaces[i].link == DOMAIN_LINK_DOWN);
	told_disks(f, live);
	told_characters(f, live);
	told_screens(f, live);
}

static inline void
told_passt(FILE *f, const struct domain_def *live)
{
	static struct passt_text text;
	static struct passt passt;
	static struct plan plan;

	for (size_t i = 0; i < live->n_interfaces; i++) {
		vm_interface_passt(&live->interfaces[i], &passt);
		if (passt_plan(&passt, 1024, &text, &plan) != 0)
			(void)fprintf(f, "not planned\n");
		for (unsigned a = 0; a < plan.n_args; a++)
			(void)fprintf(f, "%s\n", plan.args[a]);
	}
}

/* Each to be freed. */
struct told_texts {
	char *text[TOLD_N];
};

static inline void
told_fini(struct told_texts *told)
{
	for (unsigned i = 0; i < TOLD_N; i++) {
		free(told->text[i]);
		told->text[i] = NULL;
	}
}

static inline void
told_qemu(FILE *f, const struct qemu_command *command)
{
	for (unsigned i = 0; i < command->n_args; i++)
		(void)fprintf(f, "%s\n", command->args[i]);
	for (unsigned i = 0; i < command->n_fds; i++)
		(void)fprintf(f, "fd %d is %d %u %u\n", command->fds[i].number,
			(int)command->fds[i].file, command->fds[i].index, command->fds[i].layer);
}

static inline void
told_make(const struct domain_def *live, const struct qemu_command *command, struct told_texts *ret)
{
	for (unsigned i = 0; i < TOLD_N; i++) {
		size_t size;
		FILE *f = open_memstream(&ret->text[i], &size);

		if (!f)
			abort();
		if (1U << i == TOLD_QEMU)
			told_qemu(f, command);
		else if (1U << i == TOLD_PASST)
			told_passt(f, live);
		else
			told_worker(f, live);
		(void)fclose(f);
	}
}

/* Of whom something else is told. */
static inline unsigned
told_compare(const struct told_texts *a, const struct told_texts *b)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < TOLD_N; i++)
		mask |= strcmp(a->text[i], b->text[i]) != 0 ? 1U << i : 0;
	return mask;
}

#endif
