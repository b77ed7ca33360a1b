/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * In its box, the installed QEMU takes the command line of every golden definition, and has made of
 * it what the definition says: name, memory, disks, and each device at its place.
 *
 * The test is the worker. Without QEMU it is skipped; without KVM it says so. What it tells is QEMU's
 * to tell: that other compilers make the same command lines of the same files is tests/unit/command.c's.
 * test: timeout=480 native
 */
#include <glob.h>
#include <jansson.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "lib/take.h"
#include "lib/uuid.h"
#include "tests/unit/command_given.h"
#include "tests/unit/domain_env.h"
#include "worker/domain/alias.h"
#include "worker/qemu/command.h"
#include "worker/vm/throttle.h"

#define json_auto AUTO(json_decrefp)

struct vm {
	struct seed seed;
	struct domain_def *def;
	struct qemu_command command;
	int qmp;
	json_t *events; /* names of those that have come; owned */
};

/* --- its monitor -------------------------------------------------------------------------- */

/* The next message; an event is noted. */
static json_t *
next_message(const struct vm *vm)
{
	json_t *message = json_loadfd(vm->qmp, JSON_DISABLE_EOF_CHECK, NULL);

	(void)json_array_append(vm->events, json_object_get(message, "event"));
	return message;
}

static bool
has_event(const struct vm *vm, const char *name)
{
	for (size_t i = 0; i < json_array_size(vm->events); i++)
		if (strcmp(json_string_value(json_array_get(vm->events, i)), name) == 0)
			return true;
	return false;
}

static void
wait_event(const struct vm *vm, const char *name)
{
	while (!has_event(vm, name)) {
		json_auto json_t *message = next_message(vm);

		if (!message) {
			printf("# no event %s\n", name);
			CHECK(false);
			return;
		}
	}
}

/* What came back; NULL for an error, which is told. arguments is taken over. */
static json_t *
ask(const struct vm *vm, const char *command, json_t *arguments)
{
	json_auto json_t *ask = json_pack("{ss so*}", "execute", command, "arguments", arguments);
	free_auto char *text = json_dumps(ask, 0), *told = NULL;

	if (send(vm->qmp, text, strlen(text), MSG_NOSIGNAL) < 0)
		return NULL;
	for (;;) {
		json_auto json_t *message = next_message(vm);
		json_t *value = json_object_get(message, "return");

		if (value)
			return json_incref(value);
		if (message && json_object_get(message, "event"))
			continue;
		told = json_dumps(message, 0);
		printf("# %s: %s\n", text, told ? told : "no answer");
		return NULL;
	}
}

static json_t *
property(const struct vm *vm, const char *alias, const char *name)
{
	return ask(vm, "qom-get",
		json_pack("{so ss}", "path", json_sprintf("/machine/peripheral/%s", alias),
			"property", name));
}

static json_int_t
number(const struct vm *vm, const char *alias, const char *name)
{
	json_auto json_t *value = property(vm, alias, name);

	return json_is_integer(value) ? json_integer_value(value) : -1;
}

static bool
has_status(const struct vm *vm, const char *want)
{
	json_auto json_t *value = ask(vm, "query-status", NULL);
	const char *got = json_string_value(json_object_get(value, "status"));

	if (!got || strcmp(got, want) != 0)
		printf("# status %s\n", got ? got : "none");
	return got && strcmp(got, want) == 0;
}

/* --- start and end ------------------------------------------------------------------------ */

/* A seed, and what it is to be given. Takes the definition over. */
static void
vm_prepare(struct vm *vm, struct domain_def *def)
{
	*vm = (struct vm){.def = def, .qmp = -1, .events = json_array()};
	if (domain_alias_assign(def) != 0 || qemu_command_make(def, &vm->command) != 0)
		abort();
	begin(PLAN_QEMU_X86_64, PLAN_VM);
	for (unsigned i = 0; i < vm->command.n_args; i++)
		plan.args[plan.n_args++] = vm->command.args[i];
	for (unsigned i = 0; i < vm->command.n_fds; i++)
		give(open_file(def, &vm->command.fds[i]), vm->command.fds[i].number);
	vm->seed = seed_start();
}

