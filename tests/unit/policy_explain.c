/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * policy_explain.c: what is said of a decision is what was decided: the verdict, its line, the chain,
 * and a refusal that fits where it travels.
 */
#include "policy/explain.h"

#include "policy/decide.h"
#include "policy/ticket.h"
#include "tests/unit/policy_oracle.h"

static struct policy *policy;

static const enum ipc_socket sockets[] = {IPC_SOCKET_RW, IPC_SOCKET_RO};

/* The verdict is the decision, and its rule is one that says so. */
static void
check_verdict(unsigned w, unsigned o, enum ipc_socket socket, enum verb verb)
{
	uint32_t verbs = policy_decide(policy, &whos[w], socket, &whos[o]);
	struct policy_verdict verdict = policy_verdict(policy, &whos[w], socket, &whos[o], verb);
	char reason[IPC_REASON_MAX], where[POLICY_WHERE_MAX], chain[8192], *line;
	const struct policy_rule *rule = verdict.rule;
	size_t n;

	CHECK((verdict.outcome == POLICY_ALLOWED) == ((verbs & verb) != 0));
	CHECK((rule != NULL) ==
		(verdict.outcome == POLICY_ALLOWED || verdict.outcome == POLICY_DENIED ||
			verdict.outcome == POLICY_READ_ONLY));
	CHECK(!rule || (rule->kind == POLICY_DENY) == (verdict.outcome == POLICY_DENIED));
	memset(reason, 'x', sizeof reason);
	(void)policy_refusal(policy, &whos[w], socket, &whos[o], verb, reason);
	CHECK(memchr(reason, '\0', sizeof reason) != NULL);
	CHECK((reason[0] == '\0') == (verdict.outcome == POLICY_ALLOWED));
	CHECK(strlen(reason) < IPC_REASON_MAX - 1); /* with names like these nothing is cut */
	n = policy_explain(policy, &whos[w], socket, &whos[o], verb, chain, sizeof chain);
	CHECK(n == strlen(chain) && chain[n - 1] == '\n');
	if (!rule)
		return;
	(void)policy_rule_where(policy, rule, where, sizeof where);
	CHECK(verdict.outcome != POLICY_DENIED || strstr(reason, where));
	line = strchr(chain, '\n') + 1;
	CHECK(strncmp(line, verdict.outcome == POLICY_ALLOWED ? "allowed" : "refused", 7) == 0);
	CHECK(strstr(line, where));
}

static void
verdicts_agree(void)
{
	for (unsigned i = 0; i < 300; i++) {
		struct lines lines = {.n = draw_below(16)};

		for (unsigned l = 0; l < lines.n; l++)
			lines.of[l] = draw_below(5) < 3 ? draw_allow() : draw_deny();
		load(policy, &lines);
		for (unsigned w = 0; w < N_PEOPLE; w++)
			for (unsigned o = 0; o < N_OWNERS; o++)
				for (unsigned verb = VERB_VIEW; verb <= VERB_MANAGE; verb *= 2)
					check_verdict(w, o, sockets[i % 2], verb);
		if (test_this_failed) {
			printf("# with\n%s", text_of(&lines));
			return;
		}
	}
}

