/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A running machine's definition keeps its aliases from one writing to the next, the stored one
 * keeps only the user's, and what only KVM can do is refused without it.
 */
#include "worker/domain/def.h"

#include "tests/unit/domain_env.h"
#include "tests/unit/test.h"
#include "worker/domain/alias.h"
#include "worker/domain/name.h"

static struct rpc_error error;

static struct domain_def *
parse(const char *xml, unsigned flags, const struct domain_env *env)
{
	struct domain_def *def = NULL;

	if (domain_def_parse(xml, strlen(xml), flags, env, &error, &def) != 0)
		return NULL;
	return def;
}

static char *
format(const struct domain_def *def, unsigned flags)
{
	char *xml = NULL;

	return def && domain_def_format(def, flags, 7, &xml) == 0 ? xml : NULL;
}

#define DISK(dev, alias)                                                                         \
	"<disk type='file'><driver name='qemu' type='raw'/><source file='/x'/><target dev='" dev \
	"'/>" alias "</disk>"
#define MACHINE(type, machine, more, devices)                                                     \
	"<domain type='" type "'><name>a</name><memory>65536</memory><os><type machine='" machine \
	"'>hvm</type></os>" more "<devices>" devices "</devices></domain>"

static void
aliases_of_a_running_one(void)
{
	static const char *const wanted[] = {"id='7'", "'virtio-disk0'", "'ua-mine'", "'usb'",
		"'ide'", "'pcie.0'", "'pci.1'", "'serial0'", "'input0'", "'input1'", "'balloon0'",
		"'rng0'"};
	domain_def_auto struct domain_def *stored = NULL, *running = NULL, *adopted = NULL;
	free_auto char *before = NULL, *live = NULL, *again = NULL, *config = NULL;

	stored = parse(
		MACHINE("qemu", "q35", "",
			DISK("vda", "") DISK("vdc",
				"<alias name='ua-mine'/>") "<serial/>"
							   "<rng model='virtio'><backend "
							   "model='random'>/dev/urandom</backend>"
							   "</rng>"),
		0, &domain_tcg);
	before = format(stored, 0);
	running = parse(before, 0, &domain_tcg);
	CHECK(running && domain_alias_assign(running) == 0);
	live = format(running, DOMAIN_DEF_LIVE);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		CHECK(live && strstr(live, wanted[i]) != NULL);
	/* Another worker reads it: nothing has changed. */
	adopted = parse(live, DOMAIN_DEF_LIVE, &domain_tcg);
	CHECK(adopted && domain_alias_assign(adopted) == 0);
	again = format(adopted, DOMAIN_DEF_LIVE);
	CHECK_STR(again, live);
	/* What a client dumps of a running one and defines is what was stored. */
	(void)domain_def_free(adopted);
	adopted = parse(live, 0, &domain_tcg);
	config = format(adopted, 0);
	CHECK_STR(config, before);
	CHECK(config && strstr(config, "id='7'") == NULL && strstr(config, "'usb'/") == NULL);
}

static void
only_with_kvm(void)
{
	struct domain_env kvm = domain_tcg;
	domain_def_auto struct domain_def *a = NULL, *b = NULL;
	free_auto char *xml = NULL;

	kvm.kvm = true;
	CHECK(parse(MACHINE("kvm", "pc", "", ""), 0, &domain_tcg) == NULL);
	CHECK(parse(MACHINE("qemu", "pc", "<cpu mode='host-passthrough'/>", ""), 0, &kvm) == NULL);
	CHECK(error.code == VIR_ERR_CONFIG_UNSUPPORTED);
	a = parse(MACHINE("kvm", "pc", "<cpu mode='host-passthrough'/>", ""), 0, &kvm);
	xml = format(a, 0);
	CHECK(xml && strstr(xml, "<cpu mode='host-passthrough' check='none' migratable='on'/>"));
	b = parse(MACHINE("kvm", "pc", "<cpu><model>Nehalem</model></cpu>", ""), 0, &kvm);
	CHECK(b && b->cpu.check == DOMAIN_CPU_PARTIAL && b->type == DOMAIN_TYPE_KVM);
}

static void
a_uuid_of_its_own(void)
{
	domain_def_auto struct domain_def *def =
		parse(MACHINE("qemu", "pc", "", ""), 0, &domain_tcg);
	uint8_t uuid[16];

	domain_test_uuid(NULL, uuid);
	CHECK(def && memcmp(def->uuid, uuid, sizeof(uuid)) == 0);
}