static bool
vm_start(struct vm *vm, struct domain_def *def)
{
	json_auto json_t *greeting = NULL, *done = NULL;

	vm_prepare(vm, def);
	if (became(&vm->seed))
		vm->qmp = client("qmp");
	if (vm->qmp >= 0)
		greeting = next_message(vm);
	if (json_object_get(greeting, "QMP"))
		done = ask(vm, "qmp_capabilities", NULL);
	if (!done)
		printf("# %s: %s\n", def->name, seed_log(&vm->seed));
	return done;
}

/* It ends by itself, with this exit status; if it does not, it is killed. */
static void
vm_ends(struct vm *vm, int want)
{
	int pidfd = (int)syscall(SYS_pidfd_open, vm->seed.pid, 0);
	struct pollfd pollfd = {.fd = pidfd, .events = POLLIN};
	int status;

	if (pidfd < 0)
		abort();
	if (poll(&pollfd, 1, PATIENCE_MS) != 1)
		(void)kill(vm->seed.pid, SIGKILL);
	(void)close(pidfd);
	CHECK(waitpid(vm->seed.pid, &status, 0) == vm->seed.pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == want);
}

static void
vm_fini(struct vm *vm)
{
	fd_close(&vm->qmp);
	json_decref(vm->events);
	qemu_command_fini(&vm->command);
	(void)domain_def_free(vm->def);
	(void)close(vm->seed.sock);
	(void)close(vm->seed.log_fd);
	empty_folder();
}

/* It was told to, or does so when the guest does. */
static void
vm_finish(struct vm *vm)
{
	vm_ends(vm, 0);
	if (*seed_log(&vm->seed))
		printf("# %s: %s\n", vm->def->name, seed_log(&vm->seed));
	vm_fini(vm);
}

static void
vm_quit(struct vm *vm)
{
	json_auto json_t *done = ask(vm, "quit", NULL);

	CHECK(done);
	if (!done)
		(void)kill(vm->seed.pid, SIGKILL);
	vm_finish(vm);
}

/* --- is it what the definition says? ------------------------------------------------------ */

/* Of each cell a whole number. */
static uint64_t
mib_of(const struct domain_def *def)
{
	uint64_t mib = 0;

	for (size_t i = 0; i < def->numa.n_cells; i++)
		mib += (def->numa.cells[i].memory_kib + 1023) / 1024;
	return mib ? mib : (def->memory_kib + 1023) / 1024;
}

static void
check_identity(const struct vm *vm)
{
	json_auto json_t *name = ask(vm, "query-name", NULL), *uuid = ask(vm, "query-uuid", NULL);
	json_auto json_t *memory = ask(vm, "query-memory-size-summary", NULL);
	json_auto json_t *cpus = ask(vm, "query-cpus-fast", NULL);
	char text[UUID_TEXT_SIZE];

	CHECK_STR(json_string_value(json_object_get(name, "name")), vm->def->name);
	CHECK_STR(
		json_string_value(json_object_get(uuid, "UUID")), uuid_format(vm->def->uuid, text));
	CHECK(json_integer_value(json_object_get(memory, "base-memory")) ==
		(json_int_t)(mib_of(vm->def) << 20));
	CHECK(json_array_size(cpus) == vm->def->current_vcpus);
}

