/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * boxes.c: the boxes of a session; see boxes.h.
 *
 * Runs in qemud-session, as the user. Must never call a lease over while its process may run.
 */
#include "session/boxes.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "lib/fd.h"
#include "lib/log.h"
#include "lib/packet.h"
#include "lib/take.h"
#include "lib/uuid.h"
#include "session/notes.h"
#include "session/spawn.h"

enum { PROGRAM_NAME_MAX = 16 };

static const struct {
	const char *program;
	bool ends_with_us;
	enum spawn_room room;
} kinds[] = {
	[BOX_TOOL] = {"qemud-box", true, SPAWN_APART},
	[BOX_VM] = {"qemud-box", false, SPAWN_APART},
	[BOX_RELAY] = {"qemud-net", false, SPAWN_APART},
	[BOX_PASST] = {"qemud-box", false, SPAWN_NETWORKED},
};

/* --- their ends --------------------------------------------------------------------------- */

static void
free_box(struct deferred *deferred)
{
	free(container_of(deferred, struct box, freeing));
}

static void
forget(struct box *box)
{
	struct boxes *boxes = box->boxes;

	LIST_REMOVE(box, entry);
	boxes->n--;
	loop_defer(boxes->loop, &box->freeing, free_box);
}

/* The worker is told that nothing of it runs, as soon as the link takes it; or there is none. */
static void
tell_gone(struct box *box)
{
	struct ipc_lease_gone gone = {.id = box->id, .how = IPC_GONE_ENDED};

	/* A worker that has not said HELLO asks for what there is when it has. */
	if (box->kind != BOX_VM || box->boxes->link->state == IPC_STATE_NEW ||
		link_notify(box->boxes->link, IPC_LEASE_GONE, &gone) != LINK_E_FULL)
		forget(box);
}

void
boxes_tell(struct boxes *boxes)
{
	struct box *box = LIST_FIRST(&boxes->list), *next;

	for (; box; box = next) {
		next = LIST_NEXT(box, entry);
		if (box->pidfd < 0)
			tell_gone(box);
	}
}

static void
end(const struct box *box)
{
	if (box->pidfd >= 0 && pidfd_send_signal(box->pidfd, SIGKILL, NULL, 0) < 0 &&
		errno != ESRCH)
		log_error("pid=%d cannot be killed: %s", (int)box->pid, strerror(errno));
}

/* What is for the network of that VM has nothing to do any more. */
static void
end_nets(const struct boxes *boxes, uint32_t id)
{
	const struct box *box;

	LIST_FOREACH (box, &boxes->list, entry)
		if (box->id == id && box->kind != BOX_VM)
			end(box);
}

static void
ended(struct io *io, uint32_t events)
{
	struct box *box = container_of(io, struct box, io);
	siginfo_t info = {0};

	(void)events;
	/* One that was started by an earlier session is somebody else's to reap. */
	if (waitid(P_PIDFD, (id_t)box->pidfd, &info, WEXITED | WNOHANG) == 0)
		log_info("pid=%d %s: ended with %s %d", (int)box->pid, kinds[box->kind].program,
			info.si_code == CLD_EXITED ? "status" : "signal", info.si_status);
	else if (errno == ECHILD)
		log_info("pid=%d %s: ended", (int)box->pid, kinds[box->kind].program);
	else
		log_error("pid=%d cannot be reaped: %s", (int)box->pid, strerror(errno));
	io_stop(&box->io);
	fd_close(&box->pidfd);
	if (box->kind == BOX_VM) {
		note_remove(box->boxes->files.run_fd, box->uuid);
		end_nets(box->boxes, box->id);
	}
	tell_gone(box);
}

/* --- their beginnings --------------------------------------------------------------------- */

/* pidfd is taken over, also on failure. */
static int
enter(struct boxes *boxes, enum box_kind kind, const struct note *note, int pidfd, struct box **ret)
{
	struct box *box = calloc(1, sizeof(*box));
	int r = box ? io_start(boxes->loop, &box->io, pidfd, EPOLLIN, 0, ended) : -ENOMEM;

	if (r < 0) {
		free(box);
		fd_close(&pidfd);
		return r;
	}
	box->boxes = boxes;
	box->pidfd = pidfd;
	box->pid = note->pid;
	box->kind = kind;
	box->id = note->id;
	memcpy(box->uuid, note->uuid, sizeof(box->uuid));
	LIST_INSERT_HEAD(&boxes->list, box, entry);
	boxes->n++;
	*ret = box;
	return 0;
}

