/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sysinfo.c: what the firmware tells the guest; see sysinfo.h.
 *
 * Runs in the worker, as the user. Pure. Contents of files are refused: who says what is in a
 * definition says it in the definition.
 */
#include "worker/domain/sysinfo.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/uuid.h"
#include "worker/domain/identity.h"
#include "worker/domain/parse.h"

static const struct xml_word types[] = {{"smbios", 1}, {"fwcfg", 2}, {NULL, 0}};

static const struct {
	const char *element;
	const char *strings[DOMAIN_SMBIOS_STRINGS_MAX + 1];
} tables[DOMAIN_SMBIOS_N] = {
	[DOMAIN_SMBIOS_BIOS] = {"bios", {"vendor", "version", "date", "release", NULL}},
	[DOMAIN_SMBIOS_SYSTEM] = {"system",
		{"manufacturer", "product", "version", "serial", "uuid", "sku", "family", NULL}},
	[DOMAIN_SMBIOS_BASE_BOARD] = {"baseBoard",
		{"manufacturer", "product", "version", "serial", "asset", "location", NULL}},
	[DOMAIN_SMBIOS_CHASSIS] = {"chassis",
		{"manufacturer", "version", "serial", "asset", "sku", NULL}},
};

const char *const *
domain_smbios_strings(enum domain_smbios_table table)
{
	return tables[table].strings;
}

/* --- SMBIOS ------------------------------------------------------------------------------- */

static int
take_text(struct domain_parse *p, xmlNode *node, size_t max, char **ret)
{
	free_auto char *text = NULL;
	int r = xml_text(node, &text);

	if (r)
		return r;
	if (strlen(text) > max)
		return refuse_unsupported(p, "an entry of <sysinfo> has more than %zu bytes", max);
	*ret = take_ptr(text);
	return 0;
}

/* One or two digits, and what stands behind them. */
static bool
read_number(const char **text, char behind, unsigned long *ret)
{
	size_t n = strspn(*text, "0123456789");

	if (n < 1 || n > 2 || (*text)[n] != behind)
		return false;
	*ret = strtoul(*text, NULL, 10);
	*text += n + 1;
	return true;
}

/* "01/31/2020"; a year may have two digits. */
static bool
is_date(const char *text)
{
	unsigned long month, day, year;
	char *end;

	if (!read_number(&text, '/', &month) || !read_number(&text, '/', &day) ||
		!isdigit((unsigned char)*text))
		return false;
	year = strtoul(text, &end, 10);
	if (*end)
		return false;
	return month >= 1 && month <= 12 && day >= 1 && day <= 31 &&
	       (year < 100 || (year >= 1900 && year <= 9999));
}

/* The machine's own UUID, written as that is. */
static int
check_uuid(struct domain_parse *p, char **value)
{
	uint8_t uuid[16];

	if (!domain_uuid_read(*value, uuid))
		return domain_refuse(p->error, VIR_ERR_XML_DETAIL, VIR_FROM_SYSINFO,
			"malformed <sysinfo> uuid element");
	if (p->new_uuid)
		memcpy(p->def->uuid, uuid, sizeof(uuid));
	else if (memcmp(p->def->uuid, uuid, sizeof(uuid)) != 0)
		return domain_refuse(p->error, VIR_ERR_XML_DETAIL, VIR_FROM_SYSINFO,
			"UUID mismatch between <uuid> and <sysinfo>");
	free(*value);
	*value = malloc(UUID_TEXT_SIZE);
	if (!*value)
		return -ENOMEM;
	(void)uuid_format(uuid, *value);
	return 0;
}

static int
check_string(struct domain_parse *p, const char *name, char **value)
{
	if (strcmp(name, "date") == 0 && !is_date(*value))
		return domain_refuse(p->error, VIR_ERR_XML_DETAIL, VIR_FROM_SYSINFO,
			"Invalid BIOS 'date' format");
	return strcmp(name, "uuid") == 0 ? check_uuid(p, value) : 0;
}

