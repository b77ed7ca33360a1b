/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * video.c: graphics cards, their memory and their place.
 *
 * Runs in the worker, as the user. Pure. Memory is in KiB and rounded up as by libvirt.
 */
#include "worker/domain/video.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/domain/def.h"
#include "worker/domain/parse.h"

enum {
	VRAM_KIB = 16 * 1024,
	QXL_RAM_KIB = 64 * 1024,
	MIB_KIB = 1024,
	MEMORY_MAX_KIB = 512 * 1024, /* as much as QEMU's VGA takes */
	RESOLUTION_MAX = 16384,
	PLACE_I440FX = 2,
	PLACE_Q35 = 1 /* slots of bus 0 */
};

static const struct model {
	const char *name;
	enum domain_video_model model;
	bool secondary, heads; /* may it be another than the first; may it have several */
	bool resolution, pci;
	uint32_t vram_kib; /* default */
	uint32_t vram_min_kib;
} models[] = {
	{"vga", DOMAIN_VIDEO_VGA, false, false, true, true, VRAM_KIB, MIB_KIB},
	{"cirrus", DOMAIN_VIDEO_CIRRUS, false, false, false, true, VRAM_KIB, 0},
	{"vmvga", DOMAIN_VIDEO_VMVGA, false, false, false, true, VRAM_KIB, MIB_KIB},
	{"qxl", DOMAIN_VIDEO_QXL, true, true, true, true, QXL_RAM_KIB, 0},
	{"virtio", DOMAIN_VIDEO_VIRTIO, true, true, true, true, 0, 0},
	{"bochs", DOMAIN_VIDEO_BOCHS, false, false, true, true, VRAM_KIB, MIB_KIB},
	{"ramfb", DOMAIN_VIDEO_RAMFB, false, false, false, false, 0, 0},
	{"none", DOMAIN_VIDEO_NONE, false, false, false, false, 0, 0},
};
#define N_MODELS (sizeof(models) / sizeof(models[0]))

static const struct xml_word drivers[] = {{"qemu", 1}, {NULL, 0}};
static const struct xml_word answers[] = {{"yes", DOMAIN_ON}, {"no", DOMAIN_OFF}, {NULL, 0}};
static const struct xml_word never[] = {{"no", DOMAIN_OFF}, {NULL, 0}};

static const struct model *
model_of(const struct domain_video *video)
{
	return &models[video->model - 1];
}

/* --- one ---------------------------------------------------------------------------------- */

static int
parse_model(struct domain_parse *p, xmlNode *node, struct domain_video *video)
{
	const char *name = xml_attr(node, "type");

	for (size_t i = 0; i < N_MODELS && name; i++)
		if (strcmp(name, models[i].name) == 0)
			video->model = models[i].model;
	if (name && !video->model)
		return refuse_unsupported(
			p, "video model '%.100s' is not supported by qemud", name);
	if (!video->model)
		video->model = DOMAIN_VIDEO_CIRRUS;
	return 0;
}

static uint32_t
round_up(uint32_t kib)
{
	uint32_t power = 1;

	while (power < kib)
		power <<= 1;
	return power;
}

/* A size in KiB. */
static int
parse_size(struct domain_parse *p, xmlNode *node, const char *name, bool allowed, uint32_t *ret)
{
	const char *text = xml_attr(node, name);
	char *end = NULL;
	unsigned long kib;

	*ret = 0;
	if (!text)
		return 0;
	if (!allowed)
		return domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
			"%s attribute only supported for video type qxl", name);
	errno = 0;
	kib = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno)
		return refuse_xml(p, "cannot parse video %s '%.100s'", name, text);
	if (kib > MEMORY_MAX_KIB)
		return refuse_unsupported(
			p, "value for '%s' must be at most %d KiB", name, (int)MEMORY_MAX_KIB);
	*ret = (uint32_t)kib;
	return 0;
}

static int
check_min(struct domain_parse *p, const char *name, uint32_t kib)
{
	if (kib >= MIB_KIB)
		return 0;
	return refuse_unsupported(p, "value for '%s' must be at least 1 MiB (1024 KiB)", name);
}

static int
check_vgamem(struct domain_parse *p, uint32_t kib)
{
	int r = check_min(p, "vgamem", kib);

	if (r == 0 && round_up(kib) != kib)
		r = refuse_unsupported(p, "value for 'vgamem' must be power of two");
	return r;
}

