/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lifecycle.c: the clock's start, and the actions at power-off, reboot and crash.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/lifecycle.h"

#include <stdlib.h>

static const struct xml_word offsets[] = {{"utc", 1}, {NULL, 0}};

static const struct xml_word actions[] = {
	{"destroy", DOMAIN_DESTROY},
	{"restart", DOMAIN_RESTART},
	{"preserve", DOMAIN_PRESERVE},
	{NULL, 0},
};

static int
parse_clock(struct domain_parse *p, xmlNode *domain)
{
	xmlNode *clock = xml_child(domain, "clock");
	unsigned offset;

	return clock ? xml_attr_word(clock, "offset", offsets, p->error, &offset) : 0;
}

static int
parse_action(struct domain_parse *p, xmlNode *domain, const char *name, enum domain_action fallback,
	enum domain_action *ret_action)
{
	free_auto char *text = NULL;
	int r = xml_child_text(domain, name, &text);
	unsigned action;

	*ret_action = fallback;
	if (r || !text)
		return r;
	action = xml_word_value(actions, text);
	if (!action)
		return refuse_unsupported(p,
			"action '%.100s' of element <%s> is not supported by qemud yet", text,
			name);
	*ret_action = action;
	return 0;
}

int
domain_lifecycle_parse(struct domain_parse *p, xmlNode *domain)
{
	struct domain_def *def = p->def;
	int r = parse_clock(p, domain);

	if (r == 0)
		r = parse_action(p, domain, "on_poweroff", DOMAIN_DESTROY, &def->on_poweroff);
	if (r == 0)
		r = parse_action(p, domain, "on_reboot", DOMAIN_RESTART, &def->on_reboot);
	if (r == 0)
		r = parse_action(p, domain, "on_crash", DOMAIN_DESTROY, &def->on_crash);
	if (r)
		return r;
	/* QEMU has one switch for both: a guest that resets cannot be told from one that stops. */
	if (def->on_reboot == DOMAIN_DESTROY && def->on_poweroff == DOMAIN_RESTART)
		return refuse_unsupported(p, "qemu driver doesn't support 'onReboot' set to "
					     "'destroy and 'onPoweroff' set to 'reboot'");
	if (def->on_reboot == DOMAIN_PRESERVE || def->on_poweroff == DOMAIN_PRESERVE)
		return refuse_unsupported(p, "qemu driver doesn't support the 'preserve' action "
					     "for 'on_reboot'/'on_poweroff'");
	return 0;
}

void
domain_lifecycle_format(struct writer *w, const struct domain_def *def)
{
	writer_start(w, "clock");
	writer_attr(w, "offset", "utc");
	writer_end(w, "clock");
	writer_element(w, "on_poweroff", xml_word(actions, def->on_poweroff));
	writer_element(w, "on_reboot", xml_word(actions, def->on_reboot));
	writer_element(w, "on_crash", xml_word(actions, def->on_crash));
}
