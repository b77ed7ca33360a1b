/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * authority.h: the policy in force: where it comes from, when it changes, what follows from that.
 *
 * Runs in the broker, as root. The files of the site (rulefiles.h) are read at the start and on
 * SIGHUP, whole or not at all: with a mistake in them the start fails, and a reload changes nothing.
 * The names in them are looked up first (names.h): nobody is let in before they are known, and a
 * reload holds when they are. From time to time names and the accounts of who is connected are looked
 * up again. Whatever comes of it reaches open connections (tickets.h). Without files there is one
 * rule for everyone, built in: her own, and all of it.
 */
#ifndef BROKER_AUTHORITY_H
#define BROKER_AUTHORITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "broker/names.h"
#include "lib/loop.h"
#include "policy/policy.h"
#include "policy/ticket.h"

struct broker;
struct user;

enum {
	AUTHORITY_TOLD_MAX = 20,   /* lines about who lost or gained what in a reload */
	AUTHORITY_COMPARED = 1024, /* users that are looked at for these */
	AUTHORITY_AT_ONCE = 32,    /* connections reviewed, accounts asked for, in one turn */
	AUTHORITY_TICK_MS = 5000   /* at least as often it is seen whose account is due */
};

/* What a look-up of names is for. */
enum authority_run { RUN_NONE = 0, RUN_START, RUN_RELOAD, RUN_REFRESH };

struct authority {
	struct broker *broker;
	uid_t owner;         /* who has to own the files */
	struct policy *now;  /* in force; owned */
	struct policy *next; /* being loaded, or none; owned */
	bool has_main;       /* policy.conf is part of what is in force ... */
	bool next_has_main;  /* ... or would be */
	bool known;          /* the names at the start are */
	bool reload_again;   /* a SIGHUP came during a reload */
	enum authority_run run;
	struct names names;
	uint64_t refresh_ns; /* when the names are looked up again */
	struct timer tick;
	uint32_t next_conn; /* of a review */
	uint32_t next_user; /* whose account may be due */
	struct deferred review;
};

/** Make room. Returns 0 or -ENOMEM. */
int authority_init(struct authority *authority, struct broker *broker);
void authority_fini(struct authority *authority);
/** Read the files, for the start. Returns 0, or 1 after it has told what is wrong. */
int authority_load(struct authority *authority);
/** Look the names up; broker_policy_known() follows, or broker_policy_failed(). */
void authority_start(struct authority *authority);
/** Read the files again. What is wrong with them is told, and changes nothing. */
void authority_reload(struct authority *authority);
/** The broker ends: look nothing up any more. */
void authority_stop(struct authority *authority);

/** What decides now. */
const struct policy *authority_policy(const struct authority *authority);
/** That user, as policy sees her: whoever is connected, or owns what runs. */
struct policy_who authority_who(const struct authority *authority, const struct user *user);
/** What that user may do, whose account was looked up; reason also says why not more. */
void authority_decide(const struct authority *authority, const struct user *user,
	enum ipc_socket socket, struct ticket *ret);
/**
 * The verbs of a principal, connected to that socket, over what that owner owns; why not more is in
 * reason, empty where that is not policy's doing.
 */
uint32_t authority_over(const struct authority *authority, uint32_t uid, enum ipc_socket socket,
	uint32_t owner_uid, char reason[static IPC_REASON_MAX]);
/** Does a line allow this uid something by name, so that it is not nobody? */
bool authority_names(const struct authority *authority, uint32_t uid);
/** Something changed that decides what connections may do: see to those that are open. */
void authority_review(struct authority *authority);

#endif
