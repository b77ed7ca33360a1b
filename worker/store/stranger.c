/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stranger.c: a definition that somebody else than the user gives one of her VMs; see stranger.h.
 *
 * Runs in the worker, as the user; never as root. What is judged is the definition that is kept, not
 * the text that it came in.
 */
#include "worker/store/stranger.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/derived_uuid.h"
#include "lib/take.h"
#include "lib/uuid.h"
#include "worker/domain/devices.h"

/* What a file is for. */
enum use_kind { USE_DISK = 1, USE_KERNEL, USE_INITRD, USE_OUTPUT, USE_SOCKET };

struct use {
	enum use_kind kind;
	const char *path;
	unsigned format; /* of an image: enum domain_disk_format and _layer_type, or 0 */
	bool writes;
};

/* Returns 0 to go on. */
typedef int use_fn(const struct use *use, void *arg);

static int
each_layer(const struct domain_layer *layer, bool writes, use_fn *fn, void *arg)
{
	struct use use = {.kind = USE_DISK,
		.path = layer->path,
		.format = (unsigned)layer->format << 8 | layer->type,
		.writes = writes};

	return layer->path ? fn(&use, arg) : 0;
}

static int
each_disk(const struct domain_def *def, use_fn *fn, void *arg)
{
	int r = 0;

	for (size_t i = 0; i < def->n_disks && r == 0; i++) {
		const struct domain_disk *disk = &def->disks[i];

		r = each_layer(&disk->source, !disk->readonly, fn, arg);
		for (size_t j = 0; j < disk->n_backing && r == 0; j++)
			r = each_layer(&disk->backing[j], false, fn, arg);
	}
	return r;
}

static int
each_chardev(const struct domain_def *def, use_fn *fn, void *arg)
{
	struct domain_cursor cursor = {0};
	const struct domain_chardev *chardev;
	int r = 0;

	while (r == 0 && (chardev = domain_chardev_next(def, &cursor))) {
		struct use path = {
			.kind = chardev->type == DOMAIN_CHARDEV_UNIX ? USE_SOCKET : USE_OUTPUT,
			.path = chardev->path,
			.writes = true};
		struct use log = {.kind = USE_OUTPUT, .path = chardev->log, .writes = true};

		if (path.path && !chardev->chosen)
			r = fn(&path, arg);
		if (r == 0 && log.path)
			r = fn(&log, arg);
	}
	return r;
}

/* All files that a definition names. */
static int
each_use(const struct domain_def *def, use_fn *fn, void *arg)
{
	struct use kernel = {.kind = USE_KERNEL, .path = def->os.kernel};
	struct use initrd = {.kind = USE_INITRD, .path = def->os.initrd};
	int r = each_disk(def, fn, arg);

	if (r == 0)
		r = each_chardev(def, fn, arg);
	for (size_t i = 0; i < def->n_graphics && r == 0; i++) {
		struct use use = {
			.kind = USE_SOCKET, .path = def->graphics[i].socket, .writes = true};

		if (use.path)
			r = fn(&use, arg);
	}
	if (r == 0 && kernel.path)
		r = fn(&kernel, arg);
	if (r == 0 && initrd.path)
		r = fn(&initrd, arg);
	return r;
}

/* --- what the VM has already ---------------------------------------------------------------- */

static int
is_as_free(const struct use *had, void *arg)
{
	const struct use *wanted = arg;

	return had->kind == wanted->kind && had->format == wanted->format &&
	       (had->writes || !wanted->writes) && strcmp(had->path, wanted->path) == 0;
}

static bool
has(const struct domain *domain, const struct use *use)
{
	struct use wanted = *use;

	return domain && ((domain->config && each_use(domain->config, is_as_free, &wanted)) ||
				 (domain->live && each_use(domain->live, is_as_free, &wanted)));
}

/* --- what is below the folders --------------------------------------------------------------- */

