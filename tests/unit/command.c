/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line of a definition is the one in the golden file beside it, names no file of the
 * user's and each of its descriptors once, and follows every field of the definition that QEMU has
 * to know.
 *
 * tests/golden/domain/NAME.xml -> NAME.args, one argument a line. REGENERATE=1 writes them anew.
 */
#include "worker/qemu/command.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <jansson.h>

#include "tests/unit/command_fields.h"
#include "tests/unit/test.h"
#include "worker/domain/devices.h"

#define FOLDER "tests/golden/domain/"

/* --- golden command lines ----------------------------------------------------------------- */

static void
compare(const char *xml_path, const struct qemu_command *command)
{
	free_auto char *got = text_of(command), *want = NULL, *path = NULL;
	size_t size;

	if (asprintf(&path, "%.*s.args", (int)(strlen(xml_path) - strlen(".xml")), xml_path) < 0)
		abort();
	if (getenv("REGENERATE")) {
		file_auto FILE *f = fopen(path, "we");

		CHECK(f && fputs(got, f) >= 0);
	}
	want = domain_read_file(path, &size);
	if (!want || strcmp(got, want) != 0)
		printf("# %s\n", path);
	CHECK_STR(got, want ? want : "(no file)");
}

static bool
has(const struct qemu_command *command, const char *text)
{
	for (unsigned i = 0; i < command->n_args; i++)
		if (strstr(command->args[i], text))
			return true;
	return false;
}

static void
check_paths(const struct domain_def *def, const struct qemu_command *command)
{
	const struct domain_chardev *chardev;

	CHECK(!has(command, def->emulator));
	CHECK(!def->os.kernel || !has(command, def->os.kernel));
	CHECK(!def->os.initrd || !has(command, def->os.initrd));
	for (size_t i = 0; i < def->n_disks; i++)
		CHECK(!def->disks[i].source.path || !has(command, def->disks[i].source.path));
	for (size_t i = 0; (chardev = domain_chardev_at(def, i)); i++) {
		CHECK(!chardev->path || !has(command, chardev->path));
		CHECK(!chardev->log || !has(command, chardev->log));
	}
}

/* How often a descriptor stands in the arguments, in one of the three ways to name one. */
static unsigned
mentions(const struct qemu_command *command, int number)
{
	char word[3][32];
	unsigned n = 0;

	(void)snprintf(word[0], sizeof(word[0]), "fd=%d", number);
	(void)snprintf(word[1], sizeof(word[1]), "/fd/%d", number);
	(void)snprintf(word[2], sizeof(word[2]), "\"fd\",\"str\":\"%d", number);
	for (unsigned i = 0; i < command->n_args; i++)
		for (unsigned w = 0; w < N(word); w++) {
			const char *at = strstr(command->args[i], word[w]);

			n += at && !isdigit((unsigned char)at[strlen(word[w])]);
		}
	return n;
}

static size_t
n_images(const struct domain_def *def)
{
	size_t n = 0;

	for (size_t i = 0; i < def->n_disks; i++)
		n += def->disks[i].source.path ? 1 + def->disks[i].n_backing : 0;
	return n;
}

/* Disk after disk, each from its lowest image to its source. */
static void
check_image(const struct domain_def *def, const struct qemu_command_fd *fd,
	const struct qemu_command_fd *previous)
{
	if (previous->file == QEMU_FILE_DISK && previous->layer > 0) {
		CHECK(fd->index == previous->index && fd->layer == previous->layer - 1);
		return;
	}
	CHECK(previous->file != QEMU_FILE_DISK || fd->index > previous->index);
	CHECK(fd->index < def->n_disks && def->disks[fd->index].source.path);
	CHECK(fd->layer == def->disks[fd->index].n_backing);
}

/* How many descriptors character devices have: none of a null one, one more for a log. */
static size_t
chardev_fds(const struct domain_def *def)
{
	const struct domain_chardev *chardev;
	struct domain_cursor at = {0};
	size_t n = 0;

	while ((chardev = domain_chardev_next(def, &at)))
		n += (chardev->type == DOMAIN_CHARDEV_NULL ? 0U : 1U) + (chardev->log ? 1U : 0U);
	return n;
}

static void
check_chardev(const struct domain_def *def, const struct qemu_command_fd *fd)
{
	const struct domain_chardev *chardev = domain_chardev_at(def, fd->index);

	CHECK(chardev && (fd->file == QEMU_FILE_CHARDEV ? chardev->type != DOMAIN_CHARDEV_NULL
							: chardev->log != NULL));
}

static void
check_fds(const struct domain_def *def, const struct qemu_command *command)
{
	size_t expected = 1 + chardev_fds(def) + def->n_interfaces + n_images(def);
	unsigned n[QEMU_FILE_INITRD + 1] = {0};

	expected += def->os.kernel ? 1 : 0;
	expected += def->os.initrd ? 1 : 0;
	CHECK(command->n_fds == expected);
	for (unsigned i = 0; i < command->n_fds; i++) {
		const struct qemu_command_fd *fd = &command->fds[i];

		CHECK(fd->number == PLAN_FD_MIN + (int)i);
		if (fd->file == QEMU_FILE_CHARDEV || fd->file == QEMU_FILE_CHARDEV_LOG)
			check_chardev(def, fd);
		else
			CHECK(i == 0 || fd->file >= command->fds[i - 1].file);
		if (fd->file == QEMU_FILE_DISK)
			check_image(def, fd, &command->fds[i - 1]);
		else if (fd->file != QEMU_FILE_CHARDEV && fd->file != QEMU_FILE_CHARDEV_LOG)
			CHECK(fd->index == n[fd->file]);
		n[fd->file]++;
		CHECK(mentions(command, fd->number) == 1);
	}
	CHECK(n[QEMU_FILE_MONITOR] == 1 && n[QEMU_FILE_DISK] == n_images(def) &&
		n[QEMU_FILE_INTERFACE] == def->n_interfaces);
}

