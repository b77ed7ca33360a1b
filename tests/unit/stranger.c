/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What somebody else defines for a user names files of her images, nvram and save folders, and those
 * that the VM has already, used no more freely; whatever else is refused, and nothing is changed.
 */
#include "worker/store/stranger.h"

#include <sys/stat.h>

#include "lib/derived_uuid.h"
#include "protocol/rpc/procedure.h"
#include "tests/unit/folder_rig.h"

static const struct guise guise = {.owner = "bob", .uid = 2002};

#define DISK(path, more)                                                          \
	"<devices><disk type='file' device='disk'><source file='" path "'/>" more \
	"<target dev='vda' bus='virtio'/></disk></devices>"
#define QCOW2   "<driver name='qemu' type='qcow2'/>"
#define IMAGES  "@/.qemud/images/"
#define ALREADY "/srv/images/already"

/* The text with the home in the place of each "@". */
static const char *
with_home(const char *text)
{
	static char out[8192];
	size_t n = 0;

	for (; *text; text++)
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%.*s",
			*text == '@' ? (int)strlen(root) : 1, *text == '@' ? root : text);
	out[n] = '\0';
	return out;
}

/* A whole definition of number 1, with that before <os>, which has `os` in it. */
static int
define(const char *name, unsigned number, const char *os, const char *devices,
	const struct guise *as, struct rpc_error *error)
{
	char xml[8192];
	struct domain *domain;
	bool is_new;

	(void)snprintf(xml, sizeof(xml),
		"<domain type='qemu'><name>%s</name><uuid>00000000-0000-4000-8000-%012u</uuid>"
		"<memory unit='MiB'>64</memory><os><type>hvm</type>%s</os>%s</domain>",
		name, number, os, devices);
	memset(error, 0, sizeof(*error));
	return domains_define(&domains, with_home(xml), as, error, &domain, &is_new);
}

static void
begin_stranger(void)
{
	begin();
	run("mkdir -p .qemud/images/sub .qemud/nvram .qemud/save other && "
	    "touch .qemud/images/a .qemud/images/sub/b other/secret && "
	    "ln -s ../../other .qemud/images/out && ln -s ../../other/secret .qemud/images/link &&"
	    "ln -s sub .qemud/images/in && ln -s nowhere .qemud/images/dangling");
}

static const struct {
	const char *os, *devices;
	bool good;
} cases[] = {
	{"", "", true},
	{"", DISK(IMAGES "a", ""), true},
	{"", DISK(IMAGES "sub/b", ""), true},
	{"", DISK(IMAGES "in/b", ""), true},
	{"", DISK(IMAGES "new", ""), true},
	{"", DISK("@/.qemud/nvram/vars", ""), true},
	{"", DISK("@/.qemud/save/mem", ""), true},
	{"", DISK("@/.qemud/domains/vm.xml", ""), false},
	{"", DISK("@/.qemud/images", ""), false},
	{"", DISK(IMAGES, ""), false},
	{"", DISK(IMAGES "../domains/vm.xml", ""), false},
	{"", DISK(IMAGES "sub/../../domains/vm.xml", ""), false},
	{"", DISK(IMAGES "sub/../a", ""), true},
	{"", DISK(IMAGES "link", ""), false},
	{"", DISK(IMAGES "dangling", ""), false},
	{"", DISK(IMAGES "out/secret", ""), false},
	{"", DISK(IMAGES "out/new", ""), false},
	{"", DISK(IMAGES "none/new", ""), false},
	{"", DISK("@/other/secret", ""), false},
	{"", DISK("/etc/passwd", ""), false},
	{"", DISK("/proc/self/root/etc/passwd", ""), false},
	/* What is below an image is said, and is hers to name. */
	{"", DISK(IMAGES "a", QCOW2), false},
	{"", DISK(IMAGES "a", QCOW2 "<backingStore/>"), true},
	{"",
		DISK(IMAGES "a", QCOW2 "<backingStore type='file'><format type='raw'/>"
				       "<source file='" IMAGES "sub/b'/></backingStore>"),
		true},
	{"",
		DISK(IMAGES "a", QCOW2 "<backingStore type='file'><format type='qcow2'/>"
				       "<source file='" IMAGES "sub/b'/></backingStore>"),
		false},
	{"",
		DISK(IMAGES "a", QCOW2 "<backingStore type='file'><format type='raw'/>"
				       "<source file='/etc/passwd'/></backingStore>"),
		false},
	{"<kernel>" IMAGES "a</kernel>", "", true},
	{"<kernel>/boot/vmlinuz</kernel>", "", false},
	{"<kernel>" IMAGES "a</kernel><initrd>/boot/initrd</initrd>", "", false},
	{"", "<devices><serial type='file'><source path='" IMAGES "log'/></serial></devices>",
		true},
	{"", "<devices><serial type='file'><source path='@/.bashrc'/></serial></devices>", false},
	{"", "<devices><serial type='pty'><log file='@/.bashrc'/></serial></devices>", false},
	{"",
		"<devices><serial type='unix'><source mode='connect' path='/run/x'/></serial>"
		"</devices>",
		false},
	{"",
		"<devices><channel type='unix'><source mode='bind' path='@/.ssh/x'/>"
		"<target type='virtio' name='org.x'/></channel></devices>",
		false},
	{"",
		"<devices><channel type='unix'><target type='virtio' name='org.x'/></channel>"
		"</devices>",
		true},
	{"", "<devices><graphics type='vnc' socket='@/.x'/></devices>", false},
};

