/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a user has is opened by the first CONNECT_OPEN; whatever stands in the way is told to all
 * who wait for it, and the next CONNECT_OPEN tries again.
 */
#include "tests/unit/test.h"

#include <fcntl.h>

#include "tests/unit/worker_domains.h"
#include "worker/vm/rundir.h"

static struct home other; /* of another worker of the same user */

static char tree[4096]; /* where the golden files are */

/* A worker that has opened nothing yet, and its home directory. */
static void
begin(void)
{
	rig_start();
	rig.estate.state = ESTATE_CLOSED;
	home_init(&other);
	ASSERT(*tree || getcwd(tree, sizeof(tree)));
	memcpy(strrchr(farm_root, '-') + 1, "XXXXXX", 6);
	ASSERT(mkdtemp(farm_root) && setenv("HOME", farm_root, 1) == 0 && chdir(farm_root) == 0);
}

static void
end(void)
{
	home_close(&other);
	ASSERT(chdir(tree) == 0);
	farm_stop();
}

/* What QEMU can do is known from before, as after the first worker of this user. */
static void
know_qemu(void)
{
	capabilities_auto struct capabilities *capabilities = NULL;
	struct capabilities_stamp golden, stamp;
	free_auto char *text = NULL;
	char why[HOME_WHY_MAX], path[sizeof(tree) + 64];
	struct home home;
	size_t size;

	ASSERT(snprintf(path, sizeof(path), "%s/tests/golden/capabilities/%s", tree,
		       "qemu-7.2.22.capabilities") < (int)sizeof(path));
	text = domain_read_file(path, &size);
	ASSERT(text && capabilities_read(text, size, &golden, &capabilities) == 0);
	ASSERT(capabilities_stamp_read(estate_emulator, NULL, &stamp) == 0);
	ASSERT(home_open(&home, farm_root, why) == 0);
	ASSERT(capabilities_cache_store(home.folder_fd[HOME_CACHE], &stamp, capabilities) == 0);
	home_close(&home);
}

static void
run(const char *command)
{
	char line[256];

	(void)snprintf(line, sizeof(line), "cd %s && %s", farm_root, command);
	CHECK(system(line) == 0);
}

/* A connection that has said CONNECT_OPEN and waits for the answer. */
static int
ask(struct rpc_header *ret_header)
{
	static char name[] = "qemu:///session";
	struct rpc_connect_open_args args = {.name = name};
	int sock = rig_connect(VERBS_ALL);
	struct rpc_buffer buffer;

	*ret_header = call_header(RPC_PROC_CONNECT_OPEN, call_serial++);
	rpc_buffer_init(&buffer, 4096);
	append_call(&buffer, RPC_PROC_CONNECT_OPEN, ret_header->serial, &args);
	CHECK(send_all(sock, rpc_buffer_front(&buffer), rpc_buffer_left(&buffer)));
	rpc_buffer_fini(&buffer);
	rig_turn(0);
	return sock;
}

/* The answer to such a CONNECT_OPEN: NULL when it is open, or the words of the error. */
static const char *
answer(int sock, const struct rpc_header *header)
{
	return read_reply(sock, header, NULL) == 0 ? NULL : call_error.message;
}

static void
says(const char *got, const char *part)
{
	if (!got || !strstr(got, part))
		CHECK_STR(got, part);
}

/* Open, and close again; returns the same. */
static const char *
try(void)
{
	struct rpc_header header;
	int sock = ask(&header);
	const char *words = answer(sock, &header);

	fd_close(&sock);
	rig_wait(0);
	return words;
}

static void
test_opens_once(void)
{
	struct rpc_header header;
	int first, second;

	begin();
	know_qemu();
	first = ask(&header);
	CHECK(!answer(first, &header) && rig.estate.state == ESTATE_OPEN);
	CHECK(rig.tool_serial == 0);
	second = ask(&header);
	CHECK(!answer(second, &header));
	CHECK(rig.estate.env.n_machines > 0 && rig.estate.capabilities->version == 7002022);
	fd_close(&first);
	fd_close(&second);
	end();
}

static void
test_lock(void)
{
	char why[HOME_WHY_MAX];
	struct rpc_header header[3];
	int sock[3];

	begin();
	know_qemu();
	ASSERT(home_open(&other, farm_root, why) == 0);
	for (int i = 0; i < 3; i++)
		sock[i] = ask(&header[i]);
	CHECK(rig.estate.state == ESTATE_LOCKED);
	/* One client has had enough. */
	fd_close(&sock[1]);
	rig_wait(2);
	CHECK(rig.estate.state == ESTATE_LOCKED);
	home_close(&other);
	CHECK(!answer(sock[0], &header[0]) && !answer(sock[2], &header[2]));
	CHECK(LIST_EMPTY(&rig.estate.waiting) && !timer_is_set(&rig.estate.retry));
	fd_close(&sock[0]);
	fd_close(&sock[2]);
	end();
}

