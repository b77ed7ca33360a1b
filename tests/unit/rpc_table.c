/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table has a row for every procedure of libvirt 9.0.0, with the verb that its read-only rule
 * asks for.
 *
 * And the generator makes no table from a row that it does not understand.
 */
#include "protocol/rpc/procedure.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/take.h"
#include "protocol/rpc/frame.h"
#include "protocol/rpc/handlers.h"
#include "protocol/verb.h"
#include "tests/unit/test.h"

enum { N_REMOTE = 443, N_QEMU = 7 };

struct range {
	uint16_t first, last;
};

/* What libvirtd 9.0.0 answers on its read-only socket, asked one by one (conditional rows count).
 */
static const struct range read_only[] = {{1, 7}, {14, 25}, {36, 38}, {43, 47}, {50, 52}, {56, 57},
	{59, 60}, {64, 74}, {84, 89}, {91, 92}, {95, 102}, {105, 106}, {110, 117}, {121, 122},
	{126, 130}, {137, 141}, {143, 143}, {147, 147}, {149, 159}, {162, 163}, {167, 168},
	{175, 179}, {183, 183}, {186, 191}, {194, 194}, {198, 198}, {200, 200}, {202, 203},
	{206, 206}, {212, 212}, {223, 223}, {227, 230}, {238, 238}, {243, 244}, {246, 247},
	{253, 253}, {255, 255}, {257, 257}, {262, 263}, {265, 265}, {271, 275}, {278, 278},
	{280, 287}, {289, 289}, {293, 293}, {297, 299}, {312, 314}, {316, 317}, {340, 341},
	{344, 344}, {351, 351}, {353, 353}, {360, 361}, {365, 365}, {368, 369}, {374, 375},
	{378, 378}, {380, 381}, {387, 388}, {391, 391}, {397, 398}, {401, 401}, {403, 405},
	{407, 407}, {409, 409}, {412, 416}, {419, 419}, {422, 422}, {426, 426}, {435, 436}};

static const struct range events[] = {{107, 107}, {169, 173}, {195, 195}, {224, 224}, {241, 241},
	{248, 248}, {268, 270}, {276, 276}, {292, 292}, {311, 311}, {315, 315}, {318, 333},
	{339, 339}, {346, 346}, {348, 348}, {354, 354}, {359, 359}, {362, 363}, {367, 367},
	{370, 370}, {373, 373}, {376, 377}, {379, 379}, {382, 383}, {385, 385}, {423, 423},
	{438, 438}};

#define IN(ranges, number) in_ranges((ranges), sizeof(ranges) / sizeof((ranges)[0]), (number))

static bool
in_ranges(const struct range *ranges, size_t n, unsigned number)
{
	for (size_t i = 0; i < n; i++)
		if (number >= ranges[i].first && number <= ranges[i].last)
			return true;
	return false;
}

static void
complete(void)
{
	CHECK(rpc_programs[0].program == RPC_PROGRAM_REMOTE);
	CHECK(rpc_programs[0].n_procedures == N_REMOTE);
	CHECK(rpc_programs[1].program == RPC_PROGRAM_QEMU);
	CHECK(rpc_programs[1].n_procedures == N_QEMU);
	for (unsigned i = 0; i < RPC_N_PROGRAMS; i++)
		for (unsigned j = 0; j < rpc_programs[i].n_procedures; j++) {
			const struct rpc_procedure *p = &rpc_programs[i].procedures[j];

			CHECK(p->program == rpc_programs[i].program && p->number == j + 1);
			CHECK(rpc_procedure_find(p->program, (int32_t)j + 1) == p);
			CHECK(p->is_event == (p->call == NULL));
			CHECK(p->is_event || p->api || p->verb == 0);
		}
}

static void
names_are_unique(void)
{
	for (unsigned i = 0; i < N_REMOTE; i++)
		for (unsigned j = 0; j < i; j++)
			CHECK(strcmp(rpc_programs[0].procedures[i].name,
				      rpc_programs[0].procedures[j].name) != 0);
}