static int
parse_memory(struct domain_parse *p, xmlNode *node, struct domain_video *video)
{
	const struct model *model = model_of(video);
	bool qxl = video->model == DOMAIN_VIDEO_QXL;
	int r = parse_size(p, node, "ram", qxl, &video->ram_kib);

	if (r == 0)
		r = parse_size(p, node, "vram", true, &video->vram_kib);
	if (r == 0)
		r = parse_size(p, node, "vram64", qxl, &video->vram64_kib);
	if (r == 0)
		r = parse_size(p, node, "vgamem", qxl, &video->vgamem_kib);
	if (r)
		return r;
	if (!video->vram_kib)
		video->vram_kib = model->vram_kib;
	if (model->vram_min_kib)
		r = check_min(p, "vram", video->vram_kib);
	if (video->vram_kib)
		video->vram_kib = round_up(video->vram_kib);
	if (!qxl || r)
		return r;
	video->ram_kib = video->ram_kib ? round_up(video->ram_kib) : QXL_RAM_KIB;
	if (!video->vgamem_kib)
		video->vgamem_kib = VRAM_KIB;
	return check_vgamem(p, video->vgamem_kib);
}

static int
parse_heads(struct domain_parse *p, xmlNode *node, struct domain_video *video)
{
	const char *text = xml_attr(node, "heads");
	char *end = NULL;
	unsigned long heads = 1;

	if (text) {
		errno = 0;
		heads = strtoul(text, &end, 10);
		if (*text < '0' || *text > '9' || *end || errno)
			return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_DOMAIN,
				"cannot parse video heads '%.100s'", text);
	}
	if (heads != 1 && !model_of(video)->heads)
		return refuse_unsupported(p, "video type '%s' doesn't support multiple 'heads'",
			model_of(video)->name);
	if (heads < 1 || heads > DOMAIN_HEADS_MAX)
		return refuse_unsupported(
			p, "video heads must be in range [1,%d]", (int)DOMAIN_HEADS_MAX);
	video->heads = (uint32_t)heads;
	return 0;
}

static int
parse_acceleration(struct domain_parse *p, xmlNode *node, struct domain_video *video)
{
	xmlNode *acceleration = xml_child(node, "acceleration");
	unsigned off = 0;
	int r = 0;

	if (!acceleration)
		return 0;
	if (xml_attr(acceleration, "accel2d"))
		return refuse_unsupported(p, "qemu does not support the accel2d setting");
	/* It would take the host's own graphics, of which the box has none. */
	r = xml_attr_word(acceleration, "accel3d", never, p->error, &off);
	if (r == 0 && !off)
		r = domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
			"missing values for acceleration");
	video->accel3d = off;
	return r;
}

static int
parse_resolution(struct domain_parse *p, xmlNode *node, struct domain_video *video)
{
	static const char *const sides[] = {"x", "y"};
	xmlNode *resolution = xml_child(node, "resolution");
	uint32_t *const values[] = {&video->x, &video->y};
	int r = 0;

	for (size_t i = 0; i < 2 && resolution && r == 0; i++) {
		if (!xml_attr(resolution, sides[i]))
			return domain_refuse(p->error, VIR_ERR_XML_ERROR, VIR_FROM_XML,
				"Missing required attribute '%s' in element 'resolution'",
				sides[i]);
		r = xml_attr_number(
			resolution, sides[i], 10, RESOLUTION_MAX, 0, p->error, values[i]);
	}
	if (r || !resolution)
		return r;
	if (!model_of(video)->resolution)
		return refuse_xml(p, "model resolution is not supported");
	if (!video->x || !video->y)
		return refuse_unsupported(p, "video resolution values must be greater than 0");
	return 0;
}

static int
parse_place(struct domain_parse *p, xmlNode *node, struct domain_video *video)
{
	const struct model *model = model_of(video);

	video->device.conventional = video->model != DOMAIN_VIDEO_VIRTIO;
	if (model->pci || video->model == DOMAIN_VIDEO_NONE || !xml_child(node, "address"))
		return domain_device_parse(p, node, &video->device,
			model->pci ? DOMAIN_ADDRESS_PCI : DOMAIN_ADDRESS_NONE);
	return refuse_unsupported(p, "address not supported for video type %s", model->name);
}

static int
parse_driver(struct domain_parse *p, xmlNode *node, struct domain_video *video)
{
	xmlNode *driver = xml_child(node, "driver");
	unsigned name = 0;
	int r = driver ? xml_attr_word(driver, "name", drivers, p->error, &name) : 0;

	video->named_driver = name;
	return r;
}

/* As libvirt: a card that says so goes first. */
static int
insert(struct domain_parse *p, struct domain_video *video, bool primary)
{
	struct domain_def *def = p->def;

	if (primary && p->primary_video)
		return refuse_unsupported(p, "Only one primary video device is supported");
	p->primary_video |= primary;
	return domain_kind_insert(
		&domain_video_kind, def, primary ? 0 : def->n_videos, video, p->error);
}

