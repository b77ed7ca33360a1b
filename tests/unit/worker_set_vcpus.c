/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The number of virtual CPUs changes as with libvirt 9.0.0, in the domain that runs, in its definition, or
 * first in the one and then in the other; whatever else is asked for is refused in its words; which of them
 * there are is told as it is.
 * test: timeout=360
 */
#include "tests/unit/test.h"

#include "tests/unit/qemu_cpus.h"
#include "tests/unit/vm_stage.h"

#define ONE     "[" QEMU_NO_CPU(3) "," QEMU_NO_CPU(2) "," QEMU_NO_CPU(1) "," QEMU_CPU(0) "]"
#define N(list) (sizeof(list) / sizeof((list)[0]))

/* As in worker.h. */
__attribute__((used)) static void (*const served_vcpus[])(void) = {
	(void (*)(void))rpc_domain_set_vcpus,
};

enum { LIVE = 1, CONFIG = 2, MAXIMUM = 4, GUEST = 8, HOTPLUGGABLE = 16 };

static uint32_t change_serial; /* of the ask for more that waits for the broker; 0: none */

static void
told_of_change(const struct ipc_header *header, const void *body)
{
	if (header->type == IPC_LEASE_CHANGE)
		change_serial = header->serial;
	else
		broker_told(header, body);
}

static struct rpc_domain_set_vcpus_flags_args
wish(uint32_t n, uint32_t flags)
{
	return (struct rpc_domain_set_vcpus_flags_args){
		.dom = stage.dom, .nvcpus = n, .flags = flags};
}

static int
set_as(int sock, uint32_t n, uint32_t flags)
{
	struct rpc_domain_set_vcpus_flags_args args = wish(n, flags);

	return call(sock, RPC_PROC_DOMAIN_SET_VCPUS_FLAGS, &args, NULL);
}

static int
set(uint32_t n, uint32_t flags)
{
	return set_as(stage.client, n, flags);
}

static int
set_old(uint32_t n)
{
	struct rpc_domain_set_vcpus_args args = {.dom = stage.dom, .nvcpus = n};

	return call(stage.client, RPC_PROC_DOMAIN_SET_VCPUS, &args, NULL);
}

static void
define(const char *vcpus, const char *more)
{
	struct rpc_domain_define_xml_ret ret = {0};
	struct rpc_domain_define_xml_args args = {.xml = NULL};

	CHECK(asprintf(&args.xml,
		      "<domain type='qemu'><name>vm</name>"
		      "<uuid>00000000-0000-4000-8000-000000000001</uuid><memory "
		      "unit='MiB'>64</memory><currentMemory "
		      "unit='MiB'>32</currentMemory>%s<os><type>hvm</type></os>%s</domain>",
		      vcpus, more) > 0);
	CHECK(call(stage.client, RPC_PROC_DOMAIN_DEFINE_XML, &args, &ret) == 0);
	free(args.xml);
	(void)told();
}

static void
stage_defined(void)
{
	change_serial = 0;
	stage_open("");
	rig.told = told_of_change;
	define("<vcpu current='1'>4</vcpu>", "");
}

static void
stage_running(void)
{
	struct rpc_header start;

	stage_defined();
	start = ask_start(0);
	go_to(AT_RUN);
	check_started(&start);
	(void)told();
}

/*
 * What the file of the definition says: "2/4", or with a letter for each of which it speaks: "2/4 eh-h", e for
 * one that is there, h for one that can go and is, - for one that is not there.
 */
static const char *
on_disk(void)
{
	domain_def_auto struct domain_def *def = NULL;
	static char text[64];
	char xml[16384];
	FILE *file = fopen("../.qemud/domains/vm.xml", "re");
	struct rpc_error error;
	size_t size;
	int at;

	ASSERT(file);
	size = fread(xml, 1, sizeof(xml), file);
	(void)fclose(file);
	ASSERT(domain_def_parse(xml, size, 0, &rig.estate.env, &error, &def) == 0);
	at = snprintf(text, sizeof(text), "%u/%u%s", def->current_vcpus, def->vcpus,
		def->each_vcpu ? " " : "");
	for (uint32_t i = 0; def->each_vcpu && i < def->vcpus; i++) {
		const struct domain_vcpu *vcpu = &def->each_vcpu[i];

		text[at++] = !vcpu->enabled ? '-' : vcpu->hotpluggable ? 'h' : 'e';
	}
	text[at] = '\0';
	CHECK(def->current_vcpus == farm_domain(VM)->config->current_vcpus);
	CHECK(def->vcpus == farm_domain(VM)->config->vcpus);
	return text;
}