static void
not_in_the_table(void)
{
	CHECK(!rpc_procedure_find(RPC_PROGRAM_REMOTE, 0));
	CHECK(!rpc_procedure_find(RPC_PROGRAM_REMOTE, -1));
	CHECK(!rpc_procedure_find(RPC_PROGRAM_REMOTE, INT32_MIN));
	CHECK(!rpc_procedure_find(RPC_PROGRAM_REMOTE, N_REMOTE + 1));
	CHECK(!rpc_procedure_find(RPC_PROGRAM_REMOTE, INT32_MAX));
	CHECK(!rpc_procedure_find(RPC_PROGRAM_QEMU, N_QEMU + 1));
	CHECK(!rpc_procedure_find(RPC_PROGRAM_KEEPALIVE, 1));
	CHECK(!rpc_procedure_find(0, 1));
	CHECK(rpc_program_is_known(RPC_PROGRAM_REMOTE, 1));
	CHECK(rpc_program_is_known(RPC_PROGRAM_QEMU, 1));
	CHECK(!rpc_program_is_known(RPC_PROGRAM_REMOTE, 2));
	CHECK(!rpc_program_is_known(RPC_PROGRAM_KEEPALIVE, 1));
}

static void
read_only_rule(void)
{
	for (unsigned number = 1; number <= N_REMOTE; number++) {
		const struct rpc_procedure *p =
			rpc_procedure_find(RPC_PROGRAM_REMOTE, (int32_t)number);
		bool allowed = (p->verb & ~(unsigned)VERBS_VIEW) == 0;

		CHECK(p->is_event == IN(events, number));
		if (!p->is_event && allowed != IN(read_only, number)) {
			printf("# %s: verb %d\n", p->name, p->verb);
			test_this_failed = 1;
		}
		if (p->direction != RPC_DIRECTION_NONE)
			CHECK(!allowed);
	}
	for (int32_t number = 1; number <= N_QEMU; number++)
		CHECK(rpc_procedure_find(RPC_PROGRAM_QEMU, number)->verb ==
			(number == 6 ? 0 : VERB_MANAGE));
}

/* Each procedure that has this verb, by number; nothing else has it. */
static void
check_verb(enum verb verb, const uint16_t *numbers, size_t n)
{
	size_t seen = 0;

	for (int32_t number = 1; number <= N_REMOTE; number++) {
		if (rpc_procedure_find(RPC_PROGRAM_REMOTE, number)->verb != verb)
			continue;
		CHECK(seen < n && numbers[seen] == number);
		seen++;
	}
	CHECK(seen == n);
}

static void
console_and_power(void)
{
	static const uint16_t console[] = {201, 211, 226, 249, 296, 343};
	static const uint16_t power[] = {
		9, 12, 27, 28, 33, 34, 182, 184, 196, 210, 234, 245, 258, 261, 267, 310};

	check_verb(VERB_CONSOLE, console, sizeof(console) / sizeof(console[0]));
	check_verb(VERB_POWER, power, sizeof(power) / sizeof(power[0]));
}

/* The verbs needed when the u32 that the row's condition is about has this value. */
static unsigned
verbs_with(int32_t number, uint32_t value)
{
	const struct rpc_procedure *p = rpc_procedure_find(RPC_PROGRAM_REMOTE, number);
	uint8_t args[256] = {0};

	CHECK(p->args->size <= sizeof(args));
	memcpy(args + p->condition_offset, &value, sizeof(value));
	return rpc_procedure_verbs(p, args);
}