static int
open_beneath(int dir_fd, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	int fd = (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/* A file that is there, or whose folder is, so that it can be made. */
static bool
leads_beneath(int dir_fd, const char *path)
{
	char folder[PATH_MAX];
	const char *name = strrchr(path, '/');
	fd_auto int fd = open_beneath(dir_fd, path);
	struct stat st;

	/* No link at its end: what that leads to may be made later. */
	if (fd >= 0)
		return fstat(fd, &st) == 0 && !S_ISLNK(st.st_mode);
	if (fd != -ENOENT)
		return false;
	if (!name)
		return true;
	(void)snprintf(folder, sizeof(folder), "%.*s", (int)(name - path), path);
	fd = open_beneath(dir_fd, folder);
	return fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool
is_beneath(const struct home *home, const char *path)
{
	static const char *const folders[] = {"images", "nvram", "save"};
	char folder[PATH_MAX];

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		int n = snprintf(folder, sizeof(folder), "%s/.qemud/%s/", home->path, folders[i]);
		size_t size = (size_t)n;

		if (size >= sizeof(folder) || strncmp(path, folder, size) != 0 || !path[size])
			continue;
		fd_auto int dir_fd =
			openat(home->fd, folders[i], O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		return dir_fd >= 0 && leads_beneath(dir_fd, path + size);
	}
	return false;
}

/* --- the whole -------------------------------------------------------------------------------- */

struct check {
	const struct domains *domains;
	const struct domain *domain; /* NULL: a new one */
	const struct guise *guise;
	struct rpc_error *error;
};

static int
check_use(const struct use *use, void *arg)
{
	const struct check *check = arg;

	if (has(check->domain, use) || is_beneath(check->domains->home, use->path))
		return 0;
	return domain_refuse(check->error, VIR_ERR_OPERATION_DENIED, VIR_FROM_QEMU,
		"operation forbidden: '%.200s' is neither below .qemud/images, .qemud/nvram or "
		".qemud/save in the home of '%s', nor used in the same way by this domain: its "
		"owner alone may name it",
		use->path, check->guise->owner);
}

/* What is below an image is said here, or the image is the VM's already. */
static int
check_chains(const struct domain_def *def, struct check *check)
{
	for (size_t i = 0; i < def->n_disks; i++) {
		const struct domain_disk *disk = &def->disks[i];
		const struct domain_layer *last =
			disk->n_backing > 0 ? &disk->backing[disk->n_backing - 1] : &disk->source;
		struct use use = {.kind = USE_DISK,
			.path = last->path,
			.format = (unsigned)last->format << 8 | last->type};

		if (disk->whole || !last->path || last->format == DOMAIN_DISK_RAW ||
			has(check->domain, &use))
			continue;
		return domain_refuse(check->error, VIR_ERR_OPERATION_DENIED, VIR_FROM_QEMU,
			"operation forbidden: what is below image '%.200s' of disk '%s' is not "
			"said: only its owner may leave that to the image; end it with "
			"<backingStore/>",
			last->path, disk->target);
	}
	return 0;
}

/* The VM that others see under this UUID, or NULL. */
static const struct domain *
find_derived(const struct domains *domains, uint32_t uid, const uint8_t uuid[static UUID_SIZE])
{
	const struct domain *domain;
	uint8_t derived[UUID_SIZE];

	TAILQ_FOREACH (domain, &domains->all, entry) {
		derived_uuid(uid, domain_def_now(domain)->uuid, derived);
		if (memcmp(derived, uuid, UUID_SIZE) == 0)
			return domain;
	}
	return NULL;
}

int
stranger_read(const struct domains *domains, const char *xml, const struct guise *guise,
	struct rpc_error *error, struct domain_def **ret_def)
{
	struct check check = {.domains = domains, .guise = guise, .error = error};
	domain_def_auto struct domain_def *def = NULL;
	const struct domain *domain;
	int r = domain_guise_parse(xml, guise, domains->env, error, &def);

	if (r)
		return r;
	domain = find_derived(domains, guise->uid, def->uuid);
	if (domain)
		memcpy(def->uuid, domain_def_now(domain)->uuid, sizeof(def->uuid));
	check.domain = domains_find_uuid(domains, def->uuid);
	r = each_use(def, check_use, &check);
	if (r == 0)
		r = check_chains(def, &check);
	if (r == 0)
		*ret_def = take_ptr(def);
	return r;
}