/* A ticket is served or refused with a reason, and has what was decided. */
static void
tickets_agree(void)
{
	for (unsigned i = 0; i < 2000; i++) {
		struct lines lines = {.n = draw_below(8)};
		enum ipc_socket socket = sockets[i % 2];

		for (unsigned l = 0; l < lines.n; l++)
			lines.of[l] = draw_below(2) < 1 ? draw_allow() : draw_deny();
		load(policy, &lines);
		for (unsigned w = 0; w < N_PEOPLE; w++) {
			bool as_system = whos[w].tls || whos[w].uid == 0;
			unsigned o = as_system ? 5 : w;
			struct ticket ticket;

			ticket_decide(policy, &whos[w], &whos[5], socket, &ticket);
			CHECK((ticket.verbs == 0 && ticket.others == 0) ==
				(ticket.refusal != IPC_REFUSAL_NONE));
			CHECK((ticket.refusal != IPC_REFUSAL_NONE) == (ticket.reason[0] != '\0'));
			CHECK(strlen(ticket.reason) < IPC_REASON_MAX - 1);
			if (people[o].name)
				CHECK(ticket.verbs ==
					policy_decide(policy, &whos[w], socket, &whos[o]));
			else
				CHECK(ticket.verbs == 0);
			CHECK(ticket.others ==
				(is_somebody(&lines, &people[w]) || whos[w].tls
						? policy_reach(policy, &whos[w], socket)
						: 0));
		}
		if (test_this_failed) {
			printf("# with\n%s", text_of(&lines));
			return;
		}
	}
}

static void
check_refusal(const char *who, enum ipc_socket socket, const char *owner, enum verb verb,
	const char *want)
{
	char reason[IPC_REASON_MAX];

	CHECK_STR(policy_refusal(policy, who_is(who), socket, who_is(owner), verb, reason), want);
}

static void
refusals(void)
{
	load_text(policy, "allow everyone manage own\ndeny user alice power\n"
			  "allow group tas view all\ndeny group tas view user dave\n");
	check_refusal("alice", IPC_SOCKET_RW, "alice", VERB_POWER,
		"policy denies alice \"power\" over own virtual machines: policy.conf:2: deny user "
		"alice power; root of this host can change that");
	check_refusal("carol", IPC_SOCKET_RW, "dave", VERB_VIEW,
		"policy denies carol \"view\" over virtual machines of dave: policy.conf:4: deny "
		"group tas view user dave; root of this host can change that");
	check_refusal("bob", IPC_SOCKET_RW, "alice", VERB_VIEW,
		"no line of policy.conf allows bob \"view\" over virtual machines of alice; root "
		"of "
		"this host can change that");
	check_refusal("bob", IPC_SOCKET_RO, "bob", VERB_MANAGE,
		"the read-only socket gives \"view\" alone; connect to the read-write one for "
		"\"manage\"");
	check_refusal("sub", IPC_SOCKET_RW, "sub", VERB_VIEW,
		"uid 100000 is nobody here: it is a subordinate uid (/etc/subuid) of another "
		"account; root of this host can allow it something by number, in policy.conf");
	check_refusal("CN=eve", IPC_SOCKET_RW, "qemud-vm", VERB_VIEW,
		"no line of policy.conf allows the certificate \"CN=eve\" \"view\" over own "
		"virtual "
		"machines; root of this host can change that");
	check_refusal("bob", IPC_SOCKET_RW, "bob", VERB_MANAGE, "");
}

static void
check_chain(const char *who, enum ipc_socket socket, const char *owner, enum verb verb,
	const char *want)
{
	char chain[8192];

	(void)policy_explain(policy, who_is(who), socket, who_is(owner), verb, chain, sizeof chain);
	CHECK_STR(chain, want);
}

