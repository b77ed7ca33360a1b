/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * os.h: the board, and what it begins with: firmware, kernel, boot order.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_DOMAIN_OS_H
#define WORKER_DOMAIN_OS_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/domain/device.h"

struct _xmlNode;
struct domain_def;
struct domain_parse;
struct writer;

#define DOMAIN_BOOT_MAX 4

enum domain_chipset { DOMAIN_CHIPSET_I440FX = 1, DOMAIN_CHIPSET_Q35 };
enum domain_boot { DOMAIN_BOOT_FD = 1, DOMAIN_BOOT_HD, DOMAIN_BOOT_CDROM, DOMAIN_BOOT_NETWORK };
enum domain_smbios { DOMAIN_SMBIOS_EMULATE = 1, DOMAIN_SMBIOS_SYSINFO };

struct domain_os {
	char *machine; /* canonical: "pc-q35-7.2" */
	enum domain_chipset chipset;
	char *kernel, *initrd, *cmdline; /* each may be NULL */
	enum domain_boot boot[DOMAIN_BOOT_MAX];
	unsigned n_boot;              /* 0 if devices have boot orders of their own */
	enum domain_switch boot_menu; /* 0: not said */
	bool has_menu_timeout;        /* with a menu */
	uint32_t menu_timeout_ms;
	enum domain_switch bios_serial; /* does the BIOS speak on the serial port? 0: not said */
	bool has_reboot_timeout;
	int32_t reboot_timeout_ms; /* after which a BIOS that found nothing begins anew; -1: never */
	enum domain_smbios smbios; /* 0: not said */
};

/** <os>; also finds the machine type in the environment (p->machine). */
int domain_os_parse(struct domain_parse *p, struct _xmlNode *domain);

/**
 * When all devices are read: boots from the first disk if neither <os> nor a device says otherwise;
 * what the firmware needs is there.
 */
int domain_os_complete(struct domain_parse *p);

void domain_os_format(struct writer *w, const struct domain_def *def);
void domain_os_fini(struct domain_os *os);

#endif
