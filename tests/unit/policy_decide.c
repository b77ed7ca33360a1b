/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * policy_decide.c: a policy decides what its lines say: the union of what is allowed, without what
 * is denied, in whatever order; the read-only socket views; nobody is nobody unless named.
 *
 * test: slow timeout=600 heavy
 *
 * Random policies about a small host, against the slow reading of policy_oracle.h. TEST_LONG: more;
 * with AddressSanitizer, which is slow, fewer.
 */
#include "policy/decide.h"

#include "tests/unit/policy_oracle.h"

static struct policy *policy;
static unsigned
policies(unsigned n)
{
#ifdef __SANITIZE_ADDRESS__
	n /= 5;
#endif
	return getenv("TEST_LONG") ? n * 30 : n;
}

static struct lines
draw_lines(unsigned most)
{
	struct lines lines = {.n = draw_below(most + 1)};

	for (unsigned i = 0; i < lines.n; i++)
		lines.of[i] = draw_below(5) < 3 ? draw_allow() : draw_deny();
	return lines;
}

/* The verbs of each over each, on the read-write socket. */
typedef uint32_t matrix[N_PEOPLE][N_OWNERS];

static void
decide_all(matrix ret)
{
	for (unsigned w = 0; w < N_PEOPLE; w++)
		for (unsigned o = 0; o < N_OWNERS; o++)
			ret[w][o] = policy_decide(policy, &whos[w], IPC_SOCKET_RW, &whos[o]);
}

static void
tell(const struct lines *lines, unsigned w, unsigned o, uint32_t got, uint32_t want)
{
	printf("# %s%s over %s: got %x, want %x, with\n%s", people[w].tls ? people[w].tls : "",
		people[w].name ? people[w].name : "", people[o].name ? people[o].name : "2000", got,
		want, text_of(lines));
}

static bool
agrees(const struct lines *lines, unsigned n_sockets)
{
	for (unsigned w = 0; w < N_PEOPLE; w++)
		for (unsigned o = 0; o < N_OWNERS; o++)
			for (unsigned ro = 0; ro < n_sockets; ro++) {
				uint32_t want = verbs_of(lines, &people[w], ro, &people[o]);
				uint32_t got = policy_decide(policy, &whos[w],
					ro ? IPC_SOCKET_RO : IPC_SOCKET_RW, &whos[o]);

				if (got != want) {
					tell(lines, w, o, got, want);
					return false;
				}
			}
	return true;
}

static void
agrees_with_oracle(void)
{
	for (unsigned i = 0; i < policies(20000); i++) {
		struct lines lines = draw_lines(12);

		load(policy, &lines);
		CHECK(agrees(&lines, i % 8 == 0 ? 2 : 1));
		if (test_this_failed)
			return;
	}
}

/* No more than the verbs of the set, closed: whoever has one has what it includes. */
static bool
is_closed(uint32_t verbs)
{
	return (verbs & ~(uint32_t)VERBS_ALL) == 0 && (verbs == 0 || (verbs & VERB_VIEW)) &&
	       (!(verbs & VERB_MANAGE) || verbs == VERBS_ALL);
}

static void
sets_are_closed(void)
{
	for (unsigned i = 0; i < policies(2000); i++) {
		struct lines lines = draw_lines(LINES_MAX);

		load(policy, &lines);
		for (unsigned w = 0; w < N_PEOPLE; w++)
			for (unsigned o = 0; o < N_OWNERS; o++) {
				uint32_t rw =
					policy_decide(policy, &whos[w], IPC_SOCKET_RW, &whos[o]);
				uint32_t ro =
					policy_decide(policy, &whos[w], IPC_SOCKET_RO, &whos[o]);

				CHECK(is_closed(rw));
				CHECK(ro == (rw & VERB_VIEW));
			}
	}
}

/* One line more, anywhere: an allow takes nothing, a deny gives nothing. */
static void
is_monotonic(void)
{
	matrix before, after;

	for (unsigned i = 0; i < policies(4000); i++) {
		struct lines lines = draw_lines(10);
		unsigned at = draw_below(lines.n + 1);
		bool allow = draw_below(2) > 0;

		load(policy, &lines);
		decide_all(before);
		memmove(&lines.of[at + 1], &lines.of[at], (lines.n - at) * sizeof *lines.of);
		lines.of[at] = allow ? draw_allow() : draw_deny();
		lines.n++;
		load(policy, &lines);
		decide_all(after);
		for (unsigned w = 0; w < N_PEOPLE; w++)
			for (unsigned o = 0; o < N_OWNERS; o++)
				CHECK(((allow ? before[w][o] & ~after[w][o]
					      : after[w][o] & ~before[w][o])) == 0);
	}
}

