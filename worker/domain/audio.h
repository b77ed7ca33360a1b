/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * audio.h: where sound goes: nowhere.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_AUDIO_H
#define WORKER_DOMAIN_AUDIO_H

#include <stdint.h>

#include "worker/domain/kind.h"

enum { DOMAIN_AUDIOS_MAX = 8 };

/* A device of the host's, of type "none". */
struct domain_audio {
	struct domain_device device; /* it has no alias and no address */
	uint32_t id;                 /* 1 or more */
	uint32_t timer_period;       /* microseconds; 0: not said */
};

/*
 * <audio>: there is one in each definition, as in libvirt. Read after <sound> and <graphics>, whose
 * ids it checks.
 */
extern const struct domain_kind domain_audio_kind;

#endif