static void
test_lock_for_ever(void)
{
	char why[HOME_WHY_MAX];
	struct rpc_header header;
	int sock;

	begin();
	know_qemu();
	ASSERT(home_open(&other, farm_root, why) == 0);
	sock = ask(&header);
	/* As if most of the seconds that it is tried for had gone by. */
	rig.estate.n_retries += 390;
	says(answer(sock, &header), "/.qemud/lock is held by another worker of yours");
	CHECK(rig.estate.state == ESTATE_CLOSED);
	fd_close(&sock);
	rig_wait(0);
	home_close(&other);
	CHECK(!try());
	end();
}

static void
test_refused_then_mended(void)
{
	begin();
	know_qemu();
	run("chmod 0750 .qemud");
	says(try(), "has mode 0750, must have 0700; look at what is in it, then: chmod 0700 ");
	CHECK(call_error.code == VIR_ERR_OPERATION_FAILED);
	says(try(), "has mode 0750");
	CHECK(rig.estate.state == ESTATE_CLOSED && rig.estate.home.fd < 0);
	run("chmod 0700 .qemud");
	run("mv .qemud/domains . && ln -s ../domains .qemud/domains");
	says(try(), "/.qemud/domains is not a folder");
	run("rm .qemud/domains && mv domains .qemud");
	CHECK(!try() && rig.estate.state == ESTATE_OPEN);
	run("rm -r .qemud/log");
	CHECK(!try());
	end();
}

/* A file of hers, found at the opening. */
static void
test_definitions(void)
{
	struct rpc_connect_list_all_domains_args args = {.need_results = 1};
	struct rpc_connect_list_all_domains_ret ret = {0};
	struct rpc_header header;
	int sock;

	begin();
	know_qemu();
	run("echo \"<domain type='qemu'><name>vm</name><memory>65536</memory><os><type>hvm</type>"
	    "</os></domain>\" >.qemud/domains/vm.xml");
	run("echo '<domain>' >.qemud/domains/bad.xml");
	sock = ask(&header);
	CHECK(!answer(sock, &header));
	CHECK(call(sock, RPC_PROC_CONNECT_LIST_ALL_DOMAINS, &args, &ret) == 0);
	CHECK(ret.n_domains == 1);
	CHECK_STR(ret.n_domains ? ret.domains[0].name : NULL, "vm");
	fd_close(&sock);
	end();
}

/* --- QEMU is asked ------------------------------------------------------------------------ */

static void
test_no_box(void)
{
	struct rpc_header header[2];
	int sock[2];

	begin();
	for (int i = 0; i < 2; i++)
		sock[i] = ask(&header[i]);
	CHECK(rig.estate.state == ESTATE_ASKING && rig.tool_serial != 0);
	rig_answer_tool(-EDQUOT, -1);
	for (int i = 0; i < 2; i++) {
		says(answer(sock[i], &header[i]), "try again in a minute");
		fd_close(&sock[i]);
	}
	rig_wait(0);
	/* The folder is free for whoever comes, here or elsewhere. */
	CHECK(rig.estate.state == ESTATE_CLOSED && rig.estate.home.fd < 0);
	know_qemu();
	CHECK(!try());
	end();
}

static void
test_box_that_fails(void)
{
	struct rpc_header header;
	int sock, pair[2];

	begin();
	sock = ask(&header);
	ASSERT(packet_pair(pair) == 0);
	rig_answer_tool(0, pair[0]);
	fd_close(&pair[0]);
	CHECK(rig.estate.state == ESTATE_PROBING);
	fd_close(&pair[1]);
	says(answer(sock, &header), "box ended");
	CHECK(rig.estate.state == ESTATE_CLOSED && rig.estate.jobs.n == 0);
	fd_close(&sock);
	rig_wait(0);
	/* Asked anew, not remembered. */
	sock = ask(&header);
	CHECK(rig.estate.state == ESTATE_ASKING && rig.tool_serial != 0);
	rig_answer_tool(-EAGAIN, -1);
	CHECK(answer(sock, &header) != NULL);
	fd_close(&sock);
	end();
}

/* Whoever waited is answered when the worker has to go, in any state. */
static void
test_leaving(void)
{
	struct rpc_header header;
	int sock, pair[2];

	for (int probing = 0; probing < 2; probing++) {
		begin();
		sock = ask(&header);
		ASSERT(packet_pair(pair) == 0);
		if (probing)
			rig_answer_tool(0, pair[0]);
		estate_fini(&rig.estate);
		says(answer(sock, &header), "");
		CHECK(call_error.code != 0 && rig.estate.jobs.n == 0);
		fd_close(&pair[0]);
		fd_close(&pair[1]);
		fd_close(&sock);
		end();
	}
}

/* The broker ends while it is asked. */
static void
test_broker_goes(void)
{
	struct rpc_header header;
	int sock;

	begin();
	sock = ask(&header);
	CHECK(rig.estate.state == ESTATE_ASKING);
	estate_tool_ready(&rig.estate, -EPIPE, -1);
	says(answer(sock, &header), "no box can be had");
	fd_close(&sock);
	end();
}

