/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watchdog.c: watchdogs, on PCI or on ISA.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/watchdog.h"

#include "worker/domain/def.h"
#include "worker/domain/parse.h"

static const struct xml_word models[] = {
	{"i6300esb", DOMAIN_WATCHDOG_I6300ESB},
	{"ib700", DOMAIN_WATCHDOG_IB700},
	{NULL, 0},
};
static const struct xml_word actions[] = {
	{"reset", DOMAIN_WATCHDOG_RESET},
	{"shutdown", DOMAIN_WATCHDOG_SHUTDOWN},
	{"poweroff", DOMAIN_WATCHDOG_POWEROFF},
	{"pause", DOMAIN_WATCHDOG_PAUSE},
	{"none", DOMAIN_WATCHDOG_NONE},
	{"inject-nmi", DOMAIN_WATCHDOG_INJECT_NMI},
	{NULL, 0},
};

const char *
domain_watchdog_action_name(enum domain_watchdog_action action)
{
	return xml_word(actions, action);
}

static int
parse(struct domain_parse *p, xmlNode *node)
{
	struct domain_watchdog watchdog = {.action = DOMAIN_WATCHDOG_RESET};
	unsigned model = 0, action = 0;
	bool pci;
	int r;

	if (p->def->n_watchdogs > 0)
		return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_DOMAIN,
			"only a single watchdog device is supported");
	r = xml_attr_word(node, "model", models, p->error, &model);
	if (r == 0 && !model)
		return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_DOMAIN,
			"watchdog must contain model name");
	if (r == 0)
		r = xml_attr_word(node, "action", actions, p->error, &action);
	watchdog.model = model;
	if (action)
		watchdog.action = action;
	pci = watchdog.model == DOMAIN_WATCHDOG_I6300ESB;
	watchdog.device.conventional = pci;
	if (r == 0)
		r = domain_device_parse(
			p, node, &watchdog.device, pci ? DOMAIN_ADDRESS_PCI : DOMAIN_ADDRESS_NONE);
	if (r == 0)
		r = domain_kind_insert(&domain_watchdog_kind, p->def, 0, &watchdog, p->error);
	domain_kind_fini(&domain_watchdog_kind, &watchdog);
	return r;
}

static void
format(struct writer *w, const struct domain_def *def, size_t i, unsigned flags)
{
	const struct domain_watchdog *watchdog = &def->watchdogs[i];

	writer_start(w, "watchdog");
	writer_attr(w, "model", xml_word(models, watchdog->model));
	writer_attr(w, "action", xml_word(actions, watchdog->action));
	domain_device_format(w, &watchdog->device, flags);
	writer_end(w, "watchdog");
}

const struct domain_kind domain_watchdog_kind = {
	.element = "watchdog",
	DOMAIN_KIND_LIST(watchdogs, domain_watchdog),
	.max = DOMAIN_WATCHDOGS_MAX,
	.parse = parse,
	.format = format,
	.alias = "watchdog",
};
