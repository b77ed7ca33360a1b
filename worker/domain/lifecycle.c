/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lifecycle.c: the actions at power-off, reboot, crash and a lost lock, and the guest's sleep.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/lifecycle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct xml_word actions[] = {
	{"destroy", DOMAIN_DESTROY},
	{"restart", DOMAIN_RESTART},
	{"preserve", DOMAIN_PRESERVE},
	{NULL, 0},
};

/* Words of libvirt's that are known here to be refused. */
static const struct xml_word never[] = {
	{"rename-restart", 1}, {"coredump-destroy", 2}, {"coredump-restart", 2}, {NULL, 0}};

static const struct xml_word lock_actions[] = {
	{"poweroff", DOMAIN_LOCK_POWEROFF},
	{"restart", DOMAIN_LOCK_RESTART},
	{"pause", DOMAIN_LOCK_PAUSE},
	{"ignore", DOMAIN_LOCK_IGNORE},
	{NULL, 0},
};

/* event: "poweroff", of the element <on_poweroff>. */
static int
refuse_action(struct domain_parse *p, const char *event, const char *text)
{
	switch (xml_word_value(never, text)) {
	case 1:
		return refuse_unsupported(p,
			"qemu driver doesn't support the 'rename-restart' action for "
			"'on_reboot'/'on_poweroff'/'on_crash'");
	case 2:
		if (strcmp(event, "crash") != 0)
			return refuse_unsupported(
				p, "Lifecycle event '%s' doesn't support '%s' action", event, text);
		return refuse_unsupported(
			p, "action '%s' of element <on_crash> is not supported by qemud yet", text);
	default:
		return domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
			"unknown on_%s action: %.100s", event, text);
	}
}

static int
parse_action(struct domain_parse *p, xmlNode *domain, const char *event,
	enum domain_action fallback, enum domain_action *ret_action)
{
	free_auto char *text = NULL;
	char element[16];
	int r;

	(void)snprintf(element, sizeof(element), "on_%s", event);
	r = xml_child_text(domain, element, &text);
	*ret_action = text ? xml_word_value(actions, text) : fallback;
	return r || *ret_action ? r : refuse_action(p, event, text);
}

/* Kept as it is: there are no locks, so none is lost. */
static int
parse_lock_failure(struct domain_parse *p, xmlNode *domain)
{
	free_auto char *text = NULL;
	int r = xml_child_text(domain, "on_lockfailure", &text);

	if (r || !text)
		return r;
	p->def->on_lock_failure = xml_word_value(lock_actions, text);
	return p->def->on_lock_failure ? 0 : refuse_action(p, "lockfailure", text);
}

static int
parse_sleep(struct domain_parse *p, xmlNode *pm, const char *name, enum domain_switch *ret)
{
	xmlNode *node = xml_child(pm, name);
	unsigned enabled = 0;
	int r = node ? xml_attr_choice(node, "enabled", xml_yes_no, p->error, &enabled) : 0;

	*ret = enabled;
	return r;
}

static int
parse_pm(struct domain_parse *p, xmlNode *domain)
{
	xmlNode *pm = xml_child(domain, "pm");
	int r;

	if (!pm)
		return 0;
	r = parse_sleep(p, pm, "suspend-to-mem", &p->def->suspend_to_mem);
	return r ? r : parse_sleep(p, pm, "suspend-to-disk", &p->def->suspend_to_disk);
}

int
domain_lifecycle_parse(struct domain_parse *p, xmlNode *domain)
{
	struct domain_def *def = p->def;
	int r = parse_action(p, domain, "poweroff", DOMAIN_DESTROY, &def->on_poweroff);

	if (r == 0)
		r = parse_action(p, domain, "reboot", DOMAIN_RESTART, &def->on_reboot);
	if (r == 0)
		r = parse_action(p, domain, "crash", DOMAIN_DESTROY, &def->on_crash);
	if (r == 0)
		r = parse_lock_failure(p, domain);
	if (r == 0)
		r = parse_pm(p, domain);
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

static void
format_sleep(struct writer *w, const char *name, enum domain_switch enabled)
{
	if (!enabled)
		return;
	writer_start(w, name);
	writer_attr(w, "enabled", xml_word(xml_yes_no, enabled));
	writer_end(w, name);
}

void
domain_lifecycle_format(struct writer *w, const struct domain_def *def)
{
	writer_element(w, "on_poweroff", xml_word(actions, def->on_poweroff));
	writer_element(w, "on_reboot", xml_word(actions, def->on_reboot));
	writer_element(w, "on_crash", xml_word(actions, def->on_crash));
	if (def->on_lock_failure)
		writer_element(w, "on_lockfailure", xml_word(lock_actions, def->on_lock_failure));
	if (!def->suspend_to_mem && !def->suspend_to_disk)
		return;
	writer_start(w, "pm");
	format_sleep(w, "suspend-to-mem", def->suspend_to_mem);
	format_sleep(w, "suspend-to-disk", def->suspend_to_disk);
	writer_end(w, "pm");
}
