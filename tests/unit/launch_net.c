/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A VM gets a relay and a passt in its leaf, which give its guest an address; they have nothing of
 * the host but its network, can be replaced, and end with the VM. Needs root; test: timeout=240
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <limits.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

#include "broker/launch/launch.h"
#include "lib/foreign.h"
#include "tests/unit/box_seed.h"
#include "tests/unit/started.h"
#include "worker/net/control.h"
#include "worker/net/counters.h"
#include "worker/qemu/passt.h"

enum { FILES = 4096, VM = 7, FRAME_MAX = 2048, TRIES = 3000 };

static char cgroup[PATH_MAX];

/* --- a network with a default route ------------------------------------------------------- */

static bool
run(const char *command)
{
	return system(command) == 0;
}

static bool
make_network(void)
{
	return run("ip link set lo up && ip link add outer type veth peer name inner && "
		   "ip addr add 10.31.7.2/24 dev outer && ip link set outer up && "
		   "ip link set inner up && ip route add default via 10.31.7.1 dev outer");
}

static bool
drop_route(void)
{
	return run("ip route del default");
}

static bool
restore_route(void)
{
	return run("ip route add default via 10.31.7.1 dev outer");
}

/* --- the broker's side -------------------------------------------------------------------- */

static struct starter *
start_counted(void)
{
	return starter_new((const char *[]){"--users", users, "--libexec", libexec, "--cgroup",
		cgroup, "--log", "debug", NULL});
}

static int
ask_box(struct starter *s, enum ipc_box_kind kind, uint32_t id, struct answer *ret)
{
	struct account account = test_account(ALICE, "/home/alice");
	struct ipc_box body = {.uid = ALICE, .kind = kind, .n_files = FILES, .id = id, .uuid = {7}};
	fd_auto int fd = account_fd(&account);

	if (kind == IPC_BOX_VM)
		body.grant = (struct ipc_grant){.memory_kib = 1048576, .vcpus = 1};
	(void)ask(s, IPC_BOX, &body, sizeof(body), fd);
	next_answer(s, ret);
	CHECK(ret->type == IPC_BOXED);
	return ret->err;
}

static int
end_leaf(struct starter *s, uint32_t id)
{
	struct ipc_leaf body = {.uid = ALICE, .id = id, .uuid = {7}};
	answer_auto struct answer answer;

	(void)ask(s, IPC_LEAF_END, &body, sizeof(body), -1);
	next_answer(s, &answer);
	return answer.err;
}

static bool
has_ended(const struct answer *answer)
{
	return wait_fd(answer->packet.fds[1]);
}

/* ESRCH: it has ended. */
static void
send_signal(const struct answer *answer, int signo)
{
	(void)syscall(SYS_pidfd_send_signal, answer->packet.fds[1], signo, NULL, 0);
}

/* --- the worker's side -------------------------------------------------------------------- */

static struct seed
seed_of(const struct answer *answer)
{
	return (struct seed){.pid = started_pid(answer),
		.sock = answer->packet.fds[0],
		.log_fd = memfd_create("log", MFD_CLOEXEC)};
}

/* A QEMU that does nothing, so that the leaf is a VM's. */
static void
become_qemu(const struct answer *answer)
{
	static const char *const args[] = {"-machine", "none", "-display", "none", "-S"};
	struct seed seed = seed_of(answer);
	struct plan_answer said;
	struct plan plan;

	plan_init(&plan);
	plan.program = PLAN_QEMU_X86_64;
	plan.profile = PLAN_VM;
	for (unsigned i = 0; i < sizeof args / sizeof *args; i++)
		plan.args[plan.n_args++] = args[i];
	seed_send_all(&seed, &plan, NULL);
	CHECK(seed_answer(&seed, &said) && said.ok);
	fd_close(&seed.log_fd);
}

