/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ipc.c: each message is accepted exactly as specified, and refused with the right fault for each
 * deviation: type, link, sender, state, size, descriptors, serial, error, once, every field.
 */
#include "protocol/ipc/ipc.h"

#include "tests/unit/ipc_fields.h"
#include "tests/unit/messages.h"
#include "tests/unit/test.h"

static uint64_t seen;
static struct ipc_message message;

static enum ipc_fault
judge_as(const struct raw *raw, unsigned link, unsigned sender, unsigned state, unsigned n_fds)
{
	struct ipc_context ctx = {.link = (enum ipc_link)link,
		.sender = (enum ipc_side)sender,
		.state = (enum ipc_state)state,
		.seen = &seen};
	/* Of the exact size, so that a sanitizer sees one byte too many. */
	void *data = malloc(raw->size ? raw->size : 1);
	enum ipc_fault fault;

	memcpy(data, raw, raw->size);
	message = (struct ipc_message){.serial = 99};
	fault = ipc_check(&ctx, data, raw->size, n_fds, &message);
	CHECK((fault == IPC_OK) == (message.serial != 99));
	if (fault == IPC_OK && message.body)
		CHECK(message.body == (uint8_t *)data + sizeof(struct ipc_header));
	free(data);
	return fault;
}

static unsigned
good_state(const struct expected *expected)
{
	return expected->states & S ? S : N;
}

/* Judge with everything right but what raw says. */
static enum ipc_fault
judge(const struct raw *raw, const struct expected *expected)
{
	seen = 0;
	return judge_as(
		raw, expected->link, expected->sender, good_state(expected), raw->header.n_fds);
}

static const struct expected *
find(unsigned type)
{
	for (unsigned i = 0; i < N_MESSAGES; i++)
		if (messages[i].type == type)
			return &messages[i];
	return NULL;
}

static void
is_complete(void)
{
	CHECK(ipc_n_rules == N_MESSAGES);
	for (unsigned type = 0; type <= UINT16_MAX; type++) {
		const struct ipc_rule *rule = ipc_rule_find((uint16_t)type);
		const struct expected *expected = find(type);

		CHECK((rule != NULL) == (expected != NULL));
		if (!rule || !expected) {
			CHECK_STR(ipc_type_name((uint16_t)type), "?");
			continue;
		}
		CHECK(rule->type == type);
		CHECK_STR(rule->name, expected->name);
		CHECK_STR(ipc_type_name((uint16_t)type), expected->name);
		CHECK(rule->size == expected->size && rule->n_fds == expected->n_fds);
		CHECK(rule->link == expected->link && rule->sender == expected->sender);
		CHECK(rule->states == expected->states && (rule->once != 0) == expected->once);
		CHECK((rule->check != NULL) == (rule->size > 0));
		CHECK(rule->n_fds <= IPC_FDS_MAX);
		CHECK(ipc_wants_answer((uint16_t)type) == (expected->kind == ASK));
		CHECK(ipc_is_answer((uint16_t)type) == (expected->kind == ANSWER));
	}
}

/*
 * The compiler's own list of the types: with -Wswitch-enum a type that is missing here is a
 * warning, and one that is here and not in the table fails.
 */
