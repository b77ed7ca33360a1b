/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who asks for a VM's screen, a picture of it, or its keys gets it when QEMU gives it, and is told
 * when it does not; a QEMU that hangs, lies or writes without end costs nobody more than the wait.
 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <sys/un.h>

#include "serve/descriptors.h"
#include "tests/unit/vm_stage.h"
#include "worker/vm/screen.h"

#define NO_SOCKET "<devices><graphics type='vnc'><listen type='none'/></graphics></devices>"
#define SOCKET    "<devices><graphics type='vnc'/></devices>"

enum { ROOM = 5 * 1024 * 1024 };

__attribute__((used)) static void (*const served_screen[])(void) = {
	(void (*)(void))rpc_domain_inject_nmi,
	(void (*)(void))rpc_domain_open_graphics,
	(void (*)(void))rpc_domain_open_graphics_fd,
	(void (*)(void))rpc_domain_screenshot,
	(void (*)(void))rpc_domain_send_key,
};

static char run_folder[64];

/* With a socket QEMU is given it, before the guest is let go. */
static struct rpc_header
start_with(const char *more)
{
	struct rpc_header start;

	stage_open(more);
	(void)snprintf(run_folder, sizeof(run_folder), "%s/run", farm_root);
	rig.estate.env.run = run_folder;
	start = ask_start(0);
	go_to(AT_STATUS);
	qemu_answers("{\"status\":\"prelaunch\",\"running\":false}");
	qemu_hears("balloon");
	qemu_answers("{}");
	return start;
}

static void
runs(const struct rpc_header *start)
{
	qemu_hears("cont");
	qemu_tells("RESUME", NULL);
	qemu_answers("{}");
	check_started(start);
	(void)told();
}

static void
run_with(const char *more)
{
	struct rpc_header start = start_with(more);

	if (strcmp(more, SOCKET) == 0) {
		qemu_hears("getfd");
		qemu_answers("{}");
		qemu_hears("display-update");
		qemu_answers("{}");
	}
	runs(&start);
}

static struct rpc_header
ask_graphics(int32_t procedure, uint32_t idx)
{
	struct rpc_domain_open_graphics_fd_args args = {.dom = stage.dom, .idx = idx};

	return send_call(stage.client, procedure, &args);
}

/* QEMU is handed a connection; true when what is said at the other end arrives in it. */
static bool
is_connected(int other)
{
	char byte = '\0';

	return send(other, "x", 1, MSG_NOSIGNAL) == 1 &&
	       recv(qemu.passed, &byte, 1, MSG_DONTWAIT) == 1 && byte == 'x';
}

/* A reply with a descriptor; -1: it is none. */
static int
receive_descriptor(void)
{
	uint8_t packet[RPC_FRAME_MIN + 4];
	int fd = -1;
	ssize_t n = -EAGAIN;
	uint8_t byte = 1;

	CHECK(receive_all(stage.client, packet, sizeof(packet)));
	CHECK(packet[19] == RPC_REPLY_WITH_FDS && packet[sizeof(packet) - 1] == 1);
	for (unsigned i = 0; n == -EAGAIN && i < TURNS; i++) {
		rig_turn(0);
		n = descriptors_recv(stage.client, &byte, 1, &fd);
	}
	CHECK(n == 1 && byte == 0);
	return fd;
}

/* --- connections -------------------------------------------------------------------------- */

static void
test_by_reply(void)
{
	int fd;

	run_with(NO_SOCKET);
	(void)ask_graphics(RPC_PROC_DOMAIN_OPEN_GRAPHICS_FD, 0);
	qemu_hears("getfd");
	CHECK(qemu.passed >= 0);
	qemu_answers("{}");
	qemu_hears("add_client");
	CHECK(is_silent(stage.client));
	qemu_answers("{}");
	fd = receive_descriptor();
	CHECK(fd >= 0 && is_connected(fd));
	fd_close(&fd);
	/* The connection goes on as if nothing had been. */
	(void)ask(stage.client, RPC_PROC_DOMAIN_SUSPEND, 0);
	qemu_hears("stop");
	stage_close();
}