static void
conditional_rows(void)
{
	static const struct {
		int32_t number;
		uint32_t harmless, harmful, also_harmful;
	} rows[] = {
		{14, 0x6, 0x1, 0x8},
		{186, 0xfffffffe, 0x1, 0x1},
		{200, 0x7, 0x8, 0x9},
		{353, 2, 1, 1},
		{353, 0, 1, 1},
		{388, 0x2, 0x1, 0x3},
		{412, 0x6, 0x1, 0x7},
	};
	struct rpc_domain_get_xml_desc_args args = {.flags = 1};
	unsigned n = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CHECK(verbs_with(rows[i].number, rows[i].harmless) == VERB_VIEW);
		CHECK(verbs_with(rows[i].number, rows[i].harmful) == (VERB_VIEW | VERB_MANAGE));
		CHECK(verbs_with(rows[i].number, rows[i].also_harmful) ==
			(VERB_VIEW | VERB_MANAGE));
	}
	CHECK(rpc_procedure_verbs(rpc_procedure_find(RPC_PROGRAM_REMOTE, 14), &args) ==
		(VERB_VIEW | VERB_MANAGE));
	for (int32_t number = 1; number <= N_REMOTE; number++)
		n += rpc_procedure_find(RPC_PROGRAM_REMOTE, number)->condition !=
		     RPC_CONDITION_NONE;
	CHECK(n == 6);
	/* The flags of a start or destroy need nothing more than the row's verb. */
	CHECK(verbs_with(RPC_PROC_DOMAIN_CREATE_WITH_FLAGS, UINT32_MAX) == VERB_POWER);
	CHECK(verbs_with(RPC_PROC_DOMAIN_DESTROY_FLAGS, UINT32_MAX) == VERB_POWER);
}

static void
streams_and_descriptors(void)
{
	static const struct {
		int32_t number;
		enum rpc_direction direction;
		enum rpc_fds call, reply;
	} rows[] = {
		{148, RPC_DIRECTION_IN, RPC_FDS_NONE, RPC_FDS_NONE},
		{201, RPC_DIRECTION_BOTH, RPC_FDS_NONE, RPC_FDS_NONE},
		{208, RPC_DIRECTION_IN, RPC_FDS_NONE, RPC_FDS_NONE},
		{209, RPC_DIRECTION_OUT, RPC_FDS_NONE, RPC_FDS_NONE},
		{211, RPC_DIRECTION_OUT, RPC_FDS_NONE, RPC_FDS_NONE},
		{215, RPC_DIRECTION_IN, RPC_FDS_NONE, RPC_FDS_NONE},
		{249, RPC_DIRECTION_NONE, RPC_FDS_ONE, RPC_FDS_NONE},
		{296, RPC_DIRECTION_BOTH, RPC_FDS_NONE, RPC_FDS_NONE},
		{304, RPC_DIRECTION_IN, RPC_FDS_NONE, RPC_FDS_NONE},
		{309, RPC_DIRECTION_NONE, RPC_FDS_ANY, RPC_FDS_NONE},
		{310, RPC_DIRECTION_NONE, RPC_FDS_ANY, RPC_FDS_NONE},
		{343, RPC_DIRECTION_NONE, RPC_FDS_NONE, RPC_FDS_ONE},
		{443, RPC_DIRECTION_NONE, RPC_FDS_ANY, RPC_FDS_NONE},
	};
	const struct rpc_procedure *p = rpc_procedure_find(RPC_PROGRAM_QEMU, 7);
	size_t n = 0;

	CHECK(p->call_fds == RPC_FDS_ANY && p->reply_fds == RPC_FDS_ANY);
	for (int32_t number = 1; number <= N_REMOTE; number++) {
		p = rpc_procedure_find(RPC_PROGRAM_REMOTE, number);
		if (p->direction == RPC_DIRECTION_NONE && p->call_fds == RPC_FDS_NONE &&
			p->reply_fds == RPC_FDS_NONE)
			continue;
		CHECK(n < sizeof(rows) / sizeof(rows[0]) && number == rows[n].number &&
			p->direction == rows[n].direction && p->call_fds == rows[n].call &&
			p->reply_fds == rows[n].reply);
		n++;
	}
	CHECK(n == sizeof(rows) / sizeof(rows[0]));
}

/* --- handlers ----------------------------------------------------------------------------- */