/* One that waits for its plan, or a relay for its asks, at the other end of *ret_sock. */
static int
start(struct boxes *boxes, enum box_kind kind, struct note *note, int *ret_sock, struct box **ret)
{
	static char path[] = "PATH=/usr/bin:/bin";
	char name[PROGRAM_NAME_MAX];
	char *argv[] = {name, NULL}, *envp[] = {path, NULL};
	struct spawn spawn = {
		.program_fd = kind == BOX_RELAY ? boxes->files.net_fd : boxes->files.box_fd,
		.argv = argv,
		.envp = envp,
		.null_fd = boxes->files.null_fd,
		.lock_fd = -1,
		.room = kinds[kind].room,
		.ends_with_us = kinds[kind].ends_with_us};
	int pair[2], pidfd = -1, r;

	(void)snprintf(name, sizeof(name), "%s", kinds[kind].program);
	if (boxes->n >= BOXES_MAX)
		return -EAGAIN;
	r = packet_pair(pair);
	if (r < 0)
		return r;
	spawn.link_fd = pair[1];
	r = session_spawn(&spawn, &pidfd, &note->pid);
	fd_close(&pair[1]);
	if (r == 0)
		r = enter(boxes, kind, note, pidfd, ret);
	if (r < 0)
		fd_close(&pair[0]);
	else
		*ret_sock = pair[0];
	return r;
}

/* --- what the worker asks ----------------------------------------------------------------- */

static void
answer_tool(struct boxes *boxes, uint32_t serial)
{
	struct note none = {.id = 0};
	struct box *box = NULL;
	int sock = -1, r = start(boxes, BOX_TOOL, &none, &sock, &box);

	if (!box)
		log_error("no box can be made: %s", strerror(-r));
	else
		log_info("pid=%d qemud-box: started", (int)box->pid);
	if (link_answer(boxes->link, IPC_TOOL_READY, serial, r, NULL, r < 0 ? NULL : &sock) != 0 &&
		box)
		end(box);
	fd_close(&sock);
}

static const struct box *
find_uuid(const struct boxes *boxes, const uint8_t uuid[static UUID_SIZE])
{
	const struct box *box;

	LIST_FOREACH (box, &boxes->list, entry)
		if (box->kind == BOX_VM && memcmp(box->uuid, uuid, UUID_SIZE) == 0)
			return box;
	return NULL;
}

static const struct box *
find_id(const struct boxes *boxes, uint32_t id)
{
	const struct box *box;

	LIST_FOREACH (box, &boxes->list, entry)
		if (box->id == id && box->kind == BOX_VM)
			return box;
	return NULL;
}

static int
lease(struct boxes *boxes, const struct ipc_lease *ask, struct ipc_leased *ret, int *ret_sock,
	struct box **ret_box)
{
	struct note note = {0};
	int r;

	if (find_uuid(boxes, ask->uuid))
		return -EEXIST;
	do
		boxes->last_id = boxes->last_id < INT32_MAX ? boxes->last_id + 1 : 1;
	while (find_id(boxes, boxes->last_id));
	note.id = boxes->last_id;
	memcpy(note.uuid, ask->uuid, sizeof(note.uuid));
	r = start(boxes, BOX_VM, &note, ret_sock, ret_box);
	if (r < 0 || !*ret_box)
		return r;
	r = note_write(boxes->files.run_fd, &note);
	if (r < 0) {
		/* The next session would not know that it runs. */
		end(*ret_box);
		fd_close(ret_sock);
		return r;
	}
	*ret = (struct ipc_leased){.id = note.id, .pid = (uint32_t)note.pid};
	return 0;
}

static void
answer_lease(struct boxes *boxes, uint32_t serial, const struct ipc_lease *ask)
{
	struct ipc_leased leased = {0};
	struct box *box = NULL;
	int sock = -1, r = lease(boxes, ask, &leased, &sock, &box);

	if (r < 0)
		log_error("no machine can be started: %s", strerror(-r));
	else
		log_info("lease granted id=%" PRIu32 " pid=%" PRIu32, leased.id, leased.pid);
	/* A seed that nobody took is nobody's. */
	if (link_answer(boxes->link, IPC_LEASED, serial, r, &leased, r < 0 ? NULL : &sock) != 0 &&
		r == 0 && box)
		end(box);
	fd_close(&sock);
}

