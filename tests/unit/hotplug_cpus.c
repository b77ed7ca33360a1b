/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What QEMU says of its places for virtual CPUs is taken in the order of their numbers, or not at all.
 */
#include "worker/qemu/hotplug_cpus.h"

#include <string.h>

#include "tests/unit/qemu_cpus.h"
#include "tests/unit/test.h"

static struct hotplug_cpus cpus;

static int
read_text(const char *text, uint32_t n)
{
	json_t *answer = json_loads(text, JSON_DECODE_ANY, NULL);
	int r = hotplug_cpus_read(answer, n, &cpus);

	CHECK(answer);
	json_decref(answer);
	return r;
}

static void
test_order(void)
{
	char alias[HOTPLUG_CPU_ALIAS_SIZE];

	CHECK(read_text("[" QEMU_NO_CPU(2) "," QEMU_PLUGGED_CPU(1) "," QEMU_CPU(0) "]", 3) == 0);
	CHECK(cpus.n == 3 && cpus.n_there == 2);
	CHECK_STR(cpus.type, "qemu64-x86_64-cpu");
	for (int i = 0; i < 3; i++)
		CHECK(cpus.cpus[i].place[0] == i && cpus.cpus[i].place[1] == -1);
	CHECK(cpus.cpus[0].there && !cpus.cpus[0].plugged);
	CHECK(cpus.cpus[1].there && cpus.cpus[1].plugged);
	CHECK(!cpus.cpus[2].there && !cpus.cpus[2].plugged);
	CHECK_STR(hotplug_cpu_alias(254, alias), "vcpu254");
}

/* One that sits in another place than its alias says is not ours to take away. */
static void
test_not_ours(void)
{
	static const char *const paths[] = {"/machine/peripheral/vcpu1",
		"/machine/peripheral/vcpu00", "/machine/peripheral/vcpu",
		"/machine/peripheral/vcpu0x", "/machine/peripheral/vcpu-0",
		"/machine/peripheral/vcpu99999999999999999999", "/machine/peripheral/other",
		"/machine/peripheral/vcpu0/vcpu0", "", "vcpu0"};
	char text[512];

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		(void)snprintf(text, sizeof(text),
			"[{\"props\":{\"core-id\":7},\"vcpus-count\":1,\"qom-path\":\"%s\","
			"\"type\":\"a-cpu\"}]",
			paths[i]);
		CHECK(read_text(text, 1) == 0 && cpus.n_there == 1 && !cpus.cpus[0].plugged);
	}
}

static void
test_topology(void)
{
	char text[2048] = "[", one[160];

	/* QEMU's own order is the other way round; the node is no part of the place. */
	for (int i = 7; i >= 0; i--) {
		(void)snprintf(one, sizeof(one),
			"{\"props\":{\"socket-id\":%d,\"die-id\":0,\"core-id\":%d,\"thread-id\":%d,"
			"\"node-id\":%d},\"vcpus-count\":1,%s\"type\":\"t\"}%s",
			i / 4, i / 2 % 2, i % 2, 1 - i / 4, i ? "" : "\"qom-path\":\"/m\",",
			i ? "," : "]");
		strcat(text, one);
	}
	CHECK(read_text(text, 8) == 0 && cpus.n_there == 1 && cpus.cpus[0].there);
	for (int i = 0; i < 8; i++)
		CHECK(cpus.cpus[i].place[0] == i / 4 && cpus.cpus[i].place[2] == i / 2 % 2 &&
			cpus.cpus[i].place[3] == i % 2 && cpus.cpus[i].place[4] == 1 - i / 4);
}

static void
test_device(void)
{
	json_t *device, *want;

	CHECK(read_text("[" QEMU_NO_CPU(1) "," QEMU_CPU(0) "]", 2) == 0);
	device = hotplug_cpu_device(&cpus, 1);
	want = json_loads("{\"driver\":\"qemu64-x86_64-cpu\",\"id\":\"vcpu1\",\"socket-id\":1,"
			  "\"core-id\":0,\"thread-id\":0}",
		0, NULL);
	CHECK(json_equal(device, want));
	json_decref(device);
	json_decref(want);
}