static void
test_files(void)
{
	struct rpc_error error;

	begin_stranger();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int r = define("vm", 1, cases[i].os, cases[i].devices, &guise, &error);

		if ((r == RPC_DONE) != cases[i].good)
			printf("# case %zu: %s\n", i, error.message);
		CHECK((r == RPC_DONE) == cases[i].good);
		if (r == RPC_DONE) {
			CHECK(domains_undefine(&domains, TAILQ_FIRST(&domains.all), &error) ==
				RPC_DONE);
			continue;
		}
		CHECK(domains.n == 0 && error.code == VIR_ERR_OPERATION_DENIED);
		CHECK(strncmp(error.message, "operation forbidden: ", 21) == 0);
		/* The user herself may. */
		CHECK(define("vm", 1, cases[i].os, cases[i].devices, NULL, &error) == RPC_DONE);
		CHECK(domains_undefine(&domains, TAILQ_FIRST(&domains.all), &error) == RPC_DONE);
	}
	close_all();
}

/* What it has it keeps, as it has it. */
static void
test_already(void)
{
	static const struct {
		const char *devices;
		bool good;
	} changes[] = {
		{DISK(ALREADY, QCOW2), true},
		{DISK(ALREADY, QCOW2 "<readonly/>"), true},
		{DISK(ALREADY, ""), false},
		{"<devices><disk type='file' device='cdrom'><source file='/srv/cd.iso'/>"
		 "<target dev='hda' bus='ide'/></disk></devices>",
			true},
		/* A medium that could be written to now. */
		{DISK("/srv/cd.iso", ""), false},
		{"<devices><serial type='file'><source path='" ALREADY "'/></serial></devices>",
			false},
	};
	static const char both[] =
		"<devices><disk type='file' device='disk'>" QCOW2 "<source file='" ALREADY "'/>"
		"<target dev='vda' bus='virtio'/></disk><disk type='file' device='cdrom'>"
		"<source file='/srv/cd.iso'/><target dev='hda' bus='ide'/></disk></devices>";
	struct rpc_error error;

	begin_stranger();
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		CHECK(define("vm", 1, "", both, NULL, &error) == RPC_DONE);
		if ((define("bob:vm", 1, "", changes[i].devices, &guise, &error) == RPC_DONE) !=
			changes[i].good)
			printf("# change %zu: %s\n", i, error.message);
		CHECK((error.code == 0) == changes[i].good);
		/* Another VM has none of it. */
		CHECK(define("other", 2, "", changes[i].devices, &guise, &error) == RPC_FAILED);
	}
	close_all();
}