/* One of its names is not there any more; what it stood for comes back afterwards. */
static void
vanished_names_give_nothing(void)
{
	unsigned n_less = 0, n_more = 0, n_denied = 0;
	matrix before, after;

	for (unsigned i = 0; i < policies(4000); i++) {
		struct lines lines = draw_lines(8);
		struct policy_name *name;
		unsigned n;

		load(policy, &lines);
		if (policy->n_names == 0)
			continue;
		n = draw_below(policy->n_names);
		name = &policy->names[n];
		if (!name->known)
			continue;
		decide_all(before);
		policy_bind_unknown(policy, n);
		decide_all(after);
		for (unsigned w = 0; w < N_PEOPLE; w++)
			for (unsigned o = 0; o < N_OWNERS; o++) {
				CHECK((after[w][o] & ~before[w][o]) == 0);
				n_less += after[w][o] != before[w][o];
			}
		/* Had it never been there, its denials would not hold. */
		name->held = false;
		decide_all(after);
		for (unsigned w = 0; w < N_PEOPLE; w++)
			for (unsigned o = 0; o < N_OWNERS; o++)
				n_more += (after[w][o] & ~before[w][o]) != 0;
		n_denied += policy_speaks_of(policy, name, true, &(unsigned){0}) != NULL;
		policy_bind(policy, n, name->id);
		decide_all(after);
		CHECK(memcmp(before, after, sizeof before) == 0);
	}
	CHECK(n_less > 100 && n_more > 100 && n_denied > 100);
}

static void
order_is_all_one(void)
{
	matrix before, after;

	for (unsigned i = 0; i < policies(2000); i++) {
		struct lines lines = draw_lines(12);

		load(policy, &lines);
		decide_all(before);
		for (unsigned n = lines.n; n > 1; n--) {
			unsigned other = draw_below(n);
			struct line line = lines.of[n - 1];

			lines.of[n - 1] = lines.of[other];
			lines.of[other] = line;
		}
		load(policy, &lines);
		decide_all(after);
		CHECK(memcmp(before, after, sizeof before) == 0);
	}
}

/* What a reach does not have, nobody's virtual machines give her. */
static void
reach_is_enough(void)
{
	unsigned n_none = 0, n_some = 0;

	for (unsigned i = 0; i < policies(4000); i++) {
		struct lines lines = draw_lines(8);

		load(policy, &lines);
		for (unsigned w = 0; w < N_PEOPLE; w++)
			for (unsigned ro = 0; ro < 2; ro++) {
				enum ipc_socket socket = ro ? IPC_SOCKET_RO : IPC_SOCKET_RW;
				uint32_t reach = policy_reach(policy, &whos[w], socket), all = 0;

				for (unsigned o = 0; o < N_OWNERS; o++)
					if (!is_own(&people[w], &people[o]))
						all |= policy_decide(
							policy, &whos[w], socket, &whos[o]);
				CHECK((all & ~reach) == 0);
				CHECK(is_closed(reach) &&
					(!ro || (reach & ~(uint32_t)VERBS_VIEW) == 0));
				n_none += reach == 0;
				n_some += reach != 0;
			}
	}
	CHECK(n_none > 1000 && n_some > 1000);
}

/* Who is said to see everybody does; and a rule about all that nothing takes from says so. */
static void
sees_all_is_true(void)
{
	unsigned n_all = 0;

	for (unsigned i = 0; i < policies(4000); i++) {
		struct lines lines = draw_lines(6);

		load(policy, &lines);
		for (unsigned w = 0; w < N_PEOPLE; w++) {
			if (!policy_sees_all(policy, &whos[w]))
				continue;
			n_all++;
			for (unsigned o = 0; o < N_OWNERS; o++)
				CHECK(policy_decide(policy, &whos[w], IPC_SOCKET_CTL, &whos[o]) ==
					VERB_VIEW);
		}
	}
	CHECK(n_all > policies(4000) / 2);
	load_text(policy, "allow user alice view all\nallow user bob view group students\n"
			  "allow user carol power all\ndeny user carol power user bob\n"
			  "allow user dave view all\ndeny user dave view group students\n");
	CHECK(policy_sees_all(policy, who_is("alice")) && policy_sees_all(policy, who_is("root")));
	CHECK(!policy_sees_all(policy, who_is("bob")) && policy_sees_all(policy, who_is("carol")));
	CHECK(!policy_sees_all(policy, who_is("dave")));
	CHECK(!policy_sees_all(policy_builtin(), who_is("alice")));
	CHECK(policy_sees_all(policy_builtin(), who_is("root")));
}

/* --- by hand -------------------------------------------------------------------------------- */

static uint32_t
decide(const char *text, const char *who, const char *owner)
{
	load_text(policy, text);
	return policy_decide(policy, who_is(who), IPC_SOCKET_RW, who_is(owner));
}

