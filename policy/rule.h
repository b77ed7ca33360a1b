/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rule.h: one rule, as it is kept, and as text.
 *
 * Pure. Runs in the broker, as root, and in tools as anybody.
 */
#ifndef POLICY_RULE_H
#define POLICY_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/ipc/account.h"
#include "protocol/verb.h"

struct policy;

enum policy_kind { POLICY_ALLOW = 1, POLICY_DENY, POLICY_LIMIT, POLICY_NETWORK };

/* Whom a rule is for, or whose virtual machines. */
enum policy_party_kind {
	POLICY_EVERYONE = 1, /* every account of this host that is not nobody */
	POLICY_USER,         /* a name */
	POLICY_UID,          /* a number */
	POLICY_GROUP,        /* a name: accounts that are in it */
	POLICY_TLS,          /* the name of a certificate */
	POLICY_HOST,         /* of limits: all together */
	POLICY_OWN,          /* as a target from here on, and USER, UID, GROUP */
	POLICY_ALL,
	POLICY_SYSTEM
};

struct policy_party {
	uint8_t kind; /* enum policy_party_kind; 0: a rule without a target */
	uint16_t column;
	uint32_t n; /* USER, GROUP: of names[]; UID: the uid; TLS: its text in the pool */
};

enum policy_key {
	POLICY_VMS = 1,   /* that run at a time: of a user, or of the host */
	POLICY_VCPUS,     /* of all that run */
	POLICY_MEMORY,    /* of all that run; KiB, of the host also percent */
	POLICY_VM_VCPUS,  /* of one virtual machine */
	POLICY_VM_MEMORY, /* of one virtual machine; KiB */
	POLICY_PIDS,      /* processes and threads of all that a user runs */
	POLICY_CPU_WEIGHT /* a user's share of busy processors beside others', cgroup v2's cpu.weight */
};

enum { POLICY_N_KEYS = POLICY_CPU_WEIGHT + 1 };

enum policy_network_kind { POLICY_NETWORK_NONE = 1, POLICY_NETWORK_USER, POLICY_NETWORK_BRIDGE };

#define POLICY_UNLIMITED UINT64_MAX

enum {
	POLICY_TLS_MAX = 256,   /* of a certificate's name, with the NUL */
	POLICY_BRIDGE_MAX = 16, /* IFNAMSIZ */
	POLICY_RULE_TEXT_MAX = 384,
	POLICY_VERBS_MAX = 40
};

struct policy_rule {
	uint8_t kind;    /* enum policy_kind */
	uint8_t verb;    /* of allow and deny: enum verb; deny: 0 for all */
	uint8_t key;     /* of limit: enum policy_key */
	uint8_t network; /* of network: enum policy_network_kind */
	bool is_builtin;
	bool is_percent;
	uint16_t file; /* of files[] */
	uint32_t line;
	struct policy_party subject, target;
	uint32_t bridge; /* of network: its name in the pool */
	uint64_t value;  /* of limit */
};

/** The words of a verb, a key, a party; NULL for what is none. */
const char *policy_verb_word(unsigned verb);
const char *policy_key_word(unsigned key);
/** "view, power"; "nothing"; into buf. Returns buf. */
const char *policy_verbs_text(uint32_t verbs, char buf[static POLICY_VERBS_MAX]);
/** The verb of a set that includes most of it; of none: view. */
enum verb policy_verb_most(uint32_t verbs);
/** Does its value count KiB? */
bool policy_key_is_memory(unsigned key);

/** The rule as a line of policy.conf (a limit with its one key) into buf. Returns buf. */
const char *policy_rule_text(const struct policy *policy, const struct policy_rule *rule,
	char buf[static POLICY_RULE_TEXT_MAX]);
/** "FILE:LINE", or "a built-in rule", into buf. Returns buf. */
const char *policy_rule_where(
	const struct policy *policy, const struct policy_rule *rule, char *buf, size_t size);
/** A party as text ("user alice"), into buf. Returns buf. */
const char *policy_party_text(
	const struct policy *policy, const struct policy_party *party, char *buf, size_t size);
/** A limit's value as text ("4", "16G", "90%", "unlimited"), into buf. Returns buf. */
const char *policy_value_text(
	unsigned key, uint64_t value, bool is_percent, char *buf, size_t size);

#endif