static void
chains(void)
{
	load_text(policy, "allow everyone manage own\n"
			  "allow group tas power group students\n"
			  "deny user carol console\n"
			  "limit everyone vms 4\n"
			  "allow user bob view all\n");
	check_chain("carol", IPC_SOCKET_RW, "bob", VERB_POWER,
		"carol, on the read-write socket: power over virtual machines of bob\n"
		"allowed, by policy.conf:2\n"
		"  policy.conf:1: allow everyone manage own: not about these\n"
		"  policy.conf:2: allow group tas power group students: gives view, power\n"
		"  policy.conf:3: deny user carol console: takes console, manage\n"
		"  left: view, power\n");
	check_chain("carol", IPC_SOCKET_RW, "carol", VERB_MANAGE,
		"carol, on the read-write socket: manage over own virtual machines\n"
		"refused, by policy.conf:3\n"
		"  policy.conf:1: allow everyone manage own: gives view, console, power, manage\n"
		"  policy.conf:2: allow group tas power group students: gives view, power\n"
		"  policy.conf:3: deny user carol console: takes console, manage\n"
		"  left: view, power\n");
	check_chain("root", IPC_SOCKET_RO, "bob", VERB_POWER,
		"root, on the read-only socket: power over virtual machines of bob\n"
		"refused: the read-only socket gives view alone (elsewhere allowed, by a built-in "
		"rule)\n"
		"  a built-in rule: allow uid 0 manage all: gives view, console, power, manage\n"
		"  policy.conf:1: allow everyone manage own: not about these\n"
		"  the read-only socket keeps view\n"
		"  left: view\n");
	check_chain("short", IPC_SOCKET_RW, "bob", VERB_VIEW,
		"short, on the read-write socket: view over virtual machines of bob\n"
		"refused: no line allows it\n"
		"  short is nobody: it is of the range for short-lived services (DynamicUser); "
		"what "
		"is for everyone and for groups is not for it\n"
		"  left: nothing\n");
	check_chain("CN=eve", IPC_SOCKET_RW, "bob", VERB_VIEW,
		"the certificate \"CN=eve\", on the read-write socket: view over virtual machines "
		"of "
		"bob\n"
		"refused: no line allows it\n"
		"  left: nothing\n");
}

/* What does not fit is cut or counted, never written past the end. */
static void
long_ones(void)
{
	char text[16384] = "", name[64], tls[256], file[96], chain[600], reason[IPC_REASON_MAX];
	struct account longest = {.uid = 5000}, other = {.uid = 5001};
	struct policy_who who = {.uid = 5000, .account = &longest};
	struct policy_who owner = {.uid = 5001, .account = &other};
	size_t n;

	memset(name, 'n', 63);
	name[63] = '\0';
	memset(tls, 't', 255);
	tls[255] = '\0';
	memset(file, 'f', 95);
	file[95] = '\0';
	(void)strcpy(longest.name, name);
	(void)strcpy(other.name, name);
	for (unsigned i = 0; i < 100; i++)
		(void)snprintf(
			text + strlen(text), 160, "deny user %s console user %s\n", name, name);
	(void)snprintf(text + strlen(text), 300, "deny tls \"%s\"\n", tls);
	policy_clear(policy);
	CHECK(policy_parse(policy, file, text, strlen(text)) == 0);
	policy_bind(policy, 0, 5000);
	memset(chain, 'x', sizeof chain);
	n = policy_explain(policy, &who, IPC_SOCKET_RW, &owner, VERB_POWER, chain, sizeof chain);
	CHECK(n < sizeof chain && n == strlen(chain));
	CHECK(strstr(chain, " lines more)\n") == chain + n - strlen(" lines more)\n"));
	policy_bind(policy, 0, 5000);
	(void)policy_refusal(policy, &who, IPC_SOCKET_RW, &who, VERB_CONSOLE, reason);
	CHECK(strlen(reason) < IPC_REASON_MAX && strncmp(reason, file, 95) == 0);
	who = (struct policy_who){.tls = tls};
	(void)policy_refusal(policy, &who, IPC_SOCKET_RW, &owner, VERB_CONSOLE, reason);
	CHECK(strncmp(reason, file, 95) == 0 && strstr(reason, "ttt...\""));
}

int
main(void)
{
	policy = policy_new();
	if (!policy)
		return 1;
	make_host();
	TEST("a refusal names what, which line, and who can change it", refusals);
	TEST("the chain has each line that is for her, and what is left", chains);
	TEST("verdicts of random policies are what was decided", verdicts_agree);
	TEST("tickets of random policies are served, or refused with a reason", tickets_agree);
	TEST("what does not fit is cut or counted", long_ones);
	policy_free(policy);
	return TEST_END();
}
