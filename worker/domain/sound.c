/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sound.c: sound cards.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/sound.h"

#include <errno.h>
#include <string.h>

#include "worker/domain/def.h"
#include "worker/domain/parse.h"

/* Where a q35 board has its own, of which there is one. */
enum { PLACE_ICH9 = 0x1b };

static const struct xml_word models[] = {
	{"ich6", DOMAIN_SOUND_ICH6},
	{"ich9", DOMAIN_SOUND_ICH9},
	{"ac97", DOMAIN_SOUND_AC97},
	{"es1370", DOMAIN_SOUND_ES1370},
	{"sb16", DOMAIN_SOUND_SB16},
	{"pcspk", DOMAIN_SOUND_PCSPK},
	{"usb", DOMAIN_SOUND_USB},
	{NULL, 0},
};
static const struct xml_word codecs[] = {
	{"duplex", DOMAIN_CODEC_DUPLEX},
	{"micro", DOMAIN_CODEC_MICRO},
	{"output", DOMAIN_CODEC_OUTPUT},
	{NULL, 0},
};
static const enum domain_address addresses[] = {
	[DOMAIN_SOUND_ICH6] = DOMAIN_ADDRESS_PCI,
	[DOMAIN_SOUND_ICH9] = DOMAIN_ADDRESS_PCI,
	[DOMAIN_SOUND_AC97] = DOMAIN_ADDRESS_PCI,
	[DOMAIN_SOUND_ES1370] = DOMAIN_ADDRESS_PCI,
	[DOMAIN_SOUND_SB16] = DOMAIN_ADDRESS_NONE,
	[DOMAIN_SOUND_PCSPK] = DOMAIN_ADDRESS_NONE,
	[DOMAIN_SOUND_USB] = DOMAIN_ADDRESS_USB,
};

static bool
has(const struct domain_def *def, unsigned model)
{
	for (size_t i = 0; i < def->n_sounds; i++)
		if (def->sounds[i].model == model)
			return true;
	return false;
}

static int
parse_codecs(struct domain_parse *p, xmlNode *node, struct domain_sound *sound)
{
	bool hda = sound->model == DOMAIN_SOUND_ICH6 || sound->model == DOMAIN_SOUND_ICH9;
	xmlNode *codec = NULL;
	unsigned type = 0;
	int r = 0;

	while (hda && r == 0 && (codec = xml_each(node, "codec", codec))) {
		if (sound->n_codecs == DOMAIN_CODECS_MAX)
			return refuse_unsupported(p,
				"a sound card with more than %d codecs is not supported by qemud",
				(int)DOMAIN_CODECS_MAX);
		r = xml_attr_word(codec, "type", codecs, p->error, &type);
		if (r == 0 && !type)
			r = refuse_xml(p, "missing codec type");
		if (r == 0)
			sound->codecs[sound->n_codecs++] = type;
	}
	return r;
}

static int
parse_audio(struct domain_parse *p, xmlNode *node, struct domain_sound *sound)
{
	xmlNode *audio = xml_child(node, "audio");

	if (!audio)
		return 0;
	if (!xml_attr(audio, "id"))
		return domain_refuse(p->error, VIR_ERR_XML_ERROR, VIR_FROM_XML,
			"Missing required attribute 'id' in element 'audio'");
	return xml_attr_number(audio, "id", 10, UINT32_MAX, 0, p->error, &sound->audio);
}

static int
parse(struct domain_parse *p, xmlNode *node)
{
	struct domain_sound sound = {0};
	unsigned model;
	int r = xml_attr_word(node, "model", models, p->error, &model);

	if (r == 0 && !model)
		return domain_refuse(p->error, VIR_ERR_XML_ERROR, VIR_FROM_XML,
			"Missing required attribute 'model' in element 'sound'");
	if (r)
		return r;
	/* Each stands at the one place that such a card has. */
	if ((model == DOMAIN_SOUND_SB16 || model == DOMAIN_SOUND_PCSPK) && has(p->def, model))
		return refuse_unsupported(
			p, "more than one <sound model='%s'/>", xml_word(models, model));
	sound.model = model;
	sound.device.conventional = true;
	if (model == DOMAIN_SOUND_ICH9 && p->def->os.chipset == DOMAIN_CHIPSET_Q35)
		sound.device.prefers[0] = PLACE_ICH9;
	r = parse_codecs(p, node, &sound);
	if (r == 0)
		r = parse_audio(p, node, &sound);
	if (r == 0)
		r = domain_device_parse(p, node, &sound.device, addresses[model]);
	if (r == 0)
		r = domain_kind_insert(
			&domain_sound_kind, p->def, p->def->n_sounds, &sound, p->error);
	domain_kind_fini(&domain_sound_kind, &sound);
	return r;
}

static void
format(struct writer *w, const struct domain_def *def, size_t i, unsigned flags)
{
	const struct domain_sound *sound = &def->sounds[i];

	writer_start(w, "sound");
	writer_attr(w, "model", xml_word(models, sound->model));
	for (unsigned c = 0; c < sound->n_codecs; c++) {
		writer_start(w, "codec");
		writer_attr(w, "type", xml_word(codecs, sound->codecs[c]));
		writer_end(w, "codec");
	}
	if (sound->audio) {
		writer_start(w, "audio");
		writer_attr_f(w, "id", "%u", sound->audio);
		writer_end(w, "audio");
	}
	domain_device_format(w, &sound->device, flags);
	writer_end(w, "sound");
}

/* The loudspeaker is part of the board, and no device of QEMU's that has an id. */
const struct domain_kind domain_sound_kind = {
	.element = "sound",
	DOMAIN_KIND_LIST(sounds, domain_sound),
	.max = DOMAIN_SOUNDS_MAX,
	.parse = parse,
	.format = format,
	.alias = "sound",
};