int
rpc_qemu_domain_attach(struct rpc_call *call, const struct rpc_qemu_domain_attach_args *args,
	struct rpc_qemu_domain_attach_ret *ret)
{
	(void)call;
	ret->dom.id = (int32_t)args->pid_value + 1;
	return RPC_DONE;
}

static void
handler_by_name(void)
{
	const struct rpc_procedure *p =
		rpc_procedure_find(RPC_PROGRAM_QEMU, RPC_PROC_QEMU_DOMAIN_ATTACH);
	struct rpc_qemu_domain_attach_args args = {.pid_value = 41};
	struct rpc_qemu_domain_attach_ret ret = {0};

	CHECK(rpc_procedure_is_implemented(p));
	CHECK(p->call(NULL, &args, &ret) == RPC_DONE && ret.dom.id == 42);
	p = rpc_procedure_find(RPC_PROGRAM_REMOTE, RPC_PROC_DOMAIN_MIGRATE_PREPARE);
	CHECK(!rpc_procedure_is_implemented(p));
	p = rpc_procedure_find(RPC_PROGRAM_REMOTE, RPC_PROC_DOMAIN_EVENT_LIFECYCLE);
	CHECK(!rpc_procedure_is_implemented(p));
}

/* --- the generator ------------------------------------------------------------------------ */

static char folder[] = "/tmp/rpc_table.XXXXXX", types_path[64], procedures_path[64];

static void
put_file(const char *path, const char *text)
{
	file_auto FILE *file = fopen(path, "we");

	CHECK(file && fputs(text, file) >= 0);
}

