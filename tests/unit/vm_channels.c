/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether somebody in the guest has opened a channel is shown, and told of its agent's: from the
 * start on, at each change, and by a worker that was not there when it changed.
 */
#include "worker/vm/channels.h"

#include "tests/unit/test.h"

#include "tests/unit/next_worker.h"

#define PORT(id, open)    "{\"id\":\"" id "\",\"open\":" open "}"
#define CHARDEV(id, open) "{\"label\":\"" id "\",\"filename\":\"unix\",\"frontend-open\":" open "}"

static const char channels[] =
	"<devices>"
	"<channel type='null'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
	"<channel type='null'><target type='virtio' name='org.example.other'/></channel>"
	"<channel type='null'><target type='virtio'/></channel></devices>";

/* "12-": the state of each channel, the wire's number or nothing known. */
static const char *
states(void)
{
	static char out[8];
	const struct domain_def *live = farm_domain(VM)->live;

	for (size_t i = 0; i < live->n_channels; i++)
		out[i] = "-12"[live->channels[i].state];
	return out;
}

/* The next event of the agent's, or none. */
static void
check_agent(int32_t state, int32_t reason)
{
	struct rpc_domain_event_callback_agent_lifecycle_msg msg;
	struct rpc_frame frame;

	if (state == 0) {
		CHECK(is_silent(stage.watcher));
		return;
	}
	ASSERT(receive_frame(stage.watcher, &frame));
	ASSERT(frame.header.procedure == RPC_PROC_DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE);
	ASSERT(rpc_decode(rpc_procedure_find(RPC_PROGRAM_REMOTE, frame.header.procedure)->args,
		       frame.payload, frame.size, &rig.arena, &msg) == 0);
	CHECK_STR(msg.dom.name, "vm");
	CHECK(msg.state == state && msg.reason == reason);
}

/* It runs; the start told of the agent first. */
static void
begin(void)
{
	stage_open(channels);
	(void)told();
	(void)subscribe(stage.watcher, HAPPENED_AGENT_LIFECYCLE, NULL);
	(void)ask_start(0);
	go_to(AT_RUN);
	check_agent(2, AGENT_DOMAIN_STARTED);
	CHECK_STR(told(), "resumed 0, started 0");
	CHECK_STR(states(), "222");
}

static void
test_changes(void)
{
	char *xml = NULL;

	begin();
	qemu_tells("VSERPORT_CHANGE", PORT("channel0", "true"));
	check_agent(1, AGENT_CHANNEL);
	qemu_tells("VSERPORT_CHANGE", PORT("channel0", "true"));
	qemu_tells("VSERPORT_CHANGE", PORT("channel1", "true"));
	check_agent(0, 0);
	CHECK_STR(states(), "112");
	CHECK(domain_def_format(farm_domain(VM)->live, DOMAIN_DEF_LIVE, ID, &xml) == 0 &&
		strstr(xml, "name='org.qemu.guest_agent.0' state='connected'/>") &&
		strstr(xml, "<target type='virtio' state='disconnected'/>"));
	free(take_ptr(xml));
	CHECK(domain_def_format(farm_domain(VM)->live, 0, ID, &xml) == 0 && !strstr(xml, "state="));
	free(xml);
	qemu_tells("VSERPORT_CHANGE", PORT("channel0", "false"));
	check_agent(2, AGENT_CHANNEL);
	/* Ports of consoles, none at all, and nonsense. */
	qemu_tells("VSERPORT_CHANGE", PORT("console0", "true"));
	qemu_tells("VSERPORT_CHANGE", PORT("", "true"));
	qemu_tells("VSERPORT_CHANGE", "{\"id\":7,\"open\":true}");
	qemu_tells("VSERPORT_CHANGE", NULL);
	check_agent(0, 0);
	CHECK_STR(states(), "212");
	stage_close();
}

/* The next worker is told by QEMU; who listens, of what differs. */
static void
test_next_worker(void)
{
	begin();
	fd_close(&qemu.monitor);
	begin_again();
	lists_it();
	CHECK_STR(states(), "---");
	qemu_is_reached(VM, "running");
	qemu_hears("query-chardev");
	qemu_answers(
		"[" CHARDEV("charmonitor", "true") "," CHARDEV("charchannel1", "true") "," CHARDEV(
			"charchannel0", "true") ",{\"label\":\"charchannel2\"},{\"label\":7},8]");
	check_adopted();
	CHECK_STR(states(), "11-");
	check_agent(1, AGENT_CHANNEL);
	check_agent(0, 0);
	stage_close();
}

/* It was not heard for a while, by the same worker; an answer that is none changes nothing. */
static void
test_reached_again(void)
{
	static const char *const answers[] = {"[" CHARDEV("charchannel0", "true") "]", "{}",
		"[" CHARDEV("charchannel0", "false") "]"};
	static const int32_t want[] = {1, 0, 2};

	begin();
	for (int i = 0; i < 3; i++) {
		fd_close(&qemu.monitor);
		for (int turn = 0; turn < 100 && !timer_is_set(&the_vm()->retry); turn++)
			rig_turn(10);
		pass_time(&the_vm()->retry);
		qemu_is_reached(VM, "running");
		qemu_hears("query-chardev");
		qemu_answers(answers[i]);
		check_agent(want[i], AGENT_CHANNEL);
	}
	CHECK_STR(states(), "222");
	stage_close();
}

int
main(void)
{
	TEST("what the guest opens and closes is shown and told", test_changes);
	TEST("the next worker finds how they are", test_next_worker);
	TEST("what changed while the monitor was away", test_reached_again);
	return TEST_END();
}