/* For the command line: nothing of it is left open. */
static void
filled_in(void)
{
	domain_def_auto struct domain_def *def =
		parse(MACHINE("qemu", "q35", "", DISK("vda", "") "<console/>"), 0, &domain_tcg);

	CHECK(def && def->n_disks == 1 && def->disks[0].device.pci.set);
	CHECK(def && def->os.chipset == DOMAIN_CHIPSET_Q35 && def->os.n_boot == 1);
	CHECK(def && def->n_serials == 1 && def->serials[0].port == 0);
	CHECK(def && def->n_inputs == 2 && def->memballoon.device.pci.set);
	for (size_t i = 0; def && i < def->n_controllers; i++) {
		const struct domain_controller *c = &def->controllers[i];

		CHECK(c->model != DOMAIN_MODEL_PCIE_ROOT_PORT ||
			(c->chassis > 0 && c->port >= 8 && c->device.pci.set));
	}
}

static void
names(void)
{
	char name[DOMAIN_NAME_MAX + 2];

	memset(name, 'n', sizeof(name));
	name[DOMAIN_NAME_MAX] = '\0';
	CHECK(domain_name_check(name, &error) == 0);
	CHECK(domain_name_check("a", &error) == 0);
	CHECK(domain_name_check("\u6f22 b.c", &error) == 0);
	name[DOMAIN_NAME_MAX] = 'n';
	name[DOMAIN_NAME_MAX + 1] = '\0';
	CHECK(domain_name_check(name, &error) == DOMAIN_E_REFUSED);
	CHECK(domain_name_check("", &error) == DOMAIN_E_REFUSED);
	CHECK(error.code == VIR_ERR_NO_NAME);
	CHECK(domain_name_check("a\xffz", &error) == DOMAIN_E_REFUSED);
	CHECK(domain_name_check("..", &error) == DOMAIN_E_REFUSED);
	CHECK(domain_name_check("a/b", &error) == DOMAIN_E_REFUSED);
	CHECK(domain_name_check("owner:a", &error) == DOMAIN_E_REFUSED);
	CHECK(domain_name_check("a\033[2J", &error) == DOMAIN_E_REFUSED);
	CHECK(domain_name_check("a\xc2\x9b", &error) == DOMAIN_E_REFUSED);
}

/* What libvirt says when such a machine is started. */
static void
known_to_the_emulator(void)
{
	static const struct {
		const char *cpu, *message;
	} checks[] = {
		{"", NULL},
		{"<cpu><model>Nehalem</model><feature name='avx2'/></cpu>", NULL},
		{"<cpu mode='host-model'><feature policy='disable' name='vmx'/></cpu>", NULL},
		{"<cpu><model>Foo</model></cpu>", "internal error: Unknown CPU model Foo"},
		{"<cpu match='minimum'><model>Foo</model></cpu>", NULL},
		{"<cpu mode='maximum'><feature name='foobar'/></cpu>",
			"unsupported configuration: unknown CPU feature: foobar"},
	};

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		domain_def_auto struct domain_def *def = NULL;
		free_auto char *xml = NULL;

		if (asprintf(&xml, MACHINE("qemu", "pc", "%s", ""), checks[i].cpu) < 0)
			abort();
		def = parse(xml, 0, &domain_tcg);
		CHECK(def);
		if (!def)
			continue;
		CHECK(domain_cpu_check(def, &domain_tcg, &error) ==
			(checks[i].message ? DOMAIN_E_REFUSED : 0));
		if (checks[i].message)
			CHECK_STR(error.message, checks[i].message);
	}
}

/* libvirt has these words, or the first half of them, as it comes. */
static void
distances(void)
{
	static const char *const wrong[][2] = {{"id='0' value='20'", "'value 20' is invalid"},
		{"id='1' value='9'", "'value 9' is invalid for 'sibling id 1'"},
		{"id='1' value='10'", "'value 10' is invalid"}, {"id='1' value='256'", "256"},
		{"id='1'", "'value'"}, {"value='20'", "'id'"}};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		free_auto char *xml = NULL;

		if (asprintf(&xml,
			    MACHINE("qemu", "pc",
				    "<vcpu>2</vcpu><cpu><numa><cell cpus='0' memory='32768'>"
				    "<distances><sibling %s/></distances></cell>"
				    "<cell cpus='1' memory='32768'/></numa></cpu>",
				    ""),
			    wrong[i][0]) < 0)
			abort();
		CHECK(!parse(xml, 0, &domain_tcg));
		CHECK(strstr(error.message, wrong[i][1]));
	}
}

int
main(void)
{
	TEST("aliases of a running machine stay, generated ones are not stored",
		aliases_of_a_running_one);
	TEST("KVM, and the host's own CPU, only where there is KVM", only_with_kvm);
	TEST("a definition without a UUID is given one", a_uuid_of_its_own);
	TEST("what is accepted is filled in", filled_in);
	TEST("a CPU that the emulator does not know is not started", known_to_the_emulator);
	TEST("distances of NUMA cells are at least 10, and 10 only to oneself", distances);
	TEST("names that can be a file and can be shown", names);
	return TEST_END();
}
