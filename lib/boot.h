/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * boot.h: which of its boots the host is in: what is kept in files that outlive them.
 *
 * Runs in every program.
 */
#ifndef LIB_BOOT_H
#define LIB_BOOT_H

enum { BOOT_ID_SIZE = 37 /* a UUID, and a NUL */ };

/**
 * The kernel's name for this boot, /proc/sys/kernel/random/boot_id (random(4)). Returns 0 or a negative
 * errno; -EBADMSG for what is none.
 */
int boot_id(char ret[static BOOT_ID_SIZE]);

#endif