static void
check_place(const struct vm *vm, const struct domain_device *device)
{
	json_auto json_t *bus = property(vm, device->alias, "parent_bus");
	const char *got = json_string_value(bus);
	char want[160] = "/machine/q35/pcie.0";

	if (vm->def->os.chipset == DOMAIN_CHIPSET_I440FX)
		(void)snprintf(want, sizeof(want), "/machine/i440fx/pci.0");
	for (size_t i = 0; i < vm->def->n_controllers; i++) {
		const struct domain_controller *c = &vm->def->controllers[i];

		if (c->type == DOMAIN_CONTROLLER_PCI && c->index > 0 && c->index == device->pci.bus)
			(void)snprintf(want, sizeof(want), "/machine/peripheral/%s/%s",
				c->device.alias, c->device.alias);
	}
	CHECK_STR(got, want);
	CHECK(number(vm, device->alias, "addr") == device->pci.slot * 8 + device->pci.function);
}

/* Of those that may be elsewhere. */
static void
check_pci(const struct vm *vm, const struct domain_device *device)
{
	if (device->address == DOMAIN_ADDRESS_PCI)
		check_place(vm, device);
}

/* The numbers by which a bus tells its devices apart. */
static void
check_disk_place(const struct vm *vm, const struct domain_disk *disk)
{
	const struct domain_drive_address *a = &disk->device.drive;
	const char *alias = disk->device.alias;

	if (disk->bus == DOMAIN_BUS_VIRTIO)
		check_place(vm, &disk->device);
	else if (disk->bus == DOMAIN_BUS_IDE || disk->bus == DOMAIN_BUS_FDC)
		CHECK(number(vm, alias, "unit") == a->unit);
	else if (disk->bus == DOMAIN_BUS_SCSI &&
		 domain_controller_scsi_model(vm->def, a->controller) == DOMAIN_MODEL_LSILOGIC)
		CHECK(number(vm, alias, "scsi-id") == a->unit);
	else if (disk->bus == DOMAIN_BUS_SCSI)
		CHECK(number(vm, alias, "scsi-id") == a->target &&
			number(vm, alias, "lun") == a->unit);
}

static void
check_ports(const struct vm *vm)
{
	const struct domain_def *def = vm->def;

	for (size_t i = 0; i < def->n_serials; i++) {
		const struct domain_serial *serial = &def->serials[i];

		if (serial->target == DOMAIN_SERIAL_ISA)
			CHECK(number(vm, serial->chardev.device.alias, "index") == serial->port);
		else
			check_pci(vm, &serial->chardev.device);
	}
	for (size_t i = 0; i < def->n_parallels; i++)
		CHECK(number(vm, def->parallels[i].chardev.device.alias, "index") ==
			def->parallels[i].port);
	for (size_t i = 0; i < def->n_channels; i++) {
		const struct domain_device *device = &def->channels[i].chardev.device;
		json_auto json_t *bus = property(vm, device->alias, "parent_bus");

		CHECK(number(vm, device->alias, "nr") == device->virtio_serial.port);
		CHECK(bus && strstr(json_string_value(bus), "/virtio-serial"));
	}
	for (size_t i = 0; i < def->n_consoles; i++)
		CHECK(number(vm, def->consoles[i].chardev.device.alias, "nr") >= 0);
}

static void
check_places(const struct vm *vm)
{
	const struct domain_def *def = vm->def;

	for (size_t i = 0; i < def->n_controllers; i++) {
		const struct domain_controller *c = &def->controllers[i];

		/* It has no id to ask by; QEMU starts only if it finds its master. */
		if (c->is_companion)
			continue;
		if (c->model == DOMAIN_MODEL_PIIX3_UHCI || domain_controller_is_plugged(def, c) ||
			c->model == DOMAIN_MODEL_PCIE_ROOT_PORT)
			check_place(vm, &c->device);
		if (c->model == DOMAIN_MODEL_PCIE_ROOT_PORT) {
			CHECK(number(vm, c->device.alias, "chassis") == c->chassis);
			CHECK(number(vm, c->device.alias, "port") == c->port);
		}
	}
	for (size_t i = 0; i < def->n_disks; i++)
		check_disk_place(vm, &def->disks[i]);
	for (size_t i = 0; i < def->n_watchdogs; i++)
		if (def->watchdogs[i].model == DOMAIN_WATCHDOG_I6300ESB)
			check_place(vm, &def->watchdogs[i].device);
	if (def->memballoon.virtio)
		check_place(vm, &def->memballoon.device);
	for (size_t i = 0; i < def->n_rngs; i++)
		check_place(vm, &def->rngs[i].device);
	for (size_t i = 0; i < def->n_videos; i++)
		check_pci(vm, &def->videos[i].device);
	for (size_t i = 0; i < def->n_sounds; i++)
		check_pci(vm, &def->sounds[i].device);
	for (size_t i = 0; i < def->n_inputs; i++)
		check_pci(vm, &def->inputs[i].device);
	check_ports(vm);
}