/* Name, UUID and the element go; the UUID of nobody's is taken as it is. */
static void
test_translated(void)
{
	char uuid[UUID_TEXT_SIZE], xml[2048];
	uint8_t derived[UUID_SIZE];
	struct domain *domain, *again;
	struct rpc_error error;
	bool is_new;

	begin_stranger();
	CHECK(domains_define(&domains, xml_of("vm", 1, ""), NULL, &error, &domain, &is_new) ==
		RPC_DONE);
	derived_uuid(2002, domain->config->uuid, derived);
	(void)snprintf(xml, sizeof(xml),
		"<domain type='qemu'><name>bob:vm</name><uuid>%s</uuid><title>t</title><metadata>"
		"<qemud:vm xmlns:qemud='https://qemud.org/xmlns/vm/1' owner='bob'/>"
		"<x:y xmlns:x='urn:x'/></metadata><memory>65536</memory><os><type>hvm</type></os>"
		"</domain>",
		uuid_format(derived, uuid));
	CHECK(domains_define(&domains, xml, &guise, &error, &again, &is_new) == RPC_DONE);
	CHECK(again == domain && !is_new && domains.n == 1);
	CHECK_STR(domain->config->name, "vm");
	CHECK_STR(domain->config->title, "t");
	CHECK(!strstr(domain->config->metadata, "qemud") &&
		strstr(domain->config->metadata, "urn:x"));
	/* Somebody else's prefix is none. */
	CHECK(define("carol:vm", 2, "", "", &guise, &error) == RPC_FAILED);
	CHECK(strstr(error.message, "cannot contain ':'"));
	CHECK(define("bob:bob:vm", 2, "", "", &guise, &error) == RPC_FAILED);
	CHECK(define("bob:new", 2, "", "", &guise, &error) == RPC_DONE);
	CHECK(domains_find_name(&domains, "new"));
	/* The user's own are not translated. */
	CHECK(define("bob:own", 3, "", "", NULL, &error) == RPC_FAILED);
	close_all();
}

/* What is shown can be defined again as it was shown, and is shown as that. */
static void
test_shown(void)
{
	domain_def_auto struct domain_def *shown = NULL, *shown_again = NULL;
	free_auto char *xml = NULL, *again = NULL;
	struct rpc_error error;
	struct domain *domain, *same;
	bool is_new;

	begin_stranger();
	CHECK(domains_define(&domains,
		      xml_of("v&amp;m", 1, "<metadata><a:b xmlns:a='urn:a'>x</a:b></metadata>"),
		      NULL, &error, &domain, &is_new) == RPC_DONE);
	CHECK(domain_guise_put_on(domain->config, &guise, 0, &env, &error, &shown) == 0);
	CHECK(domain_def_format(shown, 0, -1, &xml) == 0);
	CHECK(strstr(xml, "<name>bob:v&amp;m</name>"));
	CHECK(!strstr(xml, "<uuid>00000000-0000"));
	CHECK(strstr(xml, "<qemud:vm xmlns:qemud=\"https://qemud.org/xmlns/vm/1\" owner=\"bob\" "
			  "uid=\"2002\" uuid=\"00000000-0000-4000-8000-000000000001\"/>"));
	CHECK(strstr(xml, "urn:a"));
	CHECK(domains_define(&domains, xml, &guise, &error, &same, &is_new) == RPC_DONE);
	CHECK(same == domain && domains.n == 1);
	CHECK(domain_guise_put_on(same->config, &guise, 0, &env, &error, &shown_again) == 0);
	CHECK(domain_def_format(shown_again, 0, -1, &again) == 0);
	CHECK_STR(again, xml);
	/* The definition itself has nothing of it. */
	CHECK(!strstr(domain->config->metadata, "qemud"));
	close_all();
}

int
main(void)
{
	ASSERT(mkdtemp(root) && chdir(root) == 0 && setenv("HOME", root, 1) == 0);
	TEST("a stranger names files of three folders and no other", test_files);
	TEST("a stranger leaves a VM what it has", test_already);
	TEST("name, UUID and owner are taken off", test_translated);
	TEST("what is shown can be given back", test_shown);
	ASSERT(chdir("/") == 0);
	run("rm -rf %s", root);
	return TEST_END();
}