struct refusal {
	uint32_t n, flags;
	const char *kind, *message;
};

static void
check_refusals(const struct refusal *refusals, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		CHECK(set(refusals[i].n, refusals[i].flags) != 0);
		CHECK_STR(call_error_kind(), refusals[i].kind);
		CHECK_STR(call_error.message, refusals[i].message);
	}
	CHECK_STR(on_disk(), "1/4");
	CHECK_STR(told(), "");
}

/* --- a definition ------------------------------------------------------------------------- */

#define ZERO         "nvcpus in virDomainSetVcpusFlags must not be zero"
#define NOT_RUNNING  "Requested operation is not valid: domain is not running"
#define NEEDS_CONFIG "Flag 'VIR_DOMAIN_AFFECT_CONFIG' is required by flag 'VIR_DOMAIN_VCPU_MAXIMUM'"
#define NO_CONFIG \
	"Flags 'VIR_DOMAIN_VCPU_GUEST' and 'VIR_DOMAIN_AFFECT_CONFIG' are mutually exclusive"
#define MORE(n)                                                                          \
	"invalid argument: requested vcpus is greater than max allowable vcpus for the " \
	"persistent domain: " n " > 4"
#define MORE_LIVE(n)                                                                          \
	"invalid argument: requested vcpus is greater than max allowable vcpus for the live " \
	"domain: " n " > 4"

static void
test_refused(void)
{
	static const struct refusal refusals[] = {
		{0, MAXIMUM, "8/20", NEEDS_CONFIG},
		{1, MAXIMUM | LIVE | GUEST, "8/20", NEEDS_CONFIG},
		{0, GUEST | CONFIG, "8/20", NO_CONFIG},
		{1, GUEST | CONFIG | MAXIMUM | 64, "8/20", NO_CONFIG},
		{0, 32, "8/20", ZERO},
		{1, 32 | CONFIG, "8/10",
			"unsupported flags (0x20) in function virDomainSetVcpusFlags"},
		{1, LIVE, "55/20", NOT_RUNNING},
		{9, LIVE | CONFIG, "55/20", NOT_RUNNING},
		{1, GUEST | LIVE, "55/20", NOT_RUNNING},
		{1, GUEST, "55/10", NOT_RUNNING},
		{4, MAXIMUM | LIVE | CONFIG, "55/20", NOT_RUNNING},
		{5, 0, "8/10", MORE("5")},
		{UINT32_MAX, CONFIG | HOTPLUGGABLE, "8/10", MORE("4294967295")},
		{256, CONFIG | MAXIMUM, "67/10",
			"unsupported configuration: Maximum CPUs greater than specified machine "
			"type limit 255"},
		{UINT32_MAX, CONFIG | MAXIMUM, "67/10",
			"unsupported configuration: Maximum CPUs greater than specified machine "
			"type limit 255"},
	};
	int sock;

	stage_defined();
	check_refusals(refusals, N(refusals));
	CHECK(set_old(0) != 0);
	CHECK_STR(call_error_kind(), "8/20");
	CHECK_STR(call_error.message, "nvcpus in virDomainSetVcpus must not be zero");
	CHECK(set_old(1) != 0);
	CHECK_STR(call_error.message, NOT_RUNNING);
	/* Whoever may only look is told that first. */
	sock = rig_open(VERBS_VIEW);
	CHECK(set_as(sock, 0, MAXIMUM) == VIR_ERR_OPERATION_DENIED);
	fd_close(&sock);
	stage.dom.uuid[3] ^= 1;
	CHECK(set(1, CONFIG) == VIR_ERR_NO_DOMAIN);
	CHECK(set(0, CONFIG) == VIR_ERR_INVALID_ARG);
	stage.dom.uuid[3] ^= 1;
	stage_close();
}

