/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_graphics.c: VNC.
 *
 * Runs in the worker, as the user. Pure. Must never name a socket or a password, which QEMU is given
 * when it talks (worker/vm/graphics.h).
 */
#include "worker/qemu/command_devices.h"

static const char *const shares[] = {
	[DOMAIN_SHARE_EXCLUSIVE] = ",share=allow-exclusive",
	[DOMAIN_SHARE_FORCE_SHARED] = ",share=force-shared",
	[DOMAIN_SHARE_IGNORE] = ",share=ignore",
};
static const char *const powers[] = {
	[DOMAIN_ON] = ",power-control=on",
	[DOMAIN_OFF] = ",power-control=off",
};

static void
add_vnc(struct command_line *line, const struct domain_graphics *graphics)
{
	uint32_t audio = graphics->audio ? graphics->audio : line->def->audios[0].id;

	command_line_add(line, "-vnc");
	command_line_add_f(line, "none%s%s%s,audiodev=audio%u",
		graphics->share ? shares[graphics->share] : "",
		graphics->password ? ",password=on" : "",
		graphics->power_control ? powers[graphics->power_control] : "", audio);
	if (graphics->keymap) {
		command_line_add(line, "-k");
		command_line_add(line, graphics->keymap);
	}
}

void
command_add_graphics(struct command_line *line)
{
	for (size_t i = 0; i < line->def->n_graphics; i++)
		add_vnc(line, &line->def->graphics[i]);
}