static bool
is_in_enum(enum ipc_type type)
{
	switch (type) {
	case IPC_HELLO:
	case IPC_CONN_PASS:
	case IPC_CONN_TAKEN:
	case IPC_CONN_GONE:
	case IPC_IDLE_ASK:
	case IPC_IDLE_ANSWER:
	case IPC_STOP:
	case IPC_TOOL:
	case IPC_TOOL_READY:
	case IPC_LEASE:
	case IPC_LEASED:
	case IPC_LEASE_GONE:
	case IPC_LEASE_STOP:
	case IPC_LEASE_NEXT:
	case IPC_LEASE_FOUND:
	case IPC_NET:
	case IPC_NET_READY:
	case IPC_AUTOSTART:
	case IPC_TICKET_CHANGE:
	case IPC_TICKET_CHANGED:
	case IPC_LEASE_REFUSED:
	case IPC_LEASE_CHANGE:
	case IPC_LEASE_CHANGED:
	case IPC_WORKER:
	case IPC_WORKER_STARTED:
	case IPC_VIEW:
	case IPC_VIEW_STARTED:
	case IPC_RESOLVE:
	case IPC_RESOLVED:
	case IPC_BOX:
	case IPC_BOXED:
	case IPC_LEAF_NEXT:
	case IPC_AUDIT_RECORD:
	case IPC_AUDIT_KEPT:
	case IPC_AUDIT:
	case IPC_AUDIT_STARTED:
	case IPC_LEAF_FOUND:
	case IPC_LEAF_END:
	case IPC_LEAF_ENDED:
	case IPC_INVENTORY_PLACE:
	case IPC_INVENTORY:
	case IPC_INVENTORY_KEPT:
	case IPC_INVENTORY_CHANGED:
	case IPC_INVENTORY_NEXT:
	case IPC_INVENTORY_FOUND:
	case IPC_CHANNEL:
	case IPC_CHANNEL_OPEN:
	case IPC_VM_STOP:
	case IPC_VM_STOPPED:
	case IPC_VM_FREEZE:
	case IPC_VM_FROZEN:
	case IPC_LEAF_LIMIT:
	case IPC_LEAF_LIMITED:
	case IPC_LEAF_FREEZE:
	case IPC_LEAF_FROZEN:
	case IPC_USER_LIMIT:
	case IPC_USER_LIMITED:
	case IPC_STATUS:
	case IPC_STATUS_TOLD:
	case IPC_STATUS_USER:
	case IPC_STATUS_USER_TOLD:
	case IPC_STATUS_LIMIT:
	case IPC_STATUS_LIMIT_TOLD:
	case IPC_STATUS_VM:
	case IPC_STATUS_VM_TOLD:
	case IPC_PING:
		return true;
	}
	return false;
}

static void
is_consistent(void)
{
	for (unsigned type = 0; type <= UINT16_MAX; type++)
		CHECK(is_in_enum((enum ipc_type)type) == (ipc_rule_find((uint16_t)type) != NULL));
	for (size_t i = 0; i < ipc_n_rules; i++) {
		const struct ipc_rule *rule = &ipc_rules[i];

		for (size_t j = 0; j < i; j++) {
			CHECK(ipc_rules[j].type != rule->type);
			/* Each that is there once has a bit that no other has. */
			CHECK((ipc_rules[j].once & rule->once) == 0);
			CHECK(strcmp(ipc_rules[j].name, rule->name) != 0);
		}
		if (rule->type & 1) {
			const struct ipc_rule *ask = ipc_rule_find((uint16_t)(rule->type - 1));

			/* An answer has its ask, on the same link, from the other end. */
			CHECK(ask && ask->link == rule->link && ask->sender != rule->sender);
			/* Where the ask may be, the answer may be when it arrives. */
			CHECK(ask && (ask->states & ~rule->states) == 0);
		}
		CHECK(sizeof(struct ipc_header) + rule->size <= IPC_MESSAGE_MAX);
	}
	CHECK(sizeof(struct ipc_header) == 16);
}

static void
crosses(void)
{
	/* Each message in each state, link and direction. */
	for (unsigned i = 0; i < N_MESSAGES; i++) {
		const struct expected *e = &messages[i];
		struct raw raw = good_raw(e);

		for (unsigned link = 1; link <= 2; link++)
			for (unsigned sender = 1; sender <= 2; sender++)
				for (unsigned state = 1; state <= 4; state *= 2) {
					enum ipc_fault want =
						link != e->link        ? IPC_FAULT_TYPE
						: sender != e->sender  ? IPC_FAULT_SENDER
						: !(state & e->states) ? IPC_FAULT_STATE
								       : IPC_OK;

					seen = 0;
					CHECK(judge_as(&raw, link, sender, state, e->n_fds) ==
						want);
					CHECK((seen != 0) == (want == IPC_OK && e->once));
				}
		CHECK(judge(&raw, e) == IPC_OK && message.type == e->type);
		CHECK(message.serial == raw.header.serial && message.err == 0);
		CHECK(message.n_fds == e->n_fds && (message.body != NULL) == (e->size > 0));
	}
}