/* Returns the network's end; *ret_log is what it writes. */
static int
become_passt(const struct answer *answer, const struct passt *passt, int *ret_log)
{
	static struct passt_text text;
	struct seed seed = seed_of(answer);
	struct plan_answer said;
	struct plan plan;
	int pair[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	CHECK(passt_plan(passt, 1024, &text, &plan) == 0);
	seed_send_all(&seed, &plan, &pair[1]);
	fd_close(&pair[1]);
	CHECK(seed_answer(&seed, &said) && said.ok && said.landlock == 0);
	if (!said.ok)
		printf("# %s\n", said.why);
	CHECK(!seed_answer(&seed, &said)); /* the exec */
	*ret_log = seed.log_fd;
	return pair[0];
}

static bool
hear(int control, struct net_report *ret)
{
	AUTO(packet_fini) struct packet packet;

	return wait_fd(control) && packet_recv(control, &packet) == 0 &&
	       net_report_read(packet.data, packet.size, packet.n_fds, 0, ret);
}

static bool
greet(int control, const struct net_counters **ret)
{
	struct net_ask body = {.type = NET_COUNTERS, .serial = 1};
	AUTO(packet_fini) struct packet packet;
	struct net_report report;

	foreign_allow(control);
	return packet_send(control, &body, sizeof body, NULL, 0) == 0 && wait_fd(control) &&
	       packet_recv(control, &packet) == 0 &&
	       net_report_read(packet.data, packet.size, packet.n_fds, 1, &report) &&
	       net_counters_map(packet.fds[0], ret) == 0;
}

/* Descriptors are closed. */
static int
tell(int control, enum net_ask_type type, int fd, int second)
{
	struct net_ask body = {.type = type, .serial = 5, .port = 0};
	struct net_report report = {.err = -EPIPE};
	int fds[2] = {fd, second};

	CHECK(packet_send(control, &body, sizeof body, fds, second >= 0 ? 2 : 1) == 0);
	fd_close(&fd);
	fd_close(&second);
	do
		CHECK(hear(control, &report) || (report.serial = 5));
	while (report.serial != 5);
	return report.err;
}

/* --- the guest's side --------------------------------------------------------------------- */

static uint16_t
checksum(const uint8_t *data, size_t size)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i += 2)
		sum += (uint32_t)data[i] << 8 | data[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void
put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* DHCPDISCOVER (RFC 2131) in UDP, IP, Ethernet, behind its length. Returns its size. */
static size_t
make_discover(uint8_t *frame)
{
	enum { BOOTP = 300, UDP = 8 + BOOTP, IP = 20 + UDP, ETHERNET = 14 + IP };
	static const uint8_t mac[6] = {0x52, 0x54, 0, 1, 2, 3},
			     options[] = {99, 130, 83, 99, 53, 1, 1, 255};
	uint8_t *ip = frame + 4 + 14, *udp = ip + 20, *bootp = udp + 8;

	memset(frame, 0, 4 + ETHERNET);
	put16(frame + 2, ETHERNET);
	memset(frame + 4, 0xff, 6);
	memcpy(frame + 10, mac, 6);
	put16(frame + 16, 0x0800);
	put16(ip, 0x4500);
	put16(ip + 2, IP);
	ip[8] = 64;
	ip[9] = 17;
	memset(ip + 16, 0xff, 4);
	put16(ip + 10, checksum(ip, 20));
	put16(udp, 68);
	put16(udp + 2, 67);
	put16(udp + 4, UDP);
	bootp[0] = bootp[1] = 1;
	bootp[2] = 6;
	memcpy(bootp + 28, mac, 6);
	memcpy(bootp + 236, options, sizeof options);
	return 4 + ETHERNET;
}

static bool
read_all(int fd, uint8_t *to, size_t size)
{
	for (size_t n = 0; n < size;) {
		ssize_t r = wait_fd(fd) ? recv(fd, to + n, size - n, 0) : -1;

		if (r <= 0)
			return false;
		n += (size_t)r;
	}
	return true;
}

/* The address that passt offers a guest; 0 when none comes. */
static uint32_t
lease_address(int guest)
{
	uint8_t frame[FRAME_MAX + 4];
	size_t size = make_discover(frame);

	CHECK(send(guest, frame, size, MSG_NOSIGNAL) == (ssize_t)size);
	/* It may say other things first. */
	for (int i = 0; i < TRIES; i++) {
		const uint8_t *ip = frame + 4 + 14, *bootp = ip + 28;
		uint32_t address;

		if (!read_all(guest, frame, 4))
			return 0;
		size = (size_t)frame[2] << 8 | frame[3];
		CHECK(frame[0] == 0 && frame[1] == 0 && size <= FRAME_MAX);
		if (size > FRAME_MAX || !read_all(guest, frame + 4, size))
			return 0;
		if (size < 14 + 28 + 236 || ip[0] != 0x45 || ip[9] != 17 || bootp[0] != 2)
			continue;
		memcpy(&address, bootp + 16, sizeof address);
		return ntohl(address);
	}
	return 0;
}

/* --- the tests ---------------------------------------------------------------------------- */

static void
check_leaf(const struct answer *answer)
{
	free_auto char *text = read_proc(started_pid(answer), "cgroup", NULL);

	CHECK(strstr(text, "/vm-7-07000000-0000-0000-0000-000000000000\n"));
}

static void
check_relay(const struct answer *answer)
{
	static const char *const filters[] = {"\nSeccomp:\t2\n", NULL};
	int pid = started_pid(answer);
	free_auto char *status = read_proc(pid, "status", NULL);
	char text[1024];

	check_leaf(answer);
	check_has(status, filters);
	CHECK(strstr(status, "\nCapEff:\t0000000000000000\n") &&
		strstr(status, "\nNoNewPrivs:\t1\n"));
	CHECK(!same_namespace(pid, "net") && !same_namespace(pid, "mnt") &&
		!same_namespace(pid, "pid") && !same_namespace(pid, "ipc"));
	list(pid, "/", text, sizeof text);
	CHECK_STR(text, "lib lib64 usr ");
}

static void
check_passt(const struct answer *answer)
{
	int pid = started_pid(answer);
	char text[1024] = "?", *arguments;
	size_t size;

	check_leaf(answer);
	/* It is there when it has left all files behind. */
	for (int i = 0; i < TRIES && *text; i++) {
		(void)poll(NULL, 0, 20);
		list(pid, "/", text, sizeof text);
	}
	CHECK_STR(text, "");
	free_auto char *status = read_proc(pid, "status", NULL);
	CHECK(strstr(status, "\nCapEff:\t0000000000000000\n") &&
		strstr(status, "\nNoNewPrivs:\t1\n"));
	CHECK(strstr(status, "\nUid:\t64101\t64101\t64101\t64101\n"));
	CHECK(strstr(status, "\nSeccomp:\t2\n"));
	CHECK(same_namespace(pid, "net") && !same_namespace(pid, "user"));
	CHECK(!same_namespace(pid, "mnt") && !same_namespace(pid, "ipc"));
	arguments = read_proc(pid, "cmdline", &size);
	CHECK(memmem(arguments, size, "\0--no-map-gw", sizeof "\0--no-map-gw"));
	free(arguments);
}

static void
gives_an_address(void)
{
	static const struct passt passt = {.n_forwards = 0};
	starter_auto struct starter *s = start_counted();
	answer_auto struct answer vm, relay, first, second;
	const struct net_counters *counters = NULL;
	struct net_port_counters numbers;
	struct net_report report;
	int control, network, log, guest[2];

	CHECK(ask_box(s, IPC_BOX_VM, VM, &vm) == 0);
	become_qemu(&vm);
	CHECK(ask_box(s, IPC_BOX_RELAY, VM, &relay) == 0);
	control = relay.packet.fds[0];
	CHECK(greet(control, &counters));
	check_relay(&relay);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, guest) == 0);

	CHECK(ask_box(s, IPC_BOX_PASST, VM, &first) == 0);
	network = become_passt(&first, &passt, &log);
	CHECK(tell(control, NET_ADD, guest[1], network) == 0);
	CHECK(lease_address(guest[0]) == 0x0a1f0702);
	check_passt(&first);
	fd_close(&log);
	net_counters_read(counters, 0, &numbers);
	CHECK(numbers.tx.packets == 1 && numbers.tx.bytes == 14 + 20 + 8 + 300);
	CHECK(numbers.rx.packets >= 1 && numbers.rx.bytes >= 14 + 28 + 240);

	/* passt ends; QEMU's end does not notice, and the next passt goes on. */
	CHECK(kill(started_pid(&first), SIGKILL) == 0 && has_ended(&first));
	CHECK(hear(control, &report) && report.sides[0] == NET_SIDE_QEMU);
	CHECK(ask_box(s, IPC_BOX_PASST, VM, &second) == 0);
	network = become_passt(&second, &passt, &log);
	CHECK(tell(control, NET_JOIN, network, -1) == 0);
	CHECK(lease_address(guest[0]) == 0x0a1f0702);
	fd_close(&log);

	/* The VM ends, and with it all that ran for it. */
	CHECK(end_leaf(s, VM) == 0);
	CHECK(has_ended(&vm) && has_ended(&relay) && has_ended(&second));
	fd_close(&guest[0]);
	net_counters_unmap(counters);
}

