/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_video.c: graphics cards.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/qemu/command_devices.h"

#include "worker/qemu/command_pci.h"

/* A model's name in QEMU, where it is the first card and where it is another. */
static const char *const drivers[][2] = {
	[DOMAIN_VIDEO_VGA] = {"VGA"},
	[DOMAIN_VIDEO_CIRRUS] = {"cirrus-vga"},
	[DOMAIN_VIDEO_VMVGA] = {"vmware-svga"},
	[DOMAIN_VIDEO_QXL] = {"qxl-vga", "qxl"},
	[DOMAIN_VIDEO_VIRTIO] = {"virtio-vga", "virtio-gpu-pci"},
	[DOMAIN_VIDEO_BOCHS] = {"bochs-display"},
};

/* What the card has of its own; taken over by the caller. NULL: memory ran out. */
static json_t *
properties(const struct domain_video *video)
{
	enum domain_video_model model = video->model;

	if (model == DOMAIN_VIDEO_VGA || model == DOMAIN_VIDEO_VMVGA)
		return json_pack("{si}", "vgamem_mb", (int)(video->vram_kib / 1024));
	if (model == DOMAIN_VIDEO_BOCHS)
		return json_pack("{sI}", "vgamem", (json_int_t)video->vram_kib * 1024);
	if (model == DOMAIN_VIDEO_QXL)
		return json_pack("{si sI sI si si}", "max_outputs", (int)video->heads, "ram_size",
			(json_int_t)video->ram_kib * 1024, "vram_size",
			(json_int_t)video->vram_kib * 1024, "vram64_size_mb",
			(int)(video->vram64_kib / 1024), "vgamem_mb",
			(int)(video->vgamem_kib / 1024));
	if (model == DOMAIN_VIDEO_VIRTIO)
		return json_pack("{si}", "max_outputs", (int)video->heads);
	return json_object();
}

static void
add_video(struct command_line *line, const struct domain_video *video, bool first)
{
	json_t *more;

	if (video->model == DOMAIN_VIDEO_NONE)
		return;
	if (video->model == DOMAIN_VIDEO_RAMFB) {
		command_line_add_json(line, "-device",
			json_pack("{ss ss}", "driver", "ramfb", "id", video->device.alias));
		return;
	}
	more = properties(video);
	if (video->x && (json_object_set_new(more, "xres", json_integer(video->x)) < 0 ||
				json_object_set_new(more, "yres", json_integer(video->y)) < 0))
		line->failed = true;
	command_pci_add(line, drivers[video->model][first ? 0 : 1], &video->device, more);
}

void
command_add_videos(struct command_line *line)
{
	for (size_t i = 0; i < line->def->n_videos; i++)
		add_video(line, &line->def->videos[i], i == 0);
}