static void
wants_sizes(void)
{
	for (unsigned i = 0; i < N_MESSAGES; i++) {
		const struct expected *e = &messages[i];

		for (size_t size = 0; size <= IPC_MESSAGE_MAX; size++) {
			struct raw raw = good_raw(e), lying = raw;

			/* The packet and its header agree on a wrong size; the header lies. */
			raw.size = size;
			raw.header.size = (uint16_t)(size - sizeof raw.header);
			CHECK(judge(&raw, e) == (size < sizeof raw.header ? IPC_FAULT_SHORT
							: size == sizeof raw.header + e->size
								? IPC_OK
								: IPC_FAULT_SIZE));
			lying.header.size = (uint16_t)size;
			CHECK(judge(&lying, e) == (size == e->size ? IPC_OK : IPC_FAULT_SIZE));
			lying = good_raw(e);
			lying.size = size;
			CHECK(judge(&lying, e) == (size < sizeof raw.header ? IPC_FAULT_SHORT
							  : size == sizeof raw.header + e->size
								  ? IPC_OK
								  : IPC_FAULT_SIZE));
		}
	}
}

static void
wants_descriptors(void)
{
	for (unsigned i = 0; i < N_MESSAGES; i++) {
		const struct expected *e = &messages[i];

		for (unsigned told = 0; told <= 5; told++)
			for (unsigned came = 0; came <= 5; came++) {
				struct raw raw = good_raw(e);
				bool good = told == e->n_fds && came == e->n_fds;

				raw.header.n_fds = (uint16_t)told;
				seen = 0;
				CHECK(judge_as(&raw, e->link, e->sender, good_state(e), came) ==
					(good ? IPC_OK : IPC_FAULT_FDS));
			}
		for (unsigned told = 1; told < 1u << 16; told <<= 1) {
			struct raw raw = good_raw(e);

			raw.header.n_fds = (uint16_t)(raw.header.n_fds ^ told);
			seen = 0;
			CHECK(judge_as(&raw, e->link, e->sender, good_state(e), e->n_fds) ==
				IPC_FAULT_FDS);
		}
	}
}

static void
wants_version(void)
{
	for (unsigned i = 0; i < N_MESSAGES; i++)
		for (unsigned version = 0; version <= UINT16_MAX; version += 1 + version / 8) {
			struct raw raw = good_raw(&messages[i]);

			raw.header.version = (uint16_t)version;
			CHECK(judge(&raw, &messages[i]) ==
				(version == IPC_VERSION ? IPC_OK : IPC_FAULT_VERSION));
		}
}

static void
wants_known_types(void)
{
	for (unsigned type = 0; type <= UINT16_MAX; type++) {
		struct raw raw = {
			.header = {.version = IPC_VERSION, .type = (uint16_t)type, .serial = 1},
			.size = sizeof raw.header};

		for (unsigned link = 1; link <= 2; link++) {
			seen = 0;
			if (!find(type) || find(type)->link != link)
				CHECK(judge_as(&raw, link, IPC_SIDE_PEER, S, 0) == IPC_FAULT_TYPE);
		}
	}
}

static void
wants_serials(void)
{
	static const uint32_t serials[] = {0, 1, 2, 1u << 31, UINT32_MAX};

	for (unsigned i = 0; i < N_MESSAGES; i++)
		for (unsigned j = 0; j < sizeof serials / sizeof *serials; j++) {
			struct raw raw = good_raw(&messages[i]);
			bool good = (messages[i].kind == NOTICE) == (serials[j] == 0);

			raw.header.serial = serials[j];
			CHECK(judge(&raw, &messages[i]) == (good ? IPC_OK : IPC_FAULT_SERIAL));
			CHECK(!good || message.serial == serials[j]);
		}
}