static void
says_why_not(void)
{
	static const struct passt passt = {.n_forwards = 0};
	starter_auto struct starter *s = start_counted();
	answer_auto struct answer vm, first;
	char text[1024] = "";
	int network, log;
	char byte;

	CHECK(ask_box(s, IPC_BOX_VM, VM, &vm) == 0);
	become_qemu(&vm);
	CHECK(drop_route());
	CHECK(ask_box(s, IPC_BOX_PASST, VM, &first) == 0);
	network = become_passt(&first, &passt, &log);
	CHECK(recv(network, &byte, 1, 0) == 0 && has_ended(&first));
	CHECK(pread(log, text, sizeof text - 1, 0) > 0);
	CHECK(strstr(text, "interface") || !printf("# %s\n", text));
	CHECK(restore_route());
	fd_close(&network);
	fd_close(&log);
	CHECK(end_leaf(s, VM) == 0);
}

static void
forwards(void)
{
	static const struct passt passt = {.n_forwards = 1,
		.forwards = {{.protocol = PASST_TCP,
			.address = "10.31.7.2",
			.n_ranges = 2,
			.ranges = {{.start = 2222, .to = 22},
				{.start = 8000, .end = 8003, .to = 80}}}}};
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(8003)};
	starter_auto struct starter *s = start_counted();
	answer_auto struct answer vm, first;
	int network, log, client, r = -1;

	address.sin_addr.s_addr = htonl(0x0a1f0702);
	CHECK(ask_box(s, IPC_BOX_VM, VM, &vm) == 0);
	become_qemu(&vm);
	CHECK(ask_box(s, IPC_BOX_PASST, VM, &first) == 0);
	network = become_passt(&first, &passt, &log);
	/* It listens there as soon as it can. */
	for (int i = 0; i < TRIES && r < 0; i++) {
		client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		r = connect(client, (struct sockaddr *)&address, sizeof address);
		fd_close(&client);
		if (r < 0)
			(void)poll(NULL, 0, 20);
	}
	CHECK(r == 0);
	address.sin_port = htons(8004);
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(connect(client, (struct sockaddr *)&address, sizeof address) < 0);
	fd_close(&client);
	fd_close(&network);
	CHECK(has_ended(&first));
	fd_close(&log);
	CHECK(end_leaf(s, VM) == 0);
}

