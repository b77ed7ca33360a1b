/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * audio.c: where sound goes; a box has no way to the host's loudspeakers.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/audio.h"

#include "worker/domain/def.h"
#include "worker/domain/parse.h"

static const struct xml_word types[] = {{"none", 1}, {NULL, 0}};

static bool
has(const struct domain_def *def, uint32_t id)
{
	for (size_t i = 0; i < def->n_audios; i++)
		if (def->audios[i].id == id)
			return true;
	return false;
}

static int
missing(struct domain_parse *p, const char *attribute)
{
	return domain_refuse(p->error, VIR_ERR_XML_ERROR, VIR_FROM_XML,
		"Missing required attribute '%s' in element 'audio'", attribute);
}

static int
parse(struct domain_parse *p, xmlNode *node)
{
	struct domain_audio audio = {0};
	unsigned type = 0;
	int r = xml_attr_number(node, "id", 10, UINT32_MAX, 0, p->error, &audio.id);

	if (r == 0 && !xml_attr(node, "id"))
		return missing(p, "id");
	if (r == 0 && audio.id == 0)
		return domain_refuse(p->error, VIR_ERR_XML_ERROR, VIR_FROM_XML,
			"Invalid value for attribute 'id' in element 'audio': Zero is not "
			"permitted");
	if (r == 0)
		r = xml_attr_word(node, "type", types, p->error, &type);
	if (r == 0 && !type)
		return missing(p, "type");
	if (r == 0)
		r = xml_attr_number(
			node, "timerPeriod", 10, INT32_MAX, 0, p->error, &audio.timer_period);
	if (r == 0 && has(p->def, audio.id))
		r = refuse_xml(p, "audio ID %u is used multiple times", audio.id);
	if (r)
		return r;
	return domain_kind_insert(&domain_audio_kind, p->def, p->def->n_audios, &audio, p->error);
}

static int
check(struct domain_parse *p, uint32_t id)
{
	return !id || has(p->def, id) ? 0 : refuse_xml(p, "no audio device with ID %u", id);
}

static int
complete(struct domain_parse *p)
{
	struct domain_def *def = p->def;
	struct domain_audio audio = {.id = 1};
	int r = 0;

	if (def->n_audios == 0)
		r = domain_kind_insert(&domain_audio_kind, def, 0, &audio, p->error);
	for (size_t i = 0; i < def->n_sounds && r == 0; i++)
		r = check(p, def->sounds[i].audio);
	for (size_t i = 0; i < def->n_graphics && r == 0; i++)
		r = check(p, def->graphics[i].audio);
	return r;
}

static void
format(struct writer *w, const struct domain_def *def, size_t i, unsigned flags)
{
	const struct domain_audio *audio = &def->audios[i];
	bool is_default = def->n_audios == 1 && audio->id == 1 && !audio->timer_period;

	if (flags & DOMAIN_DEF_MIGRATABLE && is_default)
		return;
	writer_start(w, "audio");
	writer_attr_f(w, "id", "%u", audio->id);
	writer_attr(w, "type", "none");
	if (audio->timer_period)
		writer_attr_f(w, "timerPeriod", "%u", audio->timer_period);
	writer_end(w, "audio");
}

const struct domain_kind domain_audio_kind = {
	.element = "audio",
	DOMAIN_KIND_LIST(audios, domain_audio),
	.max = DOMAIN_AUDIOS_MAX,
	.parse = parse,
	.complete = complete,
	.format = format,
};