/* Run the generator over these rows. Returns its exit status; *ret_told has what it said. */
static int
generate(const char *types, const char *procedures, char *ret_told, size_t size)
{
	file_auto FILE *told = tmpfile();
	int status = -1;
	pid_t pid;

	ret_told[0] = '\0';
	put_file(types_path, types);
	put_file(procedures_path, procedures);
	pid = told ? fork() : -1;
	if (pid == 0) {
		(void)dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
		(void)dup2(fileno(told), STDERR_FILENO);
		execlp("awk", "awk", "-f", "protocol/rpc/generate.awk", "-v", "part=tables",
			types_path, procedures_path, NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	rewind(told);
	ret_told[fread(ret_told, 1, size - 1, told)] = '\0';
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define GOOD_TYPE "point\tx:i32 names:string[<=3]\n"
#define GOOD_ROW  "remote\t1\tsit\tp:point flags:u32\t-\tview\tmanage flags & 0x1\t-\t-\tvirSit\n"

static void
bad_rows(void)
{
	static const struct {
		const char *types, *procedures, *file;
	} rows[] = {
		/* A verb that is missing or unknown. */
		{GOOD_TYPE, "remote\t1\tsit\t-\t-\t\t-\t-\t-\tvirSit\n", "procedures.tsv:1:"},
		{GOOD_TYPE, "remote\t1\tsit\t-\t-\t-\t-\t-\t-\tvirSit\n", "procedures.tsv:1:"},
		{GOOD_TYPE, "remote\t1\tsit\t-\t-\troot\t-\t-\t-\tvirSit\n", "procedures.tsv:1:"},
		{GOOD_TYPE, "remote\t1\tsit\t-\t-\tview\n", "procedures.tsv:1:"},
		/* Types. */
		{GOOD_TYPE, "remote\t1\tsit\ta:nothing\t-\tview\t-\t-\t-\tvirSit\n",
			"procedures.tsv:1:"},
		{GOOD_TYPE, "remote\t1\tsit\t-\ta:i32[<=]\tview\t-\t-\t-\tvirSit\n",
			"procedures.tsv:1:"},
		{GOOD_TYPE, "remote\t1\tsit\t-\ta:i32[4]\tview\t-\t-\t-\tvirSit\n",
			"procedures.tsv:1:"},
		{GOOD_TYPE, "remote\t1\tsit\t-\ta:uuid?\tview\t-\t-\t-\tvirSit\n",
			"procedures.tsv:1:"},
		{GOOD_TYPE, "remote\t1\tsit\t-\ti32\tview\t-\t-\t-\tvirSit\n", "procedures.tsv:1:"},
		{"a\tx:b\nb\tx:a\n", GOOD_ROW, "types.tsv:1:"},
		{"a\tx:a?\n", GOOD_ROW, "types.tsv:1:"},
		{GOOD_TYPE GOOD_TYPE, GOOD_ROW, "types.tsv:2:"},
		{"point\t\n", GOOD_ROW, "types.tsv:1:"},
		{"i32\tx:u32\n", GOOD_ROW, "types.tsv:1:"},
		/* Numbers, names, programs. */
		{GOOD_TYPE, "remote\t2\tsit\t-\t-\tview\t-\t-\t-\tvirSit\n", "procedures.tsv:1:"},
		{GOOD_TYPE, GOOD_ROW "remote\t1\tlie\t-\t-\tview\t-\t-\t-\tvirLie\n",
			"procedures.tsv:2:"},
		{GOOD_TYPE, GOOD_ROW "remote\t2\tsit\t-\t-\tview\t-\t-\t-\tvirSit\n",
			"procedures.tsv:2:"},
		{GOOD_TYPE, "lxc\t1\tsit\t-\t-\tview\t-\t-\t-\tvirSit\n", "procedures.tsv:1:"},
		{GOOD_TYPE, "remote\t1\tsit\t-\t-\tview\t-\t-\t-\t-\n", "procedures.tsv:1:"},
		/* Conditions, streams, descriptors, events. */
		{GOOD_TYPE, "remote\t1\tsit\tflags:i32\t-\tview\tmanage flags & 1\t-\t-\tvirSit\n",
			"procedures.tsv:1:"},
		{GOOD_TYPE, "remote\t1\tsit\tflags:u32\t-\tview\troot flags & 1\t-\t-\tvirSit\n",
			"procedures.tsv:1:"},
		{GOOD_TYPE, "remote\t1\tsit\tflags:u32\t-\tview\tmanage flags > 1\t-\t-\tvirSit\n",
			"procedures.tsv:1:"},
		{GOOD_TYPE, "remote\t1\tsit\t-\t-\tview\t-\tup\t-\tvirSit\n", "procedures.tsv:1:"},
		{GOOD_TYPE, "remote\t1\tsit\t-\t-\tview\t-\t-\tcall:2\tvirSit\n",
			"procedures.tsv:1:"},
		{GOOD_TYPE, "remote\t1\tsit\ta:i32\tb:i32\tevent\t-\t-\t-\t-\n",
			"procedures.tsv:1:"},
	};
	char told[512];

	CHECK(mkdtemp(folder));
	(void)snprintf(types_path, sizeof(types_path), "%s/types.tsv", folder);
	(void)snprintf(procedures_path, sizeof(procedures_path), "%s/procedures.tsv", folder);
	CHECK(generate(GOOD_TYPE, GOOD_ROW, told, sizeof(told)) == 0 && told[0] == '\0');
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int status = generate(rows[i].types, rows[i].procedures, told, sizeof(told));

		if (status != 1 || !strstr(told, rows[i].file)) {
			printf("# row %zu: status %d, told: %s\n", i, status, told);
			test_this_failed = 1;
		}
	}
	CHECK(unlink(types_path) == 0 && unlink(procedures_path) == 0 && rmdir(folder) == 0);
}

int
main(void)
{
	TEST("443 procedures and the qemu program's 7, each found by its number", complete);
	TEST("no name occurs twice", names_are_unique);
	TEST("other numbers and programs are not found", not_in_the_table);
	TEST("a verb beyond view is needed exactly where libvirtd refuses read-only",
		read_only_rule);
	TEST("console and power are these procedures and no others", console_and_power);
	TEST("six procedures need manage for some arguments", conditional_rows);
	TEST("streams and descriptors are these", streams_and_descriptors);
	TEST("a handler is found by its name, and absent where there is none", handler_by_name);
	TEST("a row that is not understood makes no table and is told with its line", bad_rows);
	return TEST_END();
}