/* What a plan of a box takes. */
static void
check_plan(const struct qemu_command *command)
{
	static struct plan plan;
	char why[PLAN_WHY_MAX], *data = NULL;
	size_t size;

	plan_init(&plan);
	plan.program = PLAN_QEMU_X86_64;
	plan.profile = PLAN_VM;
	for (unsigned i = 0; i < command->n_args; i++)
		plan.args[plan.n_args++] = command->args[i];
	for (unsigned i = 0; i < command->n_fds; i++)
		plan.fds[plan.n_fds++] = command->fds[i].number;
	CHECK(plan_encode(&plan, &data, &size, why) == 0);
	free(data);
}

static void
golden(void)
{
	unsigned n = 0;
	glob_t files;

	CHECK(glob(FOLDER "*.xml", 0, NULL, &files) == 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		domain_def_auto struct domain_def *def = NULL;
		command_auto struct qemu_command command = {.n_args = 0};
		free_auto char *xml = NULL, *first = NULL, *second = NULL;
		size_t size;

		if (strstr(files.gl_pathv[i], ".out.xml"))
			continue;
		xml = domain_read_file(files.gl_pathv[i], &size);
		def = live_def(xml, size);
		CHECK(qemu_command_make(def, &command) == 0);
		compare(files.gl_pathv[i], &command);
		check_paths(def, &command);
		check_fds(def, &command);
		check_plan(&command);
		first = text_of(&command);
		second = text_for(def);
		CHECK_STR(second, first);
		n++;
	}
	globfree(&files);
	CHECK(n >= 50);
}

/* --- every field of a definition ---------------------------------------------------------- */