static const json_t *
find_node(const json_t *nodes, const char *name)
{
	for (size_t i = 0; i < json_array_size(nodes); i++) {
		const json_t *node = json_array_get(nodes, i);
		const char *got = json_string_value(json_object_get(node, "node-name"));

		if (got && strcmp(got, name) == 0)
			return node;
	}
	return NULL;
}

/* Two nodes an image, read-only or not as it was handed in. */
static void
check_layer(const json_t *nodes, const struct domain_layer *layer, bool readonly)
{
	static const char *const kinds[] = {"storage", "format"};

	for (size_t k = 0; k < 2; k++) {
		const json_t *node, *ro;
		char name[48];

		(void)snprintf(name, sizeof(name), "libvirt-%u-%s", layer->node, kinds[k]);
		node = find_node(nodes, name);
		ro = json_object_get(node, "ro");
		CHECK(json_is_boolean(ro) && json_is_true(ro) == readonly);
		CHECK_STR(json_string_value(json_object_get(node, "drv")),
			k == 0                             ? "file"
			: layer->format == DOMAIN_DISK_RAW ? "raw"
							   : "qcow2");
	}
}

static void
check_disks(const struct vm *vm)
{
	json_auto json_t *nodes = ask(vm, "query-named-block-nodes", NULL);
	size_t n = 0;

	for (size_t i = 0; i < vm->def->n_disks; i++) {
		const struct domain_disk *disk = &vm->def->disks[i];
		/* A disk on USB has another device in it, which has the image. */
		json_auto json_t *drive = disk->bus == DOMAIN_BUS_USB
						  ? NULL
						  : property(vm, disk->device.alias, "drive");
		bool copies = disk->driver.copy_on_read == DOMAIN_ON;
		char name[48] = "";

		if (disk->source.path && copies)
			(void)snprintf(name, sizeof(name), "libvirt-CoR-%s", disk->target);
		else if (disk->source.path)
			(void)snprintf(name, sizeof(name), "libvirt-%u-format", disk->source.node);
		if (drive)
			CHECK_STR(json_string_value(drive), name);
		CHECK(drive || disk->bus == DOMAIN_BUS_USB);
		if (!disk->source.path)
			continue;
		check_layer(nodes, &disk->source, disk->readonly);
		for (size_t j = 0; j < disk->n_backing; j++)
			check_layer(nodes, &disk->backing[j], true);
		n += 2 * (1 + disk->n_backing) + copies;
	}
	CHECK(json_array_size(nodes) == n);
}

/* It takes what it is told of <iotune>, of the device that has the image. */
static void
check_bounds(const struct vm *vm)
{
	const struct domain_def *def = vm->def;

	for (size_t i = vm_throttle_next(def, 0); i < def->n_disks;
		i = vm_throttle_next(def, i + 1)) {
		json_auto json_t *done =
			ask(vm, "block_set_io_throttle", vm_throttle_arguments(&def->disks[i]));

		CHECK(done);
	}
}

