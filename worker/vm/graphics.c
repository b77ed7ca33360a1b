/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * graphics.c: the socket of a VM's screen; see graphics.h.
 *
 * Runs in the worker, as the user; never as root. It reads nothing from who connects. Must never
 * remove what is not a socket of the user's, nor one on which somebody listens.
 */
#include "worker/vm/graphics.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/log.h"
#include "lib/take.h"
#include "protocol/rpc/procedure.h"
#include "worker/vm/rundir.h"
#include "worker/vm/screen.h"
#include "worker/vm/vm.h"
#include "worker/vm/vms.h"

enum { BACKLOG = 8, AGAIN_S = 1 };

#define KIND "vnc" /* of the file in the run-time folder: domain_graphics_place() */

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

/* What an earlier run has left there goes. */
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
listen_at(struct vm_graphics *graphics, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	fd_auto int fd = -1;
	struct stat st;
	int r;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	r = make_way(&address);
	if (r < 0)
		return r;
	fd = make_socket();
	/* The mode of its name, whatever the umask allows. */
	if (fd < 0 || fchmod(fd, 0600) < 0 ||
		bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, BACKLOG) < 0 || fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	graphics->dev = st.st_dev;
	graphics->ino = st.st_ino;
	graphics->fd = take_fd(&fd);
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

	if (!its || graphics->fd >= 0)
		return RPC_DONE;
	if (is_ours(vm, its->socket))
		r = rundir_listen(vm->uuid, KIND, SOCK_STREAM, &graphics->fd);
	else
		r = listen_at(graphics, its->socket);
	if (r == 0)
		return RPC_DONE;
	return rpc_error_set_errno(error, -r, VIR_FROM_QEMU,
		"cannot make the socket '%s' of the domain's screen%s", its->socket,
		r == -EEXIST       ? ": something else has that name; remove it"
		: r == -EADDRINUSE ? ": somebody listens there"
				   : "");
}

/* --- who connects ------------------------------------------------------------------------- */

static void
watch(struct vm *vm)
{
	struct vm_graphics *graphics = &vm->graphics;
	bool room = graphics->n_waiting < VM_GRAPHICS_WAITING_MAX;

	if (graphics->fd >= 0 && graphics->io.loop)
		io_set(&graphics->io, room && !timer_is_set(&graphics->again) ? EPOLLIN : 0);
}

static void
watch_again(struct timer *timer)
{
	watch(container_of(timer, struct vm, graphics.again));
}

static void
handed_over(void *arg, enum rpc_handled handled, const struct rpc_error *error)
{
	struct vm *vm = arg;

	if (handled == RPC_FAILED)
		log_info("dom=%s: a viewer cannot be let in: %s", log_quote(vm->domain->live->name),
			log_quote(error->message));
	vm->graphics.n_waiting--;
	watch(vm);
}

static void
on_connection(struct io *io, uint32_t events)
{
	struct vm *vm = container_of(io, struct vm, graphics.io);
	struct loop *loop = vm->vms->loop;
	struct rpc_error error;
	int fd = accept4(vm->graphics.fd, NULL, NULL, SOCK_CLOEXEC);

	(void)events;
	if (fd >= 0) {
		vm->graphics.n_waiting++;
		if (vm_open_graphics(vm, fd, false, &error, handed_over, vm) == RPC_FAILED)
			handed_over(vm, RPC_FAILED, &error);
	} else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		timer_set(loop, &vm->graphics.again, loop_now(loop) + LOOP_S(AGAIN_S), watch_again);
	}
	watch(vm);
}

void
vm_graphics_serve(struct vm *vm)
{
	struct vm_graphics *graphics = &vm->graphics;

	if (graphics->fd < 0 || graphics->io.loop)
		return;
	if (io_start(vm->vms->loop, &graphics->io, graphics->fd, EPOLLIN, 0, on_connection) < 0) {
		log_warning("dom=%s: nobody can connect to its screen: out of memory",
			log_quote(vm->domain->live->name));
		fd_close(&graphics->fd);
	}
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
	struct vm_graphics *graphics = &vm->graphics;
	const struct domain_graphics *its = with_socket(vm);
	struct stat st;

	timer_stop(&graphics->again);
	if (graphics->fd >= 0 && graphics->io.loop)
		io_stop(&graphics->io);
	fd_close(&graphics->fd);
	if (ended && its && graphics->ino &&
		fstatat(AT_FDCWD, its->socket, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		st.st_dev == graphics->dev && st.st_ino == graphics->ino)
		(void)unlinkat(AT_FDCWD, its->socket, 0);
	vm_graphics_init(graphics);
}
