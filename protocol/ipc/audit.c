/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * audit.c: the words that stand for what is audited; see audit.h.
 *
 * Pure. Used by qemud-audit and the tests.
 */
#include "protocol/ipc/audit.h"

#include <stddef.h>

static const struct audit_words words[AUDIT_KINDS] = {
	[AUDIT_BROKER_START] = {"broker", "start", false},
	[AUDIT_BROKER_STOP] = {"broker", "stop", false},
	[AUDIT_LOST] = {"audit", "lost", false},
	[AUDIT_MORE] = {"audit", "more", false},
	[AUDIT_GONE] = {"audit", "gone", false},
	[AUDIT_BEGIN] = {"audit", "begin", false},
	[AUDIT_ROTATE] = {"audit", "rotate", false},
	[AUDIT_REMOVE] = {"audit", "remove", false},
	[AUDIT_REPAIR] = {"audit", "repair", false},
	[AUDIT_REOPEN] = {"audit", "reopen", false},
	[AUDIT_ORPHAN] = {"audit", "orphan", false},
	[AUDIT_CONNECTION] = {"connection", "open", false},
	[AUDIT_PROCESS_START] = {"process", "start", false},
	[AUDIT_PROCESS_END] = {"process", "end", false},
	[AUDIT_PROCESS_VIOLATION] = {"process", "violation", false},
	[AUDIT_VM_START] = {"vm", "start", false},
	[AUDIT_VM_FOUND] = {"vm", "found", false},
	[AUDIT_VM_STOP] = {"vm", "stop", false},
	[AUDIT_VM_END] = {"vm", "end", false},
	[AUDIT_NET_START] = {"net", "start", false},
	[AUDIT_TOOL_START] = {"tool", "start", false},
	[AUDIT_AUTOSTART] = {"autostart", "set", true},
	[AUDIT_TICKET] = {"connection", "change", false},
	[AUDIT_CHANNEL] = {"channel", "open", false},
	[AUDIT_VM_CHANGE] = {"vm", "change", false},
	[AUDIT_VM_FREEZE] = {"vm", "freeze", false},
	[AUDIT_VM_THAW] = {"vm", "thaw", false},
	[AUDIT_POLICY_LOAD] = {"policy", "load", false},
	[AUDIT_POLICY_RELOAD] = {"policy", "reload", false},
	[AUDIT_POLICY_NAMES] = {"policy", "names", false},
	[AUDIT_POLICY_CHANGE] = {"policy", "change", false},
};

const struct audit_words *
audit_words(uint32_t kind)
{
	return &words[kind];
}

const char *
audit_verdict_word(uint32_t verdict)
{
	static const char *const verdicts[] = {[AUDIT_FACT] = NULL,
		[AUDIT_ALLOWED] = "allowed",
		[AUDIT_REFUSED] = "refused",
		[AUDIT_FAILED] = "failed"};

	return verdicts[verdict];
}