static void
answer_net(struct boxes *boxes, uint32_t serial, const struct ipc_net *ask)
{
	enum box_kind kind = ask->kind == IPC_NET_RELAY ? BOX_RELAY : BOX_PASST;
	const struct box *vm = find_id(boxes, ask->id);
	struct note note = {.id = ask->id};
	struct box *box = NULL;
	int sock = -1, r = -ENOENT;

	if (!session_has_namespaces())
		r = -EOPNOTSUPP;
	else if (vm && vm->pidfd >= 0)
		r = start(boxes, kind, &note, &sock, &box);
	if (!box)
		log_error("id=%" PRIu32 " nothing for its network can be started: %s", ask->id,
			strerror(-r));
	else
		log_info("id=%" PRIu32 " pid=%d %s: started", ask->id, (int)box->pid,
			kinds[kind].program);
	if (link_answer(boxes->link, IPC_NET_READY, serial, r, NULL, r < 0 ? NULL : &sock) != 0 &&
		box)
		end(box);
	fd_close(&sock);
}

static void
answer_next(struct boxes *boxes, uint32_t serial, uint32_t after)
{
	struct ipc_lease_found found = {0};
	const struct box *best = NULL, *box;

	LIST_FOREACH (box, &boxes->list, entry)
		if (box->kind == BOX_VM && box->id > after && box->pidfd >= 0 &&
			(!best || box->id < best->id))
			best = box;
	if (best) {
		found.id = best->id;
		found.pid = (uint32_t)best->pid;
		memcpy(found.uuid, best->uuid, sizeof(found.uuid));
	}
	(void)link_answer(boxes->link, IPC_LEASE_FOUND, serial, best ? 0 : -ENOENT, &found, NULL);
}

void
boxes_message(struct boxes *boxes, const struct ipc_message *message)
{
	const struct ipc_lease_stop *stop = message->body;
	const struct ipc_lease_next *next = message->body;
	const struct ipc_lease_change *change = message->body;
	const struct box *box;

	if (message->type == IPC_TOOL) {
		answer_tool(boxes, message->serial);
	} else if (message->type == IPC_LEASE) {
		answer_lease(boxes, message->serial, message->body);
	} else if (message->type == IPC_LEASE_NEXT) {
		answer_next(boxes, message->serial, next->after);
	} else if (message->type == IPC_LEASE_CHANGE) {
		/* Nothing is limited, and nothing counted. */
		(void)link_answer(boxes->link, IPC_LEASE_CHANGED, message->serial,
			find_id(boxes, change->id) ? 0 : -ENOENT, NULL, NULL);
	} else if (message->type == IPC_NET) {
		answer_net(boxes, message->serial, message->body);
	} else if (message->type == IPC_LEASE_STOP) {
		box = find_id(boxes, stop->id);
		if (box)
			end(box);
	}
}

/* --- begin and end ------------------------------------------------------------------------ */

static void
found_running(void *arg, const struct note *note, int pidfd)
{
	struct boxes *boxes = arg;
	struct box *box;
	int r = enter(boxes, BOX_VM, note, pidfd, &box);

	if (r < 0) {
		log_error("pid=%d runs and cannot be watched: %s", (int)note->pid, strerror(-r));
		return;
	}
	if (note->id > boxes->last_id)
		boxes->last_id = note->id;
	log_info("lease found id=%" PRIu32 " pid=%d", note->id, (int)note->pid);
}

int
boxes_init(
	struct boxes *boxes, struct loop *loop, struct link *link, const struct boxes_files *files)
{
	*boxes = (struct boxes){.loop = loop, .link = link, .files = *files};
	LIST_INIT(&boxes->list);
	return notes_read(files->run_fd, found_running, boxes);
}

bool
boxes_worker_gone(struct boxes *boxes)
{
	struct box *box = LIST_FIRST(&boxes->list), *next;
	bool vms = false;

	for (; box; box = next) {
		next = LIST_NEXT(box, entry);
		vms |= box->kind == BOX_VM && box->pidfd >= 0;
		if (box->pidfd < 0)
			forget(box);
		else if (box->kind == BOX_TOOL)
			end(box);
	}
	return vms;
}

void
boxes_fini(struct boxes *boxes)
{
	struct box *box;

	while ((box = LIST_FIRST(&boxes->list)) != NULL) {
		io_stop(&box->io);
		fd_close(&box->pidfd);
		LIST_REMOVE(box, entry);
		free(box);
	}
}