static void
only_for_a_vm(void)
{
	starter_auto struct starter *s = start_counted();
	answer_auto struct answer vm, none, other;
	struct answer all[2 * LAUNCH_LEAF_PROCESSES_MAX];
	int r = 0, n = 0;

	CHECK(ask_box(s, IPC_BOX_RELAY, VM, &none) == -ENOENT);
	CHECK(ask_box(s, IPC_BOX_VM, VM, &vm) == 0);
	CHECK(ask_box(s, IPC_BOX_PASST, VM + 1, &other) == -ENOENT);
	/* The broker may have changed and not know what is there already. */
	while (r == 0 && n < 2 * LAUNCH_LEAF_PROCESSES_MAX)
		r = ask_box(s, IPC_BOX_PASST, VM, &all[n++]);
	CHECK(r == -EDQUOT && n == LAUNCH_LEAF_PROCESSES_MAX);
	while (n > 0)
		packet_fini(&all[--n].packet);
	CHECK(end_leaf(s, VM) == 0 && has_ended(&vm));
}

static void
outlives_the_starter(void)
{
	struct starter *first = start_counted();
	answer_auto struct answer vm, relay, passt, found;
	struct ipc_leaf_found leaf = {.pid = 0};

	CHECK(ask_box(first, IPC_BOX_VM, VM, &vm) == 0);
	become_qemu(&vm);
	CHECK(ask_box(first, IPC_BOX_RELAY, VM, &relay) == 0);
	CHECK(ask_box(first, IPC_BOX_PASST, VM, &passt) == 0);
	starter_free(&first);
	/* The next one takes QEMU for the VM, and not what runs for it. */
	starter_auto struct starter *s = start_counted();
	(void)ask(s, IPC_LEAF_NEXT, "", 0, -1);
	next_answer(s, &found);
	CHECK(found.err == 0 && found.type == IPC_LEAF_FOUND);
	memcpy(&leaf, found.packet.data + sizeof(struct ipc_header), sizeof leaf);
	CHECK((int)leaf.pid == started_pid(&vm) && leaf.leaf.id == VM);
	CHECK(poll(&(struct pollfd){.fd = relay.packet.fds[1], .events = POLLIN}, 1, 0) == 0);
	CHECK(end_leaf(s, VM) == 0);
	CHECK(has_ended(&vm) && has_ended(&relay) && has_ended(&passt));
}