/* UNSEEN: what QEMU is not told, with the reason. */
static const struct field def_fields[] = {
	FIELD(domain_def, type, NUMBER, DOMAIN_TYPE_KVM, FOLLOWED),
	FIELD(domain_def, name, TEXT, 0, FOLLOWED),
	FIELD(domain_def, uuid, NUMBER, 0xab, FOLLOWED),
	FIELD(domain_def, title, TEXT, 0, UNSEEN), /* for people */
	FIELD(domain_def, description, TEXT, 0, UNSEEN),
	FIELD(domain_def, metadata, TEXT, 0, UNSEEN),
	FIELD(domain_def, has_genid, NUMBER, 1, FOLLOWED),
	FIELD(domain_def, genid, NUMBER, 0xab, UNSEEN), /* there is none here */
	FIELD(domain_def, memory_kib, NUMBER, 131072, FOLLOWED),
	FIELD(domain_def, current_memory_kib, NUMBER, 32768, UNSEEN), /* told by QMP */
	FIELD(domain_def, dump_core, NUMBER, DOMAIN_ON, FOLLOWED),
	FIELD(domain_def, backing, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, vcpus, NUMBER, 8, FOLLOWED),
	FIELD(domain_def, current_vcpus, NUMBER, 3, FOLLOWED),
	FIELD(domain_def, each_vcpu, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, iothreads, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, sysinfo, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, os, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, features, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, cpu, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, numa, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, clock, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, on_poweroff, NUMBER, DOMAIN_RESTART, FOLLOWED),
	FIELD(domain_def, on_reboot, NUMBER, DOMAIN_DESTROY, FOLLOWED),
	FIELD(domain_def, on_crash, NUMBER, DOMAIN_PRESERVE, FOLLOWED),
	FIELD(domain_def, on_lock_failure, NUMBER, DOMAIN_LOCK_PAUSE, UNSEEN), /* no locks */
	FIELD(domain_def, suspend_to_mem, NUMBER, DOMAIN_ON, FOLLOWED),
	FIELD(domain_def, suspend_to_disk, NUMBER, DOMAIN_OFF, FOLLOWED),
	FIELD(domain_def, seclabel_none, NUMBER, 1, UNSEEN), /* there is none */
	FIELD(domain_def, emulator, TEXT, 0, UNSEEN),        /* the plan's program */
	FIELD(domain_def, disks, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, n_disks, NUMBER, 1, FOLLOWED),
	FIELD(domain_def, controllers, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, n_controllers, INSIDE, 0, FOLLOWED), /* others are on their buses */
	FIELD(domain_def, interfaces, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, n_interfaces, NUMBER, 0, FOLLOWED),
	FIELD(domain_def, serials, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, n_serials, NUMBER, 0, FOLLOWED),
	FIELD(domain_def, parallels, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, n_parallels, NUMBER, 0, FOLLOWED),
	FIELD(domain_def, serial_console, NUMBER, 0, UNSEEN), /* another name of what is there */
	FIELD(domain_def, consoles, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, n_consoles, NUMBER, 0, FOLLOWED),
	FIELD(domain_def, channels, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, n_channels, NUMBER, 0, FOLLOWED),
	FIELD(domain_def, inputs, INSIDE, 0, UNSEEN), /* see the screens below */
	FIELD(domain_def, n_inputs, NUMBER, 0, UNSEEN),
	FIELD(domain_def, graphics, INSIDE, 0, FOLLOWED), /* and these: see the screens below */
	FIELD(domain_def, n_graphics, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, sounds, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, n_sounds, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, audios, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, n_audios, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, videos, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, n_videos, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, watchdogs, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, n_watchdogs, NUMBER, 0, FOLLOWED),
	FIELD(domain_def, memballoon, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, rngs, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, n_rngs, NUMBER, 0, FOLLOWED),
	FIELD(domain_def, panics, INSIDE, 0, FOLLOWED),
	FIELD(domain_def, n_panics, NUMBER, 0, FOLLOWED),
};
static const struct field disk_fields[] = {
	FIELD(domain_disk, device, INSIDE, 0, FOLLOWED),
	FIELD(domain_disk, what, NUMBER, DOMAIN_CDROM, FOLLOWED),
	FIELD(domain_disk, bus, NUMBER, DOMAIN_BUS_IDE, FOLLOWED),
	FIELD(domain_disk, said_bus, NUMBER, DOMAIN_BUS_IDE, UNSEEN),
	FIELD(domain_disk, target, NUMBER, 'x', UNSEEN), /* the guest names its disks itself */
	FIELD(domain_disk, index, NUMBER, 9, UNSEEN),
	FIELD(domain_disk, removable, NUMBER, DOMAIN_ON, UNSEEN), /* on USB */
	FIELD(domain_disk, tray_open, NUMBER, 1, UNSEEN),         /* as it was last */
	FIELD(domain_disk, readonly, NUMBER, 1, FOLLOWED),
	FIELD(domain_disk, shareable, NUMBER, 1, FOLLOWED),
	FIELD(domain_disk, source, INSIDE, 0, FOLLOWED),
	FIELD(domain_disk, startup, NUMBER, DOMAIN_OPTIONAL, UNSEEN), /* for the worker */
	FIELD(domain_disk, backing, INSIDE, 0, FOLLOWED),
	FIELD(domain_disk, n_backing, NUMBER, 0, FOLLOWED),
	FIELD(domain_disk, whole, NUMBER, 0, FOLLOWED),
	FIELD(domain_disk, driver, INSIDE, 0, FOLLOWED),
	FIELD(domain_disk, throttle, INSIDE, 0, UNSEEN), /* told by QMP */
	FIELD(domain_disk, logical_block_size, NUMBER, 4096, FOLLOWED),
	FIELD(domain_disk, physical_block_size, NUMBER, 4096, FOLLOWED),
	FIELD(domain_disk, rotation_rate, NUMBER, 1, FOLLOWED),
	FIELD(domain_disk, serial, TEXT, 0, FOLLOWED),
	FIELD(domain_disk, wwn, INSIDE, 0, FOLLOWED), /* a number: see disk-virtio-scsi */
	FIELD(domain_disk, vendor, TEXT, 0, FOLLOWED),
	FIELD(domain_disk, product, TEXT, 0, FOLLOWED),
};
static const struct field layer_fields[] = {
	FIELD(domain_layer, type, NUMBER, DOMAIN_LAYER_BLOCK, FOLLOWED),
	FIELD(domain_layer, format, NUMBER, DOMAIN_DISK_RAW, FOLLOWED),
	FIELD(domain_layer, path, TEXT, 0, UNSEEN), /* its descriptor is there */
	FIELD(domain_layer, node, NUMBER, 77, FOLLOWED),
};
static const struct field driver_fields[] = {
	FIELD(domain_disk_driver, cache, NUMBER, DOMAIN_CACHE_NONE, FOLLOWED),
	FIELD(domain_disk_driver, error_policy, NUMBER, DOMAIN_ERROR_STOP, FOLLOWED),
	FIELD(domain_disk_driver, rerror_policy, NUMBER, DOMAIN_ERROR_STOP, FOLLOWED),
	FIELD(domain_disk_driver, io, NUMBER, DOMAIN_IO_NATIVE, FOLLOWED),
	FIELD(domain_disk_driver, ioeventfd, NUMBER, DOMAIN_ON, FOLLOWED),
	FIELD(domain_disk_driver, event_idx, NUMBER, DOMAIN_ON, FOLLOWED),
	FIELD(domain_disk_driver, copy_on_read, NUMBER, DOMAIN_ON, FOLLOWED),
	FIELD(domain_disk_driver, discard, NUMBER, DOMAIN_DISCARD_UNMAP, FOLLOWED),
	FIELD(domain_disk_driver, detect_zeroes, NUMBER, DOMAIN_ZEROES_ON, FOLLOWED),
	FIELD(domain_disk_driver, queues, NUMBER, 2, FOLLOWED),
	FIELD(domain_disk_driver, queue_size, NUMBER, 64, FOLLOWED),
};
/* Of a disk on virtio-scsi. */
static const struct field drive_fields[] = {
	FIELD(domain_drive_address, set, NUMBER, 0, UNSEEN),
	FIELD(domain_drive_address, controller, INSIDE, 0, FOLLOWED), /* there is one */
	FIELD(domain_drive_address, bus, NUMBER, 1, UNSEEN),          /* there is one */
	FIELD(domain_drive_address, target, NUMBER, 3, FOLLOWED),
	FIELD(domain_drive_address, unit, NUMBER, 3, FOLLOWED),
};
/* Of a virtio-scsi controller. */
static const struct field scsi_fields[] = {
	FIELD(domain_controller, queues, NUMBER, 3, FOLLOWED),
	FIELD(domain_controller, cmd_per_lun, NUMBER, 3, FOLLOWED),
	FIELD(domain_controller, max_sectors, NUMBER, 3, FOLLOWED),
	FIELD(domain_controller, ioeventfd, NUMBER, DOMAIN_ON, FOLLOWED),
};
/* What is UNSEEN is told to passt, or to QEMU when it runs. */
static const struct field interface_fields[] = {
	FIELD(domain_interface, device, INSIDE, 0, FOLLOWED),
	FIELD(domain_interface, mac, NUMBER, 0x02, FOLLOWED),
	FIELD(domain_interface, backend, NUMBER, DOMAIN_ON, UNSEEN),
	FIELD(domain_interface, source, TEXT, 0, UNSEEN),
	FIELD(domain_interface, ipv4, INSIDE, 0, UNSEEN),
	FIELD(domain_interface, ipv6, INSIDE, 0, UNSEEN),
	FIELD(domain_interface, forwards, INSIDE, 0, UNSEEN),
	FIELD(domain_interface, n_forwards, NUMBER, 1, UNSEEN),
	FIELD(domain_interface, target, TEXT, 0, UNSEEN),
	FIELD(domain_interface, model, NUMBER, DOMAIN_INTERFACE_E1000, FOLLOWED),
	FIELD(domain_interface, link, NUMBER, DOMAIN_LINK_DOWN, UNSEEN),
};
static const struct field device_fields[] = {
	FIELD(domain_device, alias, TEXT, 0, FOLLOWED),
	FIELD(domain_device, address, NUMBER, 9, UNSEEN),      /* its place says it */
	FIELD(domain_device, conventional, NUMBER, 1, UNSEEN), /* the same */
	FIELD(domain_device, prefers, NUMBER, 9, UNSEEN),      /* the same */
	FIELD(domain_device, pci, INSIDE, 0, FOLLOWED),
	FIELD(domain_device, isa, INSIDE, 0, FOLLOWED),
	FIELD(domain_device, usb, INSIDE, 0, FOLLOWED),
	FIELD(domain_device, drive, INSIDE, 0, FOLLOWED),
	FIELD(domain_device, virtio_serial, INSIDE, 0, FOLLOWED),
	FIELD(domain_device, boot_order, NUMBER, 7, FOLLOWED), /* the last: not of all devices */
};
static const struct field pci_fields[] = {
	FIELD(domain_pci_address, set, NUMBER, 0, UNSEEN), /* always, of an accepted device */
	FIELD(domain_pci_address, bus, NUMBER, 0, FOLLOWED),
	FIELD(domain_pci_address, slot, NUMBER, 9, FOLLOWED),
	FIELD(domain_pci_address, function, NUMBER, 5, FOLLOWED),
	FIELD(domain_pci_address, multifunction, NUMBER, DOMAIN_ON, FOLLOWED),
};
static const struct field controller_fields[] = {
	FIELD(domain_controller, device, INSIDE, 0, FOLLOWED),
	FIELD(domain_controller, type, NUMBER, DOMAIN_CONTROLLER_IDE,
		UNSEEN), /* the model says it */
	FIELD(domain_controller, model, NUMBER, DOMAIN_MODEL_NONE, FOLLOWED),
	FIELD(domain_controller, index, NUMBER, 77, UNSEEN), /* others name its alias */
	FIELD(domain_controller, added, NUMBER, 1, UNSEEN),
	FIELD(domain_controller, chassis, NUMBER, 77, FOLLOWED),
	FIELD(domain_controller, port, NUMBER, 77, FOLLOWED),
	FIELD(domain_controller, usb_ports, INSIDE, 0, FOLLOWED), /* see the screens below */
	FIELD(domain_controller, queues, NUMBER, 3, UNSEEN),      /* of others: scsi_fields */
	FIELD(domain_controller, cmd_per_lun, NUMBER, 3, UNSEEN),
	FIELD(domain_controller, max_sectors, NUMBER, 3, UNSEEN),
	FIELD(domain_controller, ioeventfd, NUMBER, DOMAIN_ON, UNSEEN),
	FIELD(domain_controller, ports, NUMBER, 7, UNSEEN), /* of others than a root port */
	FIELD(domain_controller, vectors, NUMBER, 7, UNSEEN),
};
static const struct field serial_fields[] = {
	FIELD(domain_serial, chardev, INSIDE, 0, FOLLOWED),
	FIELD(domain_serial, target, NUMBER, DOMAIN_SERIAL_PCI, FOLLOWED),
	FIELD(domain_serial, port, NUMBER, 3, FOLLOWED),
};
static const struct field input_fields[] = {
	FIELD(domain_input, device, INSIDE, 0, FOLLOWED),
	FIELD(domain_input, type, NUMBER, DOMAIN_INPUT_KEYBOARD, FOLLOWED),
	FIELD(domain_input, model, NUMBER, 1, UNSEEN), /* it is always virtio there */
	FIELD(domain_input, bus, NUMBER, DOMAIN_INPUT_VIRTIO, FOLLOWED),
};
static const struct field screen_counts[] = {
	FIELD(domain_def, n_inputs, NUMBER, 0, FOLLOWED),
	FIELD(domain_def, n_graphics, NUMBER, 0, FOLLOWED),
	FIELD(domain_def, n_sounds, NUMBER, 0, FOLLOWED),
	FIELD(domain_def, n_audios, NUMBER, 0, FOLLOWED),
	FIELD(domain_def, n_videos, NUMBER, 0, FOLLOWED),
};
static const struct field usb_controller_fields[] = {
	FIELD(domain_controller, usb_ports, NUMBER, 9, FOLLOWED),
};
static const struct field usb_fields[] = {
	FIELD(domain_usb_address, set, NUMBER, 0, UNSEEN),   /* always, of an accepted device */
	FIELD(domain_usb_address, bus, INSIDE, 0, FOLLOWED), /* there is one */
	FIELD(domain_usb_address, port, NUMBER, 4, FOLLOWED),
};
static const struct field graphics_fields[] = {
	FIELD(domain_graphics, device, INSIDE, 0, UNSEEN), /* it has none of that */
	FIELD(domain_graphics, listen, NUMBER, DOMAIN_LISTEN_NONE, UNSEEN), /* never QEMU */
	FIELD(domain_graphics, address, TEXT, 0, UNSEEN),
	FIELD(domain_graphics, socket, TEXT, 0, UNSEEN),
	FIELD(domain_graphics, autoport, NUMBER, 0, UNSEEN),
	FIELD(domain_graphics, port, NUMBER, 5999, UNSEEN),
	FIELD(domain_graphics, keymap, TEXT, 0, FOLLOWED),
	FIELD(domain_graphics, share, NUMBER, DOMAIN_SHARE_IGNORE, FOLLOWED),
	FIELD(domain_graphics, power_control, NUMBER, DOMAIN_ON, FOLLOWED),
	FIELD(domain_graphics, password, TEXT, 0, UNSEEN), /* told by QMP */
	FIELD(domain_graphics, expires, NUMBER, 1, UNSEEN),
	FIELD(domain_graphics, expires_at, NUMBER, 9, UNSEEN),
	FIELD(domain_graphics, keeps_connected, NUMBER, 1, UNSEEN),
	FIELD(domain_graphics, audio, NUMBER, 2, FOLLOWED),
};
static const struct field video_fields[] = {
	FIELD(domain_video, device, INSIDE, 0, FOLLOWED),
	FIELD(domain_video, model, NUMBER, DOMAIN_VIDEO_VGA, FOLLOWED),
	FIELD(domain_video, named_driver, NUMBER, 1, UNSEEN), /* there is no other */
	FIELD(domain_video, heads, NUMBER, 3, FOLLOWED),
	FIELD(domain_video, vram_kib, NUMBER, 2048, FOLLOWED),
	FIELD(domain_video, ram_kib, NUMBER, 2048, FOLLOWED),
	FIELD(domain_video, vgamem_kib, NUMBER, 2048, FOLLOWED),
	FIELD(domain_video, vram64_kib, NUMBER, 2048, FOLLOWED),
	FIELD(domain_video, accel3d, NUMBER, DOMAIN_OFF, UNSEEN), /* as QEMU's own default */
	FIELD(domain_video, x, NUMBER, 33, FOLLOWED),
	FIELD(domain_video, y, NUMBER, 33, FOLLOWED),
};
static const struct field sound_fields[] = {
	FIELD(domain_sound, device, INSIDE, 0, FOLLOWED),
	FIELD(domain_sound, model, NUMBER, DOMAIN_SOUND_ICH6, FOLLOWED),
	FIELD(domain_sound, codecs, NUMBER, DOMAIN_CODEC_OUTPUT, FOLLOWED),
	FIELD(domain_sound, n_codecs, NUMBER, 0, FOLLOWED),
	FIELD(domain_sound, audio, NUMBER, 2, FOLLOWED),
};
static const struct field audio_fields[] = {
	FIELD(domain_audio, device, INSIDE, 0, UNSEEN), /* it has none of that */
	FIELD(domain_audio, id, NUMBER, 7, FOLLOWED),
	FIELD(domain_audio, timer_period, NUMBER, 9, FOLLOWED),
};
static const struct field memballoon_fields[] = {
	FIELD(domain_memballoon, device, INSIDE, 0, FOLLOWED),
	FIELD(domain_memballoon, virtio, NUMBER, DOMAIN_VIRTIO_TRANSITIONAL, FOLLOWED),
	FIELD(domain_memballoon, autodeflate, NUMBER, DOMAIN_ON, FOLLOWED),
	FIELD(domain_memballoon, free_page_reporting, NUMBER, DOMAIN_ON, FOLLOWED),
	FIELD(domain_memballoon, stats_period_s, NUMBER, 5, UNSEEN), /* told by QMP */
};
static const struct field rng_fields[] = {
	FIELD(domain_rng, device, INSIDE, 0, FOLLOWED),
	FIELD(domain_rng, virtio, NUMBER, DOMAIN_VIRTIO_TRANSITIONAL, FOLLOWED),
	FIELD(domain_rng, backend, NUMBER, DOMAIN_RNG_BUILTIN, FOLLOWED),
	FIELD(domain_rng, source, TEXT, 0, UNSEEN), /* both give the same bytes */
	FIELD(domain_rng, rate_bytes, NUMBER, 5, FOLLOWED),
	FIELD(domain_rng, period_ms, NUMBER, 5, FOLLOWED),
};
static const struct field watchdog_fields[] = {
	FIELD(domain_watchdog, device, INSIDE, 0, FOLLOWED),
	FIELD(domain_watchdog, model, NUMBER, DOMAIN_WATCHDOG_IB700, FOLLOWED),
	FIELD(domain_watchdog, action, NUMBER, DOMAIN_WATCHDOG_NONE, FOLLOWED),
};
static const struct field isa_fields[] = {
	FIELD(domain_isa_address, iobase_set, NUMBER, 0, FOLLOWED),
	FIELD(domain_isa_address, irq_set, NUMBER, 1, UNSEEN), /* of no device */
	FIELD(domain_isa_address, iobase, NUMBER, 9, FOLLOWED),
	FIELD(domain_isa_address, irq, NUMBER, 9, UNSEEN),
};

