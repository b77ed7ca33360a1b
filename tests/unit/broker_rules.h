/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_rules.h: a broker with policy files, and the name service that it asks.
 */
#ifndef TESTS_UNIT_BROKER_RULES_H
#define TESTS_UNIT_BROKER_RULES_H

#include "broker/rulebook.h"
#include "protocol/ipc/group.h"
#include "protocol/verb.h"
#include "tests/unit/broker_stage.h"

enum { POWER = VERB_VIEW | VERB_POWER, GID = 3000 };

/* --- the files ---------------------------------------------------------------------------- */

static const char *first_rules; /* that are there when the broker starts; NULL: no file */

static inline void
write_rules(const char *rules)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof path, "%s/.policy", stage_dir);
	CHECK(mkdir(path, 0755) == 0 || errno == EEXIST);
	(void)snprintf(path, sizeof path, "%s/.policy/policy.conf", stage_dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && fd_write_all(fd, rules, strlen(rules)) == 0);
	fd_close(&fd);
}

static inline void
write_first(void)
{
	if (first_rules)
		write_rules(first_rules);
}

static inline void
remove_rules(void)
{
	char path[128];

	(void)snprintf(path, sizeof path, "%s/.policy/policy.conf", stage_dir);
	(void)unlink(path);
	(void)snprintf(path, sizeof path, "%s/.policy", stage_dir);
	(void)rmdir(path);
}

/* --- the name service --------------------------------------------------------------------- */

static inline void
answer_group(const struct packet *ask, const char *name, uint32_t gid)
{
	char text[128];
	int n = group_format(name, gid, text, sizeof text);
	fd_auto int fd = memfd_make("group", text, (size_t)n);

	CHECK(n > 0 && fd >= 0);
	answer(starter_fd, ask, NULL, 0, &fd, 1);
	turn();
}

/* A RESOLVE of that group comes, and is answered; gid 0: there is none. */
static inline void
resolve_group(const char *name, uint32_t gid)
{
	AUTO(packet_fini) struct packet ask;
	struct ipc_resolve body;

	expect(starter_fd, IPC_RESOLVE, &ask);
	memcpy(&body, body_of(&ask), sizeof body);
	CHECK(body.kind == IPC_RESOLVE_GROUP);
	CHECK_STR(body.name, name);
	if (gid != 0)
		answer_group(&ask, name, gid);
	else
		answer_error(starter_fd, &ask, -ENOENT, 0);
	turn();
}

/* The same of a user, by name. */
static inline void
resolve_user(const char *name, uint32_t uid)
{
	struct account account = account_of_uid(uid);
	AUTO(packet_fini) struct packet ask;
	struct ipc_resolve body;

	expect(starter_fd, IPC_RESOLVE, &ask);
	memcpy(&body, body_of(&ask), sizeof body);
	CHECK(body.kind == IPC_RESOLVE_ACCOUNT);
	CHECK_STR(body.name, name);
	(void)snprintf(account.name, sizeof account.name, "%s", name);
	if (uid != 0)
		answer_account(&ask, &account);
	else
		answer_error(starter_fd, &ask, -ENOENT, 0);
	turn();
}

/* Her uid is asked for, and her account is in that group as well. */
static inline void
resolve_in_group(uint32_t uid, uint32_t gid)
{
	struct account account = account_of_uid(uid);
	AUTO(packet_fini) struct packet ask;

	expect(starter_fd, IPC_RESOLVE, &ask);
	CHECK(((const struct ipc_resolve *)body_of(&ask))->uid == uid);
	account.groups[account.n_groups++] = gid;
	answer_account(&ask, &account);
	turn();
}

/* root's own account is asked for, behind the names, where rules speak of groups. */
static inline void
resolve_root(uint32_t gid)
{
	struct account account = {.uid = 0, .n_groups = 1};
	AUTO(packet_fini) struct packet ask = {.size = 0};
	const struct ipc_resolve *body = body_of(&ask);

	expect(starter_fd, IPC_RESOLVE, &ask);
	CHECK(body->kind == IPC_RESOLVE_ACCOUNT && body->name[0] == '\0' && body->uid == 0);
	(void)strcpy(account.name, "root");
	(void)strcpy(account.home, "/root");
	if (gid != 0)
		account.groups[account.n_groups++] = gid;
	answer_account(&ask, &account);
	turn();
}

/* --- the stage ---------------------------------------------------------------------------- */

static inline void
open_with(const char *rules)
{
	first_rules = rules;
	stage_before = write_first;
}

static inline void
reload(const char *rules)
{
	write_rules(rules);
	rulebook_reload(&broker.rulebook);
	turn();
}

/* --- who is connected --------------------------------------------------------------------- */

static inline uint64_t
pass_one(const struct kid *kid, struct ipc_conn_pass *ret)
{
	AUTO(packet_fini) struct packet pass;

	expect(kid->link, IPC_CONN_PASS, &pass);
	memcpy(ret, body_of(&pass), sizeof *ret);
	taken(kid, &pass);
	return ret->conn_id;
}

static inline void
expect_change(const struct kid *kid, uint64_t id, uint32_t verbs, const char *words)
{
	AUTO(packet_fini) struct packet ask;
	struct ipc_ticket_change change;

	expect(kid->link, IPC_TICKET_CHANGE, &ask);
	memcpy(&change, body_of(&ask), sizeof change);
	CHECK(change.conn_id == id && change.verbs == verbs);
	CHECK(strstr(change.reason, words) || !printf("# said: %s\n", change.reason));
	answer(kid->link, &ask, NULL, 0, NULL, 0);
	turn();
}

/* As far as the names: they are asked for behind everything else. */
static inline void
stage_names(const char *rules)
{
	open_with(rules);
	stage_accounts();
	no_leaf();
}

static inline void
stage_rest(void)
{
	refuser = start_kid(IPC_VIEW, VIEW_UID);
	hello(&refuser);
	CHECK(broker.ready && broker.rulebook.known);
}

#endif
