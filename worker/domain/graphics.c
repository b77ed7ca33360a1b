/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * graphics.c: VNC, as libvirt describes it.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/graphics.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/uuid.h"
#include "worker/domain/def.h"
#include "worker/domain/parse.h"
#include "worker/domain/path.h"

enum { PORT_MIN = 5900, PORT_MAX = 65535 };

static const struct xml_word types[] = {{"vnc", 1}, {NULL, 0}};
static const struct xml_word listens[] = {
	{"address", DOMAIN_LISTEN_ADDRESS},
	{"socket", DOMAIN_LISTEN_SOCKET},
	{"none", DOMAIN_LISTEN_NONE},
	{NULL, 0},
};
static const struct xml_word shares[] = {
	{"allow-exclusive", DOMAIN_SHARE_EXCLUSIVE},
	{"force-shared", DOMAIN_SHARE_FORCE_SHARED},
	{"ignore", DOMAIN_SHARE_IGNORE},
	{NULL, 0},
};
static const struct xml_word answers[] = {{"yes", DOMAIN_ON}, {"no", DOMAIN_OFF}, {NULL, 0}};

static int
missing(struct domain_parse *p, const char *attribute, const char *element)
{
	return domain_refuse(p->error, VIR_ERR_XML_ERROR, VIR_FROM_XML,
		"Missing required attribute '%s' in element '%s'", attribute, element);
}

/* --- where it listens --------------------------------------------------------------------- */

/* A copy, NULL for an absent or empty one. */
static int
copy_attr(xmlNode *node, const char *name, char **ret)
{
	const char *value = xml_attr(node, name);

	*ret = value && *value ? strdup(value) : NULL;
	return value && *value && !*ret ? -ENOMEM : 0;
}

/* The path that domain_graphics_place() gives goes with the machine that ran. */
static bool
is_ours(const struct domain_parse *p, const char *path)
{
	const char *name = strrchr(path, '/');
	char uuid[UUID_TEXT_SIZE];
	size_t n = UUID_TEXT_SIZE - 1;

	return !(p->flags & DOMAIN_DEF_LIVE) && name &&
	       strncmp(name + 1, uuid_format(p->def->uuid, uuid), n) == 0 &&
	       strcmp(name + 1 + n, ".vnc") == 0;
}

static int
take_socket(struct domain_parse *p, xmlNode *node, struct domain_graphics *graphics)
{
	const char *path = xml_attr(node, "socket");
	int r;

	if (!path || !*path || is_ours(p, path))
		return 0;
	r = domain_path_check(p, "listen", path);
	/* As much as has room in an address (unix(7)). */
	if (r == 0 && strlen(path) > 107)
		r = refuse_unsupported(p, "UNIX socket path '%.200s' too long", path);
	if (r == 0)
		r = copy_attr(node, "socket", &graphics->socket);
	return r;
}

/* What <graphics> and its first <listen> both say has to be the same. */
static int
check_same(struct domain_parse *p, xmlNode *node, xmlNode *listen, const char *attribute,
	const char *its)
{
	const char *outer = xml_attr(node, attribute);
	const char *inner = xml_attr(listen, its);

	if (!outer || !*outer || !inner || !*inner || strcmp(outer, inner) == 0)
		return 0;
	return domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
		"graphics '%s' attribute '%.200s' must match '%s' attribute of first listen "
		"element (found '%.200s')",
		attribute, outer, its, inner);
}

static int
parse_listen(struct domain_parse *p, xmlNode *node, struct domain_graphics *graphics)
{
	xmlNode *listen = xml_child(node, "listen");
	unsigned type = DOMAIN_LISTEN_ADDRESS;
	int r = 0;

	if (!listen) {
		if (xml_attr(node, "socket"))
			type = DOMAIN_LISTEN_SOCKET;
		graphics->listen = type;
		(void)xml_attr(node, "listen");
		return type == DOMAIN_LISTEN_SOCKET ? take_socket(p, node, graphics)
						    : copy_attr(node, "listen", &graphics->address);
	}
	if (xml_each(node, "listen", listen))
		return refuse_unsupported(
			p, "QEMU does not support multiple listens for one graphics device.");
	r = xml_attr_word(listen, "type", listens, p->error, &type);
	if (r == 0 && !type)
		r = missing(p, "type", "listen");
	if (r)
		return r;
	graphics->listen = type;
	if (type == DOMAIN_LISTEN_ADDRESS)
		r = check_same(p, node, listen, "listen", "address");
	else if (type == DOMAIN_LISTEN_SOCKET)
		r = check_same(p, node, listen, "socket", "socket");
	/* What a port says means nothing where there is none. */
	(void)xml_attr(node, "listen");
	(void)xml_attr(node, "socket");
	if (r == 0 && type == DOMAIN_LISTEN_ADDRESS)
		r = copy_attr(xml_attr(listen, "address") ? listen : node,
			xml_attr(listen, "address") ? "address" : "listen", &graphics->address);
	else if (r == 0 && type == DOMAIN_LISTEN_SOCKET)
		r = take_socket(p, xml_attr(listen, "socket") ? listen : node, graphics);
	return r;
}

