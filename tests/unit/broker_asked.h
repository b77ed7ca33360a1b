/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_asked.h: a broker that waits for an answer of the starter's, and who is there meanwhile.
 */
#ifndef TESTS_UNIT_BROKER_ASKED_H
#define TESTS_UNIT_BROKER_ASKED_H

#include "tests/unit/broker_looking.h"
#include "tests/unit/broker_recording.h"
#include "tests/unit/broker_rules.h"
#include "tests/unit/broker_vms.h"

#define OWN   "allow everyone manage own\n"
#define STAFF OWN "allow group staff manage own\n"

static struct {
	struct packet ask; /* that waits for its answer */
	struct kid alice, bob, view, seed;
	struct vm vm;
	int client;
	uint64_t conn_id;
	uint32_t serial; /* of what alice's worker asked, or a view */
	unsigned n_asked;
	bool cheated; /* the answer has descriptors that are good for nothing */
} at;

static inline void
hear(enum ipc_type type)
{
	packet_fini(&at.ask);
	expect(starter_fd, type, &at.ask);
	at.n_asked++;
}

/* What is asked besides. Returns how that ends; wanted: the same as before is among it. */
static inline int
hear_all(bool wanted)
{
	struct packet packet;
	int r;

	while ((r = packet_recv(starter_fd, &packet)) == 0) {
		size_t head = sizeof(struct ipc_header);

		if (header_of(&packet).type == header_of(&at.ask).type &&
			memcmp(body_of(&packet), body_of(&at.ask), at.ask.size - head) == 0)
			wanted = false;
		packet_fini(&packet);
	}
	CHECK(!wanted);
	return r;
}

static inline struct kid
started(bool is_worker)
{
	struct kid kid = {.pid = fork_idle(), .link = -1, .is_worker = is_worker, .place_fd = -1};

	answer_started(&kid, &at.ask);
	turn();
	return kid;
}

static inline void
connect_anew(enum ipc_socket socket, uint32_t uid)
{
	fd_close(&at.client);
	at.client = connect_to(socket, uid);
}

/* When there is no broker any more that could have to do with it. */
static inline void
put_down(struct kid *kid, bool spare)
{
	if (kid->pid > 0 && spare && n_spare < SPARE_MAX)
		spare_pids[n_spare++] = kid->pid;
	else if (kid->pid > 0)
		CHECK(kill(kid->pid, SIGKILL) == 0 && waitpid(kid->pid, NULL, 0) == kid->pid);
	kid->pid = -1;
	fd_close(&kid->link);
	if (kid->is_worker)
		fd_close(&kid->place_fd);
}

static inline void
clear(void)
{
	struct kid none = {.pid = -1, .link = -1, .place_fd = -1};

	memset(&at, 0, sizeof at);
	for (unsigned i = 0; i < PACKET_FDS_MAX; i++)
		at.ask.fds[i] = -1;
	at.alice = at.bob = at.view = at.seed = at.vm.kid = auditor = refuser = none;
	at.vm.sock = at.client = -1;
}

static inline void
end(void)
{
	struct kid *kids[] = {
		&at.alice, &at.bob, &at.view, &at.vm.kid, &auditor, &at.seed, &refuser};
	size_t n_kids = sizeof kids / sizeof *kids;
	struct kid refuser_was = refuser;

	fd_close(&at.vm.sock);
	fd_close(&at.client);
	packet_fini(&at.ask);
	remove_rules();
	refuser.pid = -1;
	stage_close();
	refuser = refuser_was;
	/* The broker ends tools with itself. */
	for (size_t i = 0; i < n_kids; i++)
		put_down(kids[i], kids[i] != &at.seed);
	stage_before = NULL;
	stage_audit = CONFIG_AUDIT_OFF;
}

/* bob, who has a worker, is served as ever. */
static inline void
serve_bob(void)
{
	int client;

	if (at.bob.pid <= 0)
		return;
	client = connect_as(BOB);
	CHECK(serve(&at.bob).uid == BOB && is_alive(&at.bob));
	fd_close(&client);
}

/* Who connected is refused for that. */
static inline void
refused_for(int err)
{
	struct ipc_conn_pass pass = serve(&refuser);

	CHECK(pass.refusal != IPC_REFUSAL_NONE && pass.verbs == 0);
	CHECK(strstr(pass.reason, strerror(-err)) || !printf("# %s\n", pass.reason));
}

#endif