static void
check_machine(struct domain_def *def)
{
	struct vm vm;
	bool started = vm_start(&vm, def);

	CHECK(started);
	if (!started) {
		(void)kill(vm.seed.pid, SIGKILL);
		(void)waitpid(vm.seed.pid, NULL, 0);
		vm_fini(&vm);
		return;
	}
	CHECK(has_status(&vm, "prelaunch"));
	check_identity(&vm);
	check_places(&vm);
	check_disks(&vm);
	check_bounds(&vm);
	vm_quit(&vm);
}

/* --- the definitions ---------------------------------------------------------------------- */

static struct domain_def *
parse(const char *xml, size_t size)
{
	struct domain_env env = domain_tcg;
	struct domain_def *def = NULL;
	struct rpc_error error;

	env.kvm = true;
	if (domain_def_parse(xml, size, 0, &env, &error, &def) != 0) {
		printf("# %s\n", error.message);
		abort();
	}
	return def;
}

static void
golden_ones(void)
{
	unsigned n = 0;
	glob_t files;

	CHECK(glob("tests/golden/domain/*.xml", 0, NULL, &files) == 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		free_auto char *xml = NULL;
		size_t size;
		int failed = test_this_failed;

		if (strstr(files.gl_pathv[i], ".out.xml"))
			continue;
		xml = domain_read_file(files.gl_pathv[i], &size);
		test_this_failed = 0;
		check_machine(parse(xml, size));
		if (test_this_failed)
			printf("# in %s\n", files.gl_pathv[i]);
		test_this_failed |= failed;
		n++;
	}
	globfree(&files);
	CHECK(n >= 50);
}

#define DISK(dev, more)                                                                          \
	"<disk type='file'><driver name='qemu' type='raw'/><source file='/x'/><target dev='" dev \
	"'/>" more "</disk>"
#define MACHINE(type, more, devices)                                                            \
	"<domain type='" type "'><name>a</name><memory>65536</memory><os><type>hvm</type></os>" \
	"<features><acpi/></features>" more "<devices>" devices "</devices></domain>"

static void
any_text(void)
{
	static const char xml[] =
		"<domain type='qemu'><name>,a,,b='c' \"d\" \\ %s{},</name><memory>65536</memory>"
		"<os><type>hvm</type><kernel>/k</kernel><initrd>/i</initrd>"
		"<cmdline>-S,b=\"c\"\n'd' \\ %n,</cmdline></os><devices>" DISK("vda",
			"<serial>A B_-.+ 9</serial><alias name='ua-.-_'/>") "</devices></domain>";
	struct vm vm;

	CHECK(vm_start(&vm, parse(xml, strlen(xml))));
	check_identity(&vm);
	check_places(&vm);
	{
		json_auto json_t *serial = property(&vm, "ua-.-_", "serial");

		CHECK_STR(json_string_value(serial), "A\\ B_-.+\\ 9");
	}
	vm_quit(&vm);
}

/* What is not there would read as zeros, and be lost with the next write. */
static void
without_backing(void)
{
	static const char xml[] = "<domain type='qemu'><name>a</name><memory>65536</memory>"
				  "<os><type>hvm</type></os><devices><disk type='file'>"
				  "<driver name='qemu' type='qcow2'/><source file='/x'/>"
				  "<target dev='vda'/></disk></devices></domain>";
	struct vm vm;
	int fd = open_disk("base", O_RDWR);

	CHECK(fd >= 0 && ftruncate(fd, DISK_SIZE) == 0);
	(void)close(fd);
	has_backing = true;
	vm_prepare(&vm, parse(xml, strlen(xml)));
	has_backing = false;
	CHECK(became(&vm.seed));
	vm_ends(&vm, 1);
	CHECK(strstr(seed_log(&vm.seed), "Could not open backing file: Could not open"));
	CHECK(strstr(seed_log(&vm.seed), "Permission denied"));
	vm_fini(&vm);
}

/* --- its end ------------------------------------------------------------------------------ */