/* An answer that nobody waits for any more. */
static void
test_late_box(void)
{
	int pair[2];
	char byte;

	begin();
	ASSERT(packet_pair(pair) == 0);
	estate_tool_ready(&rig.estate, 0, pair[0]);
	CHECK(rig.estate.state == ESTATE_CLOSED);
	CHECK(recv(pair[1], &byte, 1, MSG_DONTWAIT) <= 0 && errno != EAGAIN);
	fd_close(&pair[1]);
	end();
}

/* --- what the broker is told of machines that start with the host ------------------------- */

static char states[32]; /* a digit each */

static void
hear(const struct ipc_header *header, const void *body)
{
	const struct ipc_autostart *autostart = body;

	if (header->type == IPC_LEASE_NEXT)
		rig_no_lease(header->serial);
	if (header->type == IPC_AUTOSTART && strlen(states) < sizeof(states) - 1)
		states[strlen(states)] = (char)('0' + autostart->state);
}

static void
wait_states(const char *want)
{
	for (int i = 0; i < 100 && strcmp(states, want) != 0; i++)
		rig_turn(100);
	CHECK_STR(states, want);
}

static void
begin_hearing(void)
{
	begin();
	know_qemu();
	memset(states, 0, sizeof(states));
	rig.told = hear;
	run("echo \"<domain type='qemu'><name>vm</name><memory>65536</memory><os><type>hvm</type>"
	    "</os></domain>\" >.qemud/domains/vm.xml");
}

static void
test_marks(void)
{
	begin_hearing();
	run("ln -s ../domains/vm.xml .qemud/autostart/vm.xml");
	CHECK(rundir_mark("autostarted") == 0);
	CHECK(!try());
	CHECK_STR(states, "2");
	/* By files, one and all of them. */
	run("rm .qemud/autostart/vm.xml");
	wait_states("21");
	run("ln -s ../domains/vm.xml .qemud/autostart/vm.xml");
	wait_states("212");
	run("sed s/vm/other/ .qemud/domains/vm.xml >.qemud/domains/other.xml");
	run("ln -s ../domains/other.xml .qemud/autostart/other.xml");
	for (int i = 0; i < 100 && rig.estate.domains.n_autostart < 2; i++)
		rig_turn(100);
	run("rm .qemud/domains/vm.xml");
	for (int i = 0; i < 100 && rig.estate.domains.n_autostart > 1; i++)
		rig_turn(100);
	CHECK_STR(states, "212");
	run("rm .qemud/domains/other.xml");
	wait_states("2121");
	end();
}

/* A call, and the worker leaves in the same turn; that it forgets the domains then is no change. */
static void
test_marks_at_the_end(void)
{
	struct rpc_error error;
	struct domain *domain;

	begin_hearing();
	CHECK(!try());
	CHECK_STR(states, "1");
	domain = domains_find_name(&rig.estate.domains, "vm");
	CHECK(domain &&
		domains_set_autostart(&rig.estate.domains, domain, true, &error) == RPC_DONE);
	estate_fini(&rig.estate);
	rig_turn(0);
	CHECK_STR(states, "12");
	end();
}

static void
test_marks_unknown(void)
{
	begin_hearing();
	run("chmod 0750 .qemud");
	CHECK(try() != NULL);
	CHECK(try() != NULL);
	CHECK_STR(states, "3");
	run("chmod 0700 .qemud");
	CHECK(!try());
	CHECK_STR(states, "31");
	end();
}

/* When the host begins nobody asks for anything. */
static void
test_wake(void)
{
	begin_hearing();
	estate_wake(&rig.estate, true);
	wait_states("1");
	CHECK(rig.estate.state == ESTATE_OPEN && rig.last_conn == 0);
	end();
}

int
main(void)
{
	if (access(estate_emulator, X_OK) < 0) {
		printf("1..0 # SKIP no %s\n", estate_emulator);
		return EXIT_SUCCESS;
	}
	TEST("the first CONNECT_OPEN opens, the others find it open", test_opens_once);
	TEST("who comes while another worker is on its way out waits, and may go", test_lock);
	TEST("a folder that stays locked is told", test_lock_for_ever);
	TEST("a folder that is refused is told, and taken once it is mended",
		test_refused_then_mended);
	TEST("definitions are there with the answer", test_definitions);
	TEST("no box to be had is told to all who wait", test_no_box);
	TEST("a box that fails is told, and another one asked for", test_box_that_fails);
	TEST("nobody is left waiting when the worker leaves", test_leaving);
	TEST("nobody is left waiting when the broker goes", test_broker_goes);
	TEST("a box that comes too late is closed", test_late_box);
	TEST("whether something starts with the host is told, and each change of it", test_marks);
	TEST("also in the last turn", test_marks_at_the_end);
	TEST("where that cannot be known this is told once", test_marks_unknown);
	TEST("all is opened without a client when the host begins", test_wake);
	return TEST_END();
}