static int
parse_table(struct domain_parse *p, xmlNode *sysinfo, enum domain_smbios_table table)
{
	xmlNode *node = xml_child(sysinfo, tables[table].element), *entry = NULL;
	char **values = p->def->sysinfo.smbios[table];
	int r = 0;

	while (node && r == 0 && (entry = xml_each(node, "entry", entry))) {
		const char *name;
		size_t i = 0;

		r = xml_attr_required(entry, "name", p->error, &name);
		if (r)
			return r;
		while (tables[table].strings[i] && strcmp(tables[table].strings[i], name) != 0)
			i++;
		if (!tables[table].strings[i])
			return refuse_unsupported(p,
				"entry '%.100s' of element <%s> below <sysinfo> is not supported "
				"by qemud yet",
				name, tables[table].element);
		if (values[i])
			return refuse_xml(p, "entry '%s' stands more than once below <%s>", name,
				tables[table].element);
		r = take_text(p, entry, DOMAIN_SMBIOS_STRING_MAX, &values[i]);
		if (r == 0)
			r = check_string(p, name, &values[i]);
	}
	return r;
}

static int
parse_oem(struct domain_parse *p, xmlNode *sysinfo)
{
	struct domain_sysinfo *info = &p->def->sysinfo;
	xmlNode *node = xml_child(sysinfo, "oemStrings"), *entry = NULL;
	int r = 0;

	while (node && r == 0 && (entry = xml_each(node, "entry", entry))) {
		if (info->n_oem == DOMAIN_OEM_STRINGS_MAX)
			return refuse_unsupported(
				p, "more than %d OEM strings", DOMAIN_OEM_STRINGS_MAX);
		r = take_text(p, entry, DOMAIN_SMBIOS_STRING_MAX, &info->oem[info->n_oem]);
		info->n_oem += r == 0;
	}
	return r;
}

static int
parse_smbios(struct domain_parse *p, xmlNode *node)
{
	int r = 0;

	if (p->def->sysinfo.has_smbios)
		return refuse_xml(p, "<sysinfo type='smbios'> stands more than once");
	p->def->sysinfo.has_smbios = true;
	for (enum domain_smbios_table i = 0; i < DOMAIN_SMBIOS_N && r == 0; i++)
		r = parse_table(p, node, i);
	return r ? r : parse_oem(p, node);
}

/* --- fw_cfg ------------------------------------------------------------------------------- */

/* Whose names they are: docs/specs/fw_cfg of QEMU. */
static int
check_name(struct domain_parse *p, const char *name)
{
	static const char *const reserved[] = {"opt/ovmf/", "opt/org.qemu/", "opt/org.seabios/"};

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (strncmp(name, reserved[i], strlen(reserved[i])) == 0)
			return refuse_unsupported(p, "That firmware name is reserved");
	if (strncmp(name, "opt/", 4) != 0)
		return refuse_unsupported(p, "Invalid firmware name");
	if (strlen(name) > DOMAIN_FWCFG_NAME_MAX)
		return refuse_unsupported(
			p, "a firmware name has at most %d bytes", DOMAIN_FWCFG_NAME_MAX);
	for (const char *c = name; *c; c++)
		if (!isgraph((unsigned char)*c))
			return refuse_unsupported(
				p, "a firmware name has letters, digits and signs only");
	return 0;
}

static int
parse_fwcfg_entry(struct domain_parse *p, xmlNode *node, struct domain_fwcfg *fwcfg)
{
	const char *name;
	int r = xml_attr_required(node, "name", p->error, &name);

	if (r == 0)
		r = check_name(p, name);
	if (r)
		return r;
	fwcfg->name = strdup(name);
	if (!fwcfg->name)
		return -ENOMEM;
	if (xml_attr(node, "file"))
		return refuse_unsupported(p,
			"attribute 'file' of element <entry> below <sysinfo> is not supported by "
			"qemud; give the text itself");
	r = take_text(p, node, DOMAIN_FWCFG_VALUE_MAX, &fwcfg->value);
	if (r == 0 && !*fwcfg->value)
		return refuse_xml(p, "Firmware entry must have either value or 'file' attribute");
	return r;
}