/* -1 asks for any port. */
static int
parse_port(struct domain_parse *p, xmlNode *node, struct domain_graphics *graphics)
{
	const char *port = xml_attr(node, "port");
	unsigned autoport;
	char *end = NULL;
	long number = -1;
	int r = xml_attr_word(node, "autoport", answers, p->error, &autoport);

	if (r)
		return r;
	if (port) {
		errno = 0;
		number = strtol(port, &end, 10);
		if (*end || end == port || errno || number < INT32_MIN || number > INT32_MAX)
			return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_DOMAIN,
				"cannot parse vnc port %.100s", port);
	}
	if (graphics->listen != DOMAIN_LISTEN_ADDRESS)
		return 0;
	graphics->autoport = autoport ? autoport == DOMAIN_ON : number == -1;
	if (graphics->autoport)
		return 0;
	if (number < PORT_MIN || number > PORT_MAX)
		return refuse_unsupported(
			p, "vnc port must be in range [%d,%d]", PORT_MIN, PORT_MAX);
	graphics->port = (uint16_t)number;
	return 0;
}

/* --- the rest ----------------------------------------------------------------------------- */

static int
refuse_time(struct domain_parse *p, const char *text)
{
	return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_DOMAIN,
		"cannot parse password validity time '%.100s', expect YYYY-MM-DDTHH:MM:SS", text);
}

static int
refuse_alone(struct domain_parse *p, const char *attribute)
{
	return refuse_unsupported(p,
		"attribute '%s' of element <graphics> is that of a password, and there is none",
		attribute);
}

static int
parse_expiry(struct domain_parse *p, xmlNode *node, struct domain_graphics *graphics)
{
	const char *text = xml_attr(node, "passwdValidTo");
	struct tm tm = {0}, again;
	char back[64];

	if (!text)
		return 0;
	if (!graphics->password)
		return refuse_alone(p, "passwdValidTo");
	if (!strptime(text, "%Y-%m-%dT%H:%M:%S", &tm))
		return refuse_time(p, text);
	graphics->expires = true;
	graphics->expires_at = timegm(&tm);
	/* No 31st of February, and nothing behind. */
	if (!gmtime_r(&(time_t){graphics->expires_at}, &again) ||
		strftime(back, sizeof(back), "%Y-%m-%dT%H:%M:%S", &again) == 0 ||
		strcmp(back, text) != 0 || graphics->expires_at < 0)
		return refuse_time(p, text);
	return 0;
}

static int
parse_password(struct domain_parse *p, xmlNode *node, struct domain_graphics *graphics)
{
	const char *password = xml_attr(node, "passwd");
	const char *connected = xml_attr(node, "connected");
	size_t length = password ? strlen(password) : 0;

	if (length > DOMAIN_VNC_PASSWORD_MAX)
		return refuse_unsupported(p,
			"VNC password is %zu characters long, only %d permitted", length,
			DOMAIN_VNC_PASSWORD_MAX);
	if (password) {
		graphics->password = strdup(password);
		if (!graphics->password)
			return -ENOMEM;
	}
	if (connected && !password)
		return refuse_alone(p, "connected");
	if (connected && strcmp(connected, "keep") != 0)
		return domain_refuse(p->error, VIR_ERR_CONFIG_UNSUPPORTED, VIR_FROM_DOMAIN,
			"VNC supports connected='keep' only");
	graphics->keeps_connected = connected != NULL;
	return parse_expiry(p, node, graphics);
}

static int
parse_keymap(struct domain_parse *p, xmlNode *node, struct domain_graphics *graphics)
{
	const char *keymap = xml_attr(node, "keymap");
	size_t n = keymap ? strspn(keymap, "abcdefghijklmnopqrstuvwxyz-") : 0;

	/* It is a file's name, below QEMU's own data. */
	if (keymap && (n == 0 || n > 16 || keymap[n]))
		return refuse_unsupported(p,
			"keymap '%.100s' is not supported by qemud; use a name such as 'en-us'",
			keymap);
	return copy_attr(node, "keymap", &graphics->keymap);
}

static int
parse_audio(struct domain_parse *p, xmlNode *node, struct domain_graphics *graphics)
{
	xmlNode *audio = xml_child(node, "audio");

	if (!audio)
		return 0;
	if (!xml_attr(audio, "id"))
		return missing(p, "id", "audio");
	return xml_attr_number(audio, "id", 10, UINT32_MAX, 0, p->error, &graphics->audio);
}