/* One after the other. */
static void
test_config(void)
{
	static const struct {
		uint32_t n, flags;
		const char *want;
	} cases[] = {
		{2, 0, "2/4"},
		{2, CONFIG | HOTPLUGGABLE, "2/4"},
		{3, CONFIG | HOTPLUGGABLE, "3/4 eeh-"},
		{4, CONFIG, "4/4 eehh"},
		{1, CONFIG, "1/4 e---"},
		{4, CONFIG, "4/4 eeee"},
		{2, CONFIG | MAXIMUM, "2/2 ee"},
		{6, CONFIG | MAXIMUM | HOTPLUGGABLE, "2/6 ee----"},
		{6, HOTPLUGGABLE, "6/6 eehhhh"},
		{3, CONFIG, "3/6 eeh---"},
	};

	stage_defined();
	for (size_t i = 0; i < N(cases); i++) {
		CHECK(set(cases[i].n, cases[i].flags) == 0);
		CHECK_STR(on_disk(), cases[i].want);
	}
	define("<vcpu>3</vcpu>", "");
	CHECK(set(8, CONFIG | MAXIMUM) == 0);
	CHECK_STR(on_disk(), "3/8");
	CHECK(set(2, CONFIG | MAXIMUM) == 0);
	CHECK_STR(on_disk(), "2/2");
	/* An order among others means nothing any more, a hole stays one. */
	define("<vcpu>4</vcpu><vcpus><vcpu id='0' enabled='yes' order='1'/>"
	       "<vcpu id='2' enabled='yes' hotpluggable='yes' order='2'/></vcpus>",
		"");
	CHECK(set(2, CONFIG) == 0);
	CHECK_STR(on_disk(), "2/4 e-h-");
	CHECK(farm_domain(VM)->config->each_vcpu[2].order == 0);
	CHECK(set(255, CONFIG | MAXIMUM) == 0 && farm_domain(VM)->config->vcpus == 255);
	CHECK(set(2, CONFIG | MAXIMUM) == 0);
	CHECK_STR(on_disk(), "1/2 e-");
	CHECK_STR(told(), "");
	stage_close();
}

static void
test_fixed(void)
{
	stage_defined();
	define("<vcpu>4</vcpu>", "<cpu><topology sockets='2' cores='2' threads='1'/></cpu>");
	CHECK(set(8, CONFIG | MAXIMUM) != 0);
	CHECK_STR(call_error_kind(), "8/10");
	CHECK_STR(call_error.message,
		"invalid argument: CPU topology doesn't match the desired vcpu count");
	CHECK(set(4, CONFIG | MAXIMUM) == 0 && set(1, CONFIG) == 0);
	CHECK_STR(on_disk(), "1/4");
	define("<vcpu>4</vcpu>", "<cpu><numa><cell memory='32768' cpus='0-1'/>"
				 "<cell memory='32768' cpus='2-3'/></numa></cpu>");
	CHECK(set(3, CONFIG | MAXIMUM) != 0);
	CHECK_STR(call_error_kind(), "8/10");
	CHECK_STR(call_error.message, "invalid argument: Number of CPUs in <numa> exceeds the "
				      "desired maximum vcpu count");
	CHECK(set(6, CONFIG | MAXIMUM) == 0);
	CHECK_STR(on_disk(), "4/6");
	/* Those that come are the first cell's. */
	CHECK(domain_vcpu_set_has(&farm_domain(VM)->config->numa.cells[0].cpus, 5));
	stage_close();
}

static void
test_unwritable(void)
{
	stage_defined();
	ASSERT(system("mkdir ../.qemud/domains/.vm.xml.new") == 0);
	CHECK(set(3, CONFIG) == VIR_ERR_SYSTEM_ERROR);
	ASSERT(system("rmdir ../.qemud/domains/.vm.xml.new") == 0);
	CHECK_STR(on_disk(), "1/4");
	stage_close();
}

/* --- what runs ---------------------------------------------------------------------------- */

