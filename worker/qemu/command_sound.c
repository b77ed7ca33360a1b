/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_sound.c: sound cards, and where their sound goes.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/qemu/command_devices.h"

#include "worker/qemu/command_pci.h"
#include "worker/qemu/command_usb.h"

static const char *const codec_drivers[] = {
	[DOMAIN_CODEC_DUPLEX] = "hda-duplex",
	[DOMAIN_CODEC_MICRO] = "hda-micro",
	[DOMAIN_CODEC_OUTPUT] = "hda-output",
};

static json_t *
audiodev(uint32_t audio)
{
	return json_pack("{so}", "audiodev", json_sprintf("audio%u", audio));
}

static void
add_codec(struct command_line *line, const struct domain_sound *sound, unsigned number,
	enum domain_codec codec, uint32_t audio)
{
	const char *alias = sound->device.alias;

	command_line_add_json(line, "-device",
		json_pack("{ss so so si so}", "driver", codec_drivers[codec], "id",
			json_sprintf("%s-codec%u", alias, number), "bus",
			json_sprintf("%s.0", alias), "cad", (int)number, "audiodev",
			json_sprintf("audio%u", audio)));
}

/* The card is a bus, on which its codecs are. */
static void
add_hda(struct command_line *line, const char *driver, const struct domain_sound *sound,
	uint32_t audio)
{
	command_pci_add(line, driver, &sound->device, json_object());
	for (unsigned i = 0; i < sound->n_codecs; i++)
		add_codec(line, sound, i, sound->codecs[i], audio);
	if (sound->n_codecs == 0)
		add_codec(line, sound, 0, DOMAIN_CODEC_DUPLEX, audio);
}

static void
add_sound(struct command_line *line, const struct domain_sound *sound)
{
	uint32_t audio = sound->audio ? sound->audio : line->def->audios[0].id;

	switch (sound->model) {
	case DOMAIN_SOUND_ICH6:
		add_hda(line, "intel-hda", sound, audio);
		break;
	case DOMAIN_SOUND_ICH9:
		add_hda(line, "ich9-intel-hda", sound, audio);
		break;
	case DOMAIN_SOUND_AC97:
		command_pci_add(line, "AC97", &sound->device, audiodev(audio));
		break;
	case DOMAIN_SOUND_ES1370:
		command_pci_add(line, "ES1370", &sound->device, audiodev(audio));
		break;
	case DOMAIN_SOUND_SB16:
		command_line_add_json(line, "-device",
			json_pack("{ss ss so}", "driver", "sb16", "id", sound->device.alias,
				"audiodev", json_sprintf("audio%u", audio)));
		break;
	case DOMAIN_SOUND_USB:
		command_usb_add(line, "usb-audio", &sound->device, audiodev(audio));
		break;
	case DOMAIN_SOUND_PCSPK:
		/* Part of the board. */
		command_line_add(line, "-machine");
		command_line_add_f(line, "pcspk-audiodev=audio%u", audio);
		break;
	}
}

/* Where nothing makes a sound there is no need to say where it goes. */
static void
add_audios(struct command_line *line)
{
	const struct domain_def *def = line->def;

	if (def->n_sounds == 0 && def->n_graphics == 0)
		return;
	for (size_t i = 0; i < def->n_audios; i++) {
		uint32_t period = def->audios[i].timer_period;

		command_line_add_json(line, "-audiodev",
			json_pack("{so ss so*}", "id", json_sprintf("audio%u", def->audios[i].id),
				"driver", "none", "timer-period",
				period ? json_integer(period) : NULL));
	}
}

void
command_add_sounds(struct command_line *line)
{
	add_audios(line);
	for (size_t i = 0; i < line->def->n_sounds; i++)
		add_sound(line, &line->def->sounds[i]);
}
