/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * native.h: the command line that a definition is run with, for people to read.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_QEMU_NATIVE_H
#define WORKER_QEMU_NATIVE_H

#include "worker/domain/def.h"

/**
 * One line for a shell, as virsh domxml-to-native prints it: environment, program, arguments. What
 * comes as a descriptor keeps its number; the files among them follow as redirections. Sockets that
 * the worker would make have none.
 * live: with all aliases. ret_text: freed by the caller. Returns 0 or -ENOMEM.
 */
int qemu_native(const struct domain_def *live, char **ret_text);

#endif