/* One disk, serial port and root port have nothing that the definition left open. */
static const char everything[] =
	"<domain type='qemu'><name>a</name><memory>65536</memory><vcpu current='2'>4</vcpu>"
	"<os><type machine='q35'>hvm</type><kernel>/k</kernel><initrd>/i</initrd>"
	"<cmdline>quiet</cmdline><boot dev='hd'/></os><features><acpi/></features>"
	"<cpu check='none'><model>Nehalem</model></cpu>"
	"<devices>"
	"<disk type='file'><driver name='qemu' type='qcow2'/><source file='/x'/>"
	"<backingStore type='file'><format type='qcow2'/><source file='/z'/><backingStore/>"
	"</backingStore><target dev='vda'/><serial>7</serial></disk>"
	"<controller type='scsi' model='virtio-scsi'/>"
	"<disk type='file'><source file='/s'/><target dev='sda'/></disk>"
	"<disk type='file'><driver name='qemu' type='raw'/><source file='/y'/>"
	"<target dev='vdb'/></disk><serial/><parallel type='null'/>"
	"<controller type='virtio-serial' index='0'/>"
	"<console type='null'><target type='virtio'/></console>"
	"<channel type='null'><target type='virtio'/></channel><interface><model "
	"type='virtio'/></interface>"
	"<rng model='virtio'><rate bytes='9'/><backend model='random'>/dev/random</backend></rng>"
	"<watchdog model='i6300esb'/><panic><address type='isa' iobase='0x505'/></panic>"
	"</devices></domain>";