static void
by_hand(void)
{
	CHECK(decide("allow everyone manage own", "alice", "alice") == VERBS_ALL);
	CHECK(decide("allow everyone manage own", "alice", "bob") == 0);
	CHECK(decide("allow everyone manage own", "sub", "sub") == 0);
	CHECK(decide("allow everyone manage own\nallow user sub view own", "sub", "sub") ==
		VERBS_ALL);
	CHECK(decide("allow group tas power group students", "carol", "bob") ==
		(VERB_VIEW | VERB_POWER));
	CHECK(decide("allow group tas power group students", "carol", "alice") == 0);
	CHECK(decide("allow group tas power group students", "bob", "carol") == 0);
	CHECK(decide("allow group tas power group students", "short", "bob") == 0);
	CHECK(decide("allow user alice power all\nallow user alice console system", "alice",
		      "qemud-vm") == (VERB_VIEW | VERB_POWER | VERB_CONSOLE));
	CHECK(decide("allow user alice power all\nallow user alice console system", "alice",
		      "bob") == (VERB_VIEW | VERB_POWER));
	CHECK(decide("deny user alice console\nallow user alice manage all", "alice", "bob") ==
		(VERB_VIEW | VERB_POWER));
	CHECK(decide("deny user alice view system\nallow user alice manage all", "alice",
		      "qemud-vm") == 0);
	CHECK(decide("", "root", "bob") == VERBS_ALL &&
		decide("", "root", "qemud-vm") == VERBS_ALL);
	CHECK(decide("deny everyone manage", "root", "bob") == (VERBS_ALL & ~VERB_MANAGE));
	CHECK(decide("deny user root", "root", "bob") == 0);
	CHECK(decide("allow tls \"CN=eve\" power own", "CN=eve", "qemud-vm") ==
		(VERB_VIEW | VERB_POWER));
	CHECK(decide("allow tls \"CN=eve\" power own", "CN=eve", "bob") == 0);
	CHECK(decide("allow tls \"CN=eve\" power all", "CN=ops,O=Lab", "bob") == 0);
	CHECK(decide("allow everyone manage all\nallow uid 0 manage all", "CN=eve", "bob") == 0);
	CHECK(decide("allow uid 2000 view all", "", "bob") == VERB_VIEW);
	CHECK(decide("allow uid 2000 manage own", "", "") == 0);
	CHECK(decide("allow user phantom view all\nallow group phantoms view all", "bob", "bob") ==
		0);
}

static void
without_a_file(void)
{
	const struct policy *builtin = policy_builtin();

	for (unsigned w = 0; w < N_PEOPLE; w++)
		for (unsigned o = 0; o < N_OWNERS; o++) {
			uint32_t want = people[w].tls                   ? 0
					: people[w].uid == 0            ? VERBS_ALL
					: people[w].is_nobody || w != o ? 0
									: VERBS_ALL;

			CHECK(policy_decide(builtin, &whos[w], IPC_SOCKET_RW, &whos[o]) == want);
		}
}

/* An account of another uid says nothing about this one. */
static void
foreign_account(void)
{
	struct policy_who wrong = {.uid = 1004, .account = &accounts[2]};

	CHECK(decide("allow group students view all\nallow everyone manage own", "bob", "alice") ==
		VERB_VIEW);
	CHECK(policy_decide(policy, &wrong, IPC_SOCKET_RW, &whos[1]) == 0);
	CHECK(policy_decide(policy, &wrong, IPC_SOCKET_RW, &wrong) == 0);
	CHECK(decide("allow user alice view group students", "alice", "bob") == VERB_VIEW);
	CHECK(policy_decide(policy, &whos[1], IPC_SOCKET_RW, &wrong) == 0);
}

/* Root is everyone, too, whether her account was looked up or not. */
static void
root_without_account(void)
{
	struct policy_who root = {.uid = 0};

	load_text(policy, "deny everyone console\nallow everyone manage own\n");
	CHECK(policy_decide(policy, &root, IPC_SOCKET_RW, who_is("bob")) ==
		(VERB_VIEW | VERB_POWER));
	CHECK(policy_decide(policy, &root, IPC_SOCKET_RW, who_is("qemud-vm")) ==
		(VERB_VIEW | VERB_POWER));
}

int
main(void)
{
	policy = policy_new();
	if (!policy)
		return 1;
	make_host();
	TEST("the words of each verb and target, by hand", by_hand);
	TEST("without a policy file everyone manages her own, root all", without_a_file);
	TEST("an account of somebody else is none", foreign_account);
	TEST("root is everyone, too, with or without her account", root_without_account);
	TEST("random policies decide as they read", agrees_with_oracle);
	TEST("sets of verbs are closed, the read-only socket views", sets_are_closed);
	TEST("one allow more takes nothing, one deny more gives nothing", is_monotonic);
	TEST("a name that vanishes gives nobody anything", vanished_names_give_nothing);
	TEST("the order of lines is all one", order_is_all_one);
	TEST("nobody has more over others than her reach says", reach_is_enough);
	TEST("who is said to see everybody does", sees_all_is_true);
	policy_free(policy);
	return TEST_END();
}