static void
test_running_refused(void)
{
	static const struct refusal refusals[] = {
		{5, 0, "8/10", MORE_LIVE("5")},
		{5, LIVE | CONFIG, "8/10", MORE_LIVE("5")},
		{5, CONFIG, "8/10", MORE("5")},
		{4, LIVE | CONFIG | MAXIMUM, "84/10",
			"Operation not supported: maximum vcpu count of a live domain can't be "
			"modified"},
		{2, GUEST, "74/10", "argument unsupported: QEMU guest agent is not configured"},
		{9, GUEST | LIVE | HOTPLUGGABLE, "74/10",
			"argument unsupported: QEMU guest agent is not configured"},
	};

	stage_running();
	check_refusals(refusals, N(refusals));
	CHECK(set_old(5) != 0);
	CHECK_STR(call_error.message, MORE_LIVE("5"));
	/* The definition alone, of which QEMU hears nothing. */
	CHECK(set(2, CONFIG) == 0 && qemu_is_left_alone());
	CHECK_STR(on_disk(), "2/4");
	CHECK(farm_domain(VM)->live->current_vcpus == 1);
	broker_ends(ID);
	stage_close();
}

static struct rpc_header
ask_for_two(uint32_t flags)
{
	struct rpc_domain_set_vcpus_flags_args args = wish(2, flags);
	struct rpc_header header = send_call(stage.client, RPC_PROC_DOMAIN_SET_VCPUS_FLAGS, &args);

	qemu_hears("query-hotpluggable-cpus");
	qemu_answers(ONE);
	for (int i = 0; i < 100 && change_serial == 0; i++)
		rig_turn(10);
	CHECK(change_serial != 0);
	return header;
}

static void
get_two(void)
{
	broker_sends(IPC_LEASE_CHANGED, change_serial, 0, NULL, 0, -1);
	rig_turn(0);
	qemu_hears("device_add");
	qemu_answers("{}");
	for (int i = 0; i < 10; i++)
		rig_turn(0);
	CHECK(farm_domain(VM)->live->current_vcpus == 2);
}

static void
test_running(void)
{
	static const struct {
		uint32_t flags;
		const char *want;
	} cases[] = {{0, "1/4"}, {LIVE, "1/4"}, {LIVE | CONFIG, "2/4"},
		{LIVE | CONFIG | HOTPLUGGABLE, "2/4 eh--"}};

	for (size_t i = 0; i < N(cases); i++) {
		struct rpc_header header;

		stage_running();
		header = ask_for_two(cases[i].flags);
		/* First the one, then the other. */
		CHECK_STR(on_disk(), "1/4");
		get_two();
		CHECK(read_reply(stage.client, &header, NULL) == 0);
		CHECK_STR(on_disk(), cases[i].want);
		CHECK(farm_domain(VM)->live->each_vcpu[1].order == 2);
		CHECK_STR(told(), "");
		broker_ends(ID);
		stage_close();
	}
}

/* What becomes of the definition while it is waited for. */
static void
test_meanwhile(void)
{
	struct rpc_header header;

	stage_running();
	header = ask_for_two(LIVE | CONFIG);
	broker_sends(IPC_LEASE_CHANGED, change_serial, -EIO, NULL, 0, -1);
	CHECK(read_reply(stage.client, &header, NULL) == VIR_ERR_SYSTEM_ERROR);
	CHECK_STR(on_disk(), "1/4");
	change_serial = 0;
	header = ask_for_two(LIVE | CONFIG);
	CHECK(ask_now(RPC_PROC_DOMAIN_UNDEFINE_FLAGS, 0) == 0);
	get_two();
	check_failed(
		&header, stage.client, 55, "transient domains do not have any persistent config");
	broker_ends(ID);
	stage_close();

	stage_running();
	header = ask_for_two(LIVE | CONFIG);
	define("<vcpu>1</vcpu>", "");
	get_two();
	check_failed(&header, stage.client, 8, "for the persistent domain: 2 > 1");
	CHECK_STR(on_disk(), "1/1");
	broker_ends(ID);
	stage_close();

	/* Whoever asked has gone. */
	stage_running();
	(void)ask_for_two(LIVE | CONFIG);
	fd_close(&stage.client);
	rig_turn(0);
	get_two();
	CHECK_STR(on_disk(), "2/4");
	broker_ends(ID);
	stage_close();
}