static const char screens[] =
	"<domain type='qemu'><name>a</name><memory>65536</memory><os><type machine='q35'>hvm</type>"
	"</os><devices><input type='tablet'/><input type='mouse' bus='virtio'/>"
	"<graphics type='vnc' passwd='hush'/><sound model='ich9'><codec type='micro'/></sound>"
	"<video><model type='qxl'><resolution x='640' y='480'/></model></video></devices></domain>";

static void
check_place(const struct domain_def *def, struct domain_device *device, bool boots)
{
	check_complete(device_fields, N(device_fields), sizeof(*device));
	check_fields(def, device, device_fields, N(device_fields) - !boots);
	CHECK_FIELDS(def, &device->pci, pci_fields);
}

static void
check_disks(const struct domain_def *def)
{
	struct domain_disk *virtio = &def->disks[0], *scsi = &def->disks[2];
	struct domain_controller *controller = def->controllers;

	CHECK(virtio->bus == DOMAIN_BUS_VIRTIO && scsi->bus == DOMAIN_BUS_SCSI);
	CHECK_FIELDS(def, virtio, disk_fields);
	CHECK_FIELDS(def, &virtio->source, layer_fields);
	CHECK_FIELDS(def, &virtio->backing[0], layer_fields);
	CHECK_FIELDS(def, &virtio->driver, driver_fields);
	CHECK_FIELDS(def, &scsi->device.drive, drive_fields);
	while (controller->type != DOMAIN_CONTROLLER_SCSI)
		controller++;
	check_fields(def, controller, scsi_fields, N(scsi_fields));
	check_place(def, &def->disks[1].device, true);
}

