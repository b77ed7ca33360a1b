/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * graphics.c: the socket of a VM's screen, and who looks at it; see graphics.h.
 *
 * Runs in the worker, as the user; never as root. Must never remove what is not a socket of the
 * user's, nor one on which somebody listens. QEMU's commands and events are as its manual "QEMU QMP
 * Reference" (qemu-qmp-ref) has them; what clients are told is what libvirt 9.0 tells them.
 */
#include "worker/vm/graphics.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/take.h"
#include "protocol/rpc/procedure.h"
#include "worker/vm/rundir.h"
#include "worker/vm/vm.h"
#include "worker/vm/vms.h"

enum { BACKLOG = 8 };

#define KIND     "vnc"          /* of the file in the run-time folder: domain_graphics_place() */
#define LISTENER "qemud-screen" /* QEMU's name for the descriptor, until it is used */

void
vm_graphics_init(struct vm_graphics *graphics)
{
	*graphics = (struct vm_graphics){.fd = -1};
}

/* The one that listens on a socket; NULL: none does. */
static const struct domain_graphics *
with_socket(const struct vm *vm)
{
	const struct domain_def *live = vm->domain->live;

	for (size_t i = 0; i < live->n_graphics; i++)
		if (live->graphics[i].listen == DOMAIN_LISTEN_SOCKET && live->graphics[i].socket)
			return &live->graphics[i];
	return NULL;
}

/* --- its name ----------------------------------------------------------------------------- */

static int
make_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* What a run has left there goes. */
static int
make_way(const struct sockaddr_un *address)
{
	fd_auto int fd = -1;
	struct stat st;

	if (fstatat(AT_FDCWD, address->sun_path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
		return -EEXIST;
	fd = make_socket();
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
		errno != ECONNREFUSED)
		return -EADDRINUSE;
	return unlinkat(AT_FDCWD, address->sun_path, 0) < 0 ? -errno : 0;
}

static int
name_of(const char *path, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(ret->sun_path))
		return -ENAMETOOLONG;
	memcpy(ret->sun_path, path, strlen(path));
	return 0;
}

static int
listen_at(const char *path, int *ret_fd)
{
	struct sockaddr_un address;
	fd_auto int fd = -1;
	int r = name_of(path, &address);

	if (r == 0)
		r = make_way(&address);
	if (r < 0)
		return r;
	fd = make_socket();
	/* The mode of its name, whatever the umask allows. */
	if (fd < 0 || fchmod(fd, 0600) < 0 ||
		bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, BACKLOG) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

/* The path ends in UUID.vnc: it is the one that was given to it, not one that it names. */
static bool
is_ours(const struct vm *vm, const char *path)
{
	const char *run = vm->vms->env->run;
	size_t n = run ? strlen(run) : 0;

	return n > 0 && strncmp(path, run, n) == 0 && path[n] == '/' &&
	       strchr(path + n + 1, '/') == NULL;
}

int
vm_graphics_listen(struct vm *vm, struct rpc_error *error)
{
	const struct domain_graphics *its = with_socket(vm);
	struct vm_graphics *graphics = &vm->graphics;
	int r;

	if (!its)
		return RPC_DONE;
	if (is_ours(vm, its->socket))
		r = rundir_listen(vm->uuid, KIND, SOCK_STREAM, &graphics->fd);
	else
		r = listen_at(its->socket, &graphics->fd);
	if (r == 0)
		return RPC_DONE;
	return rpc_error_set_errno(error, -r, VIR_FROM_QEMU,
		"cannot make the socket '%s' of the domain's screen%s", its->socket,
		r == -EEXIST       ? ": something else has that name; remove it"
		: r == -EADDRINUSE ? ": somebody listens there"
				   : "");
}

bool
vm_graphics_show(struct vm *vm, uint64_t ticket, int *ret_r)
{
	struct vm_graphics *graphics = &vm->graphics;

	if (graphics->fd < 0)
		return false;
	/* Without the descriptor the second fails. */
	*ret_r = monitor_ask_fd(&vm->monitor, "getfd", json_pack("{s:s}", "fdname", LISTENER),
		take_fd(&graphics->fd), 0);
	if (*ret_r == 0)
		*ret_r = monitor_ask(&vm->monitor, VM_GRAPHICS_SHOW,
			json_pack("{s:s, s:[{s:s, s:s}]}", "type", "vnc", "addresses", "type", "fd",
				"str", LISTENER),
			ticket);
	return true;
}

int
vm_graphics_set_password(struct vm *vm)
{
	const struct domain_def *live = vm->domain->live;
	int r = 0;

	for (size_t i = 0; i < live->n_graphics && r == 0; i++) {
		const struct domain_graphics *graphics = &live->graphics[i];

		if (!graphics->password)
			continue;
		/* Without it nobody is let in, so that what comes of it need not be awaited. */
		r = monitor_ask(&vm->monitor, "set_password",
			json_pack("{s:s, s:s, s:s*}", "protocol", "vnc", "password",
				graphics->password, "connected",
				graphics->keeps_connected ? "keep" : NULL),
			0);
		if (r == 0 && graphics->expires)
			r = monitor_ask(&vm->monitor, "expire_password",
				json_pack("{s:s, s:o}", "protocol", "vnc", "time",
					json_sprintf("%" PRId64, graphics->expires_at)),
				0);
	}
	return r;
}

void
vm_graphics_close(struct vm *vm, bool ended)
{
	const struct domain_graphics *its = with_socket(vm);
	struct sockaddr_un address;

	fd_close(&vm->graphics.fd);
	if (ended && its && !is_ours(vm, its->socket) && name_of(its->socket, &address) == 0)
		(void)make_way(&address);
}

/* --- who looks ---------------------------------------------------------------------------- */

/* A text of one of the two sides; NULL: it has none. Clients get it, and change nothing in it. */
static char *
text_of(json_t *side, const char *key)
{
	return (char *)(uintptr_t)json_string_value(json_object_get(side, key));
}

/* One side; false: it says too little, or has an address of a kind that clients do not know. */
static bool
read_side(json_t *side, struct happening_address *ret)
{
	static const char *const families[] = {
		[GRAPHICS_IPV4] = "ipv4", [GRAPHICS_IPV6] = "ipv6", [GRAPHICS_UNIX] = "unix"};
	const char *family = text_of(side, "family");

	ret->node = text_of(side, "host");
	ret->service = text_of(side, "service");
	for (int i = GRAPHICS_IPV4; family && i <= GRAPHICS_UNIX; i++)
		if (strcmp(family, families[i]) == 0) {
			ret->family = (enum happening_family)i;
			return ret->node && ret->service;
		}
	return false;
}

void
vm_graphics_happened(struct vm *vm, enum happening_graphics phase, const json_t *data)
{
	static char none[] = "";
	json_t *server = json_object_get(data, "server");
	struct happening what = {.kind = HAPPENED_GRAPHICS, .graphics = {.phase = phase}};
	const struct domain_graphics *its = with_socket(vm);

	if (!read_side(server, &what.graphics.local) ||
		!read_side(json_object_get(data, "client"), &what.graphics.remote))
		return;
	/* The name that QEMU was given is one in the worker's own folder. */
	if (what.graphics.local.family == GRAPHICS_UNIX && its)
		what.graphics.local.service = its->socket;
	what.graphics.auth = text_of(server, "auth");
	if (!what.graphics.auth)
		what.graphics.auth = none;
	vm_happened(vm, &what);
}
