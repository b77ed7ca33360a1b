/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A VM that starts has all images below its disks, from its definition or from the images' headers;
 * what cannot be followed is refused and named, and what may be missing is left out.
 *
 * test: heavy
 */
#include "worker/vm/chain.h"

#include <sys/stat.h>
#include <unistd.h>

#include "protocol/rpc/procedure.h"
#include "tests/unit/domain_env.h"
#include "tests/unit/test.h"
#include "worker/domain/alias.h"

static char root[] = "/tmp/qemud-chain-XXXXXX";
static struct rpc_error error;

static void
run(const char *shell)
{
	CHECK(system(shell) == 0);
}

/* A definition with these disks, whose paths begin with %s for the folder; it is about to start. */
static struct domain_def *
live_def(const char *disks)
{
	struct domain_def *def = NULL, *live = NULL;
	free_auto char *text = NULL, *xml = NULL;
	const char *at = disks, *next;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	while ((next = strstr(at, "@/"))) {
		(void)fprintf(f, "%.*s%s", (int)(next - at), at, root);
		at = next + 1;
	}
	(void)fprintf(f, "%s", at);
	(void)fclose(f);
	if (asprintf(&xml,
		    "<domain type='qemu'><name>a</name><memory>65536</memory><os>"
		    "<type>hvm</type></os><devices>%s</devices></domain>",
		    text) < 0 ||
		domain_def_parse(xml, strlen(xml), 0, &domain_tcg, &error, &def) != 0 ||
		domain_def_live(def, &domain_tcg, &live) != 0)
		abort();
	(void)domain_def_free(def);
	return live;
}

static void
none_missing(void *arg, const struct domain_disk *disk)
{
	(void)arg;
	CHECK_STR(disk->target, "missing");
}

#define QCOW2(name, dev, more)                                                                 \
	"<disk type='file'><driver name='qemu' type='qcow2'/><source file='@/" name "'/>" more \
	"<target dev='" dev "'/></disk>"

static void
check_layer(const struct domain_layer *layer, const char *name, unsigned format, unsigned node)
{
	const char *slash = layer->path ? strrchr(layer->path, '/') : NULL;

	CHECK_STR(slash ? slash + 1 : NULL, name);
	CHECK(layer->format == format && layer->node == node);
}

/* As libvirtd 9.0.0 numbers the same disks. */
static void
followed(void)
{
	domain_def_auto struct domain_def *live = NULL;
	free_auto char *xml = NULL;
	domain_def_auto struct domain_def *again = NULL;
	free_auto char *twice = NULL;

	run("qemu-img create -q -f raw base 1M && mkdir -p sub && "
	    "qemu-img create -q -f qcow2 -F raw -b ../base sub/mid && "
	    "qemu-img create -q -f qcow2 -F qcow2 -b sub/mid top && "
	    "qemu-img create -q -f qcow2 base2 1M && "
	    "qemu-img create -q -f qcow2 -o compat=0.10 -F qcow2 -b \"$PWD/base2\" two");
	live = live_def(QCOW2("top", "vda", "")
			QCOW2("two", "vdb", "") "<disk device='cdrom'><target dev='hda'/></disk>");
	CHECK(vm_chain_complete(live, none_missing, NULL, &error) == RPC_DONE);
	check_layer(&live->disks[0].source, "top", DOMAIN_DISK_QCOW2, 3);
	CHECK(live->disks[0].n_backing == 2 && live->disks[0].whole);
	check_layer(&live->disks[0].backing[0], "mid", DOMAIN_DISK_QCOW2, 5);
	check_layer(&live->disks[0].backing[1], "base", DOMAIN_DISK_RAW, 6);
	check_layer(&live->disks[1].source, "two", DOMAIN_DISK_QCOW2, 2);
	CHECK(live->disks[1].n_backing == 1 && live->disks[1].whole);
	check_layer(&live->disks[1].backing[0], "base2", DOMAIN_DISK_QCOW2, 4);
	CHECK(live->disks[2].source.format == 0 && !live->disks[2].source.path);
	/* The next worker reads the same. */
	CHECK(domain_def_format(live, DOMAIN_DEF_LIVE, 7, &xml) == 0);
	CHECK(domain_def_parse(xml, strlen(xml), DOMAIN_DEF_LIVE, &domain_tcg, &error, &again) ==
		0);
	CHECK(domain_def_format(again, DOMAIN_DEF_LIVE, 7, &twice) == 0);
	CHECK_STR(twice, xml);
	CHECK(strstr(xml, "<backingStore type='file' index='5'>"));
}