static void
wants_errors(void)
{
	static const int32_t errors[] = {
		-1, -2, -110, -4095, -4096, 1, 2, 4095, INT32_MIN, INT32_MAX};

	for (unsigned i = 0; i < N_MESSAGES; i++)
		for (unsigned j = 0; j < sizeof errors / sizeof *errors; j++) {
			const struct expected *e = &messages[i];
			struct raw raw = good_raw(e);
			bool good = e->kind == ANSWER && errors[j] < 0 && errors[j] >= -4095;

			raw.header.err = errors[j];
			raw.header.n_fds = 0;
			memset(raw.body, 0, sizeof raw.body);
			CHECK(judge(&raw, e) == (good ? IPC_OK : IPC_FAULT_ERR));
			if (!good)
				continue;
			CHECK(message.err == errors[j] && message.n_fds == 0);
			/* With an error: no descriptor, and no dirt anywhere in the body. */
			for (unsigned n_fds = 1; n_fds <= 3; n_fds++) {
				raw.header.n_fds = (uint16_t)n_fds;
				CHECK(judge(&raw, e) == IPC_FAULT_FDS);
			}
			raw.header.n_fds = 0;
			for (size_t at = 0; at < e->size; at++) {
				raw.body[at] = 1;
				CHECK(judge(&raw, e) == IPC_FAULT_BODY);
				raw.body[at] = 0;
			}
		}
}

static void
counts_once(void)
{
	for (unsigned i = 0; i < N_MESSAGES; i++) {
		const struct expected *e = &messages[i];
		struct raw raw = good_raw(e);

		seen = 0;
		for (unsigned times = 0; times < 3; times++)
			CHECK(judge_as(&raw, e->link, e->sender, good_state(e), e->n_fds) ==
				(times > 0 && e->once ? IPC_FAULT_AGAIN : IPC_OK));
	}
	/* A refused message was not there. */
	for (unsigned i = 0; i < N_MESSAGES; i++) {
		struct raw raw = good_raw(&messages[i]);

		raw.header.version++;
		CHECK(judge(&raw, &messages[i]) == IPC_FAULT_VERSION && seen == 0);
	}
}

static void
wants_ranges(void)
{
	for (unsigned i = 0; i < sizeof fields / sizeof *fields; i++) {
		const struct expected *e = find(fields[i].type);
		struct raw raw = good_raw(e);

		memcpy(raw.body + fields[i].at, &fields[i].value, fields[i].width);
		if ((judge(&raw, e) == IPC_OK) != fields[i].good)
			printf("# field %u: %s at %zu\n", i, e->name, fields[i].at);
		CHECK(judge(&raw, e) == (fields[i].good ? IPC_OK : IPC_FAULT_BODY));
	}
	/* No byte of any body is unknown to this test's list or, but in ids, free to be anything. */
	for (unsigned i = 0; i < N_MESSAGES; i++) {
		const struct expected *e = &messages[i];
		struct raw raw = good_raw(e);

		if (e->size == 0)
			continue;
		memset(raw.body, 0xff, e->size);
		CHECK(judge(&raw, e) == (e->type == IPC_CONN_TAKEN || e->type == IPC_CONN_GONE ||
								e->type == IPC_INVENTORY_NEXT
							? IPC_OK
							: IPC_FAULT_BODY));
	}
}

static enum ipc_fault
judge_box(const struct ipc_box *box)
{
	struct expected e = *find(IPC_BOX);
	struct raw raw;

	e.body = box;
	raw = good_raw(&e);
	return judge(&raw, &e);
}

static void
ties_boxes(void)
{
	static const struct ipc_box tool = {.uid = 1000, .kind = IPC_BOX_TOOL, .n_files = 1024};
	struct ipc_box box = tool;

	CHECK(judge_box(&box) == IPC_OK);
	box.id = 1;
	CHECK(judge_box(&box) == IPC_FAULT_BODY);
	for (unsigned i = 0; i < IPC_UUID_SIZE; i++) {
		box = tool;
		box.uuid[i] = 1;
		CHECK(judge_box(&box) == IPC_FAULT_BODY);
	}
	/* What is for a VM's network takes of what the VM was granted. */
	box = good_box;
	for (box.kind = IPC_BOX_RELAY; box.kind <= IPC_BOX_PASST; box.kind++) {
		box.grant = good_box.grant;
		CHECK(judge_box(&box) == IPC_FAULT_BODY);
		box.grant = (struct ipc_grant){.vcpus = 0};
		CHECK(judge_box(&box) == IPC_OK);
	}
	box.kind = IPC_BOX_VM;
	CHECK(judge_box(&box) == IPC_FAULT_BODY);
}

