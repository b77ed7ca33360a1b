/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sound.h: sound cards.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_SOUND_H
#define WORKER_DOMAIN_SOUND_H

#include <stdint.h>

#include "worker/domain/kind.h"

enum { DOMAIN_SOUNDS_MAX = 8, DOMAIN_CODECS_MAX = 4 };

enum domain_sound_model {
	DOMAIN_SOUND_ICH6 = 1,
	DOMAIN_SOUND_ICH9,
	DOMAIN_SOUND_AC97,
	DOMAIN_SOUND_ES1370,
	DOMAIN_SOUND_SB16,
	DOMAIN_SOUND_PCSPK,
	DOMAIN_SOUND_USB,
};
enum domain_codec { DOMAIN_CODEC_DUPLEX = 1, DOMAIN_CODEC_MICRO, DOMAIN_CODEC_OUTPUT };

struct domain_sound {
	struct domain_device device;
	enum domain_sound_model model;
	enum domain_codec codecs[DOMAIN_CODECS_MAX]; /* of ICH6 and ICH9 */
	unsigned n_codecs;                           /* 0: one, duplex */
	uint32_t audio;                              /* id of an <audio>; 0: the first */
};

/* <sound>. */
extern const struct domain_kind domain_sound_kind;

#endif
