/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * video.h: graphics cards.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_VIDEO_H
#define WORKER_DOMAIN_VIDEO_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/domain/kind.h"

enum { DOMAIN_VIDEOS_MAX = 4, DOMAIN_HEADS_MAX = 16 };

enum domain_video_model {
	DOMAIN_VIDEO_VGA = 1,
	DOMAIN_VIDEO_CIRRUS,
	DOMAIN_VIDEO_VMVGA,
	DOMAIN_VIDEO_QXL,
	DOMAIN_VIDEO_VIRTIO,
	DOMAIN_VIDEO_BOCHS,
	DOMAIN_VIDEO_RAMFB,
	DOMAIN_VIDEO_NONE,
};

/* The first is the primary one, which shows what a PC shows when it boots. */
struct domain_video {
	struct domain_device device;
	enum domain_video_model model;
	bool named_driver;          /* <driver name='qemu'/>, which changes nothing */
	uint32_t heads;             /* 1, or more where the model has outputs; 0 with none */
	uint32_t vram_kib;          /* 0: not said */
	uint32_t ram_kib;           /* qxl only */
	uint32_t vgamem_kib;        /* qxl only */
	uint32_t vram64_kib;        /* qxl only; 0: not said */
	enum domain_switch accel3d; /* may be off, where said */
	uint32_t x, y;              /* of the screen; 0: not said */
};

/* <video>: there is one where there are graphics. Read after them. */
extern const struct domain_kind domain_video_kind;

#endif
