/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an interface of kind user wants becomes passt's arguments, as libvirt writes them; what passt
 * cannot do, or the host does not allow, is refused in words.
 */
#include "worker/qemu/passt.h"

#include "tests/unit/test.h"

enum { PORT_MIN = 1024 };

static struct passt_text text;

/* All arguments, with a space between. */
static const char *
arguments(const struct passt *passt, unsigned port_min)
{
	static char line[PLAN_SIZE_MAX];
	struct plan plan;
	size_t n = 0;

	CHECK(passt_plan(passt, port_min, &text, &plan) == 0);
	CHECK(plan.program == PLAN_PASST && plan.profile == PLAN_VM);
	CHECK(plan.n_fds == 1 && plan.fds[0] == PASST_FD);
	line[0] = '\0';
	for (unsigned i = 0; i < plan.n_args; i++)
		n += (size_t)snprintf(
			line + n, sizeof line - n, "%s%s", i > 0 ? " " : "", plan.args[i]);
	return line;
}

static void
writes(void)
{
	static const struct {
		struct passt passt;
		const char *arguments;
	} cases[] = {
		{{.mtu = 0}, ""},
		{{.device = "eth0", .mtu = 1500}, "--interface eth0 --mtu 1500"},
		{{.n_dns = 2, .dns = {"192.0.2.1", "192.0.2.2"}},
			"--dns 192.0.2.1 --dns 192.0.2.2"},
		{{.n_addresses = 2, .addresses = {{"10.0.2.15", 24}, {"fd00::15", 0}}},
			"--address 10.0.2.15 --netmask 24 --address fd00::15"},
		{{.n_forwards = 1,
			 .forwards = {{.protocol = PASST_TCP,
				 .n_ranges = 1,
				 .ranges = {{.start = 2222, .to = 22}}}}},
			"--tcp-ports 2222:22"},
		{{.n_forwards = 2,
			 .forwards =
				 {{.protocol = PASST_TCP,
					  .address = "2001:db8::1",
					  .device = "eth0",
					  .n_ranges = 4,
					  .ranges = {{.start = 8000, .end = 8010},
						  {.start = 9000, .end = 9003, .to = 90},
						  {.start = 8003, .exclude = true},
						  {.start = 8005, .end = 8006, .exclude = true}}},
					 {.protocol = PASST_UDP,
						 .device = "eth0",
						 .n_ranges = 1,
						 .ranges = {{.start = 5353}}}}},
			"--tcp-ports 2001:db8::1%eth0/8000-8010,9000-9003:90-93,~8003,~8005-8006 "
			"--udp-ports %eth0/5353"},
		/* All of them are all but those that may not be had. */
		{{.n_forwards = 1, .forwards = {{.protocol = PASST_UDP, .address = "10.0.0.1"}}},
			"--udp-ports 10.0.0.1/~1-1023"},
		{{.n_forwards = 1,
			 .forwards = {{.protocol = PASST_TCP,
				 .n_ranges = 1,
				 .ranges = {{.start = 3389, .exclude = true}}}}},
			"--tcp-ports ~3389,~1-1023"},
	};
	static const struct passt all = {.n_forwards = 1, .forwards = {{.protocol = PASST_TCP}}};
	char why[PLAN_WHY_MAX];

	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		CHECK(passt_check(&cases[i].passt, PORT_MIN, why) == 0 || !printf("# %s\n", why));
		CHECK_STR(arguments(&cases[i].passt, PORT_MIN), cases[i].arguments);
	}
	CHECK_STR(arguments(&all, 1), "--tcp-ports all");
}

#define FORWARD(...)                                                                  \
	{                                                                             \
		.n_forwards = 1, .forwards = { {.protocol = PASST_TCP, __VA_ARGS__} } \
	}
#define RANGE(...) FORWARD(.n_ranges = 1, .ranges = {{__VA_ARGS__}})

