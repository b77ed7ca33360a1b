/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sysinfo.h: what the firmware tells the guest: SMBIOS strings, and files of fw_cfg.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_SYSINFO_H
#define WORKER_DOMAIN_SYSINFO_H

#include <stdbool.h>
#include <stddef.h>

#include "worker/domain/xml.h"

struct domain_def;
struct domain_parse;
struct writer;

/* Tables of SMBIOS with named strings. */
enum domain_smbios_table {
	DOMAIN_SMBIOS_BIOS,
	DOMAIN_SMBIOS_SYSTEM,
	DOMAIN_SMBIOS_BASE_BOARD,
	DOMAIN_SMBIOS_CHASSIS,
	DOMAIN_SMBIOS_N
};

enum {
	DOMAIN_SMBIOS_STRINGS_MAX = 7,   /* of a table */
	DOMAIN_SMBIOS_STRING_MAX = 1024, /* bytes */
	DOMAIN_OEM_STRINGS_MAX = 32,
	DOMAIN_FWCFGS_MAX = 16,
	DOMAIN_FWCFG_NAME_MAX = 55, /* bytes, as QEMU has it */
	DOMAIN_FWCFG_VALUE_MAX = 4096
};

struct domain_fwcfg {
	char *name;  /* "opt/..." */
	char *value; /* not empty */
};

struct domain_sysinfo {
	bool has_smbios; /* <sysinfo type='smbios'>, in which nothing need be */
	/* In the order of domain_smbios_strings(); NULL: not said. */
	char *smbios[DOMAIN_SMBIOS_N][DOMAIN_SMBIOS_STRINGS_MAX];
	char *oem[DOMAIN_OEM_STRINGS_MAX];
	size_t n_oem;
	bool has_fwcfg; /* the same of type='fwcfg' */
	struct domain_fwcfg fwcfgs[DOMAIN_FWCFGS_MAX];
	size_t n_fwcfgs;
};

/**
 * The strings of a table in libvirt's order, which ends with NULL: of "version" the word is the
 * entry's name, which is also that of QEMU's option.
 */
const char *const *domain_smbios_strings(enum domain_smbios_table table);

/** <sysinfo>; <uuid> and <os> must be read. */
int domain_sysinfo_parse(struct domain_parse *p, xmlNode *domain);
void domain_sysinfo_format(struct writer *w, const struct domain_def *def);
void domain_sysinfo_fini(struct domain_sysinfo *sysinfo);

#endif
