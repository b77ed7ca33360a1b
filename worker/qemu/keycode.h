/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keycode.h: the numbers that keys have, from one way to number them to QEMU's.
 *
 * Pure; runs in the worker.
 */
#ifndef WORKER_QEMU_KEYCODE_H
#define WORKER_QEMU_KEYCODE_H

#include <stdint.h>

/* virKeycodeSet */
enum keycode_set {
	KEYCODE_LINUX,
	KEYCODE_XT,
	KEYCODE_ATSET1,
	KEYCODE_ATSET2,
	KEYCODE_ATSET3,
	KEYCODE_OS_X,
	KEYCODE_XT_KBD,
	KEYCODE_USB,
	KEYCODE_WIN32,
	KEYCODE_QNUM, /* QEMU's own */
	KEYCODE_SETS
};

/**
 * A key's number in QEMU: 0 for one that no keyboard of QEMU's has; -1 for one that the set does not
 * have. As libvirt, KEYCODE_QNUM is taken as it is, up to 0xffff.
 */
int keycode_to_qnum(enum keycode_set set, uint32_t code);
/** The set's name in libvirt: "os_x"; set is less than KEYCODE_SETS. */
const char *keycode_set_name(enum keycode_set set);

#endif