static int
parse_options(struct domain_parse *p, xmlNode *node, struct domain_graphics *graphics)
{
	unsigned share = 0, power = 0;
	int r = parse_password(p, node, graphics);

	if (r == 0)
		r = parse_keymap(p, node, graphics);
	if (r == 0)
		r = xml_attr_word(node, "sharePolicy", shares, p->error, &share);
	if (r == 0)
		r = xml_attr_word(node, "powerControl", answers, p->error, &power);
	if (r == 0)
		r = parse_audio(p, node, graphics);
	graphics->share = share;
	graphics->power_control = power;
	return r;
}

static int
parse(struct domain_parse *p, xmlNode *node)
{
	struct domain_graphics graphics = {0};
	unsigned type;
	int r = xml_attr_word(node, "type", types, p->error, &type);

	if (r == 0 && !type)
		r = missing(p, "type", "graphics");
	if (r == 0 && p->def->n_graphics == DOMAIN_GRAPHICS_MAX)
		r = refuse_unsupported(p,
			"only 1 graphics device of each type (sdl, vnc, spice, headless, dbus) is "
			"supported");
	if (r)
		return r;
	r = parse_listen(p, node, &graphics);
	if (r == 0)
		r = parse_port(p, node, &graphics);
	if (r == 0)
		r = parse_options(p, node, &graphics);
	if (r == 0)
		r = domain_kind_insert(
			&domain_graphics_kind, p->def, p->def->n_graphics, &graphics, p->error);
	domain_kind_fini(&domain_graphics_kind, &graphics);
	return r;
}

int
domain_graphics_place(struct domain_def *live, const char *folder)
{
	char uuid[UUID_TEXT_SIZE];

	for (size_t i = 0; i < live->n_graphics; i++) {
		struct domain_graphics *graphics = &live->graphics[i];

		if (graphics->listen == DOMAIN_LISTEN_NONE || graphics->socket)
			continue;
		graphics->listen = DOMAIN_LISTEN_SOCKET;
		free(graphics->address);
		graphics->address = NULL;
		if (asprintf(&graphics->socket, "%s/%s.vnc", folder,
			    uuid_format(live->uuid, uuid)) < 0) {
			graphics->socket = NULL;
			return -ENOMEM;
		}
	}
	return 0;
}

/* --- as XML ------------------------------------------------------------------------------- */

static void
format_port(struct writer *w, const struct domain_graphics *graphics)
{
	if (graphics->listen != DOMAIN_LISTEN_ADDRESS)
		return;
	if (graphics->autoport)
		writer_attr(w, "port", "-1");
	else
		writer_attr_f(w, "port", "%u", graphics->port);
	writer_attr(w, "autoport", graphics->autoport ? "yes" : "no");
	if (graphics->address)
		writer_attr(w, "listen", graphics->address);
}

static void
format_password(struct writer *w, const struct domain_graphics *graphics, unsigned flags)
{
	time_t at = graphics->expires_at;
	char text[64];
	struct tm tm;

	if (!graphics->password || !(flags & DOMAIN_DEF_SECURE))
		return;
	writer_attr(w, "passwd", graphics->password);
	if (graphics->expires && gmtime_r(&at, &tm) &&
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) > 0)
		writer_attr(w, "passwdValidTo", text);
	if (graphics->keeps_connected)
		writer_attr(w, "connected", "keep");
}

static void
format(struct writer *w, const struct domain_def *def, size_t i, unsigned flags)
{
	const struct domain_graphics *graphics = &def->graphics[i];

	writer_start(w, "graphics");
	writer_attr(w, "type", "vnc");
	if (graphics->socket)
		writer_attr(w, "socket", graphics->socket);
	format_port(w, graphics);
	if (graphics->keymap)
		writer_attr(w, "keymap", graphics->keymap);
	if (graphics->share)
		writer_attr(w, "sharePolicy", xml_word(shares, graphics->share));
	if (graphics->power_control)
		writer_attr(w, "powerControl", xml_word(answers, graphics->power_control));
	format_password(w, graphics, flags);
	writer_start(w, "listen");
	writer_attr(w, "type", xml_word(listens, graphics->listen));
	if (graphics->address)
		writer_attr(w, "address", graphics->address);
	if (graphics->socket)
		writer_attr(w, "socket", graphics->socket);
	writer_end(w, "listen");
	if (graphics->audio) {
		writer_start(w, "audio");
		writer_attr_f(w, "id", "%u", graphics->audio);
		writer_end(w, "audio");
	}
	writer_end(w, "graphics");
}

static void
fini(void *device)
{
	struct domain_graphics *graphics = device;

	free(graphics->address);
	free(graphics->socket);
	free(graphics->keymap);
	if (graphics->password)
		explicit_bzero(graphics->password, strlen(graphics->password));
	free(graphics->password);
}

static const struct domain_choice choices[] = {{.name = "type", .words = types}, {.name = NULL}};

const struct domain_kind domain_graphics_kind = {
	.element = "graphics",
	.choices = choices,
	DOMAIN_KIND_LIST(graphics, domain_graphics),
	.max = DOMAIN_GRAPHICS_MAX,
	.parse = parse,
	.format = format,
	.fini = fini,
};
