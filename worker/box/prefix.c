/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * prefix.c: what stands before the arguments of a plan; see prefix.h.
 */
#include "worker/box/prefix.h"

#include <stddef.h>

const char prefix_qemu_path[] = "/usr/bin/qemu-system-x86_64";

/*
 * What keeps QEMU to what the plan says: no device and no configuration of its own accord, and its
 * own deny-list of system calls. An argument of the plan cannot take these back.
 */
const char *const prefix_qemu[] = {"qemu-system-x86_64", "-nodefaults", "-no-user-config",
	"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
	NULL};

const char *const prefix_environment[] = {
	"PATH=/usr/bin:/bin",
	"LANG=C",
	"HOME=/nonexistent", /* named, or glib would ask the account database */
	NULL,
};