static void
said(void)
{
	domain_def_auto struct domain_def *live = NULL;

	/* Nothing is below, whatever the header says; or only this, and what it is on. */
	live = live_def(QCOW2("top", "vda", "<backingStore/>") QCOW2("two", "vdb",
		"<backingStore type='file'><format type='qcow2'/>"
		"<source file='@/sub/mid'/></backingStore>"));
	CHECK(vm_chain_complete(live, none_missing, NULL, &error) == RPC_DONE);
	CHECK(live->disks[0].n_backing == 0 && live->disks[1].n_backing == 2);
	check_layer(&live->disks[1].backing[0], "mid", DOMAIN_DISK_QCOW2, 2);
	check_layer(&live->disks[1].backing[1], "base", DOMAIN_DISK_RAW, 4);
}

static void
refused(const char *name, const char *shell, int code, const char *words)
{
	free_auto char *disk = NULL;
	domain_def_auto struct domain_def *live = NULL;

	run(shell);
	if (asprintf(&disk, QCOW2("%s", "vda", ""), name) < 0)
		abort();
	live = live_def(disk);
	memset(&error, 0, sizeof(error));
	CHECK(vm_chain_complete(live, none_missing, NULL, &error) == RPC_FAILED);
	CHECK((int)error.code == code);
	if (!strstr(error.message, words))
		CHECK_STR(error.message, words);
}

static void
not_followed(void)
{
	refused("lost", "qemu-img create -q -u -f qcow2 -F raw -b gone lost 1M",
		VIR_ERR_SYSTEM_ERROR, "Cannot access backing file '");
	refused("loop",
		"qemu-img create -q -u -f qcow2 -F qcow2 -b pool loop 1M && "
		"qemu-img create -q -u -f qcow2 -F qcow2 -b loop pool 1M",
		VIR_ERR_INTERNAL_ERROR, "is self-referential or too deeply nested");
	refused("far",
		"p=base2; for i in $(seq 130); do "
		"qemu-img create -q -u -f qcow2 -F qcow2 -b $p far$i 1M; p=far$i; done; "
		"mv $p far",
		VIR_ERR_INTERNAL_ERROR, "is self-referential or too deeply nested");
	refused("nbd", "qemu-img create -q -u -f qcow2 -F raw -b nbd://localhost/x nbd 1M",
		VIR_ERR_CONFIG_UNSUPPORTED, "has a backing image that is no file");
	refused("vmdk", "qemu-img create -q -u -f qcow2 -F vmdk -b base vmdk 1M",
		VIR_ERR_CONFIG_UNSUPPORTED, "format 'vmdk' of backing image 'base'");
	refused("folder", "qemu-img create -q -u -f qcow2 -F raw -b sub folder 1M",
		VIR_ERR_CONFIG_UNSUPPORTED, "/sub' of disk 'vda' is not a regular file");
	refused("process", "qemu-img create -q -u -f qcow2 -F raw -b /proc/self/environ process 1M",
		VIR_ERR_CONFIG_UNSUPPORTED, "/proc/self/environ' of disk 'vda'");
	refused("data", "qemu-img create -q -f qcow2 -o data_file=elsewhere data 1M",
		VIR_ERR_CONFIG_UNSUPPORTED, "has its data in another file");
	refused("latin1",
		"qemu-img create -q -u -f qcow2 -F raw -b \"$(printf 'x\\351')\" latin1 1M",
		VIR_ERR_CONFIG_UNSUPPORTED, "is not plain UTF-8");
	/* The extension that says the format is made one that nobody knows. */
	refused("unsaid",
		"python3 -c 'd = open(\"top\", \"rb\").read(); "
		"open(\"unsaid\", \"wb\").write(d.replace(b\"\\xe2\\x79\\x2a\\xca\", "
		"b\"\\x12\\x34\\x56\\x78\"))'",
		VIR_ERR_OPERATION_INVALID, "format of backing image 'sub/mid' of image '");
	refused("broken",
		"python3 -c 'd = bytearray(open(\"top\", \"rb\").read()); d[8] = 1; "
		"open(\"broken\", \"wb\").write(d)'",
		VIR_ERR_CONFIG_UNSUPPORTED, "breaks the rules of qcow2");
}

#define POLICY(what, dev, policy)                                              \
	"<disk type='file' device='" what "'><driver name='qemu' type='raw'/>" \
	"<source file='@/gone' startupPolicy='" policy "'/><target dev='" dev "'/></disk>"

static void
note_missing(void *arg, const struct domain_disk *disk)
{
	CHECK(strcmp(strrchr(disk->source.path, '/'), "/gone") == 0);
	(void)strcat(strcat(arg, " "), disk->device.alias);
}