static void
without_a_ledger(void)
{
	struct starter *s = starter_start();
	answer_auto struct answer vm, relay, passt;

	CHECK(ask_box(s, IPC_BOX_VM, VM, &vm) == 0);
	CHECK(ask_box(s, IPC_BOX_RELAY, VM, &relay) == 0);
	CHECK(ask_box(s, IPC_BOX_PASST, VM, &passt) == 0);
	starter_free(&s);
	CHECK(has_ended(&vm));
	CHECK(has_ended(&relay));
	CHECK(has_ended(&passt));
}

/* Held while they are on their way from the starter to their programs, and it ends meanwhile: each
 * has, at first, what the starter had open for those before it. */
static void
ends_on_the_way(void)
{
	for (int i = 0; i < 3; i++) {
		struct starter *s = starter_start();
		answer_auto struct answer vm, relay, passt;

		CHECK(ask_box(s, IPC_BOX_VM, VM, &vm) == 0);
		CHECK(ask_box(s, IPC_BOX_RELAY, VM, &relay) == 0);
		send_signal(&relay, SIGSTOP);
		CHECK(ask_box(s, IPC_BOX_PASST, VM, &passt) == 0);
		send_signal(&passt, SIGSTOP);
		/* Those that are held keep its log open. */
		fd_close(&s->link_fd);
		CHECK(waitpid(s->pid, NULL, 0) == s->pid);
		send_signal(&relay, SIGCONT);
		CHECK(has_ended(&relay));
		send_signal(&passt, SIGCONT);
		CHECK(has_ended(&passt) && has_ended(&vm));
		CHECK(starter_logged(s, NULL));
		fd_close(&s->log_fd);
		starter_free(&s);
	}
}

static void
find_programs(const char *name, const char *self)
{
	const char *build = getenv("QEMUD_BUILD");
	char box[PATH_MAX], net[PATH_MAX], command[3 * PATH_MAX], at[PATH_MAX];

	/* build/tests/unit/launch_net */
	if (build)
		(void)snprintf(at, sizeof(at), "%s", build);
	else
		(void)snprintf(at, sizeof(at), "%.*s/../..", (int)(name - self), self);
	if ((size_t)snprintf(launch_path, sizeof(launch_path), "%s/qemud-launch", at) >=
			sizeof(launch_path) ||
		access(launch_path, X_OK) < 0)
		bail_out(launch_path);
	(void)snprintf(box, sizeof(box), "%.4000s/qemud-box", at);
	(void)snprintf(net, sizeof(net), "%.4000s/qemud-net", at);
	(void)snprintf(
		command, sizeof(command), "install -m 0711 '%s' '%s' %s/", box, net, libexec);
	if (!run(command))
		bail_out("the programs");
}

int
main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];

	(void)argc;
	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root\n");
		return 0;
	}
	if (!passt_is_installed()) {
		printf("1..0 # SKIP needs passt\n");
		return 0;
	}
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	make_place();
	find_programs(name, argv[0]);
	if (!make_network()) {
		printf("1..0 # SKIP needs a network of its own\n");
		return 0;
	}
	if (!make_cgroup(cgroup, sizeof(cgroup))) {
		printf("1..0 # SKIP needs a cgroup v2 that it can write\n");
		remove_place();
		return 0;
	}
	TEST("a guest gets its address through relay and passt, and again from the next passt",
		gives_an_address);
	TEST("a passt that cannot do its work ends, and its log says why", says_why_not);
	TEST("ports of the host are forwarded as asked, and no other", forwards);
	TEST("they outlive the starter, and the next one finds their VM", outlives_the_starter);
	TEST("without a ledger they end with the starter", without_a_ledger);
	TEST("and so do those that were not there yet when it ended", ends_on_the_way);
	TEST("there is none without a VM, and no end of them with one", only_for_a_vm);
	remove_cgroup(cgroup);
	remove_place();
	return TEST_END();
}
