/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ticket.c: what a connection may do: the decision, from who connected and to which socket.
 *
 * Pure. Runs in the broker, as root. Nothing here is asked of a client.
 */
#include "policy/ticket.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "policy/decide.h"
#include "policy/explain.h"
#include "policy/nobody.h"

__attribute__((format(printf, 3, 4))) static void
refuse(struct ticket *ret, enum ipc_refusal refusal, const char *fmt, ...)
{
	va_list ap;

	*ret = (struct ticket){.refusal = refusal};
	va_start(ap, fmt);
	(void)vsnprintf(ret->reason, sizeof ret->reason, fmt, ap);
	va_end(ap);
}

/* May this account's worker exist? */
static bool
may_own(const struct policy *policy, const struct account *account)
{
	return account->uid != 0 &&
	       (!nobody_why(account->uid, account) || policy_names_uid(policy, account->uid));
}

/* Why a uid is nobody, with what can be done about it. */
static void
refuse_nobody(struct ticket *ret, uint32_t uid, const struct account *account)
{
	const char *why = nobody_uid_why(uid);

	if (why)
		refuse(ret, IPC_REFUSAL_NOBODY,
			"uid %" PRIu32 " may own nothing here: %s; connect from an account of this "
			"host",
			uid, why);
	else if (!account || account->uid != uid)
		refuse(ret, IPC_REFUSAL_NOBODY,
			"uid %" PRIu32
			" has no account on this host; its administrator can make one",
			uid);
	else
		refuse(ret, IPC_REFUSAL_NOBODY,
			"uid %" PRIu32 " is a subordinate uid (/etc/subuid) of another account; "
			"connect from outside the user namespace",
			uid);
}

static void
say_rule(const struct policy *policy, const struct policy_rule *rule,
	char ret[static POLICY_WHERE_MAX])
{
	if (rule)
		(void)policy_rule_where(policy, rule, ret, POLICY_WHERE_MAX);
}

void
ticket_decide(const struct policy *policy, const struct policy_who *who,
	const struct policy_who *system, enum ipc_socket socket, struct ticket *ret)
{
	bool as_system = who->tls || who->uid == 0;
	const struct policy_who *self = as_system ? system : who;
	const struct account *account = self ? self->account : NULL;
	struct policy_who owner = {.uid = who->uid, .account = account, .is_system = as_system};

	if (as_system && (!account || !may_own(policy, account))) {
		refuse(ret, IPC_REFUSAL_WORKER,
			"root's virtual machines belong to the system account, which this host "
			"%s; make it (useradd --system qemud-vm) or name another in qemud.conf: "
			"system_account",
			account ? "has with a uid that cannot serve" : "does not have");
		return;
	}
	if (!as_system && nobody_why(who->uid, account) && !policy_names_uid(policy, who->uid)) {
		refuse_nobody(ret, who->uid, account);
		return;
	}
	*ret = (struct ticket){.others = policy_reach(policy, who, socket)};
	if (account && (as_system || account->uid == who->uid)) {
		owner.uid = account->uid;
		owner.held = self->held;
		owner.is_system |= system && system->uid == owner.uid;
		ret->verbs = policy_decide(policy, who, socket, &owner);
	}
	if (ret->verbs == 0 && ret->others == 0) {
		*ret = (struct ticket){.refusal = IPC_REFUSAL_POLICY};
		(void)policy_refusal(policy, who, socket, &owner, VERB_VIEW, ret->reason);
	}
	say_rule(policy,
		ret->others != 0
			? policy_reach_rule(policy, who)
			: policy_verdict(policy, who, socket, &owner, policy_verb_most(ret->verbs))
				  .rule,
		ret->rule);
}