static void
every_field(void)
{
	domain_def_auto struct domain_def *def = live_def(everything, strlen(everything));
	struct domain_controller *port = &def->controllers[def->n_controllers - 1];

	CHECK_FIELDS(def, def, def_fields);
	check_disks(def);
	CHECK_FIELDS(def, &def->serials[0], serial_fields);
	CHECK_FIELDS(def, &def->memballoon, memballoon_fields);
	CHECK_FIELDS(def, &def->rngs[0], rng_fields);
	CHECK_FIELDS(def, &def->interfaces[0], interface_fields);
	check_place(def, &def->interfaces[0].device, true);
	check_place(def, &def->memballoon.device, false);
	check_place(def, &def->rngs[0].device, false);
	CHECK_FIELDS(def, &def->watchdogs[0], watchdog_fields);
	check_field(def, &def->watchdogs[0].device, &device_fields[0]);
	CHECK_FIELDS(def, &def->panics[0].device.isa, isa_fields);
	check_field(def, &def->serials[0].chardev.device, &device_fields[0]);
	/* No device is on its bus. */
	CHECK(port->model == DOMAIN_MODEL_PCIE_ROOT_PORT);
	CHECK_FIELDS(def, port, controller_fields);
	check_field(def, &port->device, &device_fields[0]);
	for (size_t i = 2; i < N(pci_fields); i++)
		check_field(def, &port->device.pci, &pci_fields[i]);
}

