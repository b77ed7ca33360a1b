/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command_machine.h: the machine itself on QEMU's command line, a group of elements in each file.
 *
 * Runs in the worker, as the user. Pure.
 */
#ifndef WORKER_QEMU_COMMAND_MACHINE_H
#define WORKER_QEMU_COMMAND_MACHINE_H

#include "worker/qemu/command_line.h"

/** The board and what it has: -machine, -accel. */
void command_add_board(struct command_line *line);
/** -cpu, -smp */
void command_add_cpu(struct command_line *line);
/** -m, and what it is made of; -numa. */
void command_add_memory(struct command_line *line);
/** Threads that disks can be given to. */
void command_add_iothreads(struct command_line *line);
/** What QEMU calls the thread with that id; NULL: no memory. */
json_t *command_iothread(uint32_t id);
/** -boot */
void command_add_boot(struct command_line *line);
/** What the firmware tells the guest. */
void command_add_firmware(struct command_line *line);
/** -rtc, and the timers that are devices. */
void command_add_clock(struct command_line *line);
/** May the guest sleep? */
void command_add_sleep(struct command_line *line);

#endif
