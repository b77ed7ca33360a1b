/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chardev.c: the host's end of a character device.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/chardev.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/domain/def.h"
#include "worker/domain/devices.h"
#include "worker/domain/parse.h"
#include "worker/domain/path.h"

static const struct xml_word types[] = {
	{"pty", DOMAIN_CHARDEV_PTY},
	{"file", DOMAIN_CHARDEV_FILE},
	{"unix", DOMAIN_CHARDEV_UNIX},
	{"null", DOMAIN_CHARDEV_NULL},
	{NULL, 0},
};

/* What libvirt knows besides, and why it is not here. */
static const struct {
	const char *type, *why;
} refused[] = {
	{"vc", "QEMU draws on no screen here; use 'pty'"},
	{"stdio", "QEMU's own output is its log; use 'file' or 'pty'"},
	{"dev", "QEMU has no device of the host; use 'pty' or 'unix'"},
	{"pipe", "use 'unix'"},
	{"tcp", "QEMU has no network; use 'unix' and a relay"},
	{"udp", "QEMU has no network; use 'unix' and a relay"},
	{"spicevmc", "there is no SPICE; graphics are VNC"},
	{"spiceport", "there is no SPICE; graphics are VNC"},
	{"nmdm", "it is FreeBSD's; use 'unix'"},
	{"qemu-vdagent", "clipboards are not shared with guests"},
	{"dbus", "QEMU has no D-Bus"},
};

enum { MODE_BIND = 1, MODE_CONNECT };

static const struct xml_word modes[] = {{"bind", MODE_BIND}, {"connect", MODE_CONNECT}, {NULL, 0}};

static int
parse_type(struct domain_parse *p, xmlNode *node, struct domain_chardev *chardev)
{
	const char *type = xml_attr(node, "type");

	chardev->type = type ? xml_word_value(types, type) : DOMAIN_CHARDEV_PTY;
	if (chardev->type)
		return 0;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (strcmp(refused[i].type, type) == 0)
			return refuse_unsupported(p,
				"type='%s' of <%s> is not supported by qemud: %s", type,
				(const char *)node->name, refused[i].why);
	return domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
		"unknown type presented to host for character device: %.200s", type);
}

static int
take_path(struct domain_parse *p, const char *element, const char *path, char **ret)
{
	int r = domain_path_check(p, element, path);

	if (r)
		return r;
	*ret = strdup(path);
	return *ret ? 0 : -ENOMEM;
}

static int
refuse_no_path(struct domain_parse *p)
{
	return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_DOMAIN,
		"Missing source path attribute for char device");
}

static int
parse_file(struct domain_parse *p, xmlNode *source, struct domain_chardev *chardev)
{
	const char *path = source ? xml_attr(source, "path") : NULL;
	unsigned append = 0;
	int r;

	if (!path)
		return refuse_no_path(p);
	r = xml_attr_word(source, "append", xml_on_off, p->error, &append);
	chardev->append = append;
	return r ? r : take_path(p, "source", path, &chardev->path);
}

static bool
is_ours(const struct domain_parse *p, const char *path)
{
	const char *run = p->env->run;
	size_t length = run ? strlen(run) : 0;

	return run && strncmp(path, run, length) == 0 && path[length] == '/';
}

static int
parse_unix(
	struct domain_parse *p, xmlNode *source, struct domain_chardev *chardev, bool path_needed)
{
	const char *path = source ? xml_attr(source, "path") : NULL;
	unsigned mode = 0;
	int r = source ? xml_attr_word(source, "mode", modes, p->error, &mode) : 0;

	if (r)
		return r;
	if (!path_needed && path && mode != MODE_CONNECT && is_ours(p, path)) {
		chardev->chosen = p->flags & DOMAIN_DEF_LIVE;
		return chardev->chosen ? take_path(p, "source", path, &chardev->path) : 0;
	}
	if (!path_needed && !path && mode != MODE_CONNECT)
		return 0;
	if (!path)
		return refuse_no_path(p);
	if (strlen(path) > DOMAIN_SOCKET_PATH_MAX)
		return refuse_unsupported(p, "path '%.200s' of a socket is longer than %d bytes",
			path, DOMAIN_SOCKET_PATH_MAX);
	chardev->connect = mode != MODE_BIND;
	return take_path(p, "source", path, &chardev->path);
}