static void
every_field_of_screens(void)
{
	domain_def_auto struct domain_def *def = live_def(screens, strlen(screens));
	free_auto char *text = text_for(def);

	check_fields(def, def, screen_counts, N(screen_counts));
	CHECK(def->controllers[0].model == DOMAIN_MODEL_QEMU_XHCI);
	check_fields(def, &def->controllers[0], usb_controller_fields, N(usb_controller_fields));
	CHECK_FIELDS(def, &def->inputs[0], input_fields);
	CHECK_FIELDS(def, &def->inputs[0].device.usb, usb_fields);
	check_field(def, &def->inputs[0].device, &device_fields[0]);
	check_place(def, &def->inputs[1].device, false);
	CHECK_FIELDS(def, &def->graphics[0], graphics_fields);
	CHECK_FIELDS(def, &def->videos[0], video_fields);
	check_field(def, &def->videos[0].device, &device_fields[0]);
	CHECK_FIELDS(def, &def->sounds[0], sound_fields);
	check_field(def, &def->sounds[0].device, &device_fields[0]);
	CHECK_FIELDS(def, &def->audios[0], audio_fields);
	CHECK(!strstr(text, "hush"));
}

/* --- what the words of a definition mean -------------------------------------------------- */

static const struct meaning {
	const char *xml, *want; /* one argument */
} meanings[] = {
	{SMALL("qemu", "", ""), "qemu64"},
	{SMALL("qemu", "", "<cpu><model>Nehalem</model></cpu>"), "Nehalem"},
	{SMALL("qemu", "", "<cpu check='partial'><model>Nehalem</model></cpu>"),
		"Nehalem,enforce=on"},
	{SMALL("qemu", "", "<cpu match='strict' check='full'><model>Nehalem</model></cpu>"),
		"Nehalem,enforce=on"},
	{SMALL("qemu", "", "<cpu match='minimum'><model>Nehalem</model></cpu>"), "max"},
	{SMALL("qemu", "", "<cpu mode='host-model'/>"), "max"},
	{SMALL("kvm", "", "<cpu><model>Nehalem</model></cpu>"), "Nehalem,enforce=on"},
	{SMALL("kvm", "", "<cpu mode='host-model'/>"), "host,migratable=on"},
	{SMALL("kvm", "", "<cpu mode='host-passthrough'/>"), "host,migratable=on"},
	{SMALL("kvm", "", "<cpu mode='host-passthrough' migratable='off'/>"),
		"host,migratable=off"},
	{SMALL("kvm", "", ""), "kvm"},
	{SMALL("qemu", "", ""), "reboot=reset,shutdown=poweroff,panic=shutdown"},
	{SMALL("qemu", "", "<on_reboot>destroy</on_reboot>"),
		"reboot=shutdown,shutdown=poweroff,panic=shutdown"},
	{SMALL("qemu", "", "<on_poweroff>restart</on_poweroff>"),
		"reboot=reset,shutdown=pause,panic=shutdown"},
	{SMALL("qemu", "", "<on_crash>restart</on_crash>"),
		"reboot=reset,shutdown=poweroff,panic=pause"},
	{SMALL("qemu", "", "<on_crash>preserve</on_crash>"),
		"reboot=reset,shutdown=poweroff,panic=pause"},
	{SMALL("qemu", "", "<clock><timer name='hpet' present='no'/></clock>"),
		"pc-i440fx-7.2,usb=off,dump-guest-core=off,memory-backend=pc.ram,acpi=off,hpet="
		"off"},
	{SMALL("qemu", "", "<clock offset='variable' adjustment='5'/>"),
		"base=1970-01-01T00:00:00"},
	{SMALL("qemu", "", "<clock offset='absolute' start='5'/>"), "base=1970-01-01T00:00:05"},
	{SMALL("qemu", "", "<clock><timer name='tsc' frequency='5'/></clock>"),
		"qemu64,tsc-frequency=5"},
	{SMALL("qemu", "", "<clock><timer name='kvmclock' present='no'/></clock>"),
		"qemu64,kvmclock=off"},
	{SMALL("qemu", "", "<vcpu>3</vcpu>"), "3,sockets=3,cores=1,threads=1"},
	{SMALL("qemu", "", "<vcpu current='2'>4</vcpu>"),
		"2,maxcpus=4,sockets=4,cores=1,threads=1"},
	{SMALL("qemu", "", "<uuid>12345678-9abc-def0-1234-56789abcdef0</uuid>"),
		"12345678-9abc-def0-1234-56789abcdef0"},
};

static void
meant(void)
{
	for (size_t i = 0; i < N(meanings); i++) {
		free_auto char *text = text_for_xml(meanings[i].xml), *line = NULL;

		if (asprintf(&line, "\n%s\n", meanings[i].want) < 0)
			abort();
		if (!strstr(text, line))
			printf("# %s: no argument %s\n%s", meanings[i].xml, meanings[i].want, text);
		CHECK(strstr(text, line));
	}
}

/* --- texts with anything in them ---------------------------------------------------------- */

/* The argument after the n-th option of that name, or "". */
static const char *
value_of(const struct qemu_command *command, const char *option, unsigned n)
{
	for (unsigned i = 0; i + 1 < command->n_args; i++)
		if (strcmp(command->args[i], option) == 0 && n-- == 0)
			return command->args[i + 1];
	return "";
}