static void
test_refused(void)
{
	struct rpc_header asked;

	run_with(NO_SOCKET);
	asked = ask_graphics(RPC_PROC_DOMAIN_OPEN_GRAPHICS_FD, 0);
	qemu_hears("getfd");
	qemu_refuses("none came");
	check_failed(&asked, stage.client, VIR_ERR_INTERNAL_ERROR,
		"unable to execute QEMU command 'getfd': \"none came\"");
	asked = ask_graphics(RPC_PROC_DOMAIN_OPEN_GRAPHICS_FD, 0);
	qemu_hears("getfd");
	qemu_answers("{}");
	qemu_hears("add_client");
	qemu_refuses("no more");
	/* QEMU does not keep what it did not use. */
	qemu_hears("closefd");
	qemu_answers("{}");
	check_failed(&asked, stage.client, VIR_ERR_INTERNAL_ERROR,
		"unable to execute QEMU command 'add_client': \"no more\"");
	asked = ask_graphics(RPC_PROC_DOMAIN_OPEN_GRAPHICS_FD, 1);
	check_failed(
		&asked, stage.client, VIR_ERR_INTERNAL_ERROR, "No graphics backend with index 1");
	asked = ask_graphics(RPC_PROC_DOMAIN_OPEN_GRAPHICS, 0);
	check_failed(&asked, stage.client, VIR_ERR_INTERNAL_ERROR, "No FD available at slot 0");
	CHECK(qemu_is_left_alone());
	stage_close();
}

static int
connect_to_screen(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path),
		"00000000-0000-4000-8000-000000000001.vnc");
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		fd_close(&fd);
	return fd;
}

static void
test_by_socket(void)
{
	fd_auto int viewer = -1, accepted = -1;
	struct rpc_header start = start_with(SOCKET);

	qemu_hears("getfd");
	qemu_answers("{}");
	qemu_hears("display-update");
	CHECK(is_silent(stage.client));
	qemu_answers("{}");
	runs(&start);
	viewer = connect_to_screen();
	accepted = accept4(qemu.passed, NULL, NULL, SOCK_CLOEXEC);
	CHECK(viewer >= 0 && accepted >= 0);
	/* No worker is needed for the next one. */
	stage_close();
}

/* A QEMU that cannot show its screen is ended, and says why. */
static void
test_socket_refused(void)
{
	struct rpc_header start = start_with(SOCKET);

	qemu_hears("getfd");
	qemu_answers("{}");
	qemu_hears("display-update");
	qemu_refuses("too old");
	broker_says_gone(ID);
	check_failed(&start, stage.client, VIR_ERR_INTERNAL_ERROR,
		"unable to execute QEMU command 'display-update': \"too old\"");
	stage_close();
}

/* --- who looks ---------------------------------------------------------------------------- */

#define SIDE(host, service, family) \
	"{\"host\":\"" host "\",\"service\":\"" service "\",\"family\":\"" family "\"}"
#define LOOKS(server, client) "{\"server\":" server ",\"client\":" client "}"

static struct rpc_domain_event_callback_graphics_msg
receive_graphics(int32_t id)
{
	const struct rpc_procedure *row =
		rpc_procedure_find(RPC_PROGRAM_REMOTE, RPC_PROC_DOMAIN_EVENT_CALLBACK_GRAPHICS);
	struct rpc_domain_event_callback_graphics_msg msg = {0};
	struct rpc_frame frame;

	CHECK(receive_frame(stage.watcher, &frame) &&
		frame.header.procedure == RPC_PROC_DOMAIN_EVENT_CALLBACK_GRAPHICS &&
		rpc_decode(row->args, frame.payload, frame.size, &rig.arena, &msg) == 0);
	CHECK(msg.callbackID == id && msg.n_subject == 0);
	CHECK_STR(msg.dom.name, "vm");
	return msg;
}