static void
finds_without_grant(void)
{
	struct expected e = *find(IPC_LEAF_FOUND);
	struct ipc_leaf_found leaf = good_leaf_found;
	struct raw raw;

	leaf.grant = (struct ipc_grant){.vcpus = 0};
	e.body = &leaf;
	raw = good_raw(&e);
	CHECK(judge(&raw, &e) == IPC_OK);
}

static enum ipc_fault
judge_pass(const struct ipc_conn_pass *pass)
{
	struct expected e = *find(IPC_CONN_PASS);
	struct raw raw;

	e.body = pass;
	raw = good_raw(&e);
	return judge(&raw, &e);
}

static void
ties_refusals(void)
{
	struct ipc_conn_pass pass = good_conn_pass;

	for (uint8_t refusal = 0; refusal < 9; refusal++)
		for (unsigned verbs = 0; verbs <= 15; verbs += 15)
			for (unsigned reason = 0; reason < 2; reason++) {
				bool refused = refusal >= 1 && refusal <= IPC_REFUSAL_WORKER;
				bool good = verbs ? refusal == 0 && !reason : refused && reason;

				pass.refusal = refusal;
				pass.verbs = verbs;
				(void)strncpy(pass.reason, reason ? "why" : "", sizeof pass.reason);
				CHECK(judge_pass(&pass) == (good ? IPC_OK : IPC_FAULT_BODY));
			}
	/* Where some verbs are missing it may say why. */
	pass = good_conn_pass;
	pass.verbs = 7;
	CHECK(judge_pass(&pass) == IPC_OK);
	(void)strncpy(pass.reason, "why", sizeof pass.reason);
	CHECK(judge_pass(&pass) == IPC_OK);
	pass.refusal = IPC_REFUSAL_POLICY;
	CHECK(judge_pass(&pass) == IPC_FAULT_BODY);
	pass = good_conn_pass;
	pass.origin = IPC_ORIGIN_VIEW;
	(void)strncpy(pass.owner, "bob", sizeof pass.owner);
	CHECK(judge_pass(&pass) == IPC_OK);
	pass.owner[1] = ':';
	CHECK(judge_pass(&pass) == IPC_FAULT_BODY);
	/* The read-only socket keeps view alone; a refusal may come by either. */
	pass = good_conn_pass;
	pass.socket = IPC_SOCKET_RO;
	for (unsigned verbs = 1; verbs <= 15; verbs++) {
		pass.verbs = verbs;
		CHECK(judge_pass(&pass) == (verbs == 1 ? IPC_OK : IPC_FAULT_BODY));
	}
	pass.verbs = 0;
	pass.refusal = IPC_REFUSAL_RATE;
	memset(pass.reason, 'r', sizeof pass.reason - 1);
	CHECK(judge_pass(&pass) == IPC_OK);
	pass.reason[sizeof pass.reason - 1] = 'r';
	CHECK(judge_pass(&pass) == IPC_FAULT_BODY);
	pass = good_conn_pass;
	memset(pass.label, 0, sizeof pass.label);
	CHECK(judge_pass(&pass) == IPC_FAULT_BODY);
	memset(pass.label, 'l', sizeof pass.label - 1);
	CHECK(judge_pass(&pass) == IPC_OK);
	pass.label[sizeof pass.label - 1] = 'l';
	CHECK(judge_pass(&pass) == IPC_FAULT_BODY);
}

static void
ties_changes(void)
{
	struct ipc_ticket_change change = good_ticket_change;
	struct expected e = *find(IPC_TICKET_CHANGE);
	struct raw raw;

	e.body = &change;
	for (unsigned verbs = 0; verbs <= 15; verbs++)
		for (unsigned reason = 0; reason < 2; reason++) {
			bool closed = verbs == 15 || (verbs < 8 && (verbs == 0 || verbs & 1));
			bool good = reason ? verbs != 15 : verbs != 0;

			change.verbs = verbs;
			(void)strncpy(change.reason, reason ? "why" : "", sizeof change.reason);
			raw = good_raw(&e);
			CHECK(judge(&raw, &e) == (closed && good ? IPC_OK : IPC_FAULT_BODY));
		}
}