static void
missing(void)
{
	char told[100] = "";
	domain_def_auto struct domain_def *live = NULL, *other = NULL;

	live = live_def(POLICY("disk", "vda", "optional") POLICY("cdrom", "hda", "optional")
			POLICY("floppy", "fda", "optional"));
	CHECK(vm_chain_complete(live, note_missing, told, &error) == RPC_DONE);
	CHECK_STR(told, " fdc0-0-0 ide0-0-0 virtio-disk0");
	CHECK(live->n_disks == 2);
	for (size_t i = 0; i < live->n_disks; i++)
		CHECK(!live->disks[i].source.path && live->disks[i].what != DOMAIN_DISK);
	other = live_def(POLICY("cdrom", "hda", "requisite"));
	CHECK(vm_chain_complete(other, none_missing, NULL, &error) == RPC_FAILED);
	CHECK(strstr(error.message, "Cannot access storage file '"));
}

/* After a run of that disk, whose image was then treated so. Returns what is kept of it. */
static int
run_and(const char *disk, const char *shell, struct domain_def **ret_config)
{
	domain_def_auto struct domain_def *live = live_def(disk);

	*ret_config = live_def(disk);
	run("qemu-img create -q -f qcow2 -F qcow2 -b sub/mid own");
	CHECK(vm_chain_complete(live, none_missing, NULL, &error) == RPC_DONE);
	run(shell);
	return vm_chain_keep(&(*ret_config)->disks[0], &live->disks[0]);
}

static void
kept(void)
{
	static const char own[] = QCOW2("own", "vda", "");
	static const char *const changes[] = {
		"qemu-img rebase -u -F raw -b \"$PWD/base\" own",
		"qemu-img rebase -u -F raw -b sub/mid own",
		"qemu-img rebase -u -b '' own",
		"rm own && qemu-img create -q -f raw own 1M",
	};
	struct domain_def *config;

	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		CHECK(run_and(own, changes[i], &config) == 1);
		CHECK(config->disks[0].whole && config->disks[0].n_backing == 2);
		check_layer(&config->disks[0].backing[0], "mid", DOMAIN_DISK_QCOW2, 0);
		check_layer(&config->disks[0].backing[1], "base", DOMAIN_DISK_RAW, 0);
		(void)domain_def_free(config);
	}
	/* One that had nothing below it has nothing. */
	config = live_def(QCOW2("base2", "vda", ""));
	{
		domain_def_auto struct domain_def *live = live_def(QCOW2("base2", "vda", ""));

		CHECK(vm_chain_complete(live, none_missing, NULL, &error) == RPC_DONE);
		run("cp base2 kept && qemu-img rebase -u -F raw -b /etc/passwd base2");
		CHECK(vm_chain_keep(&config->disks[0], &live->disks[0]) == 1);
		CHECK(config->disks[0].whole && config->disks[0].n_backing == 0);
		run("mv kept base2");
	}
	(void)domain_def_free(config);
}

static void
not_kept(void)
{
	static const struct {
		const char *disk, *change;
	} cases[] = {
		{QCOW2("own", "vda", ""), "qemu-io -f qcow2 -c 'write 0 64k' own >/dev/null"},
		{QCOW2("own", "vda", ""), "rm own"},
		{QCOW2("own", "vda", "<readonly/>"), "qemu-img rebase -u -F raw -b ../base own"},
		{QCOW2("own", "vda", "<backingStore/>"), "qemu-img rebase -u -F raw -b base own"},
	};
	domain_def_auto struct domain_def *live = live_def(QCOW2("own", "vda", ""));
	struct domain_def *config;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CHECK(run_and(cases[i].disk, cases[i].change, &config) == 0);
		CHECK(config->disks[0].n_backing == 0);
		(void)domain_def_free(config);
	}
	/* Nor of a start that came to nothing before the images were looked at. */
	run("qemu-img create -q -f qcow2 -F qcow2 -b sub/mid own");
	config = live_def(QCOW2("own", "vda", ""));
	CHECK(vm_chain_keep(&config->disks[0], &live->disks[0]) == 0 && !config->disks[0].whole);
	(void)domain_def_free(config);
}

int
main(void)
{
	if (system("qemu-img --version >/dev/null 2>&1") != 0) {
		printf("1..0 # SKIP qemu-img is not installed\n");
		return 0;
	}
	if (!mkdtemp(root) || chdir(root) < 0)
		abort();
	TEST("images are followed to the lowest, and numbered as libvirt does", followed);
	TEST("what the definition says comes first", said);
	TEST("what cannot be followed is refused, and named", not_followed);
	TEST("an image that names others after a run than before leads nowhere", kept);
	TEST("an image that names what it did stays as it is defined", not_kept);
	TEST("a medium that may be missing is left out, and told of", missing);
	run("rm -r \"$PWD\"");
	return TEST_END();
}