static void
any_text(void)
{
	static const char xml[] =
		"<domain type='qemu'><name>,a,,b='c' \"d\" \\ %s{},</name><memory>65536</memory>"
		"<title>,fd=10 \"</title><description>-S\n,</description>"
		"<metadata><x:y xmlns:x='x:x'>,</x:y></metadata>"
		"<os><type>hvm</type><kernel>/k,\"'</kernel>"
		"<cmdline>-a,b=\"c\"\n'd' \\ %n</cmdline></os><devices>"
		"<disk type='file'><driver name='qemu' type='raw'/>"
		"<source file='/x,y\"z'/><target dev='vda'/><serial>A B_-.+ 9</serial></disk>"
		"</devices></domain>";
	domain_def_auto struct domain_def *def = live_def(xml, strlen(xml));
	command_auto struct qemu_command command = {.n_args = 0};
	json_t *device = NULL;

	CHECK(qemu_command_make(def, &command) == 0);
	CHECK_STR(value_of(&command, "-name", 0),
		"guest=,,a,,,,b='c' \"d\" \\ %s{},,,debug-threads=on");
	CHECK_STR(value_of(&command, "-append", 0), "-a,b=\"c\"\n'd' \\ %n");
	CHECK_STR(value_of(&command, "-append", 0), def->os.cmdline);
	for (unsigned i = 0; !device && *value_of(&command, "-device", i); i++) {
		device = json_loads(value_of(&command, "-device", i), 0, NULL);
		CHECK(device);
		if (!json_object_get(device, "serial")) {
			json_decref(device);
			device = NULL;
		}
	}
	CHECK_STR(json_string_value(json_object_get(device, "serial")), "A\\ B_-.+\\ 9");
	json_decref(device);
	check_paths(def, &command);
	check_fds(def, &command);
}

/* The longest and the most of everything. */
static void
largest(void)
{
	domain_def_auto struct domain_def *def = NULL;
	command_auto struct qemu_command command = {.n_args = 0};
	char *xml = NULL, serial[256] = "";
	size_t size;
	FILE *f = open_memstream(&xml, &size);

	memset(serial, ' ', sizeof(serial) - 1);
	if (!f)
		abort();
	(void)fprintf(f, "<domain type='qemu'><name>");
	for (unsigned i = 0; i < DOMAIN_NAME_MAX; i++)
		(void)fputc(',', f);
	(void)fprintf(f, "</name><memory>65536</memory><os><type machine='q35'>hvm</type></os>"
			 "<devices>");
	for (unsigned i = 0; i < DOMAIN_DISKS_MAX; i++)
		(void)fprintf(f,
			"<disk type='file'><driver name='qemu' type='qcow2' copy_on_read='on'/>"
			"<source file='/%u'/><backingStore type='file'><format type='raw'/>"
			"<source file='/base'/></backingStore>"
			"<target dev='vd%c%c'/><serial>%s</serial></disk>",
			i, 'a' + i / 26, 'a' + i % 26, serial);
	for (unsigned i = 0; i < DOMAIN_RNGS_MAX; i++)
		(void)fprintf(f, "<rng model='virtio'><backend model='random'/></rng>");
	for (unsigned i = 0; i < DOMAIN_SERIALS_MAX; i++)
		(void)fprintf(f,
			"<serial type='file'><source path='/s'/><log file='/l'/>"
			"<target type='%s-serial'/></serial>",
			i < DOMAIN_ISA_SERIALS_MAX ? "isa" : "usb");
	for (unsigned i = 0; i < DOMAIN_PARALLELS_MAX; i++)
		(void)fprintf(f, "<parallel type='file'><source path='/s'/><log file='/l'/>"
				 "</parallel>");
	for (unsigned i = 0; i < DOMAIN_CONSOLES_MAX; i++)
		(void)fprintf(f, "<console type='file'><source path='/s'/><log file='/l'/>"
				 "<target type='virtio'/></console>");
	for (unsigned i = 0; i < DOMAIN_CHANNELS_MAX; i++)
		(void)fprintf(f, "<channel type='file'><source path='/s'/><log file='/l'/>"
				 "<target type='virtio'/></channel>");
	/* 29 slots of the root bus, eight ports in each. */
	for (unsigned i = 1; i < 29 * 8; i++)
		(void)fprintf(f, "<controller type='pci' model='pcie-root-port' index='%u'/>", i);
	(void)fprintf(f, "</devices></domain>");
	(void)fclose(f);
	def = live_def(xml, size);
	free(xml);
	CHECK(qemu_command_make(def, &command) == 0);
	printf("# %u arguments, %u descriptors\n", command.n_args, command.n_fds);
	check_fds(def, &command);
	check_plan(&command);
}

/* --- no memory ---------------------------------------------------------------------------- */

static unsigned allocations_left;

static void *
limited_malloc(size_t size)
{
	if (allocations_left == 0)
		return NULL;
	allocations_left--;
	return malloc(size);
}

static void
no_memory(void)
{
	domain_def_auto struct domain_def *def = live_def(everything, strlen(everything));
	unsigned failures = 0;
	int r = -ENOMEM;

	json_set_alloc_funcs(limited_malloc, free);
	while (r == -ENOMEM) {
		command_auto struct qemu_command command = {.n_args = 0};

		allocations_left = failures;
		r = qemu_command_make(def, &command);
		CHECK(r == 0 || (command.n_args == 0 && command.n_fds == 0));
		failures += r != 0;
	}
	json_set_alloc_funcs(malloc, free);
	printf("# %u allocations\n", failures);
	CHECK(r == 0 && failures > 20);
}

int
main(void)
{
	TEST("command lines are those of the golden files, name no path and each descriptor once",
		golden);
	TEST("every field is on the command line, or is one that QEMU is not told", every_field);
	TEST("the same of what belongs to a screen, but for its password", every_field_of_screens);
	TEST("CPUs, actions and counts are given in QEMU's words", meant);
	TEST("texts with commas, quotes, newlines and percent signs arrive as they are", any_text);
	TEST("the largest definition has room", largest);
	TEST("without memory there is no command, and nothing is kept", no_memory);
	return TEST_END();
}
