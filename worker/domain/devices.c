/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * devices.c: the table of device elements, and their order in the XML.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/devices.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/domain/parse.h"

/* In the order in which libvirt writes them, in which they are also read and completed. */
static const struct domain_kind *const kinds[] = {
	&domain_disk_kind,
	&domain_controller_kind,
	&domain_interface_kind,
	&domain_serial_kind,
	&domain_parallel_kind,
	&domain_console_kind,
	&domain_channel_kind,
	&domain_input_kind,
	&domain_graphics_kind,
	&domain_sound_kind,
	&domain_audio_kind,
	&domain_video_kind,
	&domain_watchdog_kind,
	&domain_memballoon_kind,
	&domain_rng_kind,
	&domain_panic_kind,
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct domain_device *
domain_device_next(const struct domain_def *def, struct domain_cursor *cursor)
{
	for (; cursor->kind < N_KINDS; cursor->kind++, cursor->next = 0) {
		const struct domain_kind *kind = kinds[cursor->kind];

		if (cursor->next < domain_kind_count(kind, def)) {
			cursor->index = cursor->next++;
			cursor->of = kind;
			return domain_kind_at(kind, def, cursor->index);
		}
	}
	return NULL;
}

const struct domain_choice *
domain_devices_choices(const char *element)
{
	for (size_t i = 0; i < N_KINDS; i++)
		if (strcmp(kinds[i]->element, element) == 0)
			return kinds[i]->choices;
	return NULL;
}

/* Only the emulator that the environment vouches for is ever run. */
static int
parse_emulator(struct domain_parse *p, xmlNode *devices)
{
	const char *known = p->env->emulator;
	free_auto char *path = NULL;
	int r = devices ? xml_child_text(devices, "emulator", &path) : 0;

	if (r)
		return r;
	if (path && strcmp(path, known) != 0)
		return refuse_unsupported(p,
			"emulator '%.200s' is not run by qemud; leave <emulator> out or use '%s'",
			path, known);
	p->def->emulator = strdup(known);
	return p->def->emulator ? 0 : -ENOMEM;
}

int
domain_devices_parse(struct domain_parse *p, xmlNode *domain)
{
	xmlNode *devices = xml_child(domain, "devices");
	int r = parse_emulator(p, devices);

	for (size_t i = 0; i < N_KINDS && devices; i++) {
		xmlNode *node = NULL;

		while (r == 0 && (node = xml_each(devices, kinds[i]->element, node)))
			r = kinds[i]->parse(p, node);
	}
	for (size_t i = 0; i < N_KINDS && r == 0; i++)
		if (kinds[i]->complete)
			r = kinds[i]->complete(p);
	return r;
}

static void
format_kind(struct writer *w, const struct domain_def *def, const struct domain_kind *kind,
	unsigned flags)
{
	for (size_t i = 0; kind->format && i < domain_kind_count(kind, def); i++)
		kind->format(w, def, i, flags);
	if (kind->format_all)
		kind->format_all(w, def, flags);
}

void
domain_devices_format(struct writer *w, const struct domain_def *def, unsigned flags)
{
	writer_start(w, "devices");
	writer_element(w, "emulator", def->emulator);
	for (size_t i = 0; i < N_KINDS; i++)
		format_kind(w, def, kinds[i], flags);
	writer_end(w, "devices");
}

void
domain_devices_fini(struct domain_def *def)
{
	for (size_t i = 0; i < N_KINDS; i++) {
		const struct domain_kind *kind = kinds[i];

		for (size_t j = 0; j < domain_kind_count(kind, def); j++)
			domain_kind_fini(kind, domain_kind_at(kind, def, j));
		if (kind->count)
			free(*(void **)(void *)((char *)def + kind->list));
	}
	free(def->emulator);
}