/* --- which of them ------------------------------------------------------------------------ */

static struct domain_vcpu_set
these(uint32_t first, uint32_t second, uint32_t third)
{
	struct domain_vcpu_set set = {.words = {0}};

	domain_vcpu_set_add(&set, first);
	domain_vcpu_set_add(&set, second);
	domain_vcpu_set_add(&set, third);
	return set;
}

static void
test_order(void)
{
	static const char xml[] =
		"<domain type='qemu'><name>vm</name><memory>65536</memory><vcpu>4</vcpu><vcpus>"
		"<vcpu id='0' enabled='yes'/><vcpu id='2' enabled='yes' hotpluggable='yes'/>"
		"</vcpus><os><type>hvm</type></os></domain>";
	const struct domain_vcpu_set more = these(0, 1, 2), fewer = these(0, 1, 1),
				     others = these(0, 1, 3), wrong = these(1, 2, 3);
	domain_def_auto struct domain_def *config = NULL, *live = NULL;
	struct rpc_error error;

	ASSERT(domain_def_parse(xml, strlen(xml), 0, &domain_tcg, &error, &config) == 0);
	ASSERT(domain_def_live(config, &domain_tcg, &live) == 0);
	CHECK(live->each_vcpu[0].order == 1 && live->each_vcpu[2].order == 2);
	CHECK(domain_vcpus_possible(live, &fewer) && !domain_vcpus_possible(live, &wrong));
	CHECK(domain_vcpus_take(live, &more) && !domain_vcpus_take(live, &more));
	CHECK(live->current_vcpus == 3 && live->each_vcpu[1].order == 3);
	CHECK(live->each_vcpu[1].hotpluggable && live->each_vcpu[2].order == 2);
	/* Those behind one that goes come forward. */
	CHECK(domain_vcpus_take(live, &fewer) && live->current_vcpus == 2);
	CHECK(live->each_vcpu[1].order == 2 && live->each_vcpu[2].order == 0);
	CHECK(!live->each_vcpu[2].enabled && live->each_vcpu[2].hotpluggable);
	CHECK(domain_vcpus_take(live, &others) && live->each_vcpu[3].order == 3);
	/* The definition is as it was. */
	CHECK(config->current_vcpus == 2 && config->each_vcpu[2].order == 0);
}

/* One that a machine is made with does not go. */
static void
test_impossible(void)
{
	struct rpc_domain_set_vcpus_flags_args args;
	struct rpc_header header;

	stage_running();
	args = wish(2, LIVE);
	header = send_call(stage.client, RPC_PROC_DOMAIN_SET_VCPUS_FLAGS, &args);
	qemu_hears("query-hotpluggable-cpus");
	qemu_answers("[" QEMU_NO_CPU(3) "," QEMU_NO_CPU(2) "," QEMU_PLUGGED_CPU(1) "," QEMU_NO_CPU(
		0) "]");
	check_failed(&header, stage.client, VIR_ERR_INTERNAL_ERROR, "cannot be understood");
	CHECK(farm_domain(VM)->live->current_vcpus == 1 && !farm_domain(VM)->live->each_vcpu);
	CHECK(change_serial == 0 && qemu_is_left_alone());
	broker_ends(ID);
	stage_close();
}

int
main(void)
{
	TEST("what cannot be is refused in libvirt's words, in its order", test_refused);
	TEST("the lowest are enabled, the highest disabled", test_config);
	TEST("topology and NUMA hold the maximum", test_fixed);
	TEST("what cannot be written has not happened", test_unwritable);
	TEST("a machine that runs is asked for what it can have", test_running_refused);
	TEST("first what runs, then its definition", test_running);
	TEST("the definition is that of the moment when it is changed", test_meanwhile);
	TEST("they have the order in which they came", test_order);
	TEST("a QEMU that says what cannot be costs this call", test_impossible);
	return TEST_END();
}