static void
test_who_looks(void)
{
	static const char *const events[] = {
		"VNC_CONNECTED", "VNC_INITIALIZED", "VNC_DISCONNECTED"};
	static const char *const silent[] = {NULL, "{}", "[]", "{\"server\":7,\"client\":7}",
		LOOKS(SIDE("", "x", "unix"), "{\"family\":\"unix\"}"),
		LOOKS(SIDE("", "x", "unix"), SIDE("", "", "vsock")),
		LOOKS("{\"host\":\"\",\"family\":\"unix\"}", SIDE("", "", "unix"))};
	struct rpc_domain_event_callback_graphics_msg msg;
	int32_t id;

	run_with(SOCKET);
	id = subscribe(stage.watcher, HAPPENED_GRAPHICS, NULL);
	for (int32_t i = 0; i < 3; i++) {
		qemu_tells(events[i],
			"{\"server\":{\"host\":\"\",\"service\":\"./x.vnc\",\"family\":\"unix\","
			"\"auth\":\"vnc\"},\"client\":" SIDE("", "", "unix") "}");
		msg = receive_graphics(id);
		CHECK(msg.phase == i && msg.local.family == GRAPHICS_UNIX &&
			msg.remote.family == GRAPHICS_UNIX);
		CHECK_STR(msg.authScheme, "vnc");
		/* The socket as the definition has it, wherever QEMU finds it. */
		CHECK(strncmp(msg.local.service, run_folder, strlen(run_folder)) == 0);
		CHECK_STR(msg.local.node, "");
		CHECK_STR(msg.remote.service, "");
	}
	qemu_tells(events[0], LOOKS(SIDE("10.0.0.1", "5900", "ipv4"), SIDE("::1", "77", "ipv6")));
	msg = receive_graphics(id);
	CHECK(msg.local.family == GRAPHICS_IPV4 && msg.remote.family == GRAPHICS_IPV6);
	CHECK_STR(msg.local.node, "10.0.0.1");
	CHECK_STR(msg.remote.service, "77");
	CHECK_STR(msg.authScheme, "");
	for (unsigned i = 0; i < sizeof(silent) / sizeof(silent[0]); i++)
		qemu_tells(events[i % 3], silent[i]);
	CHECK(is_silent(stage.watcher));
	stage_close();
}

/* --- pictures ----------------------------------------------------------------------------- */

static struct rpc_header
ask_picture(uint32_t screen)
{
	struct rpc_domain_screenshot_args args = {.dom = stage.dom, .screen = screen};

	return send_call(stage.client, RPC_PROC_DOMAIN_SCREENSHOT, &args);
}

static void
takes_picture(void)
{
	qemu_hears("add-fd");
	CHECK((fcntl(qemu.passed, F_GETFL) & O_ACCMODE) == O_WRONLY);
	qemu_answers("{\"fdset-id\":3,\"fd\":20}");
	qemu_hears("screendump");
}

/* Data of the stream, until its end. */
static size_t
receive_picture(const struct rpc_header *asked)
{
	size_t size = 0;
	struct rpc_frame frame;

	while (receive_frame(stage.client, &frame) && frame.size > 0) {
		CHECK(frame.header.type == RPC_STREAM && frame.header.serial == asked->serial);
		for (size_t i = 0; i < frame.size; i++)
			CHECK(frame.payload[i] == (uint8_t)((size + i) / 251));
		size += frame.size;
		rpc_arena_reset(&rig.arena);
	}
	return size;
}

static void
test_picture(void)
{
	struct rpc_domain_screenshot_ret ret = {.mime = NULL};
	static uint8_t data[ROOM];
	struct rpc_header asked;

	for (size_t i = 0; i < ROOM; i++)
		data[i] = (uint8_t)(i / 251);
	run_with(NO_SOCKET);
	asked = ask_picture(0);
	takes_picture();
	CHECK(write(qemu.passed, data, ROOM) == ROOM);
	qemu_answers("{}");
	qemu_hears("remove-fd");
	CHECK(is_silent(stage.client));
	qemu_answers("{}");
	CHECK(read_reply(stage.client, &asked, &ret) == 0);
	CHECK_STR(ret.mime, "image/png");
	/* More than may wait for a client: it is read as the client reads. */
	CHECK(receive_picture(&asked) == ROOM);
	stage_close();
}

static void
test_picture_hangs(void)
{
	struct rpc_header asked;

	run_with(NO_SOCKET);
	asked = ask_picture(0);
	takes_picture();
	no_more_time();
	check_failed(&asked, stage.client, VIR_ERR_OPERATION_TIMEOUT,
		"QEMU did not answer 'screendump' within 30 seconds");
	/* It does after all: nobody waits, and the next one gets its own. */
	qemu_answers("{}");
	asked = ask_picture(0);
	takes_picture();
	qemu_refuses("no");
	qemu_hears("remove-fd");
	qemu_answers("{}");
	check_failed(&asked, stage.client, VIR_ERR_INTERNAL_ERROR,
		"unable to execute QEMU command 'screendump': \"no\"");
	stage_close();
}

