/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whatever has become of the notes of the worker before and of the definition, a VM that runs is
 * there, under a name that nobody else has, and can be ended.
 */
#include "tests/unit/test.h"

#include "tests/unit/next_worker.h"

static void
test_without_notes(void)
{
	static const char *const spoils[] = {
		"rm *.vm",
		"echo garbage >00000000-0000-4000-8000-000000000001.vm",
		/* of another run of it */
		"sed -i 's/^id = 7/id = 8/; s/^since = .*/since = 5/' *.vm",
		"rm *.vm *.xml",
		"echo '<domain/>' >00000000-0000-4000-8000-000000000001.xml && rm *.vm",
	};

	for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
		struct vm_status status;

		stage_run("");
		fd_close(&qemu.monitor);
		CHECK(system(spoils[i]) == 0);
		begin_again();
		lists_it();
		check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_UNKNOWN);
		qemu_is_reached(VM, "paused");
		check_adopted();
		check_state(DOMAIN_STATE_PAUSED, DOMAIN_PAUSED_UNKNOWN);
		CHECK(the_vm()->landlock == -1 && the_vm()->since > 5);
		/* The next one knows as much as this one. */
		CHECK(vm_status_read(stage.dom.uuid, &status) == 0 && status.id == ID);
		broker_ends(ID);
		check_nothing_left(DOMAIN_SHUTOFF_CRASHED);
		stage_close();
	}
}

/* Undefined, as far as the disk says. */
static void
forget_definition(void)
{
	CHECK(ask_now(RPC_PROC_DOMAIN_UNDEFINE, 0) == 0);
	fd_close(&qemu.monitor);
}

static void
test_without_definition(void)
{
	struct rpc_domain other;

	stage_run("");
	forget_definition();
	begin_again();
	CHECK(!farm_domain(VM));
	lists_it();
	qemu_is_reached(VM, "running");
	check_adopted();
	CHECK(farm_domain(VM) && !farm_domain(VM)->config);
	CHECK_STR(farm_domain(VM)->live->name, "vm");
	check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_BOOTED);
	/* Its name is taken while it runs. */
	CHECK(farm_define(stage.client, "vm", 2, "", &other) == VIR_ERR_OPERATION_FAILED);
	broker_ends(ID);
	CHECK(!farm_domain(VM) && n_files() == 0 && rig.estate.vms.n == 0);
	CHECK(farm_define(stage.client, "vm", 2, "", &other) == 0);
	stage_close();
}

/* Its note says that it runs under that name. */
static void
note_name(const char *name)
{
	char command[512];

	(void)snprintf(command, sizeof(command),
		"sed -i 's,<name>vm</name>,<name>%s</name>,' *.xml", name);
	CHECK(system(command) == 0);
}

/* A definition has taken its name while no worker was there: that one gets another, in its files too. */
static void
test_name_taken(void)
{
	const struct domain *named;
	struct rpc_domain other;
	struct rpc_error error;

	stage_run("");
	forget_definition();
	begin_again();
	CHECK(farm_define(stage.client, "vm", 2, "", &other) == 0);
	CHECK(farm_define(stage.client, "vm-1", 3, "", &other) == 0);
	CHECK(domains_set_autostart(&rig.estate.domains, farm_domain(2), true, &error) == RPC_DONE);
	lists_it();
	qemu_is_reached(VM, "running");
	check_adopted();
	CHECK(farm_domain(VM) && !farm_domain(VM)->config);
	CHECK(domains_find_name(&rig.estate.domains, "vm") == farm_domain(VM));
	check_state(DOMAIN_STATE_RUNNING, DOMAIN_RUNNING_BOOTED);
	named = domains_find_name(&rig.estate.domains, "vm-2");
	CHECK(named && named == farm_domain(2) && named->autostart && !named->vm);
	CHECK(definitions_exist(&rig.estate.home, "vm-2"));
	CHECK(definitions_autostart(&rig.estate.home, "vm-2"));
	CHECK(!definitions_exist(&rig.estate.home, "vm"));
	CHECK(!definitions_autostart(&rig.estate.home, "vm"));
	broker_ends(ID);
	CHECK(!farm_domain(VM) && !domains_find_name(&rig.estate.domains, "vm"));
	stage_close();
}

/* The dump of what is shown of a VM of which nothing is known. */
static void
check_dump(const char *name)
{
	struct rpc_domain_get_xml_desc_args args = {.dom = stage.dom};
	struct rpc_domain_get_xml_desc_ret ret = {0};

	CHECK(call(stage.client, RPC_PROC_DOMAIN_GET_XML_DESC, &args, &ret) == 0);
	CHECK(ret.xml && strstr(ret.xml, name) && strstr(ret.xml, " id='7'>"));
}

/* Of a name with so many letters no longer one can be made. */
static void
test_lost(void)
{
	static char longest[DOMAIN_NAME_MAX + 1];

	memset(longest, 'x', sizeof(longest) - 1);
	for (int taken = 0; taken < 2; taken++) {
		struct rpc_domain other;
		struct rpc_header destroy;
		const struct domain *domain;

		stage_run("");
		forget_definition();
		begin_again();
		/* Another has its name now and can have no other, or nothing says what it was. */
		if (taken) {
			note_name(longest);
			CHECK(farm_define(stage.client, longest, 2, "", &other) == 0);
		} else {
			CHECK(system("rm *.xml") == 0);
		}
		lists_it();
		/* It is not asked how many virtual CPUs it has: one is all that is known of. */
		qemu_opens(VM, "running");
		qemu_hears("query-balloon");
		qemu_answers("{\"actual\":41943040}");
		check_adopted();
		domain = domains_find_name(&rig.estate.domains, "lost-7");
		CHECK(domain && domain == farm_domain(VM) && domain->id == ID);
		CHECK(domain && domain->state == DOMAIN_STATE_RUNNING);
		check_dump("<name>lost-7</name>");
		destroy = ask(stage.client, RPC_PROC_DOMAIN_DESTROY, 0);
		broker_ends(ID);
		CHECK(read_reply(stage.client, &destroy, NULL) == 0);
		CHECK(!farm_domain(VM) && n_files() == 0);
		stage_close();
	}
}

/* Its definition was renamed by hand while no worker was there. */
static void
test_renamed(void)
{
	struct domain *domain;

	stage_run("<title>old</title>");
	forget_definition();
	begin_again();
	CHECK(farm_define(stage.client, "new", VM, "", &stage.dom) == 0);
	lists_it();
	qemu_is_reached(VM, "running");
	check_adopted();
	domain = domains_find_name(&rig.estate.domains, "new");
	CHECK(domain && domain == farm_domain(VM) && domain->vm);
	CHECK(!domains_find_name(&rig.estate.domains, "vm"));
	CHECK_STR(domain_def_now(farm_domain(VM))->name, "new");
	CHECK_STR(domain_def_now(farm_domain(VM))->title, "old");
	broker_ends(ID);
	stage_close();
}

int
main(void)
{
	TEST("without notes it is known by its definition", test_without_notes);
	TEST("without a definition it is known by the notes", test_without_definition);
	TEST("it keeps its name from a definition that has taken it", test_name_taken);
	TEST("without either, or without its name, it is there, and can be ended", test_lost);
	TEST("it has the name of its definition", test_renamed);
	return TEST_END();
}
