/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * identity.c: who a virtual machine is.
 *
 * Runs in the worker, as the user. Pure.
 */
#include "worker/domain/identity.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/uuid.h"
#include "worker/domain/metadata.h"
#include "worker/domain/guise.h"
#include "worker/domain/name.h"

static const struct xml_word types[] = {
	{"qemu", DOMAIN_TYPE_QEMU},
	{"kvm", DOMAIN_TYPE_KVM},
	{NULL, 0},
};

const char *
domain_type_word(enum domain_type type)
{
	return xml_word(types, type);
}

/* As virUUIDParse() of libvirt: dashes and blanks may stand between the bytes, or be missing. */
bool
domain_uuid_read(const char *text, uint8_t uuid[static 16])
{
	while (isspace((unsigned char)*text))
		text++;
	for (size_t i = 0; i < 16; i++) {
		char byte[3] = "";

		while (*text == '-' || *text == ' ')
			text++;
		for (size_t j = 0; j < 2; j++) {
			if (!isxdigit((unsigned char)*text))
				return false;
			byte[j] = *text++;
		}
		uuid[i] = (uint8_t)strtoul(byte, NULL, 16);
	}
	while (isspace((unsigned char)*text))
		text++;
	return *text == '\0';
}

static int
parse_type(struct domain_parse *p, xmlNode *domain)
{
	const char *type = xml_attr(domain, "type");

	if (!type)
		return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_DOMAIN,
			"missing domain type attribute");
	p->def->type = xml_word_value(types, type);
	if (p->def->type == DOMAIN_TYPE_KVM && !p->env->kvm)
		return refuse_unsupported(p,
			"Emulator '%s' does not support virt type 'kvm': /dev/kvm cannot be used "
			"from your machines' boxes; ask for the right to open it, or take type "
			"'qemu'",
			p->env->emulator);
	if (!p->def->type)
		return refuse_unsupported(p, "Emulator '%s' does not support virt type '%.100s'",
			p->env->emulator, type);
	return 0;
}

static int
parse_uuid(struct domain_parse *p, xmlNode *domain)
{
	free_auto char *text = NULL;
	int r = xml_child_text(domain, "uuid", &text);

	if (r)
		return r;
	p->new_uuid = !text;
	if (!text)
		p->env->new_uuid(p->env->arg, p->def->uuid);
	else if (!domain_uuid_read(text, p->def->uuid))
		return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_DOMAIN,
			"malformed uuid element");
	return 0;
}

/* Of which a machine that begins anew from an older state would have another. */
static int
parse_genid(struct domain_parse *p, xmlNode *domain)
{
	xmlNode *node = xml_child(domain, "genid");
	free_auto char *text = NULL;
	int r = node ? xml_text(node, &text) : 0;

	if (r || !node)
		return r;
	p->def->has_genid = true;
	if (!*text)
		p->env->new_uuid(p->env->arg, p->def->genid);
	else if (!domain_uuid_read(text, p->def->genid))
		return domain_refuse(p->error, VIR_ERR_INTERNAL_ERROR, VIR_FROM_DOMAIN,
			"malformed genid element");
	return 0;
}

int
domain_identity_parse(struct domain_parse *p, xmlNode *domain)
{
	struct domain_def *def = p->def;
	int r;

	(void)xml_attr(domain, "id"); /* of a running VM; it is never the XML that gives one */
	r = xml_child_text(domain, "name", &def->name);
	if (r == 0 && def->name && p->env->guise) {
		const char *plain = domain_guise_plain(p->env->guise, def->name);

		memmove(def->name, plain, strlen(plain) + 1);
	}
	if (r == 0)
		r = domain_name_check(def->name ? def->name : "", p->error);
	if (r == 0)
		r = parse_type(p, domain);
	if (r == 0)
		r = parse_uuid(p, domain);
	if (r == 0)
		r = parse_genid(p, domain);
	if (r == 0)
		r = xml_child_text(domain, "title", &def->title);
	if (r == 0 && def->title && strchr(def->title, '\n'))
		return refuse_xml(p, "Domain title can't contain newlines");
	if (r == 0)
		r = xml_child_text(domain, "description", &def->description);
	if (r == 0)
		r = domain_metadata_parse(p, domain);
	return r;
}

void
domain_identity_format(struct writer *w, const struct domain_def *def)
{
	char text[UUID_TEXT_SIZE];

	writer_element(w, "name", def->name);
	writer_element(w, "uuid", uuid_format(def->uuid, text));
	if (def->has_genid)
		writer_element(w, "genid", uuid_format(def->genid, text));
	if (def->title)
		writer_element(w, "title", def->title);
	if (def->description)
		writer_element(w, "description", def->description);
	if (def->metadata)
		writer_raw(w, def->metadata);
}
