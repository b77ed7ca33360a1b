/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ticket.c: everybody manages her own VMs, the read-only socket keeps view, and nobody is refused
 * with a reason.
 */
#include "policy/ticket.h"

#include "policy/nobody.h"
#include "policy/policy.h"
#include "protocol/verb.h"
#include "tests/unit/test.h"

static struct ticket ticket;

static struct account
account_of(uint32_t uid)
{
	struct account account = {.uid = uid, .gid = 100, .n_groups = 1, .groups = {100}};

	(void)strcpy(account.name, "somebody");
	(void)strcpy(account.home, "/home/somebody");
	return account;
}

/* Decide for an account that exists, on both sockets. */
static void
decide(uint32_t uid, const struct account *account, const struct account *system,
	enum ipc_socket socket)
{
	struct policy_who as_system = {.is_system = true, .account = system};

	as_system.uid = system ? system->uid : 0;
	memset(&ticket, 0xaa, sizeof ticket);
	ticket_decide(policy_builtin(), &(struct policy_who){.uid = uid, .account = account},
		system ? &as_system : NULL, socket, &ticket);
	/* Served or refused, never both, never neither. */
	CHECK((ticket.verbs == 0) == (ticket.refusal != IPC_REFUSAL_NONE));
	CHECK((ticket.verbs == 0) == (ticket.reason[0] != '\0'));
	CHECK(memchr(ticket.reason, '\0', sizeof ticket.reason) != NULL);
	/* Without a policy file root alone has a reach. */
	CHECK(ticket.others == (uid == 0 ? ticket.verbs : 0));
}

static void
serves_owners(void)
{
	static const uint32_t uids[] = {
		1, 999, 1000, 61183, 65520, 65533, 65535, 65536, 100000, UINT32_MAX - 1};
	struct account system = account_of(990);

	for (size_t i = 0; i < sizeof uids / sizeof *uids; i++) {
		struct account account = account_of(uids[i]);

		decide(uids[i], &account, &system, IPC_SOCKET_RW);
		CHECK(ticket.verbs == VERBS_ALL);
		decide(uids[i], &account, NULL, IPC_SOCKET_RO);
		CHECK(ticket.verbs == VERBS_VIEW);
	}
}

static void
serves_root(void)
{
	struct account root = account_of(0), system = account_of(990);

	decide(0, &root, &system, IPC_SOCKET_RW);
	CHECK(ticket.verbs == VERBS_ALL);
	decide(0, NULL, &system, IPC_SOCKET_RO);
	CHECK(ticket.verbs == VERBS_VIEW);
	decide(0, &root, NULL, IPC_SOCKET_RW);
	CHECK(ticket.refusal == IPC_REFUSAL_WORKER && strstr(ticket.reason, "useradd"));
	/* A system account that may not serve: root, nobody, somebody's subordinate uid. */
	system = account_of(0);
	decide(0, &root, &system, IPC_SOCKET_RW);
	CHECK(ticket.verbs == 0);
	system = account_of(65534);
	decide(0, &root, &system, IPC_SOCKET_RW);
	CHECK(ticket.verbs == 0);
	system = account_of(990);
	system.subordinate = true;
	decide(0, &root, &system, IPC_SOCKET_RW);
	CHECK(ticket.verbs == 0 && strstr(ticket.reason, "system_account"));
	CHECK(strlen(ticket.reason) < sizeof ticket.reason - 1); /* not cut */
}

static void
refuses_nobody(void)
{
	static const uint32_t uids[] = {65534, UINT32_MAX, 61184, 61185, 63000, 65519};

	for (size_t i = 0; i < sizeof uids / sizeof *uids; i++) {
		struct account account = account_of(uids[i]);
		char uid[16];

		(void)snprintf(uid, sizeof uid, "uid %u", uids[i]);
		CHECK(nobody_uid_why(uids[i]));
		for (int socket = IPC_SOCKET_RW; socket <= IPC_SOCKET_RO; socket++) {
			decide(uids[i], &account, &account, (enum ipc_socket)socket);
			CHECK(ticket.refusal == IPC_REFUSAL_NOBODY);
			CHECK(strstr(ticket.reason, uid));
			CHECK(strlen(ticket.reason) < sizeof ticket.reason - 1);
		}
	}
	CHECK(!nobody_uid_why(0) && !nobody_uid_why(1000));
	CHECK(!nobody_uid_why(61183) && !nobody_uid_why(65520));
	CHECK(!nobody_uid_why(65533) && !nobody_uid_why(65535));
}

static void
refuses_without_account(void)
{
	struct account other = account_of(1001), sub = account_of(100000);

	decide(1000, NULL, &other, IPC_SOCKET_RW);
	CHECK(ticket.refusal == IPC_REFUSAL_NOBODY && strstr(ticket.reason, "uid 1000"));
	/* An account of somebody else is none. */
	decide(1000, &other, &other, IPC_SOCKET_RW);
	CHECK(ticket.refusal == IPC_REFUSAL_NOBODY);
	sub.subordinate = true;
	decide(100000, &sub, &other, IPC_SOCKET_RW);
	CHECK(ticket.refusal == IPC_REFUSAL_NOBODY && strstr(ticket.reason, "/etc/subuid"));
	CHECK(strlen(ticket.reason) < sizeof ticket.reason - 1);
}

int
main(void)
{
	TEST("an account manages, or on the read-only socket sees, its own VMs", serves_owners);
	TEST("root is served by the system account, or told how to make one", serves_root);
	TEST("uids that are nobody's are refused, whatever the account database says",
		refuses_nobody);
	TEST("a uid without an account of its own is refused", refuses_without_account);
	return TEST_END();
}