static void
checks_names(void)
{
	static const struct {
		const char *name;
		bool good;
	} names[] = {{"alice", true}, {"a.b_c-d@example.org", true}, {"host$", true},
		{"ali ce", false}, {"a/b", false}, {"-x", false}, {"$", false}, {"a$b", false},
		{"a:b", false}, {"gr\xc3\xbc", false}, {"a\nb", false}};

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		for (uint32_t kind = IPC_RESOLVE_ACCOUNT; kind <= IPC_RESOLVE_GROUP + 1; kind++) {
			struct ipc_resolve resolve = {.kind = kind};
			struct expected e = *find(IPC_RESOLVE);
			bool good = names[i].good && kind <= IPC_RESOLVE_GROUP;
			struct raw raw;

			memcpy(resolve.name, names[i].name, strlen(names[i].name));
			e.body = &resolve;
			raw = good_raw(&e);
			CHECK(judge(&raw, &e) == (good ? IPC_OK : IPC_FAULT_BODY));
			resolve.uid = 1; /* a name and a uid */
			raw = good_raw(&e);
			CHECK(judge(&raw, &e) == IPC_FAULT_BODY);
		}
	}
}

static enum ipc_state
after(enum ipc_state state, enum ipc_type type, uint8_t granted, int err)
{
	struct ipc_idle_answer answer = {.granted = granted};
	struct ipc_message m = {.type = type, .err = err, .body = &answer};

	return ipc_state_after(state, &m);
}

static void
advances(void)
{
	for (unsigned state = N; state <= L; state *= 2)
		for (unsigned i = 0; i < N_MESSAGES; i++) {
			enum ipc_type type = messages[i].type;
			enum ipc_state now = (enum ipc_state)state, want = now;

			if (type == IPC_HELLO && now == IPC_STATE_NEW)
				want = IPC_STATE_SERVING;
			if (type == IPC_STOP)
				want = IPC_STATE_LEAVING;
			CHECK(after(now, type, 0, 0) == want);
			CHECK(after(now, type, 0, -5) == want);
		}
	CHECK(after(IPC_STATE_SERVING, IPC_IDLE_ANSWER, 1, 0) == IPC_STATE_LEAVING);
	CHECK(after(IPC_STATE_LEAVING, IPC_HELLO, 0, 0) == IPC_STATE_LEAVING);
}

static void
says_faults(void)
{
	for (int fault = IPC_OK; fault <= IPC_FAULT_BODY; fault++)
		for (int other = IPC_OK; other <= fault; other++)
			CHECK((strcmp(ipc_fault_text((enum ipc_fault)fault),
				       ipc_fault_text((enum ipc_fault)other)) == 0) ==
				(fault == other));
	CHECK_STR(ipc_fault_text((enum ipc_fault)(IPC_FAULT_BODY + 1)), "?");
}

int
main(void)
{
	TEST("the table has each message as it is specified, and no other", is_complete);
	TEST("types are unique; each answer has its ask, from the other end", is_consistent);
	TEST("each message passes on its link, from its end, in its states alone", crosses);
	TEST("each other size of packet or header is refused", wants_sizes);
	TEST("each other number of descriptors is refused", wants_descriptors);
	TEST("each other version is refused", wants_version);
	TEST("each other type is refused on each link", wants_known_types);
	TEST("asks and answers have a serial, notices none", wants_serials);
	TEST("answers alone carry errors, and then nothing else", wants_errors);
	TEST("what is allowed once is refused the second time", counts_once);
	TEST("each field is held to its range", wants_ranges);
	TEST("refusals, verbs, sockets and reasons fit together", ties_refusals);
	TEST("a change of verbs says why, unless all are there", ties_changes);
	TEST("a tool's box has neither id nor UUID", ties_boxes);
	TEST("a leaf of which nobody knows what it was granted can be told", finds_without_grant);
	TEST("names to resolve are account names", checks_names);
	TEST("HELLO, STOP and a granted IDLE_ASK advance the state, nothing else does", advances);
	TEST("each fault has its own text", says_faults);
	return TEST_END();
}