/* Start from the disk that comes first, until the guest has spoken. */
static void
boot(struct vm *vm, const char *xml)
{
	fd_auto int serial = -1;
	char said = '\0';

	CHECK(vm_start(vm, parse(xml, strlen(xml))));
	serial = client("serial0");
	{
		json_auto json_t *done = ask(vm, "cont", NULL);

		CHECK(done);
	}
	CHECK(read(serial, &said, 1) == 1 && said == '!');
}

#define TWO_DISKS                                   \
	DISK("vda", "<readonly/><boot order='2'/>") \
	DISK("vdb", "<boot order='1'/>") "<serial/>"

static void
destroyed(void)
{
	struct vm vm;

	boot(&vm, MACHINE("qemu", "", TWO_DISKS));
	vm_finish(&vm);
}

static void
kept(void)
{
	struct vm vm;

	boot(&vm, MACHINE("qemu", "<on_poweroff>restart</on_poweroff>", TWO_DISKS));
	wait_event(&vm, "STOP");
	CHECK(has_status(&vm, "shutdown"));
	vm_quit(&vm);
}

static void
reset(void)
{
	struct vm vm;

	CHECK(vm_start(&vm, parse(MACHINE("qemu", "", ""), strlen(MACHINE("qemu", "", "")))));
	{
		json_auto json_t *done = ask(&vm, "system_reset", NULL);

		CHECK(done);
	}
	wait_event(&vm, "RESET");
	CHECK(has_status(&vm, "prelaunch"));
	vm_quit(&vm);
}

static void
not_reset(void)
{
	static const char xml[] = MACHINE("qemu", "<on_reboot>destroy</on_reboot>", "");
	struct vm vm;

	CHECK(vm_start(&vm, parse(xml, strlen(xml))));
	{
		json_auto json_t *done = ask(&vm, "system_reset", NULL);

		CHECK(done);
	}
	vm_finish(&vm);
}

/* --- KVM ---------------------------------------------------------------------------------- */

/* Why the account of the box has no KVM here; NULL when it has. */
static const char *
no_kvm(void)
{
	struct stat st;
	fd_auto int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return "/dev/kvm cannot be opened";
	if (getuid() == 0 && (fstat(fd, &st) < 0 || (st.st_mode & 06) != 06))
		return "/dev/kvm is not open to everybody";
	return NULL;
}

static void
with_kvm(void)
{
	static const char *const cpus[] = {MACHINE("kvm", "<cpu mode='host-passthrough'/>", ""),
		MACHINE("kvm", "<cpu mode='host-passthrough' migratable='off'/>", ""),
		MACHINE("kvm", "<cpu mode='host-model'/>", ""),
		MACHINE("kvm", "<cpu check='none'><model>qemu64</model></cpu>", DISK("vda", ""))};

	for (size_t i = 0; i < sizeof(cpus) / sizeof(cpus[0]); i++)
		check_machine(parse(cpus[i], strlen(cpus[i])));
}

int
main(void)
{
	if (access("/usr/bin/qemu-system-x86_64", X_OK) < 0 ||
		access("/usr/bin/qemu-img", X_OK) < 0) {
		printf("1..0 # SKIP qemu-system-x86_64 or qemu-img is not installed\n");
		return 0;
	}
	make_folder();
	TEST("each golden definition becomes that machine, with its devices at their places",
		golden_ones);
	TEST("texts with commas, quotes and newlines arrive in QEMU as they are", any_text);
	TEST("an image is not used without its backing image", without_backing);
	TEST("the machine starts from the disk that comes first, and ends when the guest does",
		destroyed);
	TEST("a machine that is to be restarted at its power-off waits for that", kept);
	TEST("a reset is one", reset);
	TEST("a reset ends a machine that is to be destroyed at its reboot", not_reset);
	if (no_kvm())
		printf("# definitions with KVM are not tried here: %s\n", no_kvm());
	else
		TEST("definitions with KVM become such machines", with_kvm);
	if (rmdir(folder) < 0)
		perror(folder);
	return TEST_END();
}