#define OF(props, count, type) \
	"[{\"props\":" props ",\"vcpus-count\":" count ",\"qom-path\":\"/m\",\"type\":" type "}]"
#define TYPE_64 "0123456789012345678901234567890123456789012345678901234567890123"

static void
test_bad(void)
{
	static const struct {
		const char *text;
		uint32_t n;
	} bad[] = {
		{"{}", 1},
		{"[]", 1},
		{"[]", 0},
		{"null", 1},
		{"17", 1},
		{"[17]", 1},
		{"[{}]", 1},
		{"[null]", 1},
		{"[" QEMU_NO_CPU(1) "," QEMU_CPU(0) "]", 1},
		{"[" QEMU_NO_CPU(1) "," QEMU_CPU(0) "]", 3},
		{"[" QEMU_NO_CPU(1) "," QEMU_CPU(0) "]", HOTPLUG_CPUS_MAX + 1},
		/* None is taken; one is there twice. */
		{"[" QEMU_NO_CPU(1) "," QEMU_NO_CPU(0) "]", 2},
		{"[" QEMU_CPU(0) "," QEMU_CPU(0) "]", 2},
		{OF("{}", "1", "\"t\""), 1},
		{OF("[]", "1", "\"t\""), 1},
		{OF("{\"core-id\":-1}", "1", "\"t\""), 1},
		{OF("{\"core-id\":1.0}", "1", "\"t\""), 1},
		{OF("{\"core-id\":\"0\"}", "1", "\"t\""), 1},
		{OF("{\"core-id\":null}", "1", "\"t\""), 1},
		{OF("{\"core-id\":0}", "2", "\"t\""), 1},
		{OF("{\"core-id\":0}", "0", "\"t\""), 1},
		{OF("{\"core-id\":0}", "1.0", "\"t\""), 1},
		{OF("{\"core-id\":0}", "null", "\"t\""), 1},
		{OF("{\"core-id\":0}", "1", "\"\""), 1},
		{OF("{\"core-id\":0}", "1", "1"), 1},
		{OF("{\"core-id\":0}", "1", "\"a b\""), 1},
		{OF("{\"core-id\":0}", "1", "\"a,b\""), 1},
		{OF("{\"core-id\":0}", "1", "\"" TYPE_64 TYPE_64 "\""), 1},
		{"[{\"props\":{\"core-id\":0},\"vcpus-count\":1,\"qom-path\":1,\"type\":\"t\"}]",
			1},
		{"[{\"props\":{\"core-id\":0},\"vcpus-count\":1,\"qom-path\":\"/"
		 "m\",\"type\":\"t\"},"
		 "{\"props\":{\"core-id\":1},\"vcpus-count\":1,\"type\":\"u\"}]",
			2},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int r = read_text(bad[i].text, bad[i].n);

		CHECK(r == HOTPLUG_CPUS_E_BAD);
		if (r != HOTPLUG_CPUS_E_BAD)
			printf("# %s\n", bad[i].text);
	}
	CHECK(hotplug_cpus_read(NULL, 1, &cpus) == HOTPLUG_CPUS_E_BAD);
	CHECK(read_text(OF("{\"core-id\":0,\"more\":[]}", "1", "\"t\""), 1) == 0);
}

int
main(void)
{
	TEST("places are in the order of their numbers", test_order);
	TEST("what is not under its own alias cannot be unplugged", test_not_ours);
	TEST("sockets come before dies, dies before cores, cores before threads", test_topology);
	TEST("what is plugged is what QEMU says, at the place that it says", test_device);
	TEST("what is no such answer is not taken", test_bad);
	return TEST_END();
}