static void
test_picture_size(void)
{
	static const off_t sizes[] = {0, VM_PICTURE_MAX + 1};
	struct rpc_header asked;

	run_with(NO_SOCKET);
	for (int i = 0; i < 2; i++) {
		asked = ask_picture(0);
		takes_picture();
		CHECK(ftruncate(qemu.passed, sizes[i]) == 0);
		qemu_answers("{}");
		qemu_hears("remove-fd");
		qemu_answers("{}");
		check_failed(&asked, stage.client, VIR_ERR_OPERATION_FAILED,
			"QEMU has written no screenshot of at most");
	}
	asked = ask_picture(7);
	check_failed(&asked, stage.client, VIR_ERR_OPERATION_INVALID, "no such screen ID");
	stage_close();
}

/* Its client has gone meanwhile: nothing is left of it. */
static void
test_picture_for_nobody(void)
{
	run_with(NO_SOCKET);
	(void)ask_picture(0);
	takes_picture();
	fd_close(&stage.client);
	for (int i = 0; i < 5; i++)
		rig_turn(0);
	CHECK(write(qemu.passed, "x", 1) == 1);
	qemu_answers("{}");
	qemu_hears("remove-fd");
	qemu_answers("{}");
	rig_turn(0);
	CHECK(rig.estate.jobs.n == 0);
	stage_close();
}

/* --- keys --------------------------------------------------------------------------------- */

static void
test_keys(void)
{
	static uint32_t codes[] = {30, 600};
	struct rpc_domain_send_key_args args = {.n_keycodes = 1, .keycodes = codes};
	struct rpc_header asked;

	run_with(NO_SOCKET);
	args.dom = stage.dom;
	asked = send_call(stage.client, RPC_PROC_DOMAIN_SEND_KEY, &args);
	qemu_hears("send-key");
	qemu_answers("{}");
	CHECK(read_reply(stage.client, &asked, NULL) == 0);
	args.n_keycodes = 2;
	asked = send_call(stage.client, RPC_PROC_DOMAIN_SEND_KEY, &args);
	check_failed(&asked, stage.client, VIR_ERR_INTERNAL_ERROR,
		"cannot translate keycode 600 of linux codeset to qnum keycode");
	args.codeset = 10;
	asked = send_call(stage.client, RPC_PROC_DOMAIN_SEND_KEY, &args);
	check_failed(&asked, stage.client, VIR_ERR_INVALID_ARG, "Unsupported codeset 10");
	args.n_keycodes = 0;
	asked = send_call(stage.client, RPC_PROC_DOMAIN_SEND_KEY, &args);
	check_failed(&asked, stage.client, VIR_ERR_INVALID_ARG, "must be greater than zero");
	CHECK(qemu_is_left_alone());
	asked = ask(stage.client, RPC_PROC_DOMAIN_INJECT_NMI, 0);
	qemu_hears("inject-nmi");
	qemu_answers("{}");
	CHECK(read_reply(stage.client, &asked, NULL) == 0);
	stage_close();
}

int
main(void)
{
	TEST("a screen by a descriptor in the reply, when QEMU has its end", test_by_reply);
	TEST("what QEMU refuses is told, and not kept by it", test_refused);
	TEST("QEMU listens on the socket of its screen, before the guest runs", test_by_socket);
	TEST("a QEMU that does not is ended, and the start fails", test_socket_refused);
	TEST("who looks is told in libvirt's numbers, or not at all", test_who_looks);
	TEST("a picture goes as fast as its client reads", test_picture);
	TEST("a QEMU that never takes a picture is waited for a while", test_picture_hangs);
	TEST("a picture that is none, or too large, is refused", test_picture_size);
	TEST("a picture for nobody is thrown away", test_picture_for_nobody);
	TEST("keys are told to QEMU in its own numbers", test_keys);
	return TEST_END();
}