static int
parse(struct domain_parse *p, xmlNode *node)
{
	xmlNode *model = xml_child(node, "model");
	struct domain_video video = {.model = DOMAIN_VIDEO_CIRRUS,
		.heads = 1,
		.vram_kib = VRAM_KIB,
		.device.conventional = true};
	unsigned primary = 0;
	int r = 0;

	if (model) {
		video.model = 0;
		r = parse_model(p, model, &video);
		if (r == 0)
			r = parse_memory(p, model, &video);
		if (r == 0)
			r = parse_heads(p, model, &video);
		if (r == 0)
			r = parse_acceleration(p, model, &video);
		if (r == 0)
			r = parse_resolution(p, model, &video);
		if (r == 0)
			r = xml_attr_word(model, "primary", answers, p->error, &primary);
	}
	if (r == 0)
		r = parse_driver(p, node, &video);
	if (r == 0)
		r = parse_place(p, node, &video);
	if (r == 0)
		r = insert(p, &video, primary == DOMAIN_ON);
	domain_kind_fini(&domain_video_kind, &video);
	return r;
}

/* --- all of them -------------------------------------------------------------------------- */

static int
add_default(struct domain_parse *p)
{
	struct domain_video video = {.model = DOMAIN_VIDEO_CIRRUS,
		.heads = 1,
		.vram_kib = VRAM_KIB,
		.device = {.address = DOMAIN_ADDRESS_PCI, .conventional = true}};

	return domain_kind_insert(&domain_video_kind, p->def, 0, &video, p->error);
}

static int
complete(struct domain_parse *p)
{
	struct domain_def *def = p->def;

	int r = def->n_videos == 0 && def->n_graphics > 0 ? add_default(p) : 0;

	if (r || def->n_videos == 0)
		return r;
	def->videos[0].device.prefers[0] =
		def->os.chipset == DOMAIN_CHIPSET_I440FX ? PLACE_I440FX : PLACE_Q35;
	for (size_t i = 0; i < def->n_videos; i++) {
		const struct model *model = model_of(&def->videos[i]);

		if (model->model == DOMAIN_VIDEO_NONE && def->n_videos > 1)
			return domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
				"a 'none' video type must be the only video device defined for the "
				"domain");
		if (i > 0 && !model->secondary)
			return refuse_unsupported(p,
				"video type '%s' is only valid as primary video device",
				model->name);
	}
	return 0;
}

static void
format_more(struct writer *w, const struct domain_video *video)
{
	if (video->accel3d) {
		writer_start(w, "acceleration");
		writer_attr(w, "accel3d", xml_word(answers, video->accel3d));
		writer_end(w, "acceleration");
	}
	if (video->x) {
		writer_start(w, "resolution");
		writer_attr_f(w, "x", "%u", video->x);
		writer_attr_f(w, "y", "%u", video->y);
		writer_end(w, "resolution");
	}
}

static void
format_size(struct writer *w, const char *name, uint32_t value)
{
	if (value)
		writer_attr_f(w, name, "%u", value);
}

static void
format(struct writer *w, const struct domain_def *def, size_t i, unsigned flags)
{
	const struct domain_video *video = &def->videos[i];
	bool none = video->model == DOMAIN_VIDEO_NONE;

	writer_start(w, "video");
	if (video->named_driver) {
		writer_start(w, "driver");
		writer_attr(w, "name", "qemu");
		writer_end(w, "driver");
	}
	writer_start(w, "model");
	writer_attr(w, "type", model_of(video)->name);
	if (!none) {
		format_size(w, "ram", video->ram_kib);
		format_size(w, "vram", video->vram_kib);
		format_size(w, "vram64", video->vram64_kib);
		format_size(w, "vgamem", video->vgamem_kib);
		format_size(w, "heads", video->heads);
		if (i == 0)
			writer_attr(w, "primary", "yes");
	}
	format_more(w, video);
	writer_end(w, "model");
	domain_device_format(w, &video->device, flags);
	writer_end(w, "video");
}

static const char *
model_name(size_t i)
{
	return i < N_MODELS ? models[i].name : NULL;
}

static const struct domain_choice choices[] = {
	{.name = "modelType", .word = model_name}, {.name = NULL}};

const struct domain_kind domain_video_kind = {
	.element = "video",
	.choices = choices,
	DOMAIN_KIND_LIST(videos, domain_video),
	.max = DOMAIN_VIDEOS_MAX,
	.parse = parse,
	.complete = complete,
	.format = format,
	.alias = "video",
};