static void
refuses(void)
{
	static const struct {
		struct passt passt;
		const char *why;
	} cases[] = {
		{{.device = "a/b"}, "no name of a network device"},
		{{.device = "-x"}, "no name of a network device"},
		{{.device = "a b"}, "no name of a network device"},
		{{.device = "a%b"}, "no name of a network device"},
		{{.device = ".."}, "no name of a network device"},
		{{.mtu = 65536}, "above 65535"},
		{{.n_addresses = 3}, "more than 2 addresses"},
		{{.n_addresses = 1, .addresses = {{"10.0.2", 0}}}, "is no address"},
		{{.n_addresses = 1, .addresses = {{"", 0}}}, "is no address"},
		{{.n_addresses = 2, .addresses = {{"10.0.2.1", 0}, {"10.0.2.2", 0}}},
			"of a family"},
		{{.n_addresses = 1, .addresses = {{"fd00::1", 64}}}, "no prefix of its own"},
		{{.n_addresses = 1, .addresses = {{"10.0.2.1", 33}}}, "above 32"},
		{{.n_forwards = PASST_FORWARDS_MAX + 1}, "more than 16 forwards"},
		{{.n_forwards = 1}, "neither TCP nor UDP"},
		{FORWARD(.address = "localhost"), "is no address"},
		{FORWARD(.device = "a:b"), "no name of a network device"},
		{FORWARD(.n_ranges = PASST_RANGES_MAX + 1), "more than 32 ranges"},
		{RANGE(.start = 0, .end = 5), "no port 0"},
		{RANGE(.start = 3000, .end = 2999), "ends before it begins"},
		{RANGE(.start = 3000, .to = 5, .exclude = true), "go nowhere"},
		{RANGE(.start = 3000, .end = 4000, .to = 65000), "goes beyond 65535"},
		{RANGE(.start = 1023), "port_min in qemud.conf"},
		{RANGE(.start = 80, .end = 90), "below 1024"},
	};
	static const struct passt good = RANGE(.start = 22, .exclude = true),
				  last = RANGE(.start = 65535, .to = 65535),
				  edge = RANGE(.start = 2000, .end = 2535, .to = 65000);
	char why[PLAN_WHY_MAX];

	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		CHECK(passt_check(&cases[i].passt, PORT_MIN, why) == PASST_E_BAD);
		CHECK(strstr(why, cases[i].why) || !printf("# %s\n", why));
	}
	CHECK(passt_check(&good, PORT_MIN, why) == 0);
	CHECK(passt_check(&last, PORT_MIN, why) == 0);
	CHECK(passt_check(&edge, PORT_MIN, why) == 0);
}

static void
is_bounded(void)
{
	static struct passt passt = {.device = "abcdefghijklmno",
		.mtu = 65535,
		.n_addresses = 2,
		.addresses = {{"255.255.255.255", 32},
			{"2001:db8:1111:2222:3333:4444:5555:6666", 0}},
		.n_forwards = PASST_FORWARDS_MAX};
	char why[PLAN_WHY_MAX];

	for (unsigned i = 0; i < PASST_FORWARDS_MAX; i++) {
		struct passt_forward *forward = &passt.forwards[i];

		*forward = (struct passt_forward){.protocol = PASST_UDP,
			.address = "2001:db8:1111:2222:3333:4444:5555:6666",
			.device = "abcdefghijklmno",
			.n_ranges = PASST_RANGES_MAX};
		for (unsigned j = 0; j < PASST_RANGES_MAX; j++)
			forward->ranges[j] =
				(struct passt_range){.start = 60000, .end = 60001, .to = 50000};
	}
	/* Whatever passes the check fits. */
	CHECK(passt_check(&passt, PORT_MIN, why) == 0);
	CHECK(strlen(arguments(&passt, PORT_MIN)) > 8000 || text.n == 2 * PASST_FORWARDS_MAX + 9);
}

int
main(void)
{
	TEST("arguments are libvirt's", writes);
	TEST("what cannot be, or may not, is refused in words", refuses);
	TEST("the most that may be asked for fits", is_bounded);
	return TEST_END();
}
