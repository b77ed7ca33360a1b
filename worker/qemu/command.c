/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command.c: the machine, its start and its end on QEMU's command line.
 *
 * Runs in the worker, as the user. Pure. The guest sees what it would see under libvirt 9.0.0
 * (measured: virsh domxml-to-native qemu-argv), but for the CPU of a host-model definition. Must
 * never depend on anything but the definition.
 *
 * Not on the command line, though the guest sees it: current_memory_kib, which the balloon is told
 * when the guest runs.
 */
#include "worker/qemu/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/take.h"
#include "lib/uuid.h"
#include "worker/qemu/command_devices.h"
#include "worker/qemu/command_line.h"
#include "worker/qemu/command_machine.h"

_Static_assert(
	64 + 2 * DOMAIN_VCPUS_MAX + 2 * DOMAIN_IOTHREADS_MAX + 4 * DOMAIN_CELLS_MAX +
			2 * DOMAIN_CELLS_MAX * DOMAIN_CELLS_MAX + 2 * DOMAIN_FWCFGS_MAX +
			2 * DOMAIN_CONTROLLERS_MAX + 8 * DOMAIN_CHARDEVS_MAX +
			6 * DOMAIN_LAYERS_MAX + 6 * DOMAIN_DISKS_MAX + 4 * DOMAIN_INTERFACES_MAX +
			4 * DOMAIN_RNGS_MAX + 4 * DOMAIN_WATCHDOGS_MAX + 2 * DOMAIN_PANICS_MAX +
			4 * DOMAIN_GRAPHICS_MAX + 2 * DOMAIN_VIDEOS_MAX + 2 * DOMAIN_INPUTS_MAX +
			2 * DOMAIN_AUDIOS_MAX + 2 * (1 + DOMAIN_CODECS_MAX) * DOMAIN_SOUNDS_MAX <=
		PLAN_ARGS_MAX,
	"a definition's arguments have room in a plan");
_Static_assert(
	3 + 2 * DOMAIN_CHARDEVS_MAX + DOMAIN_LAYERS_MAX + DOMAIN_INTERFACES_MAX <= PLAN_FDS_MAX,
	"a definition's descriptors have room in a plan");

static void
add_identity(struct command_line *line)
{
	/* A comma ends a value, two are one. */
	free_auto char *name = command_line_escape(line, line->def->name, ',', ',');
	char uuid[UUID_TEXT_SIZE];

	command_line_add(line, "-name");
	command_line_add_f(line, "guest=%s,debug-threads=on", name ? name : "");
	command_line_add(line, "-uuid");
	command_line_add(line, uuid_format(line->def->uuid, uuid));
}

static void
add_monitor(struct command_line *line)
{
	int fd = command_line_add_fd(line, QEMU_FILE_MONITOR, 0);

	command_line_add(line, "-chardev");
	command_line_add_f(line, "socket,id=charmonitor,fd=%d,server=on,wait=off", fd);
	command_line_add(line, "-mon");
	command_line_add(line, "chardev=charmonitor,id=monitor,mode=control");
}

/*
 * Where the definition says "destroy", QEMU ends by itself: also while no worker is there. A
 * machine that is to be kept or restarted waits for the worker, in pause.
 */
static void
add_lifecycle(struct command_line *line)
{
	const struct domain_def *def = line->def;

	command_line_add(line, "-S");
	command_line_add(line, "-action");
	command_line_add_f(line, "reboot=%s,shutdown=%s,panic=%s",
		def->on_reboot == DOMAIN_DESTROY ? "shutdown" : "reset",
		def->on_poweroff == DOMAIN_DESTROY ? "poweroff" : "pause",
		def->on_crash == DOMAIN_DESTROY ? "shutdown" : "pause");
}

/* QEMU opens these by name, and in the box only what is no file on a disk opens under this one. */
static void
add_kernel_file(struct command_line *line, const char *option, enum qemu_command_file file)
{
	command_line_add(line, option);
	command_line_add_f(line, "/proc/self/fd/%d", command_line_add_fd(line, file, 0));
}

static void
add_kernel(struct command_line *line)
{
	const struct domain_os *os = &line->def->os;

	if (os->kernel)
		add_kernel_file(line, "-kernel", QEMU_FILE_KERNEL);
	if (os->initrd)
		add_kernel_file(line, "-initrd", QEMU_FILE_INITRD);
	if (os->cmdline) {
		command_line_add(line, "-append");
		command_line_add(line, os->cmdline);
	}
}

int
qemu_command_make(const struct domain_def *live, struct qemu_command *ret)
{
	struct command_line line = {.def = live, .command = ret};

	memset(ret, 0, sizeof(*ret));
	add_identity(&line);
	command_add_board(&line);
	command_add_cpu(&line);
	command_add_memory(&line);
	command_add_iothreads(&line);
	command_line_add(&line, "-display");
	command_line_add(&line, "none");
	command_add_clock(&line);
	command_add_sleep(&line);
	command_add_boot(&line);
	command_line_add(&line, "-msg");
	command_line_add(&line, "timestamp=on");
	add_lifecycle(&line);
	add_monitor(&line);
	command_add_firmware(&line);
	command_devices_add(&line);
	add_kernel(&line);
	if (!line.failed)
		return 0;
	qemu_command_fini(ret);
	return -ENOMEM;
}

void
qemu_command_fini(struct qemu_command *command)
{
	for (unsigned i = 0; i < command->n_args; i++)
		free(command->args[i]);
	memset(command, 0, sizeof(*command));
}