static int
parse_fwcfg(struct domain_parse *p, xmlNode *sysinfo)
{
	struct domain_sysinfo *info = &p->def->sysinfo;
	xmlNode *node = NULL;
	int r = 0;

	info->has_fwcfg = true;
	while (r == 0 && (node = xml_each(sysinfo, "entry", node))) {
		if (info->n_fwcfgs == DOMAIN_FWCFGS_MAX)
			return refuse_unsupported(
				p, "more than %d firmware entries", DOMAIN_FWCFGS_MAX);
		r = parse_fwcfg_entry(p, node, &info->fwcfgs[info->n_fwcfgs++]);
	}
	return r;
}

/* --- both --------------------------------------------------------------------------------- */

int
domain_sysinfo_parse(struct domain_parse *p, xmlNode *domain)
{
	const struct domain_sysinfo *info = &p->def->sysinfo;
	xmlNode *node = NULL;
	int r = 0;

	while (r == 0 && (node = xml_each(domain, "sysinfo", node))) {
		unsigned type;

		r = xml_attr_required_choice(node, "type", types, p->error, &type);
		if (r == 0)
			r = type == 1 ? parse_smbios(p, node) : parse_fwcfg(p, node);
	}
	if (r == 0 && p->def->os.smbios == DOMAIN_SMBIOS_SYSINFO && !info->has_smbios)
		return refuse_xml(p, "Domain '%s' sysinfo are not available", p->def->name);
	return r;
}

static void
format_entry(struct writer *w, const char *name, const char *value)
{
	writer_start(w, "entry");
	if (name)
		writer_attr(w, "name", name);
	writer_end_text(w, "entry", value);
}

static void
format_table(struct writer *w, const struct domain_sysinfo *info, enum domain_smbios_table table)
{
	bool begun = false;

	for (size_t i = 0; tables[table].strings[i]; i++) {
		if (!info->smbios[table][i])
			continue;
		if (!begun)
			writer_start(w, tables[table].element);
		begun = true;
		format_entry(w, tables[table].strings[i], info->smbios[table][i]);
	}
	if (begun)
		writer_end(w, tables[table].element);
}

static void
format_smbios(struct writer *w, const struct domain_sysinfo *info)
{
	writer_start(w, "sysinfo");
	writer_attr(w, "type", "smbios");
	for (enum domain_smbios_table i = 0; i < DOMAIN_SMBIOS_N; i++)
		format_table(w, info, i);
	if (info->n_oem)
		writer_start(w, "oemStrings");
	for (size_t i = 0; i < info->n_oem; i++)
		format_entry(w, NULL, info->oem[i]);
	if (info->n_oem)
		writer_end(w, "oemStrings");
	writer_end(w, "sysinfo");
}

void
domain_sysinfo_format(struct writer *w, const struct domain_def *def)
{
	const struct domain_sysinfo *info = &def->sysinfo;

	if (info->has_smbios)
		format_smbios(w, info);
	if (!info->has_fwcfg)
		return;
	writer_start(w, "sysinfo");
	writer_attr(w, "type", "fwcfg");
	for (size_t i = 0; i < info->n_fwcfgs; i++)
		format_entry(w, info->fwcfgs[i].name, info->fwcfgs[i].value);
	writer_end(w, "sysinfo");
}

void
domain_sysinfo_fini(struct domain_sysinfo *info)
{
	for (size_t i = 0; i < DOMAIN_SMBIOS_N; i++)
		for (size_t j = 0; j < DOMAIN_SMBIOS_STRINGS_MAX; j++)
			free(info->smbios[i][j]);
	for (size_t i = 0; i < info->n_oem; i++)
		free(info->oem[i]);
	for (size_t i = 0; i < info->n_fwcfgs; i++) {
		free(info->fwcfgs[i].name);
		free(info->fwcfgs[i].value);
	}
}