static int
parse_source(
	struct domain_parse *p, xmlNode *node, struct domain_chardev *chardev, bool path_needed)
{
	xmlNode *source = xml_child(node, "source");

	if (source && xml_each(node, "source", source))
		return refuse_xml(p, "only one source element is allowed for character device");
	switch (chardev->type) {
	case DOMAIN_CHARDEV_PTY:
		/* Which one it was when somebody looked at a running VM. */
		if (source)
			(void)xml_attr(source, "path");
		return 0;
	case DOMAIN_CHARDEV_FILE:
		return parse_file(p, source, chardev);
	case DOMAIN_CHARDEV_UNIX:
		return parse_unix(p, source, chardev, path_needed);
	case DOMAIN_CHARDEV_NULL:
		return 0;
	}
	return 0;
}

static int
parse_log(struct domain_parse *p, xmlNode *node, struct domain_chardev *chardev)
{
	xmlNode *log = xml_child(node, "log");
	const char *path;
	unsigned append = 0;
	int r;

	if (!log)
		return 0;
	if (xml_each(node, "log", log))
		return refuse_xml(p, "only one log element is allowed for character device");
	path = xml_attr(log, "file");
	if (!path)
		return refuse_xml(p, "missing attribute 'file' of element <log>");
	r = xml_attr_word(log, "append", xml_on_off, p->error, &append);
	chardev->log_append = append;
	return r ? r : take_path(p, "log", path, &chardev->log);
}

int
domain_chardev_parse(
	struct domain_parse *p, xmlNode *node, struct domain_chardev *chardev, bool path_needed)
{
	int r = parse_type(p, node, chardev);

	if (r == 0)
		r = parse_source(p, node, chardev, path_needed);
	return r ? r : parse_log(p, node, chardev);
}

void
domain_chardev_fini(void *device)
{
	struct domain_chardev *chardev = device;

	free(chardev->path);
	free(chardev->log);
}

static void
format_switch(struct writer *w, enum domain_switch append)
{
	if (append)
		writer_attr(w, "append", xml_word(xml_on_off, append));
}

void
domain_chardev_format(
	struct writer *w, const char *element, const struct domain_chardev *chardev, unsigned flags)
{
	writer_start(w, element);
	writer_attr(w, "type", xml_word(types, chardev->type));
	if (chardev->path && (!chardev->chosen || flags & DOMAIN_DEF_LIVE)) {
		writer_start(w, "source");
		if (chardev->type == DOMAIN_CHARDEV_UNIX)
			writer_attr(w, "mode", chardev->connect ? "connect" : "bind");
		writer_attr(w, "path", chardev->path);
		format_switch(w, chardev->append);
		writer_end(w, "source");
	}
	if (chardev->log) {
		writer_start(w, "log");
		writer_attr(w, "file", chardev->log);
		format_switch(w, chardev->log_append);
		writer_end(w, "log");
	}
}

/* --- all of them -------------------------------------------------------------------------- */

static bool
is_chardev(const struct domain_kind *kind)
{
	return kind == &domain_serial_kind || kind == &domain_parallel_kind ||
	       kind == &domain_console_kind || kind == &domain_channel_kind;
}

struct domain_chardev *
domain_chardev_next(const struct domain_def *def, struct domain_cursor *cursor)
{
	struct domain_device *device;

	while ((device = domain_device_next(def, cursor)))
		if (is_chardev(cursor->of))
			return (struct domain_chardev *)device;
	return NULL;
}

struct domain_chardev *
domain_chardev_at(const struct domain_def *def, size_t index)
{
	struct domain_cursor at = {0};
	struct domain_chardev *chardev;

	do
		chardev = domain_chardev_next(def, &at);
	while (chardev && index-- > 0);
	return chardev;
}

size_t
domain_chardev_index(const struct domain_def *def, const struct domain_chardev *chardev)
{
	struct domain_cursor at = {0};
	size_t index = 0;

	while (domain_chardev_next(def, &at) != chardev)
		index++;
	return index;
}

bool
domain_chardev_default(const struct domain_def *def, size_t *ret_index)
{
	*ret_index = 0;
	if (def->serial_console || def->n_consoles == 0)
		return def->n_serials > 0;
	*ret_index = def->n_serials + def->n_parallels;
	return true;
}
